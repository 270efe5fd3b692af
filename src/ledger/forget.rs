//! A person is erased: the money stays, without a name.
//!
//! What is left is a contact that holds sums, ids and times, and nobody is told of it any more. Each identity of the person leaves
//! a tombstone, which the store keeps as a keyed hash. A statement that names one is about that nameless contact: its money
//! counts there, so that the books add up, and name, address, tags and raw body are not kept.

use std::borrow::Cow;

use super::books::BooksResult;
use super::changes::Target;
use super::claims;
use super::occasion::{Occasion, Timing};
use super::people::{customer_value, hold, is_person};
use super::plan;
use super::rules::{Rules, SourceRules};
use super::workspace::Workspace;
use crate::model::attribution::{Attribution, Consent};
use crate::model::business_event::EventFacts;
use crate::model::contact::Contact;
use crate::model::delivery::{Rule, State};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, Mode, Scope, WebhookId};
use crate::model::identity::{Holder, Identity, IdentityKind};
use crate::model::lead::LeadPost;
use crate::model::statement::{ObjectKind, Person, Statement, Tags};

/// Whom to erase.
#[derive(Clone, Debug, Default)]
pub struct Forget {
    /// The person's contacts, one in each mode.
    pub contacts: Vec<ContactId>,
    /// Contacts that became one of them.
    pub merged: Vec<ContactId>,
    /// Lead ids whose forms named the person.
    pub leads: Vec<String>,
    /// Every destination ever configured.
    pub destinations: Vec<DestinationId>,
}

/// Rows that go, and tombstones that come, besides what the records say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Each identity that leaves a tombstone, with the nameless contact.
    pub tombstones: Vec<(Identity, ContactId)>,
    /// Identities that are dropped.
    pub identities: Vec<Identity>,
    /// Standings with contact destinations that are dropped.
    pub standings: Vec<(DestinationId, ContactId)>,
    /// Whose attempts are dropped.
    pub attempts: Vec<(DestinationId, Target)>,
    /// Leads that are dropped.
    pub leads: Vec<String>,
}

/// The customer that stands for an erased person's own, so that halves of a sale still find each other.
fn nameless(contact: ContactId) -> String {
    format!("erased-{contact}")
}

/// Plans that people are erased.
///
/// # Errors
/// When the books can't be read.
pub fn plan_forget(workspace: &mut Workspace<'_>, rules: &Rules, forget: &Forget) -> BooksResult<Erasure> {
    let mut erasure = Erasure::default();
    let mut leads = forget.leads.clone();
    for contact in &forget.contacts {
        let contact = workspace.live_contact(*contact)?;
        forget_contact(workspace, rules, contact, &forget.destinations, &mut erasure)?;
    }
    for gone in &forget.merged {
        for destination in &forget.destinations {
            erasure.standings.push((*destination, *gone));
            erasure.attempts.push((*destination, Target::Contact(*gone)));
        }
    }
    let ours = erasure.tombstones.iter().filter(|(identity, _)| identity.kind == IdentityKind::Lead);
    leads.extend(ours.map(|(identity, _)| identity.value.clone()));
    leads.sort();
    leads.dedup();
    if let Some(contact) = forget.contacts.first() {
        for id in &leads {
            for mode in [Mode::Live, Mode::Test] {
                let identity = Identity { mode, kind: IdentityKind::Lead, value: id.clone() };
                let is_ours = !erasure.tombstones.iter().any(|(known, _)| *known == identity)
                    && workspace.holder(&identity)?.is_none();
                if is_ours {
                    erasure.tombstones.push((identity, *contact));
                }
            }
        }
    }
    erasure.leads = leads;
    Ok(erasure)
}

fn forget_contact(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    id: ContactId,
    destinations: &[DestinationId],
    erasure: &mut Erasure,
) -> BooksResult<()> {
    let contact = workspace.contact(id)?.clone();
    let mut ours = contact.identities.clone();
    // A contact that a lead alone made is known by its address without holding it.
    if let Some(email) = contact.person.email.as_ref().filter(|email| !rules.is_shared(email)) {
        ours.push(Identity { mode: contact.mode, kind: IdentityKind::Email, value: email.as_str().to_owned() });
    }
    if let (Some(phone), None, true) = (&contact.person.phone, &contact.person.email, contact.unverified) {
        ours.push(Identity { mode: contact.mode, kind: IdentityKind::Phone, value: phone.as_str().to_owned() });
    }
    ours.retain(|identity| !is_nameless(identity));
    ours.sort();
    ours.dedup();
    for identity in ours {
        let free = match workspace.holder(&identity)? {
            Some(Holder::Contact(holder) | Holder::Lead(holder)) => holder == id,
            Some(Holder::Shared) => false,
            None => true,
        };
        if free {
            erasure.tombstones.push((identity.clone(), id));
            erasure.identities.push(identity);
        }
    }
    let mut nameless_of = Vec::new();
    let mut events = Vec::new();
    for group in workspace.groups_of(id)? {
        claims::lift(workspace, group)?;
        if forget_group(workspace, group, id)? {
            nameless_of.push(workspace.exact_group(group)?.scope.clone());
        }
        events.extend(workspace.exact_group(group)?.events.iter().map(|(_, event)| *event));
    }
    for destination in destinations {
        if let Some(sync) = workspace.existing_sync(*destination, id)? {
            events.extend(sync.pending.iter().copied());
            workspace.sync(*destination, id)?.pending.clear();
            erasure.standings.push((*destination, id));
        }
        erasure.attempts.push((*destination, Target::Contact(id)));
    }
    events.sort();
    events.dedup();
    for event in events {
        forget_event(workspace, event, erasure)?;
    }
    for group in workspace.groups_of(id)? {
        plan::note_settling(workspace, group)?;
    }
    let shared = contact.shared.clone();
    *workspace.contact_mut(id)? = without_name(contact);
    leave_shared(workspace, rules, id, &shared)?;
    for scope in nameless_of {
        keep_nameless(workspace, &scope, id)?;
    }
    Ok(())
}

