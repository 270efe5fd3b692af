//! The `items` of a GA4 event: at least one always, because GA4 shows no sale without.

use serde_json::{Map, Value};

use super::DefaultItem;
use super::parameters::Parameters;
use super::person::Guard;
use super::validate::MOST_ITEMS;
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::money::Money;
use crate::model::statement::Item;

/// What the event tells of, else the configured default item at the event's whole amount. What had to be left out is noted
/// in `notes`.
pub fn render(
    event: &BusinessEvent,
    kind: &EventKind,
    default: &DefaultItem,
    guard: &Guard,
    notes: &mut Vec<String>,
) -> Vec<Value> {
    let maker = Maker { amount: event.amount, default, guard };
    let mut lines = lines(event);
    if kind.is_money() && !kind.is_sale() && !covers(&lines, event.amount) {
        // Which lines a partial refund is for is not known; claiming all of them would refund more items than were.
        lines.truncate(if lines.len() == 1 { 1 } else { 0 });
        for line in &mut lines {
            line.quantity = 1;
            line.unit_minor = event.amount.map(|amount| amount.minor);
        }
    }
    if lines.len() > MOST_ITEMS {
        notes.push(format!("{} of {} items were sent, the most GA4 takes", MOST_ITEMS, lines.len()));
        lines.truncate(MOST_ITEMS);
    }
    if lines.is_empty() {
        return vec![maker.default_item(notes)];
    }
    let single = lines.len() == 1;
    lines.iter().map(|line| maker.item(line, single, notes)).collect()
}

fn lines(event: &BusinessEvent) -> Vec<Item> {
    let facts = &event.facts;
    let told = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    if !facts.details.items.is_empty() {
        return facts.details.items.clone();
    }
    let (id, mut name) = (told(&facts.service_id), told(&facts.service_name));
    if let (None, None, Some(subscription)) = (&id, &name, &facts.subscription) {
        name = told(&subscription.plan);
    }
    if id.is_none() && name.is_none() {
        return Vec::new();
    }
    vec![Item { id, name, quantity: 1, unit_minor: event.amount.map(|amount| amount.minor) }]
}

fn covers(lines: &[Item], amount: Option<Money>) -> bool {
    let sum = lines
        .iter()
        .try_fold(0_i128, |sum, line| line.unit_minor.map(|unit| sum + i128::from(unit) * i128::from(line.quantity)));
    matches!((sum, amount), (Some(sum), Some(amount)) if sum == i128::from(amount.minor))
}

/// What every item is made with.
struct Maker<'m> {
    amount: Option<Money>,
    default: &'m DefaultItem,
    guard: &'m Guard,
}

impl Maker<'_> {
    fn item(&self, line: &Item, single: bool, notes: &mut Vec<String>) -> Value {
        let mut params = Parameters::new(self.guard);
        params.text("item_id", line.id.as_deref());
        params.text("item_name", line.name.as_deref());
        if params.is_empty() {
            self.name_default(&mut params);
        }
        let quantity = line.quantity.max(1);
        // A lone line without a price of its own is the whole amount.
        let whole = self.amount.filter(|_| single && quantity == 1).map(|amount| amount.minor);
        if let (Some(minor), Some(amount)) = (line.unit_minor.or(whole), self.amount) {
            params.plain("price", Money { minor, ..amount }.decimal().json());
        }
        params.plain("quantity", quantity.into());
        finish(params, notes)
    }

    fn default_item(&self, notes: &mut Vec<String>) -> Value {
        let mut params = Parameters::new(self.guard);
        self.name_default(&mut params);
        if let Some(amount) = self.amount {
            params.plain("price", amount.decimal().json());
        }
        params.plain("quantity", 1.into());
        finish(params, notes)
    }

    fn name_default(&self, params: &mut Parameters<'_>) {
        params.word("item_id", &self.default.id);
        params.word("item_name", &self.default.name);
        params.word("item_category", &self.default.category);
    }
}

fn finish(params: Parameters<'_>, notes: &mut Vec<String>) -> Value {
    let (map, said): (Map<String, Value>, Vec<String>) = params.into_parts();
    for note in said {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Value::Object(map)
}
