//! Looks over the sandboxes' shoulders: what each destination was told, as rows.

use std::time::Instant;

use serde_json::Value;

use super::printer::Row;
use super::sandbox::{Recorded, Sandbox};
use super::stage::{GROUPS, Stage};
use crate::model::money::Money;

/// How far each sandbox's record was read.
#[derive(Default)]
pub struct Watch {
    ga4: u64,
    crm: u64,
    mailerlite: u64,
    alerts: u64,
}

impl Watch {
    /// What has arrived since the last look, in the order in which it did.
    pub fn news(&mut self, stage: &Stage) -> Vec<(Instant, Row)> {
        let mut news = Vec::new();
        for (from, sandbox, tell) in [
            (&mut self.ga4, &*stage.ga4, ga4 as fn(&Recorded) -> Row),
            (&mut self.crm, &*stage.crm, crm),
            (&mut self.mailerlite, &*stage.mailerlite, mailerlite),
            (&mut self.alerts, &*stage.alerts, alert),
        ] {
            let sandbox: &Sandbox = sandbox;
            for request in sandbox.requests_from(*from) {
                *from = request.number + 1;
                let mut row = tell(&request);
                row.outcome = outcome(&request);
                news.push((request.instant, row));
            }
        }
        news.sort_by_key(|(at, _)| *at);
        news
    }
}

fn outcome(request: &Recorded) -> String {
    let status = request.status.map_or("no answer".to_owned(), |status| status.to_string());
    let fault = if request.fault.is_some() { " (scripted)" } else { "" };
    let broken = request.broken_rules.first().map_or(String::new(), |rule| format!("  BREAKS A RULE: {rule}"));
    format!("{status}{fault}{broken}")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number of major units with two decimals, as far as it is one.
fn amount(value: &Value, currency: &str) -> String {
    let read = super::sandbox::read_amount(value, currency);
    read.map_or_else(|| if value.is_null() { String::new() } else { text(value) }, |money: Money| money.to_string())
}

fn ga4(request: &Recorded) -> Row {
    let body = request.json();
    let event = &body["events"][0];
    let params = &event["params"];
    let currency = params["currency"].as_str().unwrap_or_default();
    Row {
        who: "GA4",
        what: text(&event["name"]),
        amount: amount(&params["value"], currency),
        id: params["transaction_id"].as_str().unwrap_or_default().to_owned(),
        ..Row::default()
    }
}

fn crm(request: &Recorded) -> Row {
    let body = request.json();
    let path = request.path.strip_prefix("/api/").unwrap_or(&request.path);
    let id = match request.method.as_str() {
        "GET" => request.query.trim_start_matches("external_id=").to_owned(),
        _ => body["last_transaction_id"].as_str().unwrap_or_default().to_owned(),
    };
    let spent = &body["total_spent"];
    let amount = if spent.is_null() { String::new() } else { format!("total {spent}") };
    Row { who: "CRM", what: format!("{} {path}", request.method), amount, id, ..Row::default() }
}

fn mailerlite(request: &Recorded) -> Row {
    let body = request.json();
    let path = request.path.strip_prefix("/api/").unwrap_or(&request.path);
    let tier = |group: &Value| {
        GROUPS.iter().find(|(_, id)| group == id).map_or_else(|| text(group), |(tier, _)| (*tier).to_owned())
    };
    let groups: Vec<String> = body["groups"].as_array().into_iter().flatten().map(tier).collect();
    let id = if groups.is_empty() { String::new() } else { format!("group {}", groups.join(", ")) };
    Row { who: "MailerLite", what: format!("{} {path}", request.method), id, ..Row::default() }
}

fn alert(request: &Recorded) -> Row {
    let body = request.json();
    let id = format!("{} {}", text(&body["event_type"]), text(&body["destination"]));
    Row { who: "alert", what: text(&body["error_message"]), id, ..Row::default() }
}
