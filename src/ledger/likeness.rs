//! Two halves of one sale that no field and no event links: an invoice or session, and the payment of the same customer, amount
//! and currency within two minutes (DESIGN 5, for API versions that carry no link).
//!
//! Likeness is never stored. It is worked out from the groups around, by what they hold at the moment, so that a link that comes
//! later takes it back by itself.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use super::books::BooksResult;
use super::changes::money_time;
use super::derive::{named, objects};
use super::release::was_told;
use super::workspace::Workspace;
use crate::model::business_event::Subject;
use crate::model::delivery::Delivery;
use crate::model::group::Group;
use crate::model::id::{BusinessEventId, ContactId, GroupId, Scope};
use crate::model::money::Money;
use crate::model::statement::ObjectKind;
use crate::model::time::Timestamp;

/// How far apart the successes of two halves may be, by the provider's own time.
const WINDOW: Duration = Duration::from_millis(WINDOW_MS);
const WINDOW_MS: u64 = 120_000;
/// A customer with more equal payments than this in one unbroken row of windows is a machine: nothing is paired there.
const MOST_IN_ROW: usize = 256;

/// Which half of a sale a group may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// An invoice or session: says what was sold.
    Goods,
    /// A payment intent or charge: says how it was paid.
    Money,
}

/// A group that may be half of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Half {
    group: GroupId,
    side: Side,
    /// What both halves have in common.
    common: Common,
    /// The provider's time of its success.
    at: Timestamp,
    /// The id of its invoice or session, or of its intent or charge.
    id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Common {
    scope: Scope,
    customer: String,
    amount: Money,
}

/// Two groups that likeness makes one sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub goods: GroupId,
    pub money: GroupId,
}

/// The other half of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OtherHalf {
    pub group: GroupId,
    pub side: Side,
    /// Whether the sale is told of by the group that was asked about, and not by this other one.
    pub leads: bool,
}

/// What a group is half of, if it may be half of a sale at all: counted, paid, by a known customer, and without the other half.
/// A payment that names an invoice which nobody has seen counts as unlinked (merchants may put their own text there); an invoice
/// or session that names its payment waits for that one.
fn half(group: &Group) -> Option<Half> {
    if !group.counted || group.merged_into.is_some() {
        return None;
    }
    let heard = |kind| objects(group, kind).next().is_some();
    let paid = |kind: ObjectKind| {
        objects(group, kind)
            .filter_map(|state| Some((state.paid.as_ref().filter(|paid| paid.amount.minor > 0)?, &state.object.id)))
            .min_by(|(a, a_id), (b, b_id)| (a.at, a_id).cmp(&(b.at, b_id)))
    };
    let goods = paid(ObjectKind::Invoice).or_else(|| paid(ObjectKind::Session));
    let money = paid(ObjectKind::Intent).or_else(|| paid(ObjectKind::Charge));
    let says_goods = heard(ObjectKind::Invoice) || heard(ObjectKind::Session);
    let names_money = named(group, ObjectKind::Intent).is_some() || named(group, ObjectKind::Charge).is_some();
    let (side, (paid, id)) = match (goods, money) {
        (Some(goods), None) if !names_money => (Side::Goods, goods),
        (None, Some(money)) if !says_goods => (Side::Money, money),
        _ => return None,
    };
    let customer = group.objects.iter().filter_map(|state| state.customer.as_ref()).min()?;
    Some(Half {
        group: group.id,
        side,
        common: Common { scope: group.scope.clone(), customer: customer.clone(), amount: paid.amount },
        at: money_time(group)?,
        id: id.clone(),
    })
}

