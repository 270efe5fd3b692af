use proptest::prelude::*;

use super::super::fields::{FIELDS, Field, FieldValue, Form, Subject};
use super::super::samples;
use super::*;
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::time::Timestamp;

fn field(name: &str) -> &'static Field {
    Field::named(name).unwrap()
}

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.to_owned())
}

fn number(value: &str) -> FieldValue {
    FieldValue::Number(value.parse().unwrap())
}

fn condition(name: &str, operator: Operator, values: &[FieldValue]) -> Condition {
    Condition::new(field(name), operator, values.to_vec()).unwrap()
}

fn case(conditions: &[Condition]) -> Case {
    Case::new(conditions.to_vec()).unwrap()
}

fn subject<'a>(event: &'a BusinessEvent, contact: &'a Contact) -> Subject<'a> {
    Subject { event: Some(event), contact: Some(contact), external_id: None, currency: None }
}

/// Whether a condition holds of the sample sale: 99.50 EUR, premium, newsletter.
fn holds(name: &str, operator: Operator, values: &[FieldValue]) -> bool {
    let (event, contact) = (samples::event("purchase"), samples::contact());
    condition(name, operator, values).holds(&subject(&event, &contact))
}

#[test]
fn each_operator_asks_what_it_says() {
    use Operator::*;
    for (name, operator, values, expected) in [
        ("pricing_tier", Is, vec![text("premium")], true),
        ("pricing_tier", Is, vec![text(" PREMIUM ")], true),
        ("pricing_tier", Not, vec![text("premium")], false),
        ("pricing_tier", AnyOf, vec![text("enterprise"), text("Premium")], true),
        ("pricing_tier", NoneOf, vec![text("enterprise"), text("basic")], true),
        ("pricing_tier", Contains, vec![text("REM")], true),
        ("pricing_tier", StartsWith, vec![text("pre")], true),
        ("pricing_tier", StartsWith, vec![text("rem")], false),
        ("pricing_tier", EndsWith, vec![text("ium")], true),
        ("value", Is, vec![number("99.5")], true),
        ("value", Is, vec![number("99.50")], true),
        ("value", AtLeast, vec![number("99.5")], true),
        ("value", Above, vec![number("99.5")], false),
        ("value", AtMost, vec![number("99.49")], false),
        ("value", Below, vec![number("99.51")], true),
        ("occurred_at", AtLeast, vec![FieldValue::Time(samples::SOLD_AT)], true),
        ("occurred_at", Below, vec![FieldValue::Time(samples::SOLD_AT)], false),
        ("returning", Is, vec![FieldValue::Flag(false)], true),
        ("returning", Not, vec![FieldValue::Flag(false)], false),
        ("kind", Is, vec![text("purchase")], true),
        ("currency", Is, vec![text("EUR")], true),
    ] {
        assert_eq!(holds(name, operator, &values), expected, "{name} {operator:?} {values:?}");
    }
}

#[test]
fn what_is_given_back_goes_where_its_sale_went() {
    let contact = samples::contact();
    let from_50 =
        Filter::new(vec![case(&[condition("value", Operator::AtLeast, &[number("50")])])], Vec::new()).unwrap();
    for kind in ["refund", "refund_failed", "dispute_lost", "dispute_reversed"] {
        let mut part = samples::event(kind);
        part.amount = Some(samples::money(2000, "eur"));
        part.facts.sale_amount = Some(samples::money(9900, "eur"));
        assert!(from_50.admits(&subject(&part, &contact)), "{kind} of a sale that was let through");
        part.amount = Some(samples::money(9900, "eur"));
        part.facts.sale_amount = Some(samples::money(4900, "eur"));
        assert!(!from_50.admits(&subject(&part, &contact)), "{kind} of a sale that was kept back");
        let why = from_50.refusal(&subject(&part, &contact)).unwrap();
        assert!(why.contains("(it is 49)"), "{why}");
        part.facts.sale_amount = None;
        assert!(
            from_50.admits(&subject(&part, &contact)),
            "{kind} of a sale that was never seen goes by its own value"
        );
    }
}

#[test]
fn what_is_not_known_fulfils_known_false_and_the_negations_only() {
    use Operator::*;
    for operator in [Is, AnyOf, Contains, StartsWith, EndsWith] {
        assert!(!holds("gclid", operator, &[text("x")]), "{operator:?}");
    }
    for operator in [AtLeast, Above, AtMost, Below] {
        assert!(!holds("churned_at", operator, &[FieldValue::Time(samples::SOLD_AT)]), "{operator:?}");
    }
    assert!(holds("gclid", Not, &[text("x")]) && holds("gclid", NoneOf, &[text("x")]));
    assert!(holds("gclid", Known, &[FieldValue::Flag(false)]) && !holds("gclid", Known, &[FieldValue::Flag(true)]));
    assert!(holds("value", Known, &[FieldValue::Flag(true)]));
}

