//! Which messages go out, and when: trouble of one kind about one subject is one group, told of at a bearable pace.
//!
//! The model is Alertmanager's: `group_wait` collects the first burst, `group_interval` separates messages on one group,
//! `repeat_interval` reminds of a state that has not ended, and the end is told too. Pure: time comes in as an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::trouble::{AlertClass, Message, News, Recovered, Trouble};
use crate::config::Alerting;
use crate::model::time::{Timestamp, format_span};

/// Messages in an hour, over all groups; one more says that others are held back.
pub const MOST_AN_HOUR: usize = 20;
const HOUR: Duration = Duration::from_secs(3600);

/// What is going on about one subject and kind.
#[derive(Debug)]
struct Group {
    /// The latest trouble, for its words and ids.
    latest: Trouble,
    /// How many times it happened since the last message.
    untold: u64,
    /// How many times it happened since it was last over.
    total: u64,
    /// When it began.
    since: Timestamp,
    /// When it was told last.
    told_at: Option<Timestamp>,
    /// When the next message on it is due.
    due: Option<Timestamp>,
    /// Whether it is over, and that is still to be told.
    is_over: bool,
}

/// All groups, and how much was told lately.
#[derive(Debug)]
pub struct Grouping {
    pace: Alerting,
    groups: BTreeMap<(String, AlertClass), Group>,
    /// When the messages of the last hour went out.
    told: VecDeque<Timestamp>,
    /// Whether it was said that messages are held back.
    said_held_back: bool,
}

impl Grouping {
    /// Nothing going on.
    pub const fn new(pace: Alerting) -> Self {
        Self { pace, groups: BTreeMap::new(), told: VecDeque::new(), said_held_back: false }
    }

    /// Takes in trouble.
    pub fn trouble(&mut self, trouble: Trouble, now: Timestamp) {
        let count = trouble.count.max(1);
        let group = self.groups.entry((trouble.subject.clone(), trouble.class)).or_insert_with(|| Group {
            latest: trouble.clone(),
            untold: 0,
            total: 0,
            since: now,
            told_at: None,
            due: None,
            is_over: false,
        });
        group.untold = group.untold.saturating_add(count);
        group.total = group.total.saturating_add(count);
        // An event without ids should not wipe out those of one that has some.
        let (transaction_id, lead_id) = (group.latest.transaction_id.take(), group.latest.lead_id.take());
        group.latest = trouble;
        if group.latest.transaction_id.is_none() && group.latest.lead_id.is_none() {
            group.latest.transaction_id = transaction_id;
            group.latest.lead_id = lead_id;
        }
        group.is_over = false;
        let news_due = match group.told_at {
            Some(told_at) => told_at.after(self.pace.group_interval).max(now.after(self.pace.group_wait)),
            None => now.after(self.pace.group_wait),
        };
        // News that is waiting already is not put off by more of it; a reminder or an end gives way to it.
        group.due = Some(group.due.filter(|_| group.untold > count).map_or(news_due, |due| due.min(news_due)));
    }

    /// Takes in that trouble is over. What nobody was told of ends in silence, unless it was an event and not a state.
    pub fn recovered(&mut self, recovered: Recovered, now: Timestamp) {
        let key = (recovered.subject, recovered.class);
        let Some(group) = self.groups.get_mut(&key) else { return };
        match group.told_at {
            None if key.1.lasts() => {
                self.groups.remove(&key);
            }
            None => group.is_over = true,
            Some(told_at) => {
                if !group.is_over {
                    group.is_over = true;
                    group.due = Some(told_at.after(self.pace.group_interval).max(now));
                }
            }
        }
    }

