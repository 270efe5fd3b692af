//! Whose a lead id or phone is.
//!
//! Neither joins anybody. One that a single person claims is that person's, and so are the purchases that name nobody and are
//! known by it alone. Claimed by several it is *shared*: it recognises nobody, and each of those purchases stands by itself, until
//! all who claim it prove to be one person. Claimed by nobody, those purchases are one nameless contact's, which holds it.
//!
//! A purchase that names nobody is known by one claim only, the least of its lead ids, else of its phones, so that it never
//! stands between two people. All of this follows from the groups as they are, so the order of arrival does not matter.

use super::books::BooksResult;
use super::contacts::{Said, hear, learn};
use super::derive::speaks_of_buyer;
use super::leads;
use super::merging::{give_group, is_somebody, merge_contacts};
use super::occasion::Occasion;
use super::people::{Before, hold, holds, knows_person, learn_all};
use super::workspace::Workspace;
use crate::model::contact::Contact;
use crate::model::group::Group;
use crate::model::id::{ContactId, GroupId};
use crate::model::identity::{Claimant, Holder, Identity, IdentityKind};
use crate::model::statement::Statement;

/// The lead ids and phones that a group's objects name, in order.
pub(super) fn claims_of(group: &Group) -> Vec<Identity> {
    let mut claims = Vec::new();
    let mut add = |kind, value: &str| {
        claims.push(Identity { mode: group.scope.mode, kind, value: value.to_owned() });
    };
    for state in group.objects.iter().filter(|state| speaks_of_buyer(state.object.kind)) {
        if let Some(lead) = &state.tags.lead_id {
            add(IdentityKind::Lead, lead);
        }
        if let Some(phone) = &state.person.phone {
            add(IdentityKind::Phone, phone.as_str());
        }
        for (kind, value) in &state.also_named {
            add(*kind, value);
        }
    }
    claims.sort();
    claims.dedup();
    claims
}

/// What a group that names no person is known by: lead ids come before phones.
fn known_by(group: &Group) -> Option<Identity> {
    claims_of(group).into_iter().next()
}

