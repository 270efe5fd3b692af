//! Who an event is about.
//!
//! Contacts are the connected components over addresses, customers and user ids. A lead id or a phone joins nobody: a purchase
//! that has nothing else (an *anonymous* one) goes to the one person who claims its lead id, or its phone where it has no lead id.
//! Claimed by two people it is shared, and anonymous purchases stand by themselves. An anonymous purchase lends its money to a person, but not its name, address or
//! consent, so that it can leave again when it proves to be somebody else's.
//!
//! An address that several people read (`identity.shared_emails`) recognises nobody either: a purchase that has nothing else gets
//! a contact of its own. A contact that a lead alone made (see [`super::leads`]) is nobody until a sender that we trust names
//! the same address.

use std::collections::BTreeSet;

use super::books::BooksResult;
use super::contacts::{Said, hear, learn};
use super::derive::speaks_of_buyer;
use super::fold;
use super::leads;
use super::likeness::Pairs;
use super::merging::{give_group, is_somebody, merge_contacts};
use super::occasion::Occasion;
use super::release;
use super::rules::Rules;
use super::workspace::Workspace;
use crate::destinations::Style;
use crate::model::contact::Contact;
use crate::model::group::Group;
use crate::model::id::{ContactId, DestinationId, GroupId, Mode, Scope};
use crate::model::identity::{Holder, Identity, IdentityKind};
use crate::model::statement::{ObjectState, Person, Statement, Tags};

/// What a group, or the groups that became it, was before a statement: for the question whose it is.
#[derive(Debug, Default)]
pub struct Before {
    /// The contact of each, and whether an object of that group named a person; else only a lead id or phone connected it.
    pub parts: Vec<(ContactId, bool)>,
    /// The objects that named nobody, from which no person has learned yet.
    pub unlearned: Vec<ObjectState>,
    /// The groups that they were in one row with, and how likeness had paired those.
    pub row: BTreeSet<GroupId>,
    /// Which group was paired with which.
    pub pairs: Pairs,
}

impl Before {
    /// Adds a group as it is now.
    pub(super) fn add(&mut self, group: &Group) {
        let named = knows_person(group);
        self.parts.extend(group.contact.map(|contact| (contact, named)));
        if !named {
            self.unlearned.extend(group.objects.iter().cloned());
        }
    }
}

/// Whether a contact is known by what joins, or by an address that several people read. Not one that a lead alone made.
pub(super) fn is_person(contact: &Contact) -> bool {
    contact.erased
        || contact.identities.iter().any(|identity| identity.kind.joins())
        || (contact.person.email.is_some() && !contact.unverified)
}

/// Whether any object of a group names a person by what joins.
pub(super) fn knows_person(group: &Group) -> bool {
    group
        .objects
        .iter()
        .filter(|state| speaks_of_buyer(state.object.kind))
        .any(|state| state.customer.is_some() || state.person.email.is_some() || state.tags.user_id.is_some())
}

/// The lead ids and phones that a group's objects name.
pub(super) fn claims_of(group: &Group) -> Vec<Identity> {
    let mut claims = Vec::new();
    for state in group.objects.iter().filter(|state| speaks_of_buyer(state.object.kind)) {
        add_claims(&mut claims, group.scope.mode, &state.person, &state.tags);
    }
    claims.sort();
    claims
}

/// What connects a group that names no person: of each object the lead id, else the phone. One alone, so that a purchase never
/// stands between two people who claim one each.
fn anonymous_claims(group: &Group, said: Option<&Statement>) -> Vec<Identity> {
    let mut claims = Vec::new();
    let mut add = |person: &Person, tags: &Tags| {
        let phone = person.phone.as_ref().filter(|_| tags.lead_id.is_none());
        add_claims(&mut claims, group.scope.mode, &Person { phone: phone.cloned(), ..Person::default() }, tags);
    };
    for state in group.objects.iter().filter(|state| speaks_of_buyer(state.object.kind)) {
        add(&state.person, &state.tags);
    }
    if let Some(said) = said {
        add(&said.person, &said.tags);
    }
    claims.sort();
    claims
}

/// The lead ids and phones of a group, with what a statement names that newer ones of its object no longer do.
fn all_claims(group: &Group, said: Option<&Statement>) -> Vec<Identity> {
    let mut claims = claims_of(group);
    if let Some(said) = said {
        add_claims(&mut claims, group.scope.mode, &said.person, &said.tags);
        claims.sort();
    }
    claims
}

fn add_claims(claims: &mut Vec<Identity>, mode: Mode, person: &Person, tags: &Tags) {
    let mut add = |kind, value: Option<&str>| {
        if let Some(value) = value
            && !claims.iter().any(|known| known.kind == kind && known.value == value)
        {
            claims.push(Identity { mode, kind, value: value.to_owned() });
        }
    };
    add(IdentityKind::Lead, tags.lead_id.as_deref());
    add(IdentityKind::Phone, person.phone.as_ref().map(|phone| phone.as_str()));
}