    /// When there may be something to say next.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.groups.values().filter_map(|group| group.due).min()?;
        let room_at = self.told.front().filter(|_| self.told.len() >= MOST_AN_HOUR).map(|first| first.after(HOUR));
        Some(room_at.filter(|_| self.said_held_back).map_or(due, |room_at| room_at.max(due)))
    }

    /// What is to be said now, longest due first.
    pub fn due(&mut self, now: Timestamp) -> Vec<Message> {
        let is_past = |told: &Timestamp| *told > now || now.since(*told) >= HOUR; // or the clock was set back
        while self.told.front().is_some_and(is_past) {
            self.told.pop_front();
        }
        let mut waiting: Vec<_> = self
            .groups
            .iter()
            .filter_map(|(key, group)| group.due.filter(|due| *due <= now).map(|due| (due, key.clone())))
            .collect();
        waiting.sort();
        let room = MOST_AN_HOUR.saturating_sub(self.told.len());
        let held_back = waiting.len().saturating_sub(room);
        let mut messages = Vec::new();
        for (_, key) in waiting.into_iter().take(room) {
            self.told.push_back(now);
            messages.extend(self.tell(&key, now));
        }
        if held_back == 0 {
            self.said_held_back = false;
        } else if !self.said_held_back {
            self.said_held_back = true;
            messages.push(held_back_message(held_back, now));
        }
        messages
    }

    /// Everything that nobody was told yet, at once and whatever the pace: for the end of the program.
    pub fn flush(&mut self, now: Timestamp) -> Vec<Message> {
        let untold =
            |(key, group): (&(String, AlertClass), &Group)| (group.untold > 0 || group.is_over).then(|| key.clone());
        let keys: Vec<_> = self.groups.iter().filter_map(untold).collect();
        keys.iter().flat_map(|key| self.tell(key, now)).collect()
    }

    /// The messages on one group: its news if there is any, its end if it has ended, else a reminder.
    fn tell(&mut self, key: &(String, AlertClass), now: Timestamp) -> Vec<Message> {
        let Some(group) = self.groups.get_mut(key) else { return Vec::new() };
        let class = key.1;
        let message = |news, text, count| Message {
            news,
            subject: key.0.clone(),
            text,
            transaction_id: group.latest.transaction_id.clone(),
            lead_id: group.latest.lead_id.clone(),
            count,
            at: now,
        };
        let mut messages = Vec::new();
        if group.untold > 0 && !(group.is_over && class.lasts()) {
            messages.push(message(News::Trouble(class), group.latest.message.clone(), group.untold));
        } else if !group.is_over {
            let text = format!("still there after {}: {}", length(now.since(group.since)), group.latest.message);
            messages.push(message(News::StillThere(class), text, group.total));
        }
        if group.is_over {
            let text = format!("{} is over after {}", class.name(), length(now.since(group.since)));
            messages.push(message(News::Over(class), text, group.total));
            self.groups.remove(key);
        } else {
            group.untold = 0;
            group.told_at = Some(now);
            group.due = class.is_repeated().then(|| now.after(self.pace.repeat_interval));
        }
        messages
    }
}

/// A span in whole seconds: nobody reads the milliseconds of four hours.
fn length(span: Duration) -> String {
    format_span(Duration::from_secs(span.as_secs()))
}

