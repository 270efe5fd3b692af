//! What browsers say of their visitors.
//!
//! Anyone can post it, so it is believed only as far as it can do no harm:
//!
//! - It gives attribution and consent to its lead id, and so to the one contact that claims that id through a sender we trust.
//! - It never merges people and never changes a name, an address or a stage of anybody. An address that somebody is known by
//!   already gets, at most, its touches lent: as long as nothing better is known, and marked so.
//! - An address or phone number that nobody is known by makes a contact that is *unverified*, holds no identity and joins
//!   nobody, and one business event, `lead`. Both wait a while before anybody is told: a lead id under which ever other addresses
//!   come is somebody trying, and nobody hears of it.
//! - Several people may sit down at one browser, at a reception desk or a fair. An address that is no slip of the pen is of another
//!   of them, who gets a lead id of their own (`others`), made of the browser's.
//! - When a trusted sender names the same address, the person takes that contact over with what destinations know of it, so that
//!   a CRM does not get a second record.

use super::books::BooksResult;
use super::contacts;
use super::fold;
use super::forget;
use super::merging::{is_somebody, merge_contacts};
use super::occasion::{Occasion, Wait};
use super::others;
use super::people::holds;
use super::plan;
use super::release;
use super::rules::Rules;
use super::workspace::Workspace;
use crate::model::attribution::Consent;
use crate::model::business_event::{BusinessEvent, EventFacts, EventKind, Subject};
use crate::model::contact::Contact;
use crate::model::id::{BusinessEventId, ContactId, GroupId, Mode, Scope, WebhookId};
use crate::model::identity::{Holder, Identity, IdentityKind};
use crate::model::lead::{Lead, LeadPost, LeadReceipt};
use crate::model::statement::{ObjectKind, ObjectRef, Person};

/// The scope of what browsers say.
fn scope() -> Scope {
    Scope { provider: "lead".to_owned(), account: None, mode: Mode::Live }
}

fn live(kind: IdentityKind, value: &str) -> Identity {
    Identity { mode: Mode::Live, kind, value: value.to_owned() }
}

/// Plans what a browser's word does. `room` says whether one more lead may be kept.
///
/// # Errors
/// When the books can't be read.
pub fn plan_lead(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    post: &LeadPost,
    room: bool,
) -> BooksResult<LeadReceipt> {
    if forget::is_of_erased(workspace, post)? {
        return Ok(LeadReceipt::Known);
    }
    let Some(lead) = workspace.lead(&post.lead_id)? else {
        if !room {
            return Ok(LeadReceipt::Full);
        }
        return take_in(workspace, rules, Lead::new(post.lead_id.clone(), post.at), post, true);
    };
    if !lead.is_spoiled() && others::is_of_another(workspace, rules, &lead, post)? {
        return others::take_in(workspace, rules, lead, post, room);
    }
    others::heed_no(workspace, &lead, post)?;
    take_in(workspace, rules, lead, post, false)
}

/// Whether nobody was told of a lead yet.
pub(super) fn waits(workspace: &mut Workspace<'_>, lead: &Lead) -> BooksResult<bool> {
    match lead.told {
        Some(group) => Ok(workspace.exact_group(group)?.settle_at.is_some()),
        None => Ok(true),
    }
}

/// Takes in what is said under a lead's own id.
pub(super) fn take_in(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    mut lead: Lead,
    post: &LeadPost,
    is_new: bool,
) -> BooksResult<LeadReceipt> {
    let mut post = post.clone();
    if !waits(workspace, &lead)? {
        // Others were told of the person under this id; of what is written into another form only a yes for the same address
        // is theirs to hear.
        let same = post.person.email.take().filter(|email| lead.person.email.as_ref() == Some(email));
        post.person = Person { email: same, ..Person::default() };
    }
    repeat_no(workspace, &mut lead, post.consent)?;
    let before = lead.person.email.clone();
    let learned = lead.learn(&post);
    if !learned.anything {
        return Ok(LeadReceipt::Known);
    }
    lend_to_claimants(workspace, &lead)?;
    if learned.address {
        index(workspace, &lead, before.as_ref().map(|email| email.as_str()))?;
        match lead.told {
            Some(group) => rewrite(workspace, group, &lead)?,
            None if !lead.is_spoiled() && rules.leads.make_leads => lead.told = tell(workspace, rules, &lead)?,
            None => {}
        }
    } else if let Some(group) = lead.told {
        refresh(workspace, group, &lead)?;
    }
    workspace.put_lead(lead, is_new);
    Ok(LeadReceipt::Stored)
}

