//! Who an event is about.
//!
//! Contacts are the connected components over addresses, customers and user ids. A lead id or a phone joins nobody: a purchase
//! that has nothing else (an *anonymous* one) goes to the one person who claims its lead id, or its phone where it has no lead id
//! (see [`super::claims`]). It lends its money to that person, but not its name, address or consent, so that it can leave again
//! when it proves to be somebody else's.
//!
//! An address that several people read (`identity.shared_emails`) recognises nobody either: a purchase that has nothing else gets
//! a contact of its own. A contact that a lead alone made (see [`super::leads`]) is nobody until a sender that we trust names
//! the same address.

use std::collections::BTreeSet;

use super::books::BooksResult;
use super::claims::{self, claims_of};
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
use crate::model::id::{ContactId, DestinationId, GroupId, Scope};
use crate::model::identity::{Holder, Identity, IdentityKind};
use crate::model::statement::{ObjectState, Statement};

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
    if !knows_person(workspace.exact_group(group)?) {
        return claims::place_anonymous(workspace, occasion, group, said, before);
    }
    let (contact, made_by_leads) = join_people(workspace, occasion, group, &joins, before)?;
    let mut new_emails = Vec::new();
    for identity in joins {
        if !holds(workspace, contact, &identity) && identity.kind == IdentityKind::Email {
            new_emails.push(identity.value.clone());
        }
        hold(workspace, contact, identity)?;
    }
    give_group(workspace, occasion, group, contact)?;
    let claims = claims_of(workspace.exact_group(group)?);
    for claim in &claims {
        claims::claim(workspace, occasion, contact, claim.clone())?;
    }
    // A group that names its person for the first time brings everything its objects had said so far.
    let changed = learn_all(workspace, occasion, contact, said, &before.unlearned)?;
    if workspace.has_leads() {
        leads::lend_to(workspace, contact, &claims)?;
        for email in new_emails {
            leads::lend_by_email(workspace, contact, &email)?;
        }
    }
    for made in made_by_leads {
        leads::take_over(workspace, occasion, contact, made)?;
    }
    Ok(changed)
}

/// The one contact of everybody whom a group names; and those that leads alone made for an address that it names.
fn join_people(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    joins: &[Identity],
    before: &Before,
) -> BooksResult<(ContactId, Vec<ContactId>)> {
    let (mut people, mut strangers) = (Vec::with_capacity(2), Vec::new());
    let mut made_by_leads = Vec::new();
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
        match workspace.holder(identity)? {
            Some(Holder::Contact(holder)) => people.push(holder),
            Some(Holder::Lead(made)) => made_by_leads.push(made),
            Some(Holder::Shared) | None => {}
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
        // One that has other purchases too comes along when the person claims what they are known by.
        if workspace.groups_of(other)?.iter().all(|known| *known == group) {
            merge_contacts(workspace, occasion, contact, other, true)?;
        }
    }
    Ok((contact, made_by_leads))
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

/// Lets a contact learn what a statement says, and what objects say from which nobody has learned yet. Returns it if what is shown
/// of it changed.
///
/// # Errors
/// When the books can't be read.
pub(super) fn learn_all(
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
