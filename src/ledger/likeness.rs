//! Two halves of one sale that no field and no event links: an invoice or session, and the payment of the same customer, amount
//! and currency within two minutes (DESIGN 5, for API versions that carry no link).
//!
//! Likeness is never stored. It is worked out from the groups around, by what they hold at the moment, so that a link that comes
//! later takes it back by itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::books::BooksResult;
use super::changes::money_time;
use super::derive::{named, objects};
use super::release;
use super::workspace::Workspace;
use crate::model::business_event::{Mark, Subject};
use crate::model::delivery::Delivery;
use crate::model::group::Group;
use crate::model::id::{BusinessEventId, GroupId, Scope};
use crate::model::money::Money;
use crate::model::statement::ObjectKind;
use crate::model::time::Timestamp;

/// How far apart the successes of two halves may be, by the provider's own time.
pub(super) const WINDOW: Duration = Duration::from_millis(WINDOW_MS);
const WINDOW_MS: u64 = 120_000;

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

/// A row of halves: each within the window of one of the other side, so that the pairing of one may depend on any other.
#[derive(Clone, Debug, Default)]
pub(super) struct Row(Vec<Half>);

/// Which group is paired with which, both ways.
pub(super) type Pairs = BTreeMap<GroupId, GroupId>;

/// The row that a group is in; empty when it is no half.
///
/// # Errors
/// When the books can't be read.
pub(super) fn row_of(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Row> {
    let record = workspace.exact_group(group)?;
    let (Some(first), Some(contact)) = (half(record), record.contact) else { return Ok(Row::default()) };
    let contact = workspace.live_contact(contact)?;
    let common = first.common.clone();
    let (mut from, mut to) = (first.at, first.at);
    let mut row = vec![first];
    // Halves around that nothing in the row touches so far.
    let mut apart: Vec<Half> = Vec::new();
    let mut seen = BTreeSet::from([group]);
    let mut looked: Option<(Timestamp, Timestamp)> = None;
    loop {
        let wanted = (from.before(WINDOW), to.after(WINDOW));
        for (from, to) in margins(looked, wanted) {
            for group in workspace.groups_of_within(contact, from, to)? {
                if seen.insert(group) {
                    apart.extend(half(workspace.exact_group(group)?).filter(|half| half.common == common));
                }
            }
        }
        looked = Some(wanted);
        let before = row.len();
        while let Some(at) = apart.iter().position(|half| row.iter().any(|member| may_pair(half, member))) {
            let half = apart.swap_remove(at);
            (from, to) = (from.min(half.at), to.max(half.at));
            row.push(half);
        }
        if row.len() == before {
            return Ok(Row(row));
        }
    }
}

/// What of a span was not looked at yet.
fn margins(
    looked: Option<(Timestamp, Timestamp)>,
    wanted: (Timestamp, Timestamp),
) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let (first, second) = match looked {
        None => (Some(wanted), None),
        Some((from, to)) => ((wanted.0 < from).then_some((wanted.0, from)), (wanted.1 > to).then_some((to, wanted.1))),
    };
    first.into_iter().chain(second)
}

fn apart(a: &Half, b: &Half) -> u64 {
    a.at.millis().abs_diff(b.at.millis())
}

fn may_pair(a: &Half, b: &Half) -> bool {
    a.side != b.side && apart(a, b) <= WINDOW_MS
}

impl Row {
    /// The groups in it.
    pub(super) fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.0.iter().map(|half| half.group)
    }

    /// The row as it would be without a group.
    pub(super) fn without(&self, group: GroupId) -> Self {
        Self(self.0.iter().filter(|half| half.group != group).cloned().collect())
    }

    /// Pairs what is alike: the nearest in time first, then by invoice id, then by intent id; each side once.
    pub(super) fn pairs(&self) -> Pairs {
        let side = |wanted| self.0.iter().filter(move |half| half.side == wanted);
        let mut alike: Vec<(&Half, &Half)> = side(Side::Goods)
            .flat_map(|goods| side(Side::Money).map(move |money| (goods, money)))
            .filter(|(goods, money)| may_pair(goods, money))
            .collect();
        alike.sort_by(|(a, b), (c, d)| (apart(a, b), &a.id, &b.id).cmp(&(apart(c, d), &c.id, &d.id)));
        let mut pairs = Pairs::new();
        for (goods, money) in alike {
            if !pairs.contains_key(&goods.group) && !pairs.contains_key(&money.group) {
                pairs.insert(goods.group, money.group);
                pairs.insert(money.group, goods.group);
            }
        }
        pairs
    }

    fn side_of(&self, group: GroupId) -> Option<Side> {
        self.0.iter().find(|half| half.group == group).map(|half| half.side)
    }
}