/// A no that is said again is a new one where somebody said yes since.
fn repeat_no(workspace: &mut Workspace<'_>, lead: &mut Lead, said: Consent) -> BooksResult<()> {
    let again = |said: Option<bool>, known: Option<bool>| said == Some(false) && known == said;
    let purposes = |consent: Consent| [consent.analytics, consent.ads, consent.email];
    if !purposes(said).into_iter().zip(purposes(lead.consent)).any(|(said, known)| again(said, known)) {
        return Ok(());
    }
    for mode in [Mode::Live, Mode::Test] {
        let identity = Identity { mode, kind: IdentityKind::Lead, value: lead.id.clone() };
        let Some(Holder::Contact(holder)) = workspace.holder(&identity)? else { continue };
        let holds = workspace.contact(holder)?.consent;
        for (known, said, holds) in [
            (&mut lead.consent.analytics, said.analytics, holds.analytics),
            (&mut lead.consent.ads, said.ads, holds.ads),
            (&mut lead.consent.email, said.email, holds.email),
        ] {
            if again(said, *known) && holds == Some(true) {
                *known = None;
            }
        }
    }
    Ok(())
}

/// The contacts that claim the lead id get what browsers said under it.
fn lend_to_claimants(workspace: &mut Workspace<'_>, lead: &Lead) -> BooksResult<()> {
    for mode in [Mode::Live, Mode::Test] {
        let identity = Identity { mode, kind: IdentityKind::Lead, value: lead.id.clone() };
        if let Some(Holder::Contact(holder)) = workspace.holder(&identity)? {
            contacts::learn_lead(workspace.contact_mut(holder)?, lead);
        }
    }
    let Some(email) = lead.person.email.as_ref().filter(|_| !lead.is_spoiled()) else { return Ok(()) };
    for mode in [Mode::Live, Mode::Test] {
        let identity = Identity { mode, kind: IdentityKind::Email, value: email.as_str().to_owned() };
        if let Some(Holder::Contact(holder)) = workspace.holder(&identity)? {
            contacts::borrow_touches(workspace.contact_mut(holder)?, &lead.first, &lead.last);
        }
    }
    Ok(())
}

/// Notes under which lead id an address was first written into a form; of an id that stands for nobody, nothing.
pub(super) fn index(workspace: &mut Workspace<'_>, lead: &Lead, before: Option<&str>) -> BooksResult<()> {
    if let Some(before) = before
        && workspace.lead_of_email(before)?.as_deref() == Some(lead.id.as_str())
    {
        workspace.put_lead_email(before.to_owned(), None);
    }
    if let Some(email) = lead.person.email.as_ref().filter(|_| !lead.is_spoiled())
        && workspace.lead_of_email(email.as_str())?.is_none()
    {
        workspace.put_lead_email(email.as_str().to_owned(), Some(lead.id.clone()));
    }
    Ok(())
}

/// Begins a contact and a business event for an address or phone number that nobody is known by. None when somebody is.
fn tell(workspace: &mut Workspace<'_>, rules: &Rules, lead: &Lead) -> BooksResult<Option<GroupId>> {
    let lead_id = live(IdentityKind::Lead, &lead.id);
    let mut known = match workspace.holder(&lead_id)? {
        Some(Holder::Shared) => true,
        Some(Holder::Contact(holder)) => is_somebody(workspace, holder)?,
        Some(Holder::Lead(_)) | None => false,
    };
    let Some(address) = address_of(&lead.person) else { return Ok(None) };
    if let Some(email) = &lead.person.email {
        known |= workspace.lead_of_email(email.as_str())?.is_some_and(|first| first != lead.id);
    }
    match workspace.holder(&address)? {
        // This very lead told of it, and was not kept since.
        Some(Holder::Lead(made)) if !known => return group_of_lead(workspace, made, &lead.id),
        Some(_) => known = true,
        None => {}
    }
    if known {
        return Ok(None);
    }
    let now = workspace.now;
    let contact = workspace.new_contact(Mode::Live);
    let record = workspace.contact_mut(contact)?;
    record.unverified = true;
    describe(record, lead);
    workspace.put_holder(address, Holder::Lead(contact));
    let group = workspace.new_group(&scope());
    let id = workspace.new_business_event_id();
    let subject = Subject::Other("lead".to_owned());
    let record = workspace.group_mut(group)?;
    record.contact = Some(contact);
    // So that the group is found among its contact's.
    record.objects.push(fold::unheard(ObjectRef::new(ObjectKind::Lead, lead.id.clone())));
    record.events.push((subject.clone(), id));
    workspace.put_business_event(BusinessEvent {
        id,
        kind: EventKind::Lead,
        key: format!("{}/{}", scope(), lead.id),
        scope: scope(),
        subject,
        group: Some(group),
        contact: Some(contact),
        // No webhook told of it.
        webhook: WebhookId(0),
        created_at: now,
        occurred_at: now,
        transaction_id: None,
        frozen: false,
        amount: None,
        facts: EventFacts { lead_id: Some(lead.id.clone()), attribution: lead.last.clone(), ..EventFacts::default() },
        deliveries: Vec::new(),
    });
    plan::plan_deliveries(workspace, rules, id, Wait::Until(now.after(rules.leads.settle)), true)?;
    plan::note_settling(workspace, group)?;
    Ok(Some(group))
}

