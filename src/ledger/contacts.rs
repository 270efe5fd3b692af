//! A contact as a fold: what was said of the person, newest first, and the sum of what its groups add.
//!
//! An older event never overwrites what a newer one said, part by part (address, phone, name, tier, each answer), by the
//! provider's own time. Of two different words of the same time the larger stays, so that the order of arrival does not matter.
//! What destinations are told is rendered from here when it is sent, so the rule holds for them too.
//!
//! Of consent the newest answer of senders that we trust and the newest of browsers are kept apart. The browser's yes holds only
//! where no sender said anything; its no holds unless a sender says yes later.

use super::books::BooksResult;
use super::changes::money_time;
use super::likeness::WINDOW;
use super::workspace::Workspace;
use crate::model::attribution::{Attribution, Consent, ConsentSource, ConsentSources};
use crate::model::contact::{ConsentTimes, Contact, LastSale, PersonTimes, SaleAmount, Subscriptions};
use crate::model::group::{ContributedSubscription, Contribution, Group};
use crate::model::id::ContactId;
use crate::model::identity::{Email, IdentityKind};
use crate::model::lead::Lead;
use crate::model::money::Currency;
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

/// Takes in what a statement says of a person; an older one never overwrites what a newer one said.
pub fn learn(contact: &mut Contact, said: &Said<'_>) {
    take_person(contact, said.person, PersonTimes { email: said.at, phone: said.at, name: said.at });
    let times = ConsentTimes { analytics: said.at, ads: said.at, email: said.at };
    take_consent(contact, said.tags.consent, times, ConsentSources::all(ConsentSource::Sender));
    take_tier(contact, said.tags.pricing_tier.as_ref(), said.at);
    if !said.tags.attribution.is_empty() {
        take_attribution(contact, &Attribution { at: said.at, ..said.tags.attribution.clone() });
    }
}

/// Notes that the person was heard of.
pub(super) fn hear(contact: &mut Contact, at: Timestamp) {
    contact.lead_since = Some(contact.lead_since.map_or(at, |since| since.min(at)));
}

/// Takes in what another contact, which proved to be the same person, had learned.
pub(super) fn learn_from(contact: &mut Contact, other: &Contact) {
    if let Some(since) = other.lead_since {
        hear(contact, since);
    }
    take_person(contact, &other.person, other.person_said_at);
    take_consent(contact, other.consent, other.consent_said_at, other.consent_said_by);
    let ConsentSources { analytics, ads, email } = other.consent_said_by;
    let overruled_by = ConsentSources { analytics: analytics.other(), ads: ads.other(), email: email.other() };
    take_consent(contact, other.consent_overruled, other.consent_overruled_at, overruled_by);
    take_tier(contact, other.pricing_tier.as_ref(), other.pricing_tier_said_at);
    if other.lent_touches {
        borrow_touches(contact, &other.first_attribution, &other.last_attribution);
    } else {
        take_attribution(contact, &other.first_attribution);
        take_attribution(contact, &other.last_attribution);
    }
}

/// Takes in what browsers said under a lead id that is the contact's. A yes to marketing by e-mail counts only for the address
/// that it was given with, since a link with a lead id in it can be passed on; and no yes outweighs the no of a sender.
pub(super) fn learn_lead(contact: &mut Contact, lead: &Lead) {
    take_attribution(contact, &lead.first);
    take_attribution(contact, &lead.last);
    let of_contact = |email: &Email| {
        contact.person.email.as_ref() == Some(email)
            || contact.identities.iter().any(|known| known.kind == IdentityKind::Email && known.value == email.as_str())
    };
    let mut consent = lead.consent;
    if consent.email == Some(true) && !lead.person.email.as_ref().is_some_and(of_contact) {
        consent.email = None;
    }
    take_consent(contact, consent, lead.consent_said_at, ConsentSources::all(ConsentSource::Browser));
}

/// The yes of a browser to marketing by e-mail was given with another address than the one that is known now.
pub(super) fn give_up_yes_to_mail(contact: &mut Contact) {
    if contact.consent.email == Some(true) && contact.consent_said_by.email == ConsentSource::Browser {
        contact.consent.email = None;
        contact.consent_said_at.email = ConsentTimes::default().email;
        contact.consent_said_by.email = ConsentSources::default().email;
    }
}

/// Takes touches of which nobody can say that they are the person's, as long as there is nothing better.
pub(super) fn borrow_touches(contact: &mut Contact, first: &Attribution, last: &Attribution) {
    let has_own = !contact.first_attribution.is_empty() || !contact.last_attribution.is_empty();
    if (has_own && !contact.lent_touches) || (first.is_empty() && last.is_empty()) {
        return;
    }
    contact.lent_touches = false;
    take_attribution(contact, first);
    take_attribution(contact, last);
    contact.lent_touches = true;
}

/// Takes in what somebody wrote into a form, for a contact that a lead alone made.
pub(super) fn learn_written(contact: &mut Contact, person: &Person, at: Timestamp) {
    take_person(contact, person, PersonTimes { email: at, phone: at, name: at });
}

