//! One person's books: what was bought and given back, where the person stands and since when. Who it is stays out: ids only.

use serde_json::{Value, json};

use super::desk::{Desk, missing, unread};
use super::filter::wrong;
use super::pages::one;
use super::reading::{Reading, time};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::Books;
use crate::ledger::pairing::pairing;
use crate::model::attribution::{Attribution, ConsentSource};
use crate::model::contact::{Contact, SubscriptionStanding};
use crate::model::group::{ContributedSale, Contribution};
use crate::model::id::{ContactId, GroupId, Mode};
use crate::model::identity::{Email, Holder, Identity, IdentityKind, Phone};
use crate::model::time::Timestamp;

/// Groups of a person that are looked through, the newest first.
const MOST_GROUPS: usize = 2000;
/// Sales that are listed one by one, and subscriptions.
const MOST_LISTED: usize = 20;

/// Everyone that a text names, live people first: a row each.
pub(super) fn show(desk: &Desk, text: &str) -> Result<OperatorRows, OperatorError> {
    let names = desk.names()?;
    let snapshot = desk.snapshot()?;
    let reading = Reading::new(desk, &snapshot, &names)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(wrong(
            "say whose: an e-mail address, a phone number, a lead id, a user id, cus_… or c12".to_owned(),
        ));
    }
    let mut rows = Vec::new();
    for contact in find(&reading, text)? {
        rows.push(row(&reading, &contact, desk.clock.now())?);
    }
    match rows.len() {
        1 => Ok(one(rows.remove(0))),
        _ => Ok(Box::new(rows.into_iter())),
    }
}

/// The contacts that a person may mean: by our own number, or by what people are recognised by, in either mode.
pub(super) fn find(reading: &Reading<'_>, text: &str) -> Result<Vec<Contact>, OperatorError> {
    let mut ids: Vec<ContactId> = Vec::new();
    if let Some(number) = own_number(text) {
        ids.extend(reading.survivor(Some(number))?);
    }
    let mut is_shared = false;
    for identity in identities(text) {
        match reading.snapshot.identity(&identity).map_err(unread)? {
            Some(Holder::Contact(id) | Holder::Lead(id)) => ids.extend(reading.survivor(Some(id))?),
            Some(Holder::Shared) => is_shared = true,
            None => {}
        }
    }
    if ids.is_empty() {
        ids.extend(of_lead(reading, text)?);
    }
    let mut contacts: Vec<Contact> = Vec::new();
    for id in ids {
        if contacts.iter().all(|known| known.id != id) {
            contacts.extend(reading.snapshot.contact(id).map_err(unread)?);
        }
    }
    if !contacts.is_empty() {
        return Ok(contacts);
    }
    // What was asked for may be personal data, which no message repeats.
    Err(missing(if is_shared {
        "several people have given this lead id or phone number, so it stands for none of them; ask by e-mail address"
            .to_owned()
    } else {
        "nobody is known by that e-mail address, phone number, lead id, user id, customer or number (c12)".to_owned()
    }))
}

/// Our own number for a contact, `c12`. It means nobody who happens to have such an id elsewhere; `lead:c12` and `user:c12` do.
fn own_number(text: &str) -> Option<ContactId> {
    let digits = text.strip_prefix('c').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().map(ContactId)
}

/// What a text may mean, live people before test people.
pub(super) fn identities(text: &str) -> Vec<Identity> {
    if own_number(text).is_some() {
        return Vec::new();
    }
    let prefixed = [("lead:", IdentityKind::Lead), ("user:", IdentityKind::User)];
    if let Some((kind, value)) = prefixed.iter().find_map(|(prefix, kind)| Some((*kind, text.strip_prefix(prefix)?))) {
        let of = |mode| Identity { mode, kind, value: value.to_owned() };
        return vec![of(Mode::Live), of(Mode::Test)];
    }
    let mut values = Vec::new();
    if let Some(email) = Email::parse(text) {
        values.push((IdentityKind::Email, email.as_str().to_owned()));
    }
    if let Some(phone) = Phone::parse(text) {
        values.push((IdentityKind::Phone, phone.as_str().to_owned()));
    }
    values.push((IdentityKind::Lead, text.to_owned()));
    values.push((IdentityKind::User, text.to_owned()));
    // A customer is known by provider and account; alone it is one of the first account of Stripe.
    let customer = if text.contains('/') { text.to_owned() } else { format!("stripe/-/{text}") };
    values.push((IdentityKind::Customer, customer));
    let of = |mode| values.iter().map(move |(kind, value)| Identity { mode, kind: *kind, value: value.clone() });
    of(Mode::Live).chain(of(Mode::Test)).collect()
}

