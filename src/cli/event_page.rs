//! One webhook on one screen: what came, what it was taken for, what it was joined with and why, what went where.

use std::io::{self, Write};

use serde_json::Value;

use super::deliveries::why;
use super::table::{field, mode, moment, plain};

/// Prints the story of a webhook.
pub(super) fn page(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}  {}  {}", field(row, "id"), field(row, "type"), field(row, "provider_id"), mode(row))?;
    let said = row["created"].as_str().map(|_| format!(", by the sender's own clock {} UTC", moment(row, "created")));
    writeln!(
        out,
        "came to {} at {} UTC{}; {} bytes, {}",
        field(row, "source"),
        moment(row, "received_at"),
        said.unwrap_or_default(),
        field(row, "body_bytes"),
        if row["body_kept"] == true { "kept" } else { "past their keeping time" }
    )?;
    writeln!(out, "{}: {}", field(row, "status"), field(row, "meaning"))?;
    for note in texts(&row["notes"]) {
        writeln!(out, "note: {note}")?;
    }
    for why in texts(&row["why_nothing"]) {
        writeln!(out, "why nothing is counted: {why}")?;
    }
    if row["sale"].is_object() {
        group(&row["sale"], out)?;
    }
    // What the webhook itself told of stands in full; where it told of nothing, what others told does.
    let is_own = |event: &Value| event["from_this_event"] == true && event["withdrawn"] != true;
    let in_brief = each(&row["business_events"]).any(is_own);
    for event in each(&row["business_events"]) {
        if in_brief && event["from_this_event"] != true {
            brief(event, out)?;
        } else {
            business_event(event, row["sale"]["other_half"].is_object(), out)?;
        }
    }
    Ok(())
}

fn each(rows: &Value) -> impl Iterator<Item = &Value> {
    rows.as_array().into_iter().flatten()
}

fn texts(rows: &Value) -> Vec<String> {
    each(rows).filter_map(Value::as_str).map(plain).collect()
}

/// What belongs together, an object a line, and why.
fn group(sale: &Value, out: &mut dyn Write) -> io::Result<()> {
    let (several, named) = (each(&sale["objects"]).count() + each(&sale["named"]).count() > 1, &sale["named"]);
    let together = if several { "joined by the ids that they name:" } else { "nothing else is linked to it:" };
    let contact = if sale["contact"].is_string() { format!(", {}", field(sale, "contact")) } else { String::new() };
    writeln!(out, "\n{} ({}{contact}), {together}", field(sale, "id"), field(sale, "scope"))?;
    objects(&sale["objects"], named, out)?;
    let other = &sale["other_half"];
    if other.is_object() {
        writeln!(out, "{}", field(other, "why"))?;
        objects(&other["objects"], &Value::Null, out)?;
    }
    Ok(())
}

fn objects(heard: &Value, named: &Value, out: &mut dyn Write) -> io::Result<()> {
    let width =
        |name: &str| each(heard).chain(each(named)).map(|row| field(row, name).chars().count()).max().unwrap_or(0);
    let (kind, id) = (width("kind"), width("id"));
    for object in each(heard) {
        let mut says = texts(&object["says"]);
        let links = texts(&object["links"]);
        if !links.is_empty() {
            says.push(format!("names {}", links.join(", ")));
        }
        writeln!(out, "  {:<kind$}  {:<id$}  {}", field(object, "kind"), field(object, "id"), says.join("; "))?;
    }
    for object in each(named) {
        let by = texts(&object["named_by"]).join(", ");
        writeln!(out, "  {:<kind$}  {:<id$}  only named, by {by}", field(object, "kind"), field(object, "id"))?;
    }
    Ok(())
}

/// What another webhook told of the same sale, in two lines.
fn brief(event: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", title(event))?;
    let of = |row: &Value| format!("{} {}", field(row, "destination"), field(row, "state"));
    let told: Vec<String> = each(&event["deliveries"]).map(of).collect();
    let told = if told.is_empty() { "nobody is told of it".to_owned() } else { told.join(", ") };
    writeln!(out, "  {told}; see `tallyhook events show {}`", field(event, "event"))
}

/// What happened, under which id, and who told of it first.
fn title(event: &Value) -> String {
    let mut title = format!("{} {}", field(event, "id"), field(event, "kind"));
    if event["amount"].is_string() {
        title.push_str(&format!(" of {}", field(event, "amount")));
    }
    if let Some(id) = event["transaction_id"].as_str() {
        title.push_str(&format!(", transaction {}", plain(id)));
    }
    if event["from_this_event"] != true {
        title.push_str(&format!(" (first told by {})", field(event, "event")));
    }
    title
}