/// The newest wins; of two said at the same time the larger, so that order does not matter.
fn newest<T: Ord + Clone>(mine: &mut Option<T>, mine_at: &mut Timestamp, theirs: Option<&T>, theirs_at: Timestamp) {
    let Some(theirs) = theirs else { return };
    if mine.as_ref().is_none_or(|mine| (theirs_at, theirs) > (*mine_at, mine)) {
        *mine = Some(theirs.clone());
        *mine_at = theirs_at;
    }
}

fn take_person(contact: &mut Contact, person: &Person, at: PersonTimes) {
    let (mine, mine_at) = (&mut contact.person, &mut contact.person_said_at);
    newest(&mut mine.email, &mut mine_at.email, person.email.as_ref(), at.email);
    newest(&mut mine.phone, &mut mine_at.phone, person.phone.as_ref(), at.phone);
    newest(&mut mine.name, &mut mine_at.name, person.name.as_ref(), at.name);
}

fn take_consent(contact: &mut Contact, said: Consent, at: ConsentTimes, by: ConsentSources) {
    let (mine, mine_at, mine_by) = (&mut contact.consent, &mut contact.consent_said_at, &mut contact.consent_said_by);
    let (over, over_at) = (&mut contact.consent_overruled, &mut contact.consent_overruled_at);
    for (said, at, by, holds, holds_at, holds_by, over, over_at) in [
        (
            said.analytics,
            at.analytics,
            by.analytics,
            &mut mine.analytics,
            &mut mine_at.analytics,
            &mut mine_by.analytics,
            &mut over.analytics,
            &mut over_at.analytics,
        ),
        (said.ads, at.ads, by.ads, &mut mine.ads, &mut mine_at.ads, &mut mine_by.ads, &mut over.ads, &mut over_at.ads),
        (
            said.email,
            at.email,
            by.email,
            &mut mine.email,
            &mut mine_at.email,
            &mut mine_by.email,
            &mut over.email,
            &mut over_at.email,
        ),
    ] {
        let (mut senders, mut browsers) = (Answer(*holds, *holds_at), Answer(*over, *over_at));
        if *holds_by == ConsentSource::Browser {
            std::mem::swap(&mut senders, &mut browsers);
        }
        let of_source = if by == ConsentSource::Sender { &mut senders } else { &mut browsers };
        newest(&mut of_source.0, &mut of_source.1, said.as_ref(), at);
        let browser_holds = browsers.holds_against(senders);
        *holds_by = if browser_holds { ConsentSource::Browser } else { ConsentSource::Sender };
        if browser_holds {
            std::mem::swap(&mut senders, &mut browsers);
        }
        (*holds, *holds_at, *over, *over_at) = (senders.0, senders.1, browsers.0, browsers.1);
    }
}

/// The newest answer of one kind of source to one purpose, and when it was given.
#[derive(Clone, Copy)]
struct Answer(Option<bool>, Timestamp);

impl Answer {
    /// Whether a browser's answer holds where a sender that we trust has this other one. Anyone can post what a browser says: its
    /// yes never outweighs a no of a sender, whenever that was given, and its no does outweigh a yes that is not newer.
    fn holds_against(self, senders: Self) -> bool {
        match (self.0, senders.0) {
            (None, _) | (Some(true), Some(_)) | (Some(false), Some(false)) => false,
            (Some(_), None) => true,
            (Some(false), Some(true)) => self.1 >= senders.1,
        }
    }
}

fn take_tier(contact: &mut Contact, tier: Option<&String>, at: Timestamp) {
    newest(&mut contact.pricing_tier, &mut contact.pricing_tier_said_at, tier, at);
}

fn take_attribution(contact: &mut Contact, attribution: &Attribution) {
    if attribution.is_empty() {
        return;
    }
    if contact.lent_touches {
        // Better is known now.
        contact.lent_touches = false;
        contact.first_attribution = Attribution::default();
        contact.last_attribution = Attribution::default();
    }
    let key = |attribution: &Attribution| (attribution.at, attribution.clone());
    if contact.first_attribution.is_empty() || key(attribution) < key(&contact.first_attribution) {
        contact.first_attribution = attribution.clone();
    }
    if contact.last_attribution.is_empty() || key(attribution) > key(&contact.last_attribution) {
        contact.last_attribution = attribution.clone();
    }
}

/// The sale of a contribution as a contact's last sale would have it.
fn as_last(contribution: &Contribution) -> Option<LastSale> {
    contribution.sale.as_ref().map(|sale| LastSale {
        at: sale.at,
        transaction_id: sale.transaction_id.clone(),
        amount: SaleAmount(sale.amount),
    })
}

fn paid_by(contribution: &Contribution) -> Option<String> {
    contribution.sale.as_ref()?.payment_method_type.clone()
}