/// The joining identities that a statement gives.
fn joining(rules: &Rules, scope: &Scope, statement: &Statement) -> Vec<Identity> {
    let mut identities = Vec::new();
    let mut add = |kind, value| identities.push(Identity { mode: scope.mode, kind, value });
    if let Some(email) = statement.person.email.as_ref().filter(|email| !rules.is_shared(email)) {
        add(IdentityKind::Email, email.as_str().to_owned());
    }
    if let Some(customer) = &statement.customer {
        add(IdentityKind::Customer, customer_value(scope, customer));
    }
    if let Some(user) = &statement.tags.user_id {
        add(IdentityKind::User, user.clone());
    }
    identities
}

/// A customer's identity value: provider, account and id.
pub fn customer_value(scope: &Scope, customer: &str) -> String {
    format!("{}/{}/{customer}", scope.provider, scope.account.as_deref().unwrap_or("-"))
}

/// Finds the contact of a group that a statement has just been folded into, begins or merges contacts where that is called
/// for, and lets the contact learn what was said. Returns the contact if what destinations show of the person changed by it.
///
/// # Errors
/// When the books can't be read.
pub fn place(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    statement: &Statement,
    before: &Before,
) -> BooksResult<Option<ContactId>> {
    let said = speaks_of_buyer(statement.object.kind).then_some(statement);
    let joins = said.map_or_else(Vec::new, |said| joining(occasion.rules, occasion.scope, said));
    let names_somebody = said.is_some_and(|said| said.person.email.is_some());
    if joins.is_empty() && !names_somebody && !before.parts.iter().any(|(_, named)| *named) {
        return place_anonymous(workspace, occasion, group, said, before);
    }
    let contact = join_people(workspace, occasion, group, &joins, before)?;
    let mut new_emails = Vec::new();
    for identity in joins {
        if !holds(workspace, contact, &identity) && identity.kind == IdentityKind::Email {
            new_emails.push(identity.value.clone());
        }
        hold(workspace, contact, identity)?;
    }
    give_group(workspace, occasion, group, contact)?;
    let claims = all_claims(workspace.exact_group(group)?, said);
    for claim in &claims {
        claim_for(workspace, occasion, contact, claim.clone())?;
    }
    // A group that names its person for the first time brings everything its objects had said so far.
    let changed = learn_all(workspace, occasion, contact, said, &before.unlearned)?;
    if workspace.has_leads() {
        leads::lend_to(workspace, contact, &claims)?;
        for email in new_emails {
            leads::take_over(workspace, occasion, contact, &email)?;
        }
    }
    Ok(changed)
}

/// The one contact of everybody whom a group names.
fn join_people(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    joins: &[Identity],
    before: &Before,
) -> BooksResult<ContactId> {
    let (mut people, mut strangers) = (Vec::with_capacity(2), Vec::new());
    for (contact, named) in &before.parts {
        let contact = workspace.live_contact(*contact)?;
        if *named {
            people.push(contact);
        } else if !is_somebody(workspace, contact)? {
            strangers.push(contact);
        }
        // An anonymous purchase leaves the person whom only a lead id or phone connected it with.
    }
    for identity in joins {
        if people.iter().any(|contact| holds(workspace, *contact, identity)) {
            continue;
        }
        if let Some(Holder::Contact(holder)) = workspace.holder(identity)? {
            people.push(holder);
        }
    }
    for contacts in [&mut people, &mut strangers] {
        contacts.sort();
        contacts.dedup();
    }
    let mut rest = people.into_iter();
    let contact = match rest.next() {
        Some(first) => first,
        None => {
            // The contact of this purchase alone becomes the person's.
            let mut alone = None;
            for stranger in &strangers {
                if alone.is_none() && workspace.groups_of(*stranger)?.iter().all(|known| *known == group) {
                    alone = Some(*stranger);
                }
            }
            strangers.retain(|stranger| Some(*stranger) != alone);
            match alone {
                Some(alone) => alone,
                None => workspace.new_contact(occasion.scope.mode),
            }
        }
    };
    for other in rest {
        merge_contacts(workspace, occasion, contact, other, true)?;
    }
    for other in strangers {
        let learned = workspace.groups_of(other)?.iter().all(|known| *known == group);
        merge_contacts(workspace, occasion, contact, other, learned)?;
    }
    Ok(contact)
}

pub(super) fn holds(workspace: &mut Workspace<'_>, contact: ContactId, identity: &Identity) -> bool {
    workspace.contact(contact).is_ok_and(|contact| contact.identities.binary_search(identity).is_ok())
}

/// Gives an identity to a contact that has it to itself.
pub(super) fn hold(workspace: &mut Workspace<'_>, contact: ContactId, identity: Identity) -> BooksResult<()> {
    if let Err(at) = workspace.contact(contact)?.identities.binary_search(&identity) {
        workspace.put_holder(identity.clone(), Holder::Contact(contact));
        workspace.contact_mut(contact)?.identities.insert(at, identity);
    }
    Ok(())
}