/// One thing that happened, and whom it was told. `paired` says that the two halves of the sale are shown above.
fn business_event(event: &Value, paired: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", title(event))?;
    writeln!(out, "  at {} UTC, key {}", moment(event, "occurred_at"), field(event, "key"))?;
    if event["withdrawn"] == true {
        writeln!(out, "  {}", withdrawn(event))?;
    } else if let Some(state) = fixed(event) {
        writeln!(out, "  {state}")?;
    }
    let agreed = ["analytics", "ads", "email"].into_iter().filter_map(|purpose| {
        let said = event["consent"][purpose].as_bool()?;
        Some(format!("{purpose} {}", if said { "yes" } else { "no" }))
    });
    let agreed: Vec<String> = agreed.collect();
    if !agreed.is_empty() {
        writeln!(out, "  consent: {}", agreed.join(", "))?;
    }
    let said_above = |mark: &Value| match mark["name"].as_str() {
        Some("by_likeness") => paired,
        Some("absorbed") => event["withdrawn"] == true,
        _ => false,
    };
    for mark in each(&event["marks"]).filter(|mark| !said_above(mark)) {
        writeln!(out, "  note: {}", field(mark, "sentence"))?;
    }
    let deliveries: Vec<&Value> = each(&event["deliveries"]).collect();
    if deliveries.is_empty() {
        writeln!(out, "  nobody is told of it")?;
    }
    let width = |name: &str| deliveries.iter().map(|row| field(row, name).chars().count()).max().unwrap_or(0);
    let (id, name) = (width("id"), width("destination"));
    for delivery in &deliveries {
        let line = outcome(delivery);
        writeln!(out, "  {:<id$}  {:<name$}  {line}", field(delivery, "id"), field(delivery, "destination"))?;
        if let Some(more) = more_of(delivery) {
            writeln!(out, "  {:id$}  {:name$}  {more}", "", "")?;
        }
    }
    Ok(())
}

/// By what an event was replaced that the books no longer tell of.
fn withdrawn(event: &Value) -> String {
    let other = &event["replaced_by"];
    if !other.is_object() {
        return "withdrawn: the books no longer tell of it".to_owned();
    }
    let known = match other["transaction_id"].as_str() {
        Some(id) => format!(" as transaction {}", plain(id)),
        None => String::new(),
    };
    format!("withdrawn: {} (first told by {}) tells of it now{known}", field(other, "id"), field(other, "event"))
}

/// Whether id and time can still change; nothing is said of what nobody is told.
fn fixed(event: &Value) -> Option<String> {
    let settles_at = moment(event, "settles_at");
    match (event["frozen"] == true, event["settles_at"].is_string()) {
        (true, false) => Some("id and time are fixed".to_owned()),
        (true, true) => Some(format!("id and time are fixed; some wait until {settles_at} UTC for {}", missing(event))),
        (false, true) => Some(format!(
            "waits until {settles_at} UTC for {}; id and time may change until it goes out",
            missing(event)
        )),
        (false, false) => None,
    }
}

/// What an event that has not gone out may wait for.
fn missing(event: &Value) -> &'static str {
    match event["kind"].as_str() {
        Some("purchase" | "renewal" | "trial_started") => "its other half, a client id or an e-mail address",
        Some("refund" | "refund_failed" | "dispute_lost" | "dispute_reversed") => "its sale",
        _ => "an earlier word of it",
    }
}

/// What became of a delivery, in a line.
fn outcome(delivery: &Value) -> String {
    let mut line = field(delivery, "state");
    if delivery["state"] == "delivered" {
        line.push_str(&format!(" at {} UTC", moment(delivery, "since")));
    } else if delivery["waits_for"] == "settling" {
        line.push_str(", waits as said");
    } else {
        let why = why(delivery);
        if why != "-" {
            let next = if why.starts_with(|c: char| c.is_ascii_digit()) { "next attempt " } else { "" };
            line.push_str(&format!(": {next}{why}"));
        }
    }
    match each(&delivery["history"]).count() {
        0 => {}
        1 => line.push_str(", 1 try"),
        tries => line.push_str(&format!(", {tries} tries")),
    }
    line
}