/// What the person and others claimed is the others'; if one of them is left, that one's alone.
fn leave_shared(workspace: &mut Workspace<'_>, rules: &Rules, id: ContactId, shared: &[Identity]) -> BooksResult<()> {
    let left_alone = claims::withdraw_claims(workspace, id, shared, None)?;
    for (claim, person) in left_alone {
        let scope = Scope { provider: "erasure".to_owned(), account: None, mode: claim.mode };
        let source = SourceRules::default();
        let timing = Timing::of(source, workspace.now, workspace.now);
        // No webhook told of it.
        let occasion = Occasion { rules, scope: &scope, webhook: WebhookId(0), timing, source, again: false };
        claims::unshare(workspace, &occasion, &claim, person)?;
    }
    Ok(())
}

/// A contact with its sums and times only.
fn without_name(contact: Contact) -> Contact {
    let empty = Contact::new(contact.id, contact.mode);
    Contact {
        erased: true,
        merged_into: contact.merged_into,
        totals: contact.totals,
        purchases: contact.purchases,
        renewals: contact.renewals,
        refunds: contact.refunds,
        disputes_lost: contact.disputes_lost,
        customer_since: contact.customer_since,
        first_currency: contact.first_currency,
        last_sale: contact.last_sale,
        subscriptions: contact.subscriptions,
        lead_since: contact.lead_since,
        ..empty
    }
}

/// Takes the person out of a group's objects. Returns whether any of them named a customer.
fn forget_group(workspace: &mut Workspace<'_>, group: GroupId, contact: ContactId) -> BooksResult<bool> {
    let mut had_customer = false;
    let record = workspace.group_mut(group)?;
    for state in &mut record.objects {
        state.person = Person::default();
        state.tags = impersonal(&state.tags);
        state.also_named.clear();
        if state.customer.is_some() {
            had_customer = true;
            state.customer = Some(nameless(contact));
        }
        if state.object.kind == ObjectKind::Lead {
            state.object.id = format!("erased-{group}");
        }
    }
    Ok(had_customer)
}

/// What the merchant attached, without what tells of the person.
fn impersonal(tags: &Tags) -> Tags {
    Tags {
        lead_id: None,
        user_id: None,
        attribution: Attribution::default(),
        consent: Consent::default(),
        ..tags.clone()
    }
}

fn forget_event(workspace: &mut Workspace<'_>, id: BusinessEventId, erasure: &mut Erasure) -> BooksResult<()> {
    let at = workspace.now;
    let event = workspace.business_event_mut(id)?;
    if let Some(lead) = &event.facts.lead_id
        && event.key.ends_with(lead.as_str())
    {
        event.key = format!("{}/erased-{id}", event.scope);
    }
    event.facts = EventFacts {
        lead_id: None,
        user_id: None,
        attribution: Attribution::default(),
        consent: Consent::default(),
        days_to_conversion: None,
        returning: None,
        ..std::mem::take(&mut event.facts)
    };
    for delivery in &mut event.deliveries {
        erasure.attempts.push((delivery.destination, Target::Event(id)));
        if let Some(frozen) = &mut delivery.frozen {
            frozen.client_id = None;
        }
        match &mut delivery.state {
            State::Pending | State::Failed { .. } => {
                delivery.schedule.settling = false;
                delivery.schedule.started_at = None;
                delivery.state = State::Suppressed { rule: Rule::Erased, at };
            }
            State::Discarded { reason, .. } => "(erased)".clone_into(reason),
            State::Delivered { .. } | State::Suppressed { .. } => {}
        }
    }
    Ok(())
}

/// The identity by which what still comes is found to be the nameless contact's.
fn nameless_identity(scope: &Scope, contact: ContactId) -> Identity {
    Identity { mode: scope.mode, kind: IdentityKind::Customer, value: customer_value(scope, &nameless(contact)) }
}