fn held_back_message(groups: usize, now: Timestamp) -> Message {
    Message {
        news: News::HeldBack,
        subject: "alerts".to_owned(),
        text: format!(
            "{groups} alerts suppressed: {MOST_AN_HOUR} went out within an hour; the rest follows as the hour passes, and \
             `tallyhook status` shows everything now"
        ),
        transaction_id: None,
        lead_id: None,
        count: u64::try_from(groups).unwrap_or(u64::MAX),
        at: now,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACE: Alerting = Alerting {
        group_wait: Duration::from_secs(30),
        group_interval: Duration::from_secs(300),
        repeat_interval: Duration::from_secs(4 * 3600),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + seconds)
    }

    fn trouble(subject: &str, class: AlertClass) -> Trouble {
        let message = format!("trouble with {subject}");
        Trouble { subject: subject.to_owned(), class, message, transaction_id: None, lead_id: None, count: 1 }
    }

    fn recovered(subject: &str, class: AlertClass) -> Recovered {
        Recovered { subject: subject.to_owned(), class }
    }

    fn said(messages: &[Message]) -> Vec<(News, u64)> {
        messages.iter().map(|message| (message.news, message.count)).collect()
    }

    #[test]
    fn a_burst_is_one_message_half_a_minute_after_its_beginning() {
        let mut grouping = Grouping::new(PACE);
        for second in 0..20 {
            grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(second));
        }
        assert_eq!(grouping.next_due(), Some(at(30)));
        assert!(grouping.due(at(29)).is_empty());
        assert_eq!(said(&grouping.due(at(30))), [(News::Trouble(AlertClass::DeliveryFailed), 20)]);
        assert!(grouping.due(at(31)).is_empty());
    }

    #[test]
    fn news_on_a_group_waits_five_minutes_and_then_half_a_minute() {
        let mut grouping = Grouping::new(PACE);
        grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(0));
        assert_eq!(grouping.due(at(30)).len(), 1);
        grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(40));
        grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(320));
        assert_eq!(grouping.next_due(), Some(at(330)));
        assert_eq!(said(&grouping.due(at(330))), [(News::Trouble(AlertClass::DeliveryFailed), 2)]);
        grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(5000));
        assert_eq!(grouping.next_due(), Some(at(5030)), "after a long quiet a burst is collected again");
    }

    #[test]
    fn subjects_and_kinds_are_apart() {
        let mut grouping = Grouping::new(PACE);
        grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(0));
        grouping.trouble(trouble("crm", AlertClass::BreakerOpen), at(0));
        grouping.trouble(trouble("ga4", AlertClass::DeliveryFailed), at(0));
        assert_eq!(grouping.due(at(30)).len(), 3);
    }

    #[test]
    fn a_state_is_told_again_every_four_hours_until_it_is_over() {
        let mut grouping = Grouping::new(PACE);
        grouping.trouble(trouble("crm", AlertClass::DestinationHeld), at(0));
        grouping.due(at(30));
        let four_hours = 4 * 3600;
        assert_eq!(grouping.next_due(), Some(at(30 + four_hours)));
        let reminder = grouping.due(at(30 + four_hours));
        assert_eq!(said(&reminder), [(News::StillThere(AlertClass::DestinationHeld), 1)]);
        assert!(reminder[0].text.starts_with("still there after 4h30s"), "{}", reminder[0].text);
        grouping.recovered(recovered("crm", AlertClass::DestinationHeld), at(40 + four_hours));
        let end = grouping.due(at(330 + four_hours));
        assert_eq!(said(&end), [(News::Over(AlertClass::DestinationHeld), 1)]);
        assert_eq!(grouping.next_due(), None);
    }

    #[test]
    fn an_event_is_told_once() {
        let mut grouping = Grouping::new(PACE);
        grouping.trouble(trouble("crm", AlertClass::TooOld), at(0));
        grouping.due(at(30));
        assert_eq!(grouping.next_due(), None);
    }

    #[test]
    fn failed_deliveries_are_told_again_until_the_queue_is_empty() {
        let mut grouping = Grouping::new(PACE);
        grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(0));
        grouping.due(at(30));
        assert_eq!(grouping.next_due(), Some(at(30 + 4 * 3600)), "also where the first word was lost on its way");
        assert_eq!(said(&grouping.due(at(30 + 4 * 3600))), [(News::StillThere(AlertClass::DeliveryFailed), 1)]);
        grouping.recovered(recovered("crm", AlertClass::DeliveryFailed), at(20_000));
        assert_eq!(said(&grouping.due(at(20_000))), [(News::Over(AlertClass::DeliveryFailed), 1)]);
        assert_eq!(grouping.next_due(), None);
    }

    #[test]
    fn a_state_that_ends_before_anybody_was_told_is_never_told_but_an_event_is() {
        let mut grouping = Grouping::new(PACE);
        grouping.trouble(trouble("crm", AlertClass::BreakerOpen), at(0));
        grouping.recovered(recovered("crm", AlertClass::BreakerOpen), at(10));
        assert_eq!(grouping.next_due(), None);
        grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(0));
        grouping.recovered(recovered("crm", AlertClass::DeliveryFailed), at(10));
        let both = [(News::Trouble(AlertClass::DeliveryFailed), 1), (News::Over(AlertClass::DeliveryFailed), 1)];
        assert_eq!(said(&grouping.due(at(30))), both);
    }

    #[test]
    fn a_state_that_comes_back_at_once_was_never_over() {
        let mut grouping = Grouping::new(PACE);
        grouping.trouble(trouble("crm", AlertClass::BreakerOpen), at(0));
        grouping.due(at(30));
        grouping.recovered(recovered("crm", AlertClass::BreakerOpen), at(60));
        grouping.trouble(trouble("crm", AlertClass::BreakerOpen), at(70));
        assert_eq!(said(&grouping.due(at(330))), [(News::Trouble(AlertClass::BreakerOpen), 1)]);
        grouping.trouble(trouble("crm", AlertClass::BreakerOpen), at(400));
        grouping.recovered(recovered("crm", AlertClass::BreakerOpen), at(410));
        assert_eq!(said(&grouping.due(at(630))), [(News::Over(AlertClass::BreakerOpen), 3)]);
    }

    #[test]
    fn more_than_twenty_an_hour_are_held_back_with_one_word_and_lose_nothing() {
        let mut grouping = Grouping::new(PACE);
        for subject in 0..25 {
            grouping.trouble(trouble(&format!("d{subject:02}"), AlertClass::DeliveryFailed), at(0));
        }
        let first = grouping.due(at(30));
        assert_eq!(first.len(), 21);
        assert_eq!(said(&first[20..]), [(News::HeldBack, 5)]);
        assert!(first[20].text.starts_with("5 alerts suppressed"));
        grouping.trouble(trouble("d24", AlertClass::DeliveryFailed), at(100));
        assert!(grouping.due(at(200)).is_empty(), "it is said once");
        assert_eq!(grouping.next_due(), Some(at(30 + 3600)), "no spinning meanwhile");
        let rest = grouping.due(at(30 + 3600));
        assert_eq!(rest.iter().map(|message| message.count).collect::<Vec<_>>(), [1, 1, 1, 1, 2]);
    }

    #[test]
    fn the_latest_ids_are_shown_and_an_event_without_ids_leaves_them() {
        let mut grouping = Grouping::new(PACE);
        let with_id = Trouble { transaction_id: Some("in_1".to_owned()), ..trouble("crm", AlertClass::DeliveryFailed) };
        grouping.trouble(with_id, at(0));
        grouping.trouble(trouble("crm", AlertClass::DeliveryFailed), at(1));
        assert_eq!(grouping.due(at(30))[0].transaction_id.as_deref(), Some("in_1"));
    }

    #[test]
    fn the_end_of_the_program_tells_what_was_untold() {
        let mut grouping = Grouping::new(PACE);
        grouping.trouble(trouble("crm", AlertClass::DestinationHeld), at(0));
        grouping.due(at(30));
        grouping.trouble(trouble("store", AlertClass::Storage), at(40));
        assert_eq!(said(&grouping.flush(at(41))), [(News::Trouble(AlertClass::Storage), 1)]);
        assert!(grouping.flush(at(42)).is_empty());
    }

    proptest! {
        /// Whatever comes: every event is counted in exactly one message of news, no hour holds more than 21 messages, and
        /// asking again at the same moment brings nothing new.
        #[test]
        fn nothing_is_lost_and_nobody_is_flooded(steps in prop::collection::vec((0_i64..900, 0_usize..30, 0_u8..4), 1..200)) {
            let mut grouping = Grouping::new(PACE);
            let (mut now, mut reported, mut told, mut times) = (0, 0, 0, Vec::new());
            let mut look = |grouping: &mut Grouping, now: i64| {
                for message in grouping.due(at(now)) {
                    times.push(now);
                    if matches!(message.news, News::Trouble(_)) { told += message.count; }
                }
                prop_assert!(grouping.due(at(now)).is_empty());
                Ok(())
            };
            for (pause, subject, kind) in steps {
                now += pause;
                let subject = format!("d{subject}");
                match kind {
                    0 => grouping.recovered(recovered(&subject, AlertClass::TooOld), at(now)),
                    _ => { reported += 1; grouping.trouble(trouble(&subject, AlertClass::TooOld), at(now)); }
                }
                look(&mut grouping, now)?;
            }
            while let Some(due) = grouping.next_due() {
                now = now.max((due.millis() - at(0).millis() + 999) / 1000);
                look(&mut grouping, now)?;
            }
            prop_assert_eq!(told, reported);
            for (index, time) in times.iter().enumerate() {
                // A group that ends with untold news says both in one go.
                prop_assert!(times[index..].iter().take_while(|later| **later - time < 3600).count() <= 2 * MOST_AN_HOUR + 1);
            }
        }
    }
}
