//! The daemon's books, as an operator would ask for them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::DemoError;
use crate::operator::{Desk, List, Request};

/// The newest deliveries are asked for, so many: more than a rehearsal has, and not too much for one that stays up for days.
const NEWEST: u64 = 500;

/// A business event that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// `purchase`.
    pub kind: String,
    /// `99.00 EUR`; empty without one.
    pub amount: String,
    /// The id that destinations know it by.
    pub transaction_id: String,
    /// Whether it is live.
    pub live: bool,
    /// The deliveries that it calls for: destination and state.
    pub deliveries: Vec<(String, String)>,
}

/// Remembers which business events were shown.
#[derive(Default)]
pub struct Books {
    shown: BTreeMap<String, Counted>,
}

impl Books {
    /// Business events that are new, or tell something else than when they were shown.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn news(&mut self, desk: &Desk) -> Result<Vec<Counted>, DemoError> {
        let mut news = Vec::new();
        for (id, counted) in counted(desk)? {
            let said =
                |counted: &Counted| (counted.kind.clone(), counted.amount.clone(), counted.transaction_id.clone());
            if self.shown.get(&id).map(said) != Some(said(&counted)) {
                news.push(counted.clone());
                self.shown.insert(id, counted);
            }
        }
        Ok(news)
    }

    /// Deliveries that are still to be made.
    ///
    /// # Errors
    /// When the daemon refuses.
    pub fn pending(desk: &Desk) -> Result<u64, DemoError> {
        Ok(states(desk)?.get("pending").copied().unwrap_or(0))
    }
}

/// The newest business events by their numbers, oldest first.
///
/// # Errors
/// When the daemon refuses.
pub fn counted(desk: &Desk) -> Result<Vec<(String, Counted)>, DemoError> {
    let mut found: Vec<(u64, String, Counted)> = Vec::new();
    for row in ask(desk, Request::DeliveriesList(List { limit: Some(NEWEST), ..List::default() }))? {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let id = text("id");
        let event = id.split('.').next().unwrap_or_default().to_owned();
        let delivery = (text("destination"), text("state"));
        match found.iter_mut().find(|(_, known, _)| *known == event) {
            Some((_, _, counted)) => counted.deliveries.push(delivery),
            None => {
                let counted = Counted {
                    kind: text("kind"),
                    amount: text("amount"),
                    transaction_id: text("transaction_id"),
                    live: row["livemode"] == true,
                    deliveries: vec![delivery],
                };
                let number = event.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
                found.push((number, event, counted));
            }
        }
    }
    found.sort_by_key(|(number, ..)| *number);
    Ok(found.into_iter().map(|(_, event, counted)| (event, counted)).collect())
}

/// How many deliveries are in each state.
///
/// # Errors
/// When the daemon refuses.
pub fn states(desk: &Desk) -> Result<BTreeMap<String, u64>, DemoError> {
    let rows = ask(desk, Request::Status)?;
    let deliveries = rows.first().and_then(|row| row["deliveries"].as_object());
    Ok(deliveries
        .into_iter()
        .flatten()
        .map(|(state, count)| (state.clone(), count.as_u64().unwrap_or_default()))
        .collect())
}

fn ask(desk: &Desk, request: Request) -> Result<Vec<Value>, DemoError> {
    let rows = desk.handle(request).map_err(|error| DemoError::Daemon(error.message))?;
    Ok(rows.collect())
}
