//! Customers: who somebody is, without any money.

use crate::model::statement::{ObjectKind, Statement};

use super::object::{Reading, person};

/// A customer as the merchant knows it.
pub(super) fn customer(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = reading.statement(ObjectKind::Customer, "id")?;
    statement.customer = Some(statement.object.id.clone());
    statement.person = person(
        reading,
        &["email"],
        &["phone", "shipping.phone"],
        &["name", "individual_name", "business_name", "shipping.name"],
    );
    Some(statement)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::told::{links, said};
    use super::*;
    use crate::model::statement::Claim;

    #[test]
    fn a_customer_is_a_person_and_no_money() {
        for event_type in ["customer.created", "customer.updated"] {
            let customer = json!({
                "id": "cus_1", "object": "customer", "email": "Jane@Example.com", "phone": "+49 30 1234567", "name": "Jane",
                "metadata": {"user_id": "u1", "pricing_tier": "pro"}, "default_source": "card_1"
            });
            let (statement, notes) = said(event_type, customer);
            assert_eq!((statement.object.kind, statement.object.id.as_str()), (ObjectKind::Customer, "cus_1"));
            assert_eq!((&statement.claim, links(&statement)), (&Claim::Nothing, vec![]));
            assert_eq!(statement.customer.as_deref(), Some("cus_1"));
            let person = statement.person;
            assert_eq!(person.email.unwrap().as_str(), "jane@example.com");
            assert_eq!(person.phone.unwrap().as_str(), "+49301234567");
            assert_eq!(person.name.as_deref(), Some("Jane"));
            assert_eq!(statement.tags.user_id.as_deref(), Some("u1"));
            assert_eq!(statement.tags.pricing_tier.as_deref(), Some("pro"));
            assert!(notes.is_empty(), "{notes:?}");
        }
    }

    #[test]
    fn a_customer_of_whom_nothing_is_known_still_names_itself() {
        let (statement, notes) =
            said("customer.created", json!({"id": "cus_1", "email": null, "business_name": "Jane Ltd"}));
        assert_eq!((statement.customer.as_deref(), statement.person.email), (Some("cus_1"), None));
        assert_eq!(statement.person.name.as_deref(), Some("Jane Ltd"));
        assert!(notes.is_empty());
    }
}
