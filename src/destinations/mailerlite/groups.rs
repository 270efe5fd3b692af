//! Which of the configured groups a person joins, and which are left for that.
//!
//! Lead, tier and churned say where a person stands; whoever is moved is in one of them at a time. Booking stands beside them.

use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::{Contact, Stage};
use crate::model::money::Money;

/// Ids of groups; what has none joins none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Sales of tier `enterprise`, or of a value from `vip_from` on.
    pub vip: Option<String>,
    /// Sales of tier `premium`.
    pub premium: Option<String>,
    /// Every other sale.
    pub standard: Option<String>,
    /// Leads.
    pub lead: Option<String>,
    /// Who booked an appointment.
    pub booking: Option<String>,
    /// Whose last subscription ended, nothing bought since.
    pub churned: Option<String>,
}

impl Groups {
    /// Those that have an id, by their names in the configuration.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("vip", &self.vip),
            ("premium", &self.premium),
            ("standard", &self.standard),
            ("lead", &self.lead),
            ("booking", &self.booking),
            ("churned", &self.churned),
        ]
        .into_iter()
        .filter_map(|(name, id)| id.as_deref().filter(|id| !id.is_empty()).map(|id| (name, id)))
    }

    /// The id of a name; none where it has none.
    fn id(&self, name: &str) -> Option<&str> {
        self.named().find(|(known, _)| *known == name).map(|(_, id)| id)
    }
}

/// How events become groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The groups.
    pub groups: Groups,
    /// From this value on, in major units, a sale is of the VIP tier.
    pub vip_from: u64,
    /// Whether joining one of lead, tiers and churned leaves the others.
    pub moves: bool,
}

/// What is to become of a person's groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change<'r> {
    /// To be joined, each once.
    pub join: Vec<&'r str>,
    /// To be left, each once; none of those that are joined.
    pub leave: Vec<&'r str>,
}

/// Where a group stands.
enum Place {
    /// It says where the person stands.
    Stage(Stage),
    /// It stands by itself.
    Beside,
}

impl Rules {
    /// What the pending events ask for. A person who is moved goes where they stand today: an old lead or sale that is told late
    /// takes nobody back.
    pub fn change(&self, events: &[BusinessEvent], contact: &Contact) -> Change<'_> {
        let mut join = Vec::new();
        let mut latest: Option<(&BusinessEvent, &str)> = None;
        for event in events {
            let Some((place, group)) = self.place(event, contact) else { continue };
            match place {
                Place::Stage(stage) if self.moves => {
                    let is_newer = latest.is_none_or(|(known, _)| event.occurred_at >= known.occurred_at);
                    if stage == self.stage(contact) && is_newer {
                        latest = Some((event, group));
                    }
                }
                Place::Stage(_) | Place::Beside => join.push(group),
            }
        }
        let mut leave = Vec::new();
        if let Some((event, group)) = latest {
            let group = self.newer_sale_group(event, contact).unwrap_or(group);
            join.insert(0, group);
            let booking = self.groups.id("booking");
            // Who is known only by what somebody wrote into a form may be anybody, and is taken out of nothing.
            let named = self.groups.named().filter(|_| !contact.unverified);
            leave.extend(named.map(|(_, id)| id).filter(|id| *id != group && Some(*id) != booking));
        }
        dedup(&mut join);
        dedup(&mut leave);
        Change { join, leave }
    }

    fn place(&self, event: &BusinessEvent, contact: &Contact) -> Option<(Place, &str)> {
        let (place, name) = match event.kind {
            EventKind::Purchase | EventKind::Renewal => {
                let tier = event.facts.pricing_tier.as_deref().or(contact.pricing_tier.as_deref());
                (Place::Stage(Stage::Customer), self.tier(tier, event.amount))
            }
            EventKind::Lead => (Place::Stage(Stage::Lead), "lead"),
            EventKind::BookingMade => (Place::Beside, "booking"),
            // Another subscription may still run.
            EventKind::SubscriptionEnded if contact.churned_at().is_some() => (Place::Stage(Stage::Churned), "churned"),
            _ => return None,
        };
        Some((place, self.groups.id(name)?))
    }

    fn tier(&self, tier: Option<&str>, amount: Option<Money>) -> &'static str {
        let tier = tier.map(str::trim).unwrap_or_default();
        let worth_vip = amount.is_some_and(|amount| {
            i128::from(amount.minor) >= i128::from(self.vip_from) * 10_i128.pow(amount.currency.exponent())
        });
        if tier.eq_ignore_ascii_case("enterprise") || worth_vip {
            "vip"
        } else if tier.eq_ignore_ascii_case("premium") {
            "premium"
        } else {
            "standard"
        }
    }

    /// Where a person stands as far as there are groups for it: without one for who left, the last tier stays.
    fn stage(&self, contact: &Contact) -> Stage {
        match contact.stage() {
            Stage::Churned if self.groups.id("churned").is_none() => Stage::Customer,
            stage => stage,
        }
    }

    /// The group of the person's latest sale, where the one that is told is older than that.
    fn newer_sale_group(&self, event: &BusinessEvent, contact: &Contact) -> Option<&str> {
        let last = contact.last_sale.as_ref()?;
        if !event.kind.is_sale() || event.occurred_at >= last.at {
            return None;
        }
        self.groups.id(self.tier(contact.pricing_tier.as_deref(), Some(last.amount.0)))
    }
}