/// What a person can do about a delivery that failed, or why one that waits was not delivered so far.
fn more_of(delivery: &Value) -> Option<String> {
    if delivery["state"] == "failed" {
        return Some(format!("next step: {}", field(delivery, "next_step")));
    }
    let last = delivery["history"].as_array()?.last().filter(|_| delivery["state"] == "pending")?;
    Some(format!("last try at {} UTC: {}", moment(last, "at"), field(last, "outcome")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(row: &Value) -> String {
        let mut out = Vec::new();
        page(row, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn story() -> Value {
        json!({
            "id": "w2", "type": "payment_intent.succeeded", "provider_id": "evt_2", "livemode": true, "source": "stripe",
            "received_at": "2026-11-22T05:50:01.000Z", "created": "2026-11-22T05:50:00.000Z", "body_bytes": 900,
            "body_kept": true, "status": "accepted", "meaning": "it speaks of what others told", "notes": [],
            "why_nothing": ["it is half of a sale that s1 tells of"],
            "sale": {
                "id": "s2", "scope": "stripe/-/live", "contact": "c1", "settles_at": null,
                "objects": [{"kind": "payment intent", "id": "pi_1", "says": ["paid 20.00 EUR at X"], "links": ["ch_1"]}],
                "named": [{"kind": "charge", "id": "ch_1", "named_by": ["pi_1"]}],
                "other_half": {
                    "why": "joined with s1 by likeness: 3 s apart, no link",
                    "objects": [{"kind": "invoice", "id": "in_1", "says": ["paid 20.00 EUR at Y"], "links": []}],
                },
            },
            "business_events": [{
                "id": "b1", "kind": "purchase", "key": "stripe/-/live/in_1", "amount": "20.00 EUR", "transaction_id": "in_1",
                "occurred_at": "2026-11-22T05:49:58.000Z", "event": "w1", "from_this_event": false, "frozen": false,
                "settles_at": "2026-11-22T05:50:58.000Z", "withdrawn": false, "replaced_by": null, "marks": [],
                "deliveries": [
                    {"id": "b1.1", "destination": "ga4", "state": "delivered", "since": "2026-11-22T05:50:02.000Z",
                     "history": [{}]},
                    {"id": "b1.2", "destination": "crm", "state": "suppressed", "reason": "test_mode",
                     "explanation": "a test event"},
                ],
            }],
        })
    }

    #[test]
    fn a_screen_tells_what_came_what_joined_it_and_what_went_where() {
        let page = shown(&story());
        for line in [
            "came to stripe at 2026-11-22 05:50:01 UTC, by the sender's own clock 2026-11-22 05:50:00 UTC; 900 bytes, kept",
            "why nothing is counted: it is half of a sale that s1 tells of",
            "s2 (stripe/-/live, c1), joined by the ids that they name:",
            "  payment intent  pi_1  paid 20.00 EUR at X; names ch_1",
            "  charge          ch_1  only named, by pi_1",
            "joined with s1 by likeness: 3 s apart, no link",
            "  invoice  in_1  paid 20.00 EUR at Y",
            "b1 purchase of 20.00 EUR, transaction in_1 (first told by w1)",
            "  waits until 2026-11-22 05:50:58 UTC for its other half, a client id or an e-mail address; id and time may \
             change until it goes out",
            "  b1.1  ga4  delivered at 2026-11-22 05:50:02 UTC, 1 try",
            "  b1.2  crm  suppressed: test_mode, a test event",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line:?} in\n{page}");
        }
        assert!(page.lines().count() < 24, "one screen:\n{page}");
    }

    #[test]
    fn what_other_webhooks_told_of_the_sale_is_brief_beside_what_this_one_told() {
        let mut row = story();
        let mut own = row["business_events"][0].clone();
        own["id"] = json!("b2");
        own["from_this_event"] = json!(true);
        row["business_events"].as_array_mut().unwrap().push(own);
        let page = shown(&row);
        assert!(
            page.contains("(first told by w1)\n  ga4 delivered, crm suppressed; see `tallyhook events show w1`"),
            "{page}"
        );
        assert_eq!(page.matches("key stripe/-/live/in_1").count(), 1, "{page}");
    }

    #[test]
    fn what_was_withdrawn_names_what_replaced_it() {
        let mut row = story();
        let event = &mut row["business_events"][0];
        event["withdrawn"] = json!(true);
        event["replaced_by"] = json!({"id": "b3", "event": "w4", "transaction_id": "in_9"});
        let page = shown(&row);
        assert!(page.contains("withdrawn: b3 (first told by w4) tells of it now as transaction in_9"), "{page}");
        row["business_events"][0]["replaced_by"] = Value::Null;
        assert!(shown(&row).contains("the books no longer tell of it"));
    }
}