/// What is known of a contact, without who it is.
pub(super) fn row(reading: &Reading<'_>, contact: &Contact, now: Timestamp) -> Result<Value, OperatorError> {
    let named = |kind| -> Vec<&str> {
        let identities = contact.identities.iter().filter(move |identity| identity.kind == kind);
        identities.map(|identity| impersonal(&identity.value)).collect()
    };
    let History { sales, subscriptions, is_whole } = history(reading, contact.id)?;
    let mut listed = Vec::new();
    for sale in sales.iter().take(MOST_LISTED) {
        listed.push(sale_row(reading, sale, now)?);
    }
    let consent = contact.consent;
    Ok(json!({
        "id": contact.id.to_string(),
        "livemode": contact.mode == Mode::Live,
        "stage": contact.stage().name(),
        "stages": {
            "lead": contact.lead_since.map(time),
            "customer": contact.became_customer_at().map(time),
            "churned": contact.churned_at().map(time),
        },
        "totals": contact.totals.iter().map(|sum| sum.to_string()).collect::<Vec<_>>(),
        "purchases": contact.purchases,
        "renewals": contact.renewals,
        "refunds": contact.refunds,
        "disputes_lost": contact.disputes_lost,
        "first_sale_at": contact.customer_since.map(time),
        "last_sale": contact.last_sale.as_ref().map(|sale| json!({
            "at": time(sale.at), "amount": sale.amount.0.to_string(), "transaction_id": sale.transaction_id,
        })),
        "sales": listed,
        "subscriptions": {
            "running": contact.subscriptions.running,
            "ended": contact.subscriptions.ended,
            "each": subscriptions.iter().take(MOST_LISTED).map(subscription_row).collect::<Vec<_>>(),
        },
        "history_is_whole": is_whole,
        "pricing_tier": contact.pricing_tier,
        "payment_method_type": contact.payment_method_type,
        "first_touch": touch(&contact.first_attribution),
        "last_touch": touch(&contact.last_attribution),
        "consent": {"analytics": consent.analytics, "ads": consent.ads, "email": consent.email},
        "consent_said": {
            "analytics": answer(consent.analytics, contact.consent_said_at.analytics, contact.consent_said_by.analytics),
            "ads": answer(consent.ads, contact.consent_said_at.ads, contact.consent_said_by.ads),
            "email": answer(consent.email, contact.consent_said_at.email, contact.consent_said_by.email),
        },
        // Nobody but a form has named the person.
        "unverified": contact.unverified,
        // Only money is left of the person.
        "erased": contact.erased,
        "touches_are_lent": contact.lent_touches,
        "lead_ids": named(IdentityKind::Lead),
        "user_ids": named(IdentityKind::User),
        "customers": named(IdentityKind::Customer),
        // Only how many: who it is stays out of what commands show.
        "emails": named(IdentityKind::Email).len(),
        "phones": named(IdentityKind::Phone).len(),
        "destinations": reading.standings_of(contact.id)?,
    }))
}

/// When and how one answer to a question of consent came to us.
fn answer(said: Option<bool>, at: Timestamp, by: ConsentSource) -> Value {
    said.map_or(Value::Null, |said| json!({"agreed": said, "at": time(at), "by": by.name()}))
}