#[test]
fn a_condition_that_makes_no_sense_cannot_be_built() {
    let built = |name, operator, values: &[FieldValue]| Condition::new(field(name), operator, values.to_vec());
    assert_eq!(
        built("pricing_tier", Operator::AtLeast, &[text("a")]),
        Err(Misfit::Operator(Operator::AtLeast, Form::Text))
    );
    assert_eq!(
        built("value", Operator::Contains, &[number("1")]),
        Err(Misfit::Operator(Operator::Contains, Form::Number))
    );
    assert_eq!(built("value", Operator::Is, &[text("1")]), Err(Misfit::Value));
    assert_eq!(built("value", Operator::Known, &[number("1")]), Err(Misfit::Value));
    assert_eq!(built("value", Operator::Is, &[]), Err(Misfit::Count));
    assert_eq!(built("value", Operator::AtLeast, &[number("1"), number("2")]), Err(Misfit::Count));
    assert_eq!(Case::new(Vec::new()), None);
    assert_eq!(Filter::new(Vec::new(), Vec::new()), None);
}

#[test]
fn a_filter_lets_through_any_case_of_only_and_no_case_of_except() {
    let (event, contact) = (samples::event("purchase"), samples::contact());
    let subject = subject(&event, &contact);
    let yes = case(&[condition("kind", Operator::Is, &[text("purchase")])]);
    let half = case(&[
        condition("kind", Operator::Is, &[text("purchase")]),
        condition("value", Operator::AtLeast, &[number("100")]),
    ]);
    let admits = |only: &[&Case], except: &[&Case]| {
        let owned = |cases: &[&Case]| cases.iter().map(|case| (*case).clone()).collect();
        Filter::new(owned(only), owned(except)).unwrap().admits(&subject)
    };
    assert!(admits(&[&yes], &[]) && !admits(&[&half], &[]));
    assert!(admits(&[&half, &yes], &[]), "any of them is enough");
    assert!(!admits(&[], &[&yes]) && admits(&[], &[&half]));
    assert!(!admits(&[&yes], &[&half, &yes]));
}

#[test]
fn a_refusal_names_what_is_not_met_and_what_the_field_holds() {
    let (event, mut contact) = (samples::event("purchase"), samples::contact());
    contact.last_attribution.gclid = None;
    contact.first_attribution.gclid = None;
    let refusal = |only: Vec<Case>, except: Vec<Case>| {
        Filter::new(only, except).unwrap().refusal(&subject(&event, &contact)).unwrap_or_default()
    };
    let tier = condition("pricing_tier", Operator::AnyOf, &[text("enterprise"), text("Team")]);
    let dear = condition("value", Operator::AtLeast, &[number("100.00")]);
    let sale = condition("kind", Operator::Is, &[text("purchase")]);
    let clicked = condition("gclid", Operator::Known, &[FieldValue::Flag(true)]);
    let staff = condition("email", Operator::EndsWith, &[text("@example.com")]);
    assert_eq!(
        refusal(vec![case(&[sale.clone(), tier.clone(), dear.clone()])], vec![]),
        "`only` lets through where pricing_tier is \"enterprise\" or \"team\" (it is \"premium\") and value is at least 100 (it is 99.5)"
    );
    assert_eq!(
        refusal(vec![case(&[dear]), case(&[clicked])], vec![]),
        "no case of `only` is met: value is at least 100 (it is 99.5), or gclid is known (it is not known)"
    );
    let staff = refusal(vec![], vec![case(&[staff, sale.clone()])]);
    assert_eq!(
        staff,
        "`except` keeps back where email ends with … (it is known, and not shown) and kind is \"purchase\" (it is \"purchase\")"
    );
    assert_eq!(refusal(vec![case(&[sale])], vec![]), "", "nothing keeps it back");
}

#[test]
fn a_text_with_somebodys_address_in_it_is_not_shown() {
    let mut event = samples::event("purchase");
    event.facts.attribution.utm_source = Some("mail-to-jane@example.com".into());
    let only = case(&[condition("utm_source", Operator::Is, &[text("x")])]);
    let refusal = Filter::new(vec![only], vec![]).unwrap().refusal(&subject(&event, &samples::contact())).unwrap();
    assert!(!refusal.contains("jane"), "{refusal}");
}