/// A person claims a lead id or phone: theirs, unless another person claimed it before.
fn claim_for(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    contact: ContactId,
    claim: Identity,
) -> BooksResult<()> {
    if holds(workspace, contact, &claim) {
        return Ok(());
    }
    match workspace.holder(&claim)? {
        None => hold(workspace, contact, claim),
        Some(Holder::Shared) => Ok(()),
        Some(Holder::Contact(other)) if other == contact => hold(workspace, contact, claim),
        Some(Holder::Contact(other)) if !is_somebody(workspace, other)? => {
            merge_contacts(workspace, occasion, contact, other, false)
        }
        Some(Holder::Contact(other)) => {
            workspace.put_holder(claim.clone(), Holder::Shared);
            workspace.contact_mut(other)?.identities.retain(|known| *known != claim);
            for group in workspace.groups_of(other)? {
                let record = workspace.exact_group(group)?;
                if !knows_person(record) && anonymous_claims(record, None).contains(&claim) {
                    let before = Before { unlearned: record.objects.clone(), ..Before::default() };
                    place_anonymous(workspace, occasion, group, None, &before)?;
                }
            }
            Ok(())
        }
    }
}

/// Places a group of which only lead ids and phones are known: with the one person who claims what connects it; else with the other
/// anonymous purchases of the same.
fn place_anonymous(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    said: Option<&Statement>,
    before: &Before,
) -> BooksResult<Option<ContactId>> {
    let claims = anonymous_claims(workspace.exact_group(group)?, said);
    let (mut person, mut strangers) = (None, Vec::new());
    for claim in &claims {
        if let Some(Holder::Contact(holder)) = workspace.holder(claim)? {
            if is_somebody(workspace, holder)? {
                person = person.or(Some(holder));
            } else {
                strangers.push(holder);
            }
        }
    }
    for (contact, _) in &before.parts {
        let contact = workspace.live_contact(*contact)?;
        if is_somebody(workspace, contact)? {
            person = person.or(Some(contact));
        } else {
            strangers.push(contact);
        }
    }
    strangers.sort();
    strangers.dedup();
    let contact = match (person, strangers.first()) {
        (Some(person), _) => person,
        (None, Some(first)) => *first,
        (None, None) if claims.is_empty() => return Ok(None),
        (None, None) => workspace.new_contact(occasion.scope.mode),
    };
    for other in strangers.into_iter().filter(|other| *other != contact) {
        merge_contacts(workspace, occasion, contact, other, person.is_none())?;
    }
    for claim in claims {
        if workspace.holder(&claim)?.is_none() {
            hold(workspace, contact, claim)?;
        }
    }
    give_group(workspace, occasion, group, contact)?;
    if workspace.has_leads() {
        let claims = all_claims(workspace.exact_group(group)?, said);
        leads::lend_to(workspace, contact, &claims)?;
    }
    if person.is_some() {
        return Ok(None);
    }
    learn_all(workspace, occasion, contact, said, &before.unlearned)
}

fn learn_all(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    contact: ContactId,
    said: Option<&Statement>,
    unlearned: &[ObjectState],
) -> BooksResult<Option<ContactId>> {
    if said.is_none() && unlearned.is_empty() {
        return Ok(None);
    }
    let record = workspace.contact_mut(contact)?;
    let known = record.person.clone();
    for state in unlearned.iter().filter(|state| speaks_of_buyer(state.object.kind)) {
        if !state.said_by.is_empty() {
            hear(record, state.heard_at);
        }
        learn(record, &Said { at: state.said_at, person: &state.person, tags: &state.tags });
    }
    if let Some(said) = said {
        if fold::is_snapshot(said) {
            hear(record, said.said_at);
        }
        learn(record, &Said { at: said.said_at, person: &said.person, tags: &said.tags });
    }
    let changed = known != record.person;
    if changed {
        release::wake_for_person(workspace, occasion.rules, contact)?;
    }
    Ok(changed.then_some(contact))
}

/// Whether a contact destination has been told of a contact.
pub(super) fn is_known_at(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    contact: ContactId,
) -> BooksResult<bool> {
    let sync = workspace.existing_sync(destination, contact)?;
    Ok(sync.is_some_and(|sync| sync.remote_id.is_some() || sync.external_id.is_some()))
}

/// What is shown of a person changed: the contact destinations that have been told of the person before are told again, unless
/// what this very command gives them to send says it.
///
/// # Errors
/// When the books can't be read.
pub fn tell_of_change(workspace: &mut Workspace<'_>, occasion: &Occasion<'_>, contact: ContactId) -> BooksResult<()> {
    let contact = workspace.live_contact(contact)?;
    if workspace.is_new_contact(contact) {
        return Ok(());
    }
    let mut told = Vec::new();
    for destination in occasion.rules.destinations.iter().filter(|rules| rules.destination.style() == Style::Contact) {
        if is_known_at(workspace, destination.id, contact)? {
            told.push(destination.id);
        }
    }
    release::tell_again(workspace, occasion.rules, occasion.scope, occasion.webhook, contact, &told)
}