/// The contact that a lead alone made, which holds no identity to be found by: by the lead id, or by the address in the form.
fn of_lead(reading: &Reading<'_>, text: &str) -> Result<Option<ContactId>, OperatorError> {
    if own_number(text).is_some() {
        return Ok(None);
    }
    let (books, text) = (reading.snapshot, text.strip_prefix("lead:").unwrap_or(text));
    let mut lead = books.lead(text).map_err(unread)?;
    if lead.is_none()
        && let Some(email) = Email::parse(text)
        && let Some(id) = books.lead_by_email(email.as_str()).map_err(unread)?
    {
        lead = books.lead(&id).map_err(unread)?;
    }
    let Some(group) = lead.and_then(|lead| lead.told) else { return Ok(None) };
    let group = books.group(group).map_err(unread)?;
    reading.survivor(group.and_then(|group| group.contact))
}

/// An id; some shops take addresses or phone numbers for ids, and those are not shown.
fn impersonal(id: &str) -> &str {
    if Email::parse(id).is_some() || Phone::parse(id).is_some() { "(personal)" } else { id }
}

/// A sale of a person, with what is left of it.
struct Sale {
    group: GroupId,
    sale: ContributedSale,
    contribution: Contribution,
}

/// A subscription of a person.
struct Subscribed {
    group: GroupId,
    standing: SubscriptionStanding,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

/// What a person's groups hold, the newest first.
struct History {
    sales: Vec<Sale>,
    subscriptions: Vec<Subscribed>,
    /// Whether every group was looked at.
    is_whole: bool,
}

fn history(reading: &Reading<'_>, contact: ContactId) -> Result<History, OperatorError> {
    let always = (Timestamp::from_millis(i64::MIN), Timestamp::FAR_FUTURE);
    let groups = reading.snapshot.groups_of(contact, always.0, always.1).map_err(unread)?;
    let mut history = History { sales: Vec::new(), subscriptions: Vec::new(), is_whole: groups.len() <= MOST_GROUPS };
    for id in groups.into_iter().rev().take(MOST_GROUPS) {
        let Some(group) = reading.snapshot.group(id).map_err(unread)? else { continue };
        let contribution = group.contribution;
        if let Some(subscription) = &contribution.subscription {
            history.subscriptions.push(Subscribed {
                group: id,
                standing: subscription.standing.clone(),
                started_at: subscription.started_at,
                ended_at: subscription.ended_at,
            });
        }
        if let Some(sale) = contribution.sale.clone() {
            history.sales.push(Sale { group: id, sale, contribution });
        }
    }
    history.subscriptions.sort_by(|a, b| b.standing.cmp(&a.standing));
    Ok(history)
}

/// A sale with what is left of it. What was taken back of it may hang on its other half.
fn sale_row(reading: &Reading<'_>, sale: &Sale, now: Timestamp) -> Result<Value, OperatorError> {
    let Contribution { mut net, mut refunds, mut disputes_lost, .. } = sale.contribution.clone();
    if let Some(pairing) = pairing(reading.snapshot, sale.group, now).map_err(unread)?
        && let Some(other) = reading.snapshot.group(pairing.other).map_err(unread)?
        && other.contribution.sale.is_none()
    {
        if let (Some(net), Some(other)) = (&mut net, other.contribution.net) {
            net.minor = net.minor.saturating_add(other.minor);
        }
        refunds += other.contribution.refunds;
        disputes_lost += other.contribution.disputes_lost;
    }
    Ok(json!({
        "group": sale.group.to_string(),
        "at": time(sale.sale.at),
        "kind": if sale.sale.renewal { "renewal" } else { "purchase" },
        "amount": sale.sale.amount.to_string(),
        "transaction_id": sale.sale.transaction_id,
        "left": net.map(|net| net.to_string()),
        "refunds": refunds,
        "disputes_lost": disputes_lost,
    }))
}

fn subscription_row(subscribed: &Subscribed) -> Value {
    json!({
        "id": subscribed.standing.id,
        "group": subscribed.group.to_string(),
        "status": subscribed.standing.status.name(),
        "plan": subscribed.standing.plan,
        "started_at": subscribed.started_at.map(time),
        "ended_at": subscribed.ended_at.map(time),
    })
}

fn touch(touch: &Attribution) -> Value {
    if touch.is_empty() {
        return Value::Null;
    }
    json!({
        "at": time(touch.at), "utm_source": touch.utm_source, "utm_medium": touch.utm_medium,
        "utm_campaign": touch.utm_campaign, "has_client_id": touch.client_id.is_some(),
    })
}