/// By what a contact that a lead alone made is found again: the address, else the phone.
pub(super) fn address_of(person: &Person) -> Option<Identity> {
    let phone = || person.phone.as_ref().map(|phone| live(IdentityKind::Phone, phone.as_str()));
    person.email.as_ref().map(|email| live(IdentityKind::Email, email.as_str())).or_else(phone)
}

/// The group of the business event that told of a lead, among those of the contact that was made of it.
fn group_of_lead(workspace: &mut Workspace<'_>, made: ContactId, lead_id: &str) -> BooksResult<Option<GroupId>> {
    for group in workspace.groups_of(made)? {
        let mut objects = workspace.exact_group(group)?.objects.iter().map(|state| &state.object);
        if objects.any(|object| object.kind == ObjectKind::Lead && object.id == lead_id) {
            return Ok(Some(group));
        }
    }
    Ok(None)
}

/// A contact that a lead alone made, as the lead has it.
fn describe(contact: &mut Contact, lead: &Lead) {
    contacts::learn_written(contact, &lead.person, lead.last_seen_at);
    contacts::hear(contact, lead.first_seen_at);
    if lead.consent.email.is_none() {
        contacts::give_up_yes_to_mail(contact);
    }
    contacts::learn_lead(contact, lead);
}

/// Another address came before anybody was told: a slip of the pen is mended, too many of them are nobody.
pub(super) fn rewrite(workspace: &mut Workspace<'_>, group: GroupId, lead: &Lead) -> BooksResult<()> {
    let Some(made) = contact_of(workspace, group)? else { return Ok(()) };
    let before = workspace.contact(made)?.person.clone();
    let address = address_of(&lead.person);
    let holder = address.as_ref().map(|address| workspace.holder(address)).transpose()?.flatten();
    // Theirs who are known by it already; what they agree to is not for a form to say.
    let known = holder.is_some_and(|holder| holder != Holder::Lead(made));
    if let Some(before) = address_of(&before)
        && workspace.holder(&before)? == Some(Holder::Lead(made))
    {
        workspace.drop_holder(before);
    }
    if lead.is_spoiled() || known {
        if let Some(event) = event_of(workspace, group)? {
            release::withdraw(workspace, event)?;
        }
        return plan::note_settling(workspace, group);
    }
    if let Some(address) = address
        && workspace.contact(made)?.unverified
    {
        workspace.put_holder(address, Holder::Lead(made));
    }
    refresh(workspace, group, lead)
}

/// What the lead's own contact shows follows the lead, as long as nobody else has named the person.
pub(super) fn refresh(workspace: &mut Workspace<'_>, group: GroupId, lead: &Lead) -> BooksResult<()> {
    if let Some(contact) = contact_of(workspace, group)?
        && workspace.contact(contact)?.unverified
    {
        describe(workspace.contact_mut(contact)?, lead);
    }
    Ok(())
}

fn event_of(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Option<BusinessEventId>> {
    Ok(workspace.exact_group(group)?.events.first().map(|(_, id)| *id))
}

fn contact_of(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Option<ContactId>> {
    match workspace.exact_group(group)?.contact {
        Some(contact) => Ok(Some(workspace.live_contact(contact)?)),
        None => Ok(None),
    }
}

/// A contact gets what browsers said under the lead ids that it has to itself.
///
/// # Errors
/// When the books can't be read.
pub(super) fn lend_to(workspace: &mut Workspace<'_>, contact: ContactId, claims: &[Identity]) -> BooksResult<()> {
    for claim in claims.iter().filter(|claim| claim.kind == IdentityKind::Lead) {
        if holds(workspace, contact, claim)
            && let Some(lead) = workspace.lead(&claim.value)?
        {
            contacts::learn_lead(workspace.contact_mut(contact)?, &lead);
        }
    }
    Ok(())
}

/// A trusted sender has named an address for the first time: the lead that wrote it into a form lends its touches where there are
/// none.
///
/// # Errors
/// When the books can't be read.
pub(super) fn lend_by_email(workspace: &mut Workspace<'_>, contact: ContactId, email: &str) -> BooksResult<()> {
    if let Some(lead) = workspace.lead_by_email(email)? {
        contacts::borrow_touches(workspace.contact_mut(contact)?, &lead.first, &lead.last);
    }
    Ok(())
}

/// A trusted sender has named the address of a contact that a lead alone made: that contact is this person's.
///
/// # Errors
/// When the books can't be read.
pub(super) fn take_over(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    contact: ContactId,
    made: ContactId,
) -> BooksResult<()> {
    let (contact, made) = (workspace.live_contact(contact)?, workspace.live_contact(made)?);
    let other = workspace.contact(made)?;
    if made == contact || !other.unverified {
        return Ok(());
    }
    let since = other.lead_since;
    let touches = (other.first_attribution.clone(), other.last_attribution.clone());
    contacts::borrow_touches(workspace.contact_mut(contact)?, &touches.0, &touches.1);
    merge_contacts(workspace, occasion, contact, made, false)?;
    if let Some(since) = since {
        contacts::hear(workspace.contact_mut(contact)?, since);
    }
    Ok(())
}