/// Every half in one row with a group: those whose pairing may depend on each other. Empty when the group is no half, or there
/// are too many.
fn row_of(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Vec<Half>> {
    let record = workspace.exact_group(group)?;
    let (Some(first), Some(contact)) = (half(record), record.contact) else { return Ok(Vec::new()) };
    let contact = workspace.live_contact(contact)?;
    let mut row = vec![first];
    let mut seen = BTreeSet::from([group]);
    loop {
        let earliest = row.iter().map(|half| half.at).min().unwrap_or(Timestamp::EPOCH);
        let latest = row.iter().map(|half| half.at).max().unwrap_or(Timestamp::EPOCH);
        let found = halves_within(workspace, contact, earliest.before(WINDOW), latest.after(WINDOW), &mut seen)?;
        let before = row.len();
        row.extend(found.into_iter().filter(|half| half.common == row[0].common).collect::<Vec<_>>());
        if row.len() == before {
            return Ok(row);
        }
        if row.len() > MOST_IN_ROW {
            return Ok(Vec::new());
        }
    }
}

fn halves_within(
    workspace: &mut Workspace<'_>,
    contact: ContactId,
    from: Timestamp,
    to: Timestamp,
    seen: &mut BTreeSet<GroupId>,
) -> BooksResult<Vec<Half>> {
    let mut found = Vec::new();
    for group in workspace.groups_of_within(contact, from, to)? {
        if seen.insert(group) {
            found.extend(half(workspace.exact_group(group)?));
        }
    }
    Ok(found)
}

/// The groups whose pairing may depend on a group, itself not among them.
///
/// # Errors
/// When the books can't be read.
pub(super) fn neighbours(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Vec<GroupId>> {
    let row = row_of(workspace, group)?;
    Ok(row.into_iter().map(|half| half.group).filter(|other| *other != group).collect())
}

/// Pairs what is alike: the nearest in time first, then by invoice id, then by intent id; each side once.
fn pairs(row: &[Half]) -> Vec<Pair> {
    let side = |wanted| row.iter().filter(move |half| half.side == wanted);
    let apart = |goods: &Half, money: &Half| goods.at.millis().abs_diff(money.at.millis());
    let mut alike: Vec<(&Half, &Half)> = side(Side::Goods)
        .flat_map(|goods| side(Side::Money).map(move |money| (goods, money)))
        .filter(|(goods, money)| apart(goods, money) <= WINDOW_MS)
        .collect();
    alike.sort_by(|(a, b), (c, d)| (apart(a, b), &a.id, &b.id).cmp(&(apart(c, d), &c.id, &d.id)));
    let mut pairs: Vec<Pair> = Vec::new();
    for (goods, money) in alike {
        if pairs.iter().all(|pair| pair.goods != goods.group && pair.money != money.group) {
            pairs.push(Pair { goods: goods.group, money: money.group });
        }
    }
    pairs
}

/// The other half of a group, by likeness, and which of the two tells of the sale: what has gone out stays with the one it has
/// gone out for; else it is the one that says what was sold.
///
/// # Errors
/// When the books can't be read.
pub(super) fn other_half(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Option<OtherHalf>> {
    let row = row_of(workspace, group)?;
    let Some(pair) = pairs(&row).into_iter().find(|pair| pair.goods == group || pair.money == group) else {
        return Ok(None);
    };
    let money_leads = gone_out(workspace, pair.money)? > gone_out(workspace, pair.goods)?;
    Ok(Some(if group == pair.goods {
        OtherHalf { group: pair.money, side: Side::Money, leads: !money_leads }
    } else {
        OtherHalf { group: pair.goods, side: Side::Goods, leads: money_leads }
    }))
}

/// How far a group's sale has gone: told to an event destination, or let go with its id fixed.
fn gone_out(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<(bool, bool)> {
    let events = &workspace.exact_group(group)?.events;
    let Some((_, sale)) = events.iter().find(|(subject, _)| *subject == Subject::Sale) else {
        return Ok((false, false));
    };
    let sale = *sale;
    let event = workspace.business_event(sale)?;
    let told = |delivery: &Delivery| delivery.frozen.is_some() && was_told(delivery);
    Ok((event.deliveries.iter().any(told), event.frozen))
}

/// Groups in the order in which they are brought up to date: of a pair the one that tells of the sale first, so that what was
/// told of the other can be compared with it.
///
/// # Errors
/// When the books can't be read.
pub(super) fn in_order(workspace: &mut Workspace<'_>, groups: BTreeSet<GroupId>) -> BooksResult<Vec<GroupId>> {
    let mut ranked = Vec::with_capacity(groups.len());
    for group in groups {
        let leads = other_half(workspace, group)?.is_none_or(|other| other.leads);
        ranked.push((Reverse(leads), group));
    }
    ranked.sort();
    Ok(ranked.into_iter().map(|(_, group)| group).collect())
}

/// The business event that tells of a group's sale, and the group that holds it: its own, or that of its other half.
///
/// # Errors
/// When the books can't be read.
pub(super) fn sale_of(
    workspace: &mut Workspace<'_>,
    group: GroupId,
) -> BooksResult<Option<(GroupId, BusinessEventId)>> {
    let group = workspace.live_group(group)?;
    let holder = match other_half(workspace, group)? {
        Some(other) if !other.leads => other.group,
        _ => group,
    };
    let events = &workspace.exact_group(holder)?.events;
    Ok(events.iter().find(|(subject, _)| *subject == Subject::Sale).map(|(_, id)| (holder, *id)))
}