fn is_nameless(identity: &Identity) -> bool {
    identity.kind == IdentityKind::Customer
        && identity.value.rsplit('/').next().is_some_and(|customer| customer.starts_with("erased-c"))
}

fn keep_nameless(workspace: &mut Workspace<'_>, scope: &Scope, contact: ContactId) -> BooksResult<()> {
    hold(workspace, contact, nameless_identity(scope, contact))
}

/// A statement as far as it may be kept: of an erased person nothing that tells who it is.
///
/// # Errors
/// When the books can't be read.
pub fn without_erased<'s>(
    workspace: &mut Workspace<'_>,
    scope: &Scope,
    statement: &'s Statement,
) -> BooksResult<Cow<'s, Statement>> {
    if !workspace.has_erased() {
        return Ok(Cow::Borrowed(statement));
    }
    let of = |kind, value: &str| Identity { mode: scope.mode, kind, value: value.to_owned() };
    let (person, tags) = (&statement.person, &statement.tags);
    let email = person.email.as_ref().map(|email| of(IdentityKind::Email, email.as_str()));
    let customer =
        statement.customer.as_ref().map(|customer| of(IdentityKind::Customer, &customer_value(scope, customer)));
    let user = tags.user_id.as_ref().map(|user| of(IdentityKind::User, user));
    let names_somebody = email.is_some() || customer.is_some() || user.is_some();
    for identity in [email, customer, user].into_iter().flatten() {
        if let Some(contact) = workspace.erased(&identity)? {
            return strip(workspace, scope, statement, contact).map(Cow::Owned);
        }
    }
    let lead = tags.lead_id.as_ref().map(|lead| of(IdentityKind::Lead, lead));
    let phone = person.phone.as_ref().map(|phone| of(IdentityKind::Phone, phone.as_str()));
    let mut kept = Cow::Borrowed(statement);
    for claim in [lead, phone].into_iter().flatten() {
        let Some(contact) = workspace.erased(&claim)? else { continue };
        if !names_somebody {
            return strip(workspace, scope, statement, contact).map(Cow::Owned);
        }
        // Somebody else has the browser or the telephone now; what it recalls is not theirs.
        workspace.of_erased = true;
        let kept = kept.to_mut();
        if claim.kind == IdentityKind::Lead {
            kept.tags.lead_id = None;
            kept.tags.attribution = Attribution::default();
        } else {
            kept.person.phone = None;
        }
    }
    Ok(kept)
}

/// The same for a statement that names nobody who was erased, about money of somebody who was.
///
/// # Errors
/// When the books can't be read.
pub fn as_its_group<'s>(
    workspace: &mut Workspace<'_>,
    scope: &Scope,
    group: GroupId,
    statement: Cow<'s, Statement>,
) -> BooksResult<Cow<'s, Statement>> {
    if !workspace.has_erased() {
        return Ok(statement);
    }
    let Some(contact) = workspace.exact_group(group)?.contact else { return Ok(statement) };
    let contact = workspace.live_contact(contact)?;
    if !workspace.contact(contact)?.erased {
        return Ok(statement);
    }
    strip(workspace, scope, &statement, contact).map(Cow::Owned)
}

fn strip(
    workspace: &mut Workspace<'_>,
    scope: &Scope,
    statement: &Statement,
    contact: ContactId,
) -> BooksResult<Statement> {
    workspace.of_erased = true;
    keep_nameless(workspace, scope, contact)?;
    Ok(Statement {
        person: Person::default(),
        tags: impersonal(&statement.tags),
        customer: Some(nameless(contact)),
        ..statement.clone()
    })
}

/// Whether a browser speaks of an erased person.
///
/// # Errors
/// When the books can't be read.
pub fn is_of_erased(workspace: &mut Workspace<'_>, post: &LeadPost) -> BooksResult<bool> {
    if !workspace.has_erased() {
        return Ok(false);
    }
    let email = post.person.email.as_ref().map(|email| (IdentityKind::Email, email.as_str()));
    let phone = post.person.phone.as_ref().map(|phone| (IdentityKind::Phone, phone.as_str()));
    for (kind, value) in [Some((IdentityKind::Lead, post.lead_id.as_str())), email, phone].into_iter().flatten() {
        let identity = Identity { mode: Mode::Live, kind, value: value.to_owned() };
        if workspace.erased(&identity)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether what two contacts become is still an erased person: somebody who was not erased makes it that somebody.
pub(super) fn stays_erased(survivor: &Contact, gone: &Contact) -> bool {
    match (is_person(survivor), is_person(gone)) {
        (true, true) => survivor.erased && gone.erased,
        (true, false) => survivor.erased,
        (false, true) => gone.erased,
        (false, false) => survivor.erased || gone.erased,
    }
}
