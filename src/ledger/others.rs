//! Several people at one browser: a tablet at a reception desk, a fair, somebody who types callers in.
//!
//! The first who leaves an address is told of under the browser's lead id. Each of the others gets a lead id of their own, made of
//! it, with what is true of them too: this visit's touch, and what the browser agrees to. What the browser saw first is the
//! first person's. Ever other addresses in a short time are somebody trying: then the browser's lead id stands for nobody, and
//! nobody hears of those who still wait.

use std::time::Duration;

use super::books::BooksResult;
use super::leads::{address_of, index, refresh, rewrite, take_in as take_in_lead, waits};
use super::rules::Rules;
use super::workspace::Workspace;
use crate::model::attribution::{Attribution, Consent};
use crate::model::identity::Email;
use crate::model::lead::{Lead, LeadPost, LeadReceipt};
use crate::model::statement::Person;

/// So many other people at one browser within [`SHORT`], or within the time that a lead waits, are no people.
const MOST_AT_ONCE: u16 = 10;
/// The least time that is looked back.
const SHORT: Duration = Duration::from_secs(120);
/// Lead ids that are tried for one more, as anybody may have posted under the next.
const TRIES: u16 = 10;
/// The longest lead id, as `client_reference_id` has it.
const LONGEST_ID: usize = 200;

/// Whether what is said under a lead's id is of somebody else: another address, which corrects none that still waits.
pub(super) fn is_of_another(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    lead: &Lead,
    post: &LeadPost,
) -> BooksResult<bool> {
    if !lead.differs_from(&post.person) {
        return Ok(false);
    }
    let is_young = lead.told.is_some() || lead.last_seen_at >= post.at.before(look_back(rules));
    Ok(!(is_young && waits(workspace, lead)? && lead.is_corrected_by(&post.person)))
}

/// Takes in what somebody else says under a lead's id.
pub(super) fn take_in(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    mut lead: Lead,
    post: &LeadPost,
    room: bool,
) -> BooksResult<LeadReceipt> {
    if let Some(email) = &post.person.email
        && let Some(id) = workspace.lead_of_email(email.as_str())?
    {
        // Known already; and if it is from here, what is new about them is theirs.
        let other = if lead.is_id_of_other(&id) { workspace.lead(&id)? } else { None };
        let Some(other) = other else { return Ok(LeadReceipt::Known) };
        let post = apart(&lead, &other, post);
        return Ok(match take_in_lead(workspace, rules, other, &post, false)? {
            LeadReceipt::Stored => LeadReceipt::StoredApart(id),
            receipt => receipt,
        });
    }
    if post.person.email.is_none()
        && let Some(address) = address_of(&post.person)
        && workspace.holder(&address)?.is_some()
    {
        return Ok(LeadReceipt::Known);
    }
    if !room {
        return Ok(LeadReceipt::Full);
    }
    let since = post.at.before(look_back(rules));
    if let Some(earlier) = lead.others.saturating_add(1).checked_sub(MOST_AT_ONCE).filter(|number| *number > 0)
        && workspace.lead(&lead.id_of_other(earlier))?.is_some_and(|earlier| earlier.first_seen_at >= since)
    {
        spoil(workspace, lead)?;
        return Ok(LeadReceipt::Stored);
    }
    let mut id = None;
    for _ in 0..TRIES {
        lead.others = lead.others.saturating_add(1);
        let next = lead.id_of_other(lead.others);
        if next.len() <= LONGEST_ID && workspace.lead(&next)?.is_none() {
            id = Some(next);
            break;
        }
    }
    let Some(id) = id else { return Ok(LeadReceipt::Known) };
    let mut other = Lead::new(id.clone(), post.at);
    for (mine, mine_at, said, said_at) in [
        (
            &mut other.consent.analytics,
            &mut other.consent_said_at.analytics,
            lead.consent.analytics,
            lead.consent_said_at.analytics,
        ),
        (&mut other.consent.ads, &mut other.consent_said_at.ads, lead.consent.ads, lead.consent_said_at.ads),
    ] {
        (*mine, *mine_at) = (said, said_at);
    }
    let theirs = apart(&lead, &other, post);
    // The browser is alive.
    lead.last_seen_at = post.at;
    workspace.put_lead(lead, false);
    take_in_lead(workspace, rules, other, &theirs, true)?;
    Ok(LeadReceipt::StoredApart(id))
}

/// The same post as another person's.
fn apart(lead: &Lead, other: &Lead, post: &LeadPost) -> LeadPost {
    let last = if post.last.is_empty() { &lead.last } else { &post.last };
    LeadPost { lead_id: other.id.clone(), first: Attribution::default(), last: last.clone(), ..post.clone() }
}

/// A browser's no to analytics or advertising is that of those who left an address in it lately, too.
pub(super) fn heed_no(workspace: &mut Workspace<'_>, lead: &Lead, post: &LeadPost) -> BooksResult<()> {
    let no = |said: Option<bool>| said.filter(|yes| !yes);
    let consent = Consent { analytics: no(post.consent.analytics), ads: no(post.consent.ads), email: None };
    if consent == Consent::default() {
        return Ok(());
    }
    for mut other in latest(workspace, lead)? {
        let post = LeadPost {
            lead_id: other.id.clone(),
            at: post.at,
            first: Attribution::default(),
            last: Attribution::default(),
            consent,
            person: Person::default(),
        };
        if other.learn(&post).anything {
            if let Some(group) = other.told {
                refresh(workspace, group, &other)?;
            }
            workspace.put_lead(other, false);
        }
    }
    Ok(())
}

/// From here on a browser's lead id stands for nobody, and neither do those of the others who still wait.
fn spoil(workspace: &mut Workspace<'_>, lead: Lead) -> BooksResult<()> {
    let mut all = latest(workspace, &lead)?;
    all.push(lead);
    let last = all.len() - 1;
    for (at, mut lead) in all.into_iter().enumerate() {
        let is_open = waits(workspace, &lead)?;
        if !is_open && at != last {
            continue;
        }
        lead.addresses = u8::MAX;
        if is_open {
            let email = lead.person.email.clone();
            index(workspace, &lead, email.as_ref().map(Email::as_str))?;
            if let Some(group) = lead.told {
                rewrite(workspace, group, &lead)?;
            }
        }
        workspace.put_lead(lead, false);
    }
    Ok(())
}

/// The latest of the others at a lead's browser.
fn latest(workspace: &mut Workspace<'_>, lead: &Lead) -> BooksResult<Vec<Lead>> {
    let mut latest = Vec::new();
    for number in (1..=lead.others).rev().take(usize::from(MOST_AT_ONCE)) {
        latest.extend(workspace.lead(&lead.id_of_other(number))?);
    }
    Ok(latest)
}

fn look_back(rules: &Rules) -> Duration {
    rules.leads.settle.max(SHORT)
}
