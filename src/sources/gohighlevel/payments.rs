//! HighLevel's orders and invoices. Amounts are in major units with decimals; what is not paid in full counts nothing.

use serde_json::Value;

use crate::model::money::{Currency, Money};
use crate::model::statement::{Claim, Details, Item, ObjectKind, ObjectRef, Paid, Statement};

use super::json;
use super::reading::Reading;

/// Lines that are kept.
const MAX_ITEMS: usize = 100;

/// An order: a sale once its status says that it is paid for.
pub(super) fn order(reading: &mut Reading<'_>) -> Option<Statement> {
    let body = reading.body;
    let Some(id) = body.id("/_id").or_else(|| body.id("/orderId")).or_else(|| body.id("/id")) else {
        reading.note("order id absent");
        return None;
    };
    let contact = body.id("/contactId").or_else(|| body.id("/contactSnapshot/id"));
    let mut statement = of_buyer(reading, ObjectKind::Order, id, contact, "/contactSnapshot");
    // An invoice that is paid online gets an order of its own: one sale.
    if body.text("/source/type").is_some_and(|source| source.eq_ignore_ascii_case("invoice"))
        && let Some(invoice) = body.id("/source/id")
    {
        statement.links.push(ObjectRef::new(ObjectKind::Invoice, invoice));
    }
    let status = body.text("/status").map(str::to_ascii_lowercase).unwrap_or_default();
    match status.as_str() {
        "completed" | "paid" | "succeeded" => {
            let currency = reading.currency("/currency");
            statement.details = details(reading, currency, "/items", "/amountSummary");
            let amount = reading.money(&["/amount"], currency);
            paid(reading, &mut statement, amount);
        }
        "refunded" | "partially_refunded" | "partial_refunded" => {
            reading.note("a refund of unknown amount: HighLevel does not say how much went back, so that it is not taken off; enter it by hand where it matters");
        }
        _ => reading.nothing_to_count("the order is not paid"),
    }
    Some(statement)
}

/// An invoice: a sale once it is paid in full.
pub(super) fn invoice(reading: &mut Reading<'_>) -> Option<Statement> {
    let body = reading.body;
    let Some(id) = body.id("/_id").or_else(|| body.id("/invoiceId")).or_else(|| body.id("/id")) else {
        reading.note("invoice id absent");
        return None;
    };
    let contact = body.id("/contactDetails/id").or_else(|| body.id("/contactId"));
    let mut statement = of_buyer(reading, ObjectKind::Invoice, id, contact, "/contactDetails");
    let is_paid =
        body.text("/status").map_or(reading.event_type == "InvoicePaid", |status| status.eq_ignore_ascii_case("paid"));
    if is_paid {
        let currency = reading.currency("/currency");
        statement.details = details(reading, currency, "/invoiceItems", "/totalSummary");
        let amount = reading.money(&["/amountPaid", "/total"], currency);
        paid(reading, &mut statement, amount);
    } else {
        reading.nothing_to_count("the invoice is not paid in full");
    }
    Some(statement)
}

/// A statement about what somebody bought.
fn of_buyer(reading: &Reading<'_>, kind: ObjectKind, id: &str, contact: Option<&str>, person: &str) -> Statement {
    let mut statement = reading.statement(kind, id, contact);
    if let Some(at) = reading.body.moment("/updatedAt") {
        statement.said_at = at;
    }
    statement.person = reading.person(person);
    statement.tags = reading.tags(&[]);
    statement
}

fn paid(reading: &mut Reading<'_>, statement: &mut Statement, amount: Option<Money>) {
    match amount {
        None => {}
        Some(amount) if amount.minor == 0 => reading.nothing_to_count("nothing had to be paid"),
        Some(amount) => statement.claim = Claim::Paid(Paid { amount, at: statement.said_at, billing: None }),
    }
}

fn details(reading: &Reading<'_>, currency: Option<Currency>, items: &str, summary: &str) -> Details {
    let Some(currency) = currency else { return Details::default() };
    let part = |name: &str| {
        reading
            .body
            .money(&format!("{summary}/{name}"), currency)
            .ok()
            .map(|money| money.minor)
            .filter(|minor| *minor > 0)
    };
    let items = reading.body.list(items).iter().take(MAX_ITEMS).map(|item| line(item, currency));
    Details {
        tax: part("tax"),
        shipping: part("shipping"),
        discount: part("discount"),
        items: items.collect(),
        ..Details::default()
    }
}

fn line(item: &Value, currency: Currency) -> Item {
    let text = |path: &str| item.pointer(path).and_then(json::text).map(str::to_owned);
    let price = ["/price/amount", "/amount"].iter().find_map(|path| item.pointer(path));
    let quantity = item.get("qty").and_then(Value::as_u64).and_then(|quantity| u32::try_from(quantity).ok());
    Item {
        id: ["/product/_id", "/productId", "/price/_id", "/_id"].iter().find_map(|path| text(path)),
        name: text("/name"),
        quantity: quantity.unwrap_or(1).max(1),
        unit_minor: json::money(price, currency).ok().map(|money| money.minor),
    }
}