/// The other half of a group, by likeness, and which of the two tells of the sale: what has gone out stays with the one it has
/// gone out for; else it is the one that says what was sold.
///
/// # Errors
/// When the books can't be read.
pub(super) fn other_half(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Option<OtherHalf>> {
    let row = row_of(workspace, group)?;
    let pairs = row.pairs();
    let Some((other, side)) = pairs.get(&group).and_then(|other| Some((*other, row.side_of(*other)?))) else {
        return Ok(None);
    };
    let (goods, money) = if side == Side::Money { (group, other) } else { (other, group) };
    let money_leads = gone_out(workspace, money)? > gone_out(workspace, goods)?;
    Ok(Some(OtherHalf { group: other, side, leads: money_leads == (group == money) }))
}

/// The groups whose other half is another one, or none, or one at all, now that `group` has changed. `before` says how those that
/// it was in one row with were paired.
///
/// # Errors
/// When the books can't be read.
pub(super) fn newly_paired(
    workspace: &mut Workspace<'_>,
    group: GroupId,
    before: &Pairs,
    were_in_row: &BTreeSet<GroupId>,
) -> BooksResult<BTreeSet<GroupId>> {
    let row = row_of(workspace, group)?;
    let (now, without) = (row.pairs(), row.without(group).pairs());
    let mut changed = BTreeSet::new();
    let mut compare = |member: GroupId, was: Option<&GroupId>, is: Option<&GroupId>| {
        if was != is {
            changed.insert(member);
            changed.extend(was.into_iter().chain(is));
        }
    };
    let members: BTreeSet<GroupId> = row.groups().collect();
    for member in &members {
        let was = if were_in_row.contains(member) { before } else { &without };
        compare(*member, was.get(member), now.get(member));
    }
    // Those that are in no row with it any more.
    for gone in were_in_row.difference(&members) {
        let gone = workspace.live_group(*gone)?;
        if !members.contains(&gone) {
            let is = row_of(workspace, gone)?.pairs().get(&gone).copied();
            compare(gone, before.get(&gone), is.as_ref());
        }
    }
    // Its own other half learns what is new of it.
    changed.extend(now.get(&group));
    changed.remove(&group);
    Ok(changed)
}

/// Whether an event destination was told of a group's sale under the group's own business event.
///
/// # Errors
/// When the books can't be read.
pub(super) fn was_told(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<bool> {
    Ok(gone_out(workspace, group)?.0)
}

/// How far a group's sale has gone: told to an event destination, or let go with its id fixed.
fn gone_out(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<(bool, bool)> {
    let Some(sale) = own_sale(workspace, group)? else { return Ok((false, false)) };
    let event = workspace.business_event(sale)?;
    let told = |delivery: &Delivery| delivery.frozen.is_some() && release::was_told(delivery);
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
    if let Some(own) = own_sale(workspace, group)?
        && !workspace.business_event(own)?.facts.marks.contains(&Mark::Absorbed)
    {
        return Ok(Some((group, own)));
    }
    match other_half(workspace, group)? {
        Some(other) if !other.leads => Ok(own_sale(workspace, other.group)?.map(|sale| (other.group, sale))),
        _ => Ok(None),
    }
}

/// The business event under which a group's sale is told, other than the given one, and the group that holds it.
///
/// # Errors
/// When the books can't be read.
pub(super) fn rival_sale(
    workspace: &mut Workspace<'_>,
    group: GroupId,
    id: BusinessEventId,
) -> BooksResult<Option<(GroupId, BusinessEventId)>> {
    let group = workspace.live_group(group)?;
    if let Some(own) = own_sale(workspace, group)?.filter(|own| *own != id) {
        return Ok(Some((group, own)));
    }
    match other_half(workspace, group)? {
        Some(other) => Ok(own_sale(workspace, other.group)?.map(|sale| (other.group, sale))),
        None => Ok(None),
    }
}

fn own_sale(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Option<BusinessEventId>> {
    let events = &workspace.exact_group(group)?.events;
    Ok(events.iter().find(|(subject, _)| *subject == Subject::Sale).map(|(_, id)| *id))
}
