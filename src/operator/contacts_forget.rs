//! A person is erased (GDPR Art. 17): what that takes with it here, and what is left to do at the destinations.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::contacts::find;
use super::desk::{Desk, broken, unread, unwritten};
use super::filter::wrong;
use super::person::{Belongings, erased, gather};
use super::reading::Reading;
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::Books;
use crate::ledger::forget::Forget;
use crate::model::delivery::State;
use crate::model::id::Mode;
use crate::store::{Command, Erase, InstallKey, Reply};

/// Rows that one command erases.
const SLICE: usize = 256;
/// Bytes of unused room that one command writes over.
const OVERWRITTEN_AT_ONCE: usize = 1024 * 1024;
/// More unused room than this is left to be used up by itself.
const MOST_OVERWRITTEN: u64 = 256 * 1024 * 1024;

/// Erases everybody whom a text names, or says what that would take with it: a row for each contact.
pub(super) fn forget(desk: &Desk, text: &str, dry_run: bool) -> Result<OperatorRows, OperatorError> {
    let text = text.trim();
    let (mut people, again) = whom(desk, text)?;
    one_of_each_mode(&people)?;
    let mut rows: Vec<Value> = Vec::new();
    for person in &people {
        rows.push(told(desk, person, again)?);
    }
    if !dry_run {
        if !again {
            erase(desk, &people)?;
            // What came while this was worked out is found now.
            people = whom(desk, text).map_or(people, |(now, _)| now);
        }
        let mut bodies = 0;
        for person in &people {
            bodies += erase_bodies(desk, person)?;
        }
        let overwritten = overwrite(desk)?;
        for row in &mut rows {
            row["result"] = json!("forgotten");
            row["unused_room_overwritten"] = json!(overwritten);
        }
        tracing::info!(contacts = people.len(), bodies, "a person was erased");
    }
    Ok(Box::new(rows.into_iter()))
}

/// Refuses a text that names several people: one word of a person must not take another along.
fn one_of_each_mode(people: &[Belongings]) -> Result<(), OperatorError> {
    for mode in [Mode::Live, Mode::Test] {
        let ids =
            people.iter().filter(|person| person.contact.mode == mode).map(|person| person.contact.id.to_string());
        let ids: Vec<String> = ids.collect();
        if ids.len() > 1 {
            return Err(wrong(format!(
                "that names several people ({}); look at each with `tallyhook contacts show`, then forget one by its number",
                ids.join(", ")
            )));
        }
    }
    Ok(())
}

/// Who is meant, and whether they were erased before, so that only what has come since is left to erase.
fn whom(desk: &Desk, text: &str) -> Result<(Vec<Belongings>, bool), OperatorError> {
    let names = desk.names()?;
    let snapshot = desk.snapshot()?;
    let reading = Reading::new(desk, &snapshot, &names)?;
    let (contacts, again) = match find(&reading, text) {
        Ok(contacts) => (contacts, false),
        Err(error) if error.status == 404 => match erased(&reading, text)? {
            Some(contact) => (vec![contact], true),
            None => return Err(error),
        },
        Err(error) => return Err(error),
    };
    let again = again || contacts.iter().all(|contact| contact.erased);
    let people = contacts.into_iter().map(|contact| gather(&reading, contact, text)).collect::<Result<_, _>>()?;
    Ok((people, again))
}

/// What goes, what stays, and what is left to do elsewhere.
fn told(desk: &Desk, person: &Belongings, again: bool) -> Result<Value, OperatorError> {
    let snapshot = desk.snapshot()?;
    let open = |state: &State| matches!(state, State::Pending | State::Failed { .. });
    let deliveries = person.events.iter().flat_map(|event| &event.deliveries);
    let mut bodies = 0;
    for id in &person.webhooks {
        bodies += usize::from(snapshot.has_body(*id).map_err(broken)?);
    }
    Ok(json!({
        "id": person.contact.id.to_string(),
        "livemode": person.contact.mode == crate::model::id::Mode::Live,
        "result": "would_forget",
        "forgotten_before": again,
        "identities": person.contact.identities.len(),
        "bodies": bodies,
        "refused_requests": person.refused.len(),
        "leads": person.leads.len(),
        "business_events": person.events.len(),
        "deliveries_suppressed": deliveries.filter(|delivery| open(&delivery.state)).count(),
        "kept": {
            "sales": person.contact.purchases + person.contact.renewals,
            "totals": person.contact.totals.iter().map(|sum| sum.to_string()).collect::<Vec<_>>(),
        },
        "at_destinations": elsewhere(desk, person)?,
    }))
}