#[test]
fn a_filter_is_open_while_something_it_asks_for_is_not_known() {
    let (mut event, contact) =
        (samples::event("purchase"), Contact::new(samples::contact().id, samples::contact().mode));
    let filter =
        Filter::new(vec![], vec![case(&[condition("payment_method", Operator::Is, &[text("card")])])]).unwrap();
    assert!(!filter.is_open(&subject(&event, &contact)));
    event.facts.details.payment_method_type = None;
    assert!(filter.is_open(&subject(&event, &contact)));
}

/// A value of a form.
fn value(form: Form) -> BoxedStrategy<FieldValue> {
    match form {
        Form::Text => prop_oneof!["premium", "[a-zA-Z]{1,6}", " Spring "].prop_map(FieldValue::Text).boxed(),
        Form::Number => {
            (-2000..20_000_i64).prop_map(|cents| FieldValue::Number(samples::money(cents, "eur").decimal())).boxed()
        }
        Form::Time => (-5..5_i64)
            .prop_map(|days| FieldValue::Time(Timestamp::from_unix_seconds(1_747_132_561 + days * 86_400)))
            .boxed(),
        Form::Flag => any::<bool>().prop_map(FieldValue::Flag).boxed(),
    }
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let fields = (0..FIELDS.len()).prop_map(|at| &FIELDS[at]);
    (fields, 0..Operator::ALL.len())
        .prop_map(|(field, at)| (field, Operator::ALL[at]))
        .prop_filter("suits", |(field, operator)| operator.suits(field.form))
        .prop_flat_map(|(field, operator)| {
            let form = if operator == Operator::Known { Form::Flag } else { field.form };
            let most = if operator.takes_several() { 3 } else { 1 };
            (Just(field), Just(operator), proptest::collection::vec(value(form), 1..=most))
        })
        .prop_map(|(field, operator, values)| Condition::new(field, operator, values).unwrap())
}

/// The opposite of an operator.
const fn opposite(operator: Operator) -> Option<Operator> {
    Some(match operator {
        Operator::Is => Operator::Not,
        Operator::Not => Operator::Is,
        Operator::AnyOf => Operator::NoneOf,
        Operator::NoneOf => Operator::AnyOf,
        Operator::AtLeast => Operator::Below,
        Operator::Below => Operator::AtLeast,
        Operator::Above => Operator::AtMost,
        Operator::AtMost => Operator::Above,
        Operator::Contains | Operator::StartsWith | Operator::EndsWith | Operator::Known => return None,
    })
}

proptest! {
    #[test]
    fn a_condition_and_its_opposite_never_both_hold(condition in any_condition()) {
        let (event, contact) = (samples::event("purchase"), samples::contact());
        let subject = subject(&event, &contact);
        if let Some(opposite) = opposite(condition.operator) {
            let other = Condition { operator: opposite, ..condition.clone() };
            let is_known = condition.field.of(&subject).is_some();
            prop_assert!(!(condition.holds(&subject) && other.holds(&subject)));
            prop_assert!(!is_known || condition.holds(&subject) || other.holds(&subject));
        }
    }

    #[test]
    fn except_is_the_opposite_of_only_whatever_is_known(
        cases in proptest::collection::vec(proptest::collection::vec(any_condition(), 1..3), 1..3),
        knows_nothing in any::<bool>(),
    ) {
        let event = samples::event("purchase");
        let contact = if knows_nothing { samples::stranger() } else { samples::contact() };
        let subject = subject(&event, &contact);
        let cases: Vec<Case> = cases.into_iter().map(|conditions| Case::new(conditions).unwrap()).collect();
        let only = Filter::new(cases.clone(), Vec::new()).unwrap();
        let except = Filter::new(Vec::new(), cases).unwrap();
        prop_assert_ne!(only.admits(&subject), except.admits(&subject));
        prop_assert_eq!(only.admits(&subject), only.refusal(&subject).is_none());
        prop_assert_eq!(except.admits(&subject), except.refusal(&subject).is_none());
    }

    #[test]
    fn a_value_is_on_exactly_one_side_of_a_bound(cents in -2_000_000..2_000_000_i64, bound in -2_000_000..2_000_000_i64) {
        let mut event = samples::event("purchase");
        event.amount = Some(samples::money(cents, "eur"));
        let contact = samples::contact();
        let bound_text = samples::money(bound, "eur").decimal().to_string();
        let asked = |operator| condition("value", operator, &[number(&bound_text)]).holds(&subject(&event, &contact));
        prop_assert_eq!(asked(Operator::AtLeast), cents >= bound);
        prop_assert_eq!(asked(Operator::Below), cents < bound);
        prop_assert_eq!(asked(Operator::Is), cents == bound);
    }
}