/// Keeps the first of each.
fn dedup(ids: &mut Vec<&str>) {
    let mut seen = Vec::new();
    ids.retain(|id| {
        let is_new = !seen.contains(id);
        seen.push(*id);
        is_new
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::samples::{SOLD_AT, contact, event, money, stranger};
    use super::*;

    fn rules(moves: bool) -> Rules {
        let id = |id: &str| Some(id.to_owned());
        let groups = Groups {
            vip: id("1"),
            premium: id("2"),
            standard: id("3"),
            lead: id("4"),
            booking: id("5"),
            churned: id("6"),
        };
        Rules { groups, vip_from: 1000, moves }
    }

    fn joined(rules: &Rules, kinds: &[&str], contact: &Contact) -> (Vec<String>, Vec<String>) {
        let events: Vec<_> = kinds.iter().map(|kind| event(kind)).collect();
        let Change { join, leave } = rules.change(&events, contact);
        let owned = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect();
        (owned(join), owned(leave))
    }

    /// Jane after her only subscription ended.
    fn left() -> Contact {
        let mut jane = contact();
        jane.subscriptions.ended = 1;
        jane.subscriptions.last_ended_at = Some(SOLD_AT.after(Duration::from_secs(1)));
        jane
    }

    #[test]
    fn each_event_has_its_group_and_nothing_is_left_unless_people_are_moved() {
        let stays = rules(false);
        for (kind, person, group) in [
            ("purchase", contact(), Some("2")),
            ("renewal", contact(), Some("2")),
            ("lead", stranger(), Some("4")),
            ("lead", contact(), Some("4")),
            ("booking_made", stranger(), Some("5")),
            ("subscription_ended", left(), Some("6")),
            ("subscription_ended", contact(), None),
            ("booking_cancelled", contact(), None),
            ("refund", contact(), None),
        ] {
            let expected: Vec<String> = group.into_iter().map(str::to_owned).collect();
            assert_eq!(joined(&stays, &[kind], &person), (expected, vec![]), "{kind}");
        }
        assert_eq!(joined(&stays, &["lead", "booking_made", "purchase"], &contact()).0, ["4", "5", "2"]);
    }

    #[test]
    fn who_is_moved_is_in_one_group_of_those_that_exclude_each_other() {
        let moves = rules(true);
        let told = |kinds: &[&str], person: &Contact| {
            let (join, leave) = joined(&moves, kinds, person);
            (join.join(" "), leave.join(" "))
        };
        let pair = |join: &str, leave: &str| (join.to_owned(), leave.to_owned());
        assert_eq!(told(&["lead"], &stranger()), pair("4", "1 2 3 6"));
        assert_eq!(told(&["purchase"], &contact()), pair("2", "1 3 4 6"));
        assert_eq!(told(&["subscription_ended"], &left()), pair("6", "1 2 3 4"));
        assert_eq!(told(&["booking_made"], &stranger()), pair("5", ""), "booking stands beside");
        assert_eq!(told(&["lead", "booking_made", "purchase"], &contact()), pair("2 5", "1 3 4 6"));
        assert_eq!(told(&["lead"], &contact()), pair("", ""), "an old lead takes no customer back");
        assert_eq!(told(&["purchase"], &left()), pair("", ""), "nor an old sale somebody who left");
    }

    #[test]
    fn who_only_wrote_into_a_form_is_taken_out_of_no_group() {
        let mut anybody = stranger();
        anybody.unverified = true;
        assert_eq!(joined(&rules(true), &["lead"], &anybody), (vec!["4".to_owned()], vec![]));
    }

    #[test]
    fn a_late_event_does_not_bring_back_an_earlier_tier() {
        let moves = rules(true);
        let mut jane = contact();
        let mut big = event("renewal");
        big.amount = Some(money(500_000, "eur"));
        big.occurred_at = SOLD_AT.after(Duration::from_secs(60));
        jane.last_sale.as_mut().unwrap().at = big.occurred_at;
        jane.last_sale.as_mut().unwrap().amount.0 = money(500_000, "eur");
        let small = event("purchase");
        assert_eq!(moves.change(&[big.clone(), small.clone()], &jane).join, ["1"]);
        assert_eq!(moves.change(std::slice::from_ref(&small), &jane).join, ["1"], "the big one was told before");
        assert_eq!(rules(false).change(&[big, small], &jane).join, ["1", "2"]);
    }

    #[test]
    fn one_id_in_several_places_is_neither_joined_twice_nor_left() {
        let mut rules = rules(true);
        rules.groups.premium.clone_from(&rules.groups.standard);
        rules.groups.lead.clone_from(&rules.groups.booking);
        let change = rules.change(&[event("purchase")], &contact());
        assert_eq!((change.join, change.leave), (vec!["3"], vec!["1", "6"]), "5 is the group of bookings, too");
        rules.groups = Groups { premium: Some(String::new()), vip: Some("1".into()), ..Groups::default() };
        assert_eq!(rules.change(&[event("purchase")], &contact()), Change::default(), "no group, nothing left");
    }

    #[test]
    fn without_a_group_for_who_left_the_tier_stays() {
        let mut rules = rules(true);
        rules.groups.churned = None;
        assert_eq!(rules.change(&[event("purchase")], &left()).join, ["2"]);
        assert_eq!(rules.change(&[event("subscription_ended")], &left()), Change::default());
    }
}