/// Takes a group that names no person from under what it is known by, before it changes. [`place_anonymous`] puts it back.
///
/// # Errors
/// When the books can't be read.
pub(super) fn lift(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<()> {
    let record = workspace.exact_group(group)?;
    if record.contact.is_none() || knows_person(record) {
        return Ok(());
    }
    let Some(claim) = known_by(record) else { return Ok(()) };
    let is_claimed = match workspace.holder(&claim)? {
        Some(Holder::Contact(holder)) => is_somebody(workspace, holder)?,
        Some(Holder::Shared) => true,
        Some(Holder::Lead(_)) | None => false,
    };
    if is_claimed {
        workspace.remove_claimant(&claim, Claimant::Sale(group));
    }
    Ok(())
}

/// A person claims a lead id or phone.
///
/// # Errors
/// When the books can't be read.
pub(super) fn claim(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    person: ContactId,
    claim: Identity,
) -> BooksResult<()> {
    let person = workspace.live_contact(person)?;
    if holds(workspace, person, &claim) || workspace.contact(person)?.shared.binary_search(&claim).is_ok() {
        return Ok(());
    }
    match workspace.holder(&claim)? {
        None | Some(Holder::Lead(_)) => hold(workspace, person, claim),
        Some(Holder::Shared) => share_with(workspace, person, claim),
        Some(Holder::Contact(other)) if other == person => hold(workspace, person, claim),
        Some(Holder::Contact(other)) if is_somebody(workspace, other)? => {
            share(workspace, occasion, other, &claim)?;
            share_with(workspace, person, claim)
        }
        Some(Holder::Contact(nameless)) => {
            for sale in workspace.groups_of(nameless)? {
                if !knows_person(workspace.exact_group(sale)?) {
                    workspace.add_claimant(&claim, Claimant::Sale(sale));
                }
            }
            merge_contacts(workspace, occasion, person, nameless, false)
        }
    }
}

/// One more person claims what is shared.
fn share_with(workspace: &mut Workspace<'_>, person: ContactId, claim: Identity) -> BooksResult<()> {
    workspace.add_claimant(&claim, Claimant::Person(person));
    let shared = &mut workspace.contact_mut(person)?.shared;
    if let Err(at) = shared.binary_search(&claim) {
        shared.insert(at, claim);
    }
    Ok(())
}

/// What one person had alone is shared from now on. The purchases that were known by it stand by themselves.
fn share(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    owner: ContactId,
    claim: &Identity,
) -> BooksResult<()> {
    workspace.put_holder(claim.clone(), Holder::Shared);
    workspace.contact_mut(owner)?.identities.retain(|known| known != claim);
    share_with(workspace, owner, claim.clone())?;
    for sale in workspace.sales_known_by(claim)? {
        let alone = workspace.new_contact(claim.mode);
        give_group(workspace, occasion, sale, alone)?;
        let objects = workspace.exact_group(sale)?.objects.clone();
        learn_all(workspace, occasion, alone, None, &objects)?;
    }
    Ok(())
}

/// A contact that claims shared lead ids and phones became another one, or was erased: they are no longer its own claims.
/// Returns those of which one claimant is left, with that one.
///
/// # Errors
/// When the books can't be read.
pub(super) fn withdraw_claims(
    workspace: &mut Workspace<'_>,
    gone: ContactId,
    shared: &[Identity],
    heir: Option<ContactId>,
) -> BooksResult<Vec<(Identity, ContactId)>> {
    let mut left_alone = Vec::new();
    for claim in shared {
        workspace.remove_claimant(claim, Claimant::Person(gone));
        if let Some(heir) = heir
            && workspace.contact(heir)?.shared.binary_search(claim).is_err()
        {
            share_with(workspace, heir, claim.clone())?;
        } else if let [last] = workspace.two_claiming(claim)?[..] {
            left_alone.push((claim.clone(), last));
        }
    }
    Ok(left_alone)
}

/// All who claimed a shared lead id or phone proved to be one person: it is that one's, and so is what is known by it.
///
/// # Errors
/// When the books can't be read.
pub(super) fn unshare(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    claim: &Identity,
    person: ContactId,
) -> BooksResult<()> {
    workspace.remove_claimant(claim, Claimant::Person(person));
    workspace.contact_mut(person)?.shared.retain(|known| known != claim);
    hold(workspace, person, claim.clone())?;
    for sale in workspace.sales_known_by(claim)? {
        // Each had a contact of its own.
        if let Some(alone) = workspace.exact_group(sale)?.contact {
            let alone = workspace.live_contact(alone)?;
            if alone != person {
                merge_contacts(workspace, occasion, person, alone, false)?;
            }
        }
    }
    if workspace.has_leads() {
        leads::lend_to(workspace, person, std::slice::from_ref(claim))?;
    }
    Ok(())
}

/// Places a group that names no person by what it is known by.
///
/// # Errors
/// When the books can't be read.
pub(super) fn place_anonymous(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    said: Option<&Statement>,
    before: &Before,
) -> BooksResult<Option<ContactId>> {
    let Some(claim) = known_by(workspace.exact_group(group)?) else { return Ok(None) };
    // The nameless contacts that it, or what became it, was of: those with nothing else, and the others.
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for (contact, _) in &before.parts {
        let contact = workspace.live_contact(*contact)?;
        if own.contains(&contact) || others.contains(&contact) || is_somebody(workspace, contact)? {
            continue;
        }
        let is_alone = workspace.groups_of(contact)?.iter().all(|known| *known == group);
        if is_alone { own.push(contact) } else { others.push(contact) }
    }
    for contact in &own {
        let identities = workspace.contact(*contact)?.identities.clone();
        for known in identities.into_iter().filter(|known| *known != claim) {
            workspace.contact_mut(*contact)?.identities.retain(|identity| *identity != known);
            workspace.drop_holder(known);
        }
    }
    let holder = workspace.holder(&claim)?;
    let contact = match holder {
        Some(Holder::Contact(holder)) => holder,
        Some(Holder::Shared | Holder::Lead(_)) | None => match own.first() {
            Some(own) => *own,
            None => workspace.new_contact(occasion.scope.mode),
        },
    };
    let of_person = is_somebody(workspace, contact)?;
    if matches!(holder, None | Some(Holder::Lead(_))) {
        hold(workspace, contact, claim.clone())?;
    } else if of_person || holder == Some(Holder::Shared) {
        workspace.add_claimant(&claim, Claimant::Sale(group));
    }
    for nameless in own {
        if workspace.live_contact(nameless)? != contact {
            merge_contacts(workspace, occasion, contact, nameless, !of_person)?;
        }
    }
    give_group(workspace, occasion, group, contact)?;
    for left in others.into_iter().filter(|left| *left != contact) {
        learn_anew(workspace, left)?;
    }
    if workspace.has_leads() {
        leads::lend_to(workspace, contact, &[claim])?;
    }
    if of_person {
        return Ok(None);
    }
    learn_all(workspace, occasion, contact, said, &before.unlearned)
}

/// A purchase left a nameless contact: what is known of that one is what is said in the purchases that stay.
fn learn_anew(workspace: &mut Workspace<'_>, nameless: ContactId) -> BooksResult<()> {
    let mut objects = Vec::new();
    for sale in workspace.groups_of(nameless)? {
        objects.extend(workspace.exact_group(sale)?.objects.iter().cloned());
    }
    let record = workspace.contact_mut(nameless)?;
    let empty = Contact::new(record.id, record.mode);
    *record = Contact {
        person: empty.person,
        person_said_at: empty.person_said_at,
        pricing_tier: empty.pricing_tier,
        pricing_tier_said_at: empty.pricing_tier_said_at,
        first_attribution: empty.first_attribution,
        last_attribution: empty.last_attribution,
        consent: empty.consent,
        consent_said_at: empty.consent_said_at,
        consent_said_by: empty.consent_said_by,
        consent_overruled: empty.consent_overruled,
        consent_overruled_at: empty.consent_overruled_at,
        lent_touches: empty.lent_touches,
        lead_since: empty.lead_since,
        ..record.clone()
    };
    for state in objects.iter().filter(|state| speaks_of_buyer(state.object.kind)) {
        if !state.said_by.is_empty() {
            hear(record, state.heard_at);
        }
        learn(record, &Said { at: state.said_at, person: &state.person, tags: &state.tags });
    }
    let claims = record.identities.clone();
    if workspace.has_leads() {
        leads::lend_to(workspace, nameless, &claims)?;
    }
    Ok(())
}