/// Adds what another contact's groups, or one more group, say of subscriptions.
pub(super) fn add_subscriptions(mine: &mut Subscriptions, theirs: &Subscriptions) {
    mine.running = mine.running.saturating_add(theirs.running);
    mine.ended = mine.ended.saturating_add(theirs.ended);
    mine.first_started_at = [mine.first_started_at, theirs.first_started_at].into_iter().flatten().min();
    mine.last_ended_at = mine.last_ended_at.max(theirs.last_ended_at);
    if theirs.newest > mine.newest {
        mine.newest.clone_from(&theirs.newest);
    }
}

/// One group's subscription as a contact that has no other would have it.
fn alone(subscription: &ContributedSubscription) -> Subscriptions {
    Subscriptions {
        running: u32::from(subscription.standing.running),
        ended: u32::from(subscription.ended_at.is_some()),
        first_started_at: subscription.started_at,
        last_ended_at: subscription.ended_at,
        newest: Some(subscription.standing.clone()),
    }
}

/// Works out a contact's subscriptions anew from all of its groups. The group that is being changed must have its new
/// contribution already.
fn recount_subscriptions(workspace: &mut Workspace<'_>, contact: ContactId) -> BooksResult<()> {
    let contact = workspace.live_contact(contact)?;
    let mut all = Subscriptions::default();
    for group in workspace.groups_of(contact)? {
        if let Some(subscription) = &workspace.exact_group(group)?.contribution.subscription {
            add_subscriptions(&mut all, &alone(subscription));
        }
    }
    workspace.contact_mut(contact)?.subscriptions = all;
    Ok(())
}

/// Replaces what a group adds to a contact's books.
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
    let record = workspace.contact_mut(contact)?;
    if let Some(net) = before.net {
        record.totals.subtract(net);
    }
    if let Some(net) = now.net {
        record.totals.add(net);
    }
    record.totals.drop_zeros();
    if let Some(sale) = &before.sale {
        let count = if sale.renewal { &mut record.renewals } else { &mut record.purchases };
        *count = count.saturating_sub(1);
    }
    if let Some(sale) = &now.sale {
        let count = if sale.renewal { &mut record.renewals } else { &mut record.purchases };
        *count = count.saturating_add(1);
    }
    record.refunds = record.refunds.saturating_sub(before.refunds).saturating_add(now.refunds);
    record.disputes_lost = record.disputes_lost.saturating_sub(before.disputes_lost).saturating_add(now.disputes_lost);
    let (was, is) = (as_last(before), as_last(now));
    let was_edge = was.is_some()
        && was != is
        && (record.last_sale == was || record.customer_since == was.as_ref().map(|sale| sale.at));
    if let Some(is) = is {
        record.may_have_begun(is.at, Some(is.amount.0.currency));
        if record.last_sale.as_ref().is_none_or(|last| *last <= is) {
            record.payment_method_type = paid_by(now);
            record.last_sale = Some(is);
        }
    }
    if was_edge {
        recount_edges(workspace, contact)?;
    }
    match (&before.subscription, &now.subscription) {
        (before, now) if before == now => Ok(()),
        (None, Some(new)) => {
            add_subscriptions(&mut workspace.contact_mut(contact)?.subscriptions, &alone(new));
            Ok(())
        }
        _ => recount_subscriptions(workspace, contact),
    }
}

/// Works out a contact's first and last sale anew from its groups. The group that is being changed must have its new contribution
/// already.
fn recount_edges(workspace: &mut Workspace<'_>, contact: ContactId) -> BooksResult<()> {
    let contact = workspace.live_contact(contact)?;
    let mut edges = Edges::default();
    let (at_hand, by_time) = workspace.groups_by_time(contact)?;
    for group in at_hand {
        edges.add(workspace.exact_group(group)?);
    }
    // A sale is as early as the money of its group, or, of two halves that are alike, at most their window earlier. So from
    // either end a few groups decide.
    for group in &by_time {
        let group = workspace.exact_group(*group)?;
        edges.add(group);
        if edges.first.is_some_and(|(first, _)| money_time(group).is_some_and(|at| at.before(WINDOW) > first)) {
            break;
        }
    }
    for group in by_time.iter().rev() {
        let group = workspace.exact_group(*group)?;
        edges.add(group);
        if edges.last.as_ref().is_some_and(|(last, _)| money_time(group).is_some_and(|at| at < last.at)) {
            break;
        }
    }
    let record = workspace.contact_mut(contact)?;
    (record.customer_since, record.first_currency) = edges.first.unzip();
    (record.last_sale, record.payment_method_type) =
        edges.last.map_or((None, None), |(sale, paid_by)| (Some(sale), paid_by));
    Ok(())
}

/// The first and the last of some sales.
#[derive(Default)]
struct Edges {
    /// With its currency.
    first: Option<(Timestamp, Currency)>,
    /// With how it was paid.
    last: Option<(LastSale, Option<String>)>,
}

impl Edges {
    fn add(&mut self, group: &Group) {
        let Some(sale) = as_last(&group.contribution) else { return };
        let begun = (sale.at, sale.amount.0.currency);
        self.first = Some(self.first.map_or(begun, |first| first.min(begun)));
        if self.last.as_ref().is_none_or(|(last, _)| *last < sale) {
            self.last = Some((sale, paid_by(&group.contribution)));
        }
    }
}