/// What must be erased at the destinations, each with the request or the place for it.
fn elsewhere(desk: &Desk, person: &Belongings) -> Result<Vec<Value>, OperatorError> {
    let names = desk.names()?;
    let snapshot = desk.snapshot()?;
    let configured = desk.configured();
    let mut rows = Vec::new();
    for (id, name) in &names {
        let kind = configured.destination(name).map(|destination| destination.destination.kind());
        let mut ids = BTreeSet::new();
        for contact in person.merged.iter().chain([&person.contact.id]) {
            if let Some(sync) = snapshot.contact_sync(*id, *contact).map_err(unread)? {
                ids.extend(sync.remote_id.into_iter().chain(sync.left_over));
            }
        }
        let told = person.events.iter().flat_map(|event| {
            event.deliveries.iter().filter(|delivery| {
                delivery.destination == *id
                    && (matches!(delivery.state, State::Delivered { .. })
                        || delivery.schedule.attempts > 0
                        || delivery.may_have_arrived)
            })
        });
        let mut was_told = false;
        for delivery in told {
            was_told = true;
            if kind == Some("ga4") {
                ids.extend(delivery.frozen.as_ref().and_then(|frozen| frozen.client_id.clone()));
            }
        }
        if ids.is_empty() && was_told {
            rows.push(json!({"destination": name, "kind": kind, "remote_id": Value::Null, "how": by_hand(kind)}));
        }
        for remote in ids {
            let shown = if remote.contains('@') { "ADDRESS" } else { remote.as_str() };
            rows.push(json!({"destination": name, "kind": kind, "remote_id": shown, "how": how(kind, shown)}));
        }
    }
    Ok(rows)
}

/// The documented request that erases a person there.
fn how(kind: Option<&str>, id: &str) -> String {
    match kind {
        Some("mailerlite") => format!(
            "POST https://connect.mailerlite.com/api/subscribers/{id}/forget (or Subscribers, the person, Forget: erased after 30 days)"
        ),
        Some("hubspot") => format!(
            "POST https://api.hubapi.com/crm/v3/objects/contacts/gdpr-delete with {{\"objectId\":\"{id}\"}} (or the contact's Actions, Delete, \
             permanently)"
        ),
        Some("gohighlevel") => {
            format!("DELETE https://services.leadconnectorhq.com/contacts/{id} (or Contacts, the person, Delete)")
        }
        Some("ga4") => format!(
            "POST https://analyticsadmin.googleapis.com/v1alpha/properties/PROPERTY:submitUserDeletion with {{\"clientId\":\"{id}\"}} (or \
             Admin, Data deletion requests)"
        ),
        _ => format!("erase the record {id} there"),
    }
}

fn by_hand(kind: Option<&str>) -> &'static str {
    match kind {
        Some("ga4") => {
            "told without an id of the person's browser; Admin, Data deletion requests erases by user id if you send one"
        }
        _ => "told of the person under no id that is known here; look the person up there and erase what is found",
    }
}

fn erase(desk: &Desk, people: &[Belongings]) -> Result<(), OperatorError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| OperatorError { status: 500, message: format!("no randomness: {error}") })?;
    let mut leads: Vec<String> = people.iter().flat_map(|person| person.leads.iter().cloned()).collect();
    leads.sort();
    leads.dedup();
    let forget = Forget {
        contacts: people.iter().map(|person| person.contact.id).collect(),
        merged: people.iter().flat_map(|person| person.merged.iter().copied()).collect(),
        leads,
        destinations: desk.names()?.into_keys().collect(),
    };
    run(desk, Command::Forget(Box::new(forget), InstallKey::new(key))).map(|_| ())
}

fn erase_bodies(desk: &Desk, person: &Belongings) -> Result<usize, OperatorError> {
    let mut erased = 0;
    for webhooks in person.webhooks.chunks(SLICE) {
        erased += run(desk, Command::Erase(Erase::Bodies(webhooks.to_vec())))?;
    }
    for refused in person.refused.chunks(SLICE) {
        erased += run(desk, Command::Erase(Erase::Refused(refused.to_vec())))?;
    }
    Ok(erased)
}

/// Writes over the room in the file that is not used, where what was erased may still stand. Returns whether all of it was.
fn overwrite(desk: &Desk) -> Result<bool, OperatorError> {
    let path = desk.configured().store.clone();
    let length = || std::fs::metadata(&path).map_or(0, |file| file.len());
    let before = length();
    let unused = before.saturating_sub(desk.snapshot()?.stored_bytes().map_err(broken)?);
    // What this erased is free only after another commit.
    run(desk, Command::Touch)?;
    let most = unused.min(MOST_OVERWRITTEN);
    let mut done = 0;
    while done < most && length() <= before {
        run(desk, Command::Erase(Erase::Overwrite(OVERWRITTEN_AT_ONCE)))?;
        done += OVERWRITTEN_AT_ONCE as u64;
    }
    run(desk, Command::Erase(Erase::OverwriteDone))?;
    Ok(unused <= MOST_OVERWRITTEN)
}

fn run(desk: &Desk, command: Command) -> Result<usize, OperatorError> {
    match desk.writer.run(command).map_err(|error| unwritten(&error))? {
        Reply::Refused(why) => Err(OperatorError { status: 500, message: why }),
        Reply::Swept { rows, .. } => Ok(rows),
        _ => Ok(0),
    }
}
