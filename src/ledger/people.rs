//! Who an event is about: identities, contacts, merges, and what is known of a person.

use super::books::BooksResult;
use super::workspace::Workspace;
use crate::model::attribution::{Attribution, Consent};
use crate::model::contact::{Contact, LastSale, SaleAmount};
use crate::model::group::{Contribution, Group};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, Mode, Scope};
use crate::model::identity::{Holder, Identity, IdentityKind};
use crate::model::statement::{Person, Tags};
use crate::model::time::Timestamp;

/// What one statement says of a person.
pub struct Said<'a> {
    /// By the provider's own time.
    pub at: Timestamp,
    /// Name, address, phone.
    pub person: &'a Person,
    /// Tier, attribution, consent.
    pub tags: &'a Tags,
}

/// Every identity that a group of authenticated objects gives.
pub fn identities_of(group: &Group) -> Vec<Identity> {
    let mode = group.scope.mode;
    let mut identities = Vec::new();
    let mut add = |kind, value: Option<String>| {
        if let Some(value) = value {
            let identity = Identity { mode, kind, value };
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
    };
    for state in &group.objects {
        add(IdentityKind::Email, state.person.email.as_ref().map(|email| email.as_str().to_owned()));
        add(IdentityKind::Customer, state.customer.as_ref().map(|customer| customer_value(&group.scope, customer)));
        add(IdentityKind::User, state.tags.user_id.clone());
        add(IdentityKind::Lead, state.tags.lead_id.clone());
        add(IdentityKind::Phone, state.person.phone.as_ref().map(|phone| phone.as_str().to_owned()));
    }
    identities
}

/// A customer's identity value: provider, account and id.
pub fn customer_value(scope: &Scope, customer: &str) -> String {
    format!("{}/{}/{customer}", scope.provider, scope.account.as_deref().unwrap_or("-"))
}

/// Finds or begins the contact of some identities, and merges contacts that prove to be one person.
///
/// Addresses, customers and user ids join. A lead id or phone attaches to the one contact that claims it; claimed by a second
/// it is shared from then on and joins nobody. `known` is the contact that the same group had before.
///
/// # Errors
/// When the books can't be read.
pub fn resolve(
    workspace: &mut Workspace<'_>,
    mode: Mode,
    identities: &[Identity],
    known: Option<ContactId>,
    destinations: &[DestinationId],
) -> BooksResult<Option<ContactId>> {
    if identities.is_empty() {
        return Ok(known);
    }
    let mut held = Vec::with_capacity(identities.len());
    for identity in identities {
        let holder = match workspace.holder(identity)? {
            Some(Holder::Contact(id)) => Some(Holder::Contact(workspace.contact(id)?.id)),
            other => other,
        };
        held.push(holder);
    }
    let mut people: Vec<ContactId> = identities
        .iter()
        .zip(&held)
        .filter_map(|(identity, holder)| match holder {
            Some(Holder::Contact(id)) if identity.kind.joins() => Some(*id),
            _ => None,
        })
        .collect();
    if let Some(known) = known {
        people.push(workspace.contact(known)?.id);
    }
    if people.is_empty() && !identities.iter().any(|identity| identity.kind.joins()) {
        // Only a lead id or a phone: the contact that alone claims it, if there is one.
        people.extend(
            held.iter()
                .filter_map(|holder| match holder {
                    Some(Holder::Contact(id)) => Some(*id),
                    _ => None,
                })
                .take(1),
        );
    }
    people.sort();
    people.dedup();
    let contact = match people.first() {
        Some(first) => *first,
        None => workspace.new_contact(mode),
    };
    for other in people.into_iter().skip(1) {
        merge(workspace, contact, other, destinations)?;
    }
    for identity in identities {
        let holder = match workspace.holder(identity)? {
            Some(Holder::Contact(id)) => Some(Holder::Contact(workspace.contact(id)?.id)),
            other => other,
        };
        match holder {
            Some(Holder::Contact(id)) if id == contact => {}
            Some(Holder::Shared) => {}
            Some(Holder::Contact(id)) if !identity.kind.joins() => {
                workspace.put_holder(identity.clone(), Holder::Shared);
                workspace.contact(id)?.identities.retain(|known| known != identity);
            }
            _ => {
                workspace.put_holder(identity.clone(), Holder::Contact(contact));
                let record = workspace.contact(contact)?;
                if let Err(at) = record.identities.binary_search(identity) {
                    record.identities.insert(at, identity.clone());
                }
            }
        }
    }
    Ok(Some(contact))
}

/// Two contacts are one person: everything of the second goes to the first.
fn merge(
    workspace: &mut Workspace<'_>,
    survivor: ContactId,
    other: ContactId,
    destinations: &[DestinationId],
) -> BooksResult<()> {
    let gone = std::mem::replace(workspace.contact(other)?, Contact::new(other, Mode::Live, Timestamp::EPOCH));
    *workspace.contact(other)? =
        Contact { merged_into: Some(survivor), ..Contact::new(other, gone.mode, gone.created_at) };
    for identity in &gone.identities {
        workspace.put_holder(identity.clone(), Holder::Contact(survivor));
    }
    for group in workspace.groups_of(other, Timestamp::from_millis(i64::MIN), Timestamp::FAR_FUTURE)? {
        workspace.group(group)?.contact = Some(survivor);
    }
    let contact = workspace.contact(survivor)?;
    for identity in gone.identities {
        if let Err(at) = contact.identities.binary_search(&identity) {
            contact.identities.insert(at, identity);
        }
    }
    take_person(contact, &gone.person, gone.person_said_at);
    take_consent(contact, gone.consent, gone.consent_said_at);
    take_tier(contact, gone.pricing_tier.as_deref(), gone.pricing_tier_said_at);
    take_attribution(contact, &gone.first_attribution);
    take_attribution(contact, &gone.last_attribution);
    for sum in gone.totals.iter() {
        contact.totals.add(sum);
    }
    contact.totals.drop_zeros();
    contact.purchases += gone.purchases;
    contact.renewals += gone.renewals;
    contact.refunds += gone.refunds;
    contact.customer_since = [contact.customer_since, gone.customer_since].into_iter().flatten().min();
    if gone.last_sale > contact.last_sale {
        contact.last_sale = gone.last_sale;
        contact.payment_method_type = gone.payment_method_type.or(contact.payment_method_type.take());
    }
    contact.created_at = contact.created_at.min(gone.created_at);
    for destination in destinations {
        merge_sync(workspace, *destination, survivor, other)?;
    }
    Ok(())
}

/// What was pending for the second is pending for the first. The older acquaintance keeps its remote id.
fn merge_sync(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    survivor: ContactId,
    other: ContactId,
) -> BooksResult<()> {
    let Some(gone) = workspace.existing_sync(destination, other)? else { return Ok(()) };
    let pending: Vec<BusinessEventId> = std::mem::take(&mut gone.pending);
    let gone = gone.clone();
    for event in &pending {
        workspace.business_event(*event)?.contact = Some(survivor);
    }
    let sync = workspace.sync(destination, survivor)?;
    if !pending.is_empty() && (sync.pending.is_empty() || gone.schedule.due_at < sync.schedule.due_at) {
        sync.waiting_since =
            if sync.pending.is_empty() { gone.waiting_since } else { sync.waiting_since.min(gone.waiting_since) };
        sync.schedule = gone.schedule;
    }
    sync.pending.extend(pending);
    sync.pending.sort();
    sync.pending.dedup();
    if sync.remote_id.is_none() {
        sync.remote_id = gone.remote_id;
        sync.external_id = gone.external_id.or(sync.external_id.take());
    }
    Ok(())
}

/// Takes in what a statement says of a person; an older one never overwrites what a newer one said.
pub fn learn(contact: &mut Contact, said: &Said<'_>) {
    use crate::model::contact::{ConsentTimes, PersonTimes};
    take_person(contact, said.person, PersonTimes { email: said.at, phone: said.at, name: said.at });
    take_consent(contact, said.tags.consent, ConsentTimes { analytics: said.at, ads: said.at, email: said.at });
    take_tier(contact, said.tags.pricing_tier.as_deref(), said.at);
    if !said.tags.attribution.is_empty() {
        take_attribution(contact, &Attribution { at: said.at, ..said.tags.attribution.clone() });
    }
}

/// The newest wins; of two said at the same time the larger, so that order does not matter.
fn newest<T: Ord + Clone>(mine: &mut Option<T>, mine_at: &mut Timestamp, theirs: Option<&T>, theirs_at: Timestamp) {
    let Some(theirs) = theirs else { return };
    if mine.as_ref().is_none_or(|mine| (theirs_at, theirs) > (*mine_at, mine)) {
        *mine = Some(theirs.clone());
        *mine_at = theirs_at;
    }
}

fn take_person(contact: &mut Contact, person: &Person, at: crate::model::contact::PersonTimes) {
    let (mine, mine_at) = (&mut contact.person, &mut contact.person_said_at);
    newest(&mut mine.email, &mut mine_at.email, person.email.as_ref(), at.email);
    newest(&mut mine.phone, &mut mine_at.phone, person.phone.as_ref(), at.phone);
    newest(&mut mine.name, &mut mine_at.name, person.name.as_ref(), at.name);
}

fn take_consent(contact: &mut Contact, consent: Consent, at: crate::model::contact::ConsentTimes) {
    let (mine, mine_at) = (&mut contact.consent, &mut contact.consent_said_at);
    newest(&mut mine.analytics, &mut mine_at.analytics, consent.analytics.as_ref(), at.analytics);
    newest(&mut mine.ads, &mut mine_at.ads, consent.ads.as_ref(), at.ads);
    newest(&mut mine.email, &mut mine_at.email, consent.email.as_ref(), at.email);
}

fn take_tier(contact: &mut Contact, tier: Option<&str>, at: Timestamp) {
    newest(&mut contact.pricing_tier, &mut contact.pricing_tier_said_at, tier.map(str::to_owned).as_ref(), at);
}

fn take_attribution(contact: &mut Contact, attribution: &Attribution) {
    if attribution.is_empty() {
        return;
    }
    let key = |attribution: &Attribution| (attribution.at, attribution.clone());
    if contact.first_attribution.is_empty() || key(attribution) < key(&contact.first_attribution) {
        contact.first_attribution = attribution.clone();
    }
    if contact.last_attribution.is_empty() || key(attribution) > key(&contact.last_attribution) {
        contact.last_attribution = attribution.clone();
    }
}

/// Replaces what a group adds to a contact's totals. `others` are the contributions of the contact's other groups, asked for
/// only when the group's own first or last sale went away.
///
/// # Errors
/// When the books can't be read.
pub fn contribute(
    workspace: &mut Workspace<'_>,
    contact: ContactId,
    before: &Contribution,
    now: &Contribution,
) -> BooksResult<()> {
    if before == now {
        return Ok(());
    }
    let record = workspace.contact(contact)?;
    if let Some(net) = before.net {
        record.totals.subtract(net);
    }
    if let Some(net) = now.net {
        record.totals.add(net);
    }
    record.totals.drop_zeros();
    let count = |counts: &mut (u32, u32), contribution: &Contribution, sign: i64| {
        if let Some(sale) = &contribution.sale {
            let count = if sale.renewal { &mut counts.1 } else { &mut counts.0 };
            *count = u32::try_from(i64::from(*count) + sign).unwrap_or(0);
        }
    };
    let mut counts = (record.purchases, record.renewals);
    count(&mut counts, before, -1);
    count(&mut counts, now, 1);
    (record.purchases, record.renewals) = counts;
    record.refunds = record.refunds.saturating_sub(before.refunds) + now.refunds;
    let as_last = |contribution: &Contribution| {
        contribution.sale.as_ref().map(|sale| LastSale {
            at: sale.at,
            transaction_id: sale.transaction_id.clone(),
            amount: SaleAmount(sale.amount),
        })
    };
    let (was, is) = (as_last(before), as_last(now));
    let was_edge = was.is_some()
        && was != is
        && (record.last_sale == was || record.customer_since == was.as_ref().map(|sale| sale.at));
    if let Some(is) = is {
        record.customer_since = Some(record.customer_since.map_or(is.at, |since| since.min(is.at)));
        record.last_sale = record.last_sale.take().max(Some(is));
    }
    if was_edge {
        recount_edges(workspace, contact)?;
    }
    Ok(())
}

/// Works out a contact's first and last sale anew from all of its groups.
fn recount_edges(workspace: &mut Workspace<'_>, contact: ContactId) -> BooksResult<()> {
    let (mut first, mut last): (Option<Timestamp>, Option<LastSale>) = (None, None);
    for group in workspace.groups_of(contact, Timestamp::from_millis(i64::MIN), Timestamp::FAR_FUTURE)? {
        let group = workspace.exact_group(group)?;
        if group.merged_into.is_some() {
            continue;
        }
        if let Some(sale) = &group.contribution.sale {
            first = Some(first.map_or(sale.at, |first| first.min(sale.at)));
            last = last.max(Some(LastSale {
                at: sale.at,
                transaction_id: sale.transaction_id.clone(),
                amount: SaleAmount(sale.amount),
            }));
        }
    }
    let record = workspace.contact(contact)?;
    record.customer_since = first;
    record.last_sale = last;
    Ok(())
}
