//! Chores: deletes what is past its keeping time, keeps the list of rejected requests over a restart, and notices what only
//! shows over time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::commit_news::CommitNews;
use super::space::Space;
use crate::alerts::sender::Alerts;
use crate::alerts::trouble::{AlertClass, Recovered, Trouble};
use crate::config::Retention;
use crate::http::leads::{LeadLimits, TurnedAway};
use crate::http::rejected::{RejectedFilter, RejectedLog};
use crate::model::delivery::STATE_NAMES;
use crate::model::id::DestinationId;
use crate::model::time::Timestamp;
use crate::platform::clock::SharedClock;
use crate::store::{Command, Reply, StoreReader, Sweep, SweepLimits, Writer};

/// How often the keeping times are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(15 * 60);
/// How often rejected requests are written out at most.
const REJECTED_EVERY: Duration = Duration::from_secs(60);
/// How often the failed queues are looked at, to say when one is empty again.
const FAILED_EVERY: Duration = Duration::from_secs(1);
/// Refused requests of one source between two looks that are worth a word.
const MANY_REFUSALS: u64 = 5;
/// How long refused requests that are kept whole stay.
const REFUSED_KEPT: Duration = Duration::from_secs(7 * 86_400);
/// Rows in a slice: small, so that no acknowledgement waits noticeably.
const SLICE: usize = 200;
/// Between two slices.
const PAUSE: Duration = Duration::from_millis(20);

/// Does the chores until stopped.
#[derive(Clone)]
pub(super) struct BooksKeeper {
    pub(super) writer: Writer,
    pub(super) clock: SharedClock,
    pub(super) retention: Retention,
    pub(super) leads_kept: Duration,
    pub(super) lead_limits: Arc<LeadLimits>,
    pub(super) rejected: Arc<RejectedLog>,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) reader: StoreReader,
    pub(super) alerts: Alerts,
    pub(super) news: Arc<CommitNews>,
    /// Below the reserve nothing is written that can wait: deleting takes room as well.
    pub(super) space: Arc<Space>,
}

impl BooksKeeper {
    pub(super) fn run(&self) {
        let mut sweep_at = self.clock.now();
        let mut rejected_at = self.clock.now();
        let mut failed_at = self.clock.now();
        let mut room_at = self.clock.now();
        let mut turned_away = TurnedAway::default();
        let mut failed = BTreeMap::new();
        self.tell_of_full_queues();
        let mut refused_until = self.rejected.list(&RejectedFilter::default()).first().map_or(0, |row| row.id);
        while !self.stopping.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.clock.now();
            if now >= rejected_at {
                self.keep_rejected();
                refused_until = self.tell_of_refusals(refused_until);
                rejected_at = now.after(REJECTED_EVERY);
            }
            if now >= failed_at {
                self.tell_of_empty_queues(&mut failed);
                self.tell_of_turned_away(&mut turned_away, now);
                if now >= room_at && !self.make_room_for_leads() {
                    // Looking again at once finds no more to let go.
                    room_at = now.after(SWEEP_EVERY);
                }
                failed_at = now.after(FAILED_EVERY);
            }
            if now >= sweep_at && self.space.is_enough() {
                self.sweep(now);
                self.drop_leads(now);
                self.tell_of_shares(now);
                sweep_at = now.after(SWEEP_EVERY);
            }
        }
        self.keep_rejected();
    }

    fn keep_rejected(&self) {
        if !self.space.is_enough() {
            return;
        }
        if let Some(list) = self.rejected.dirty_snapshot() {
            let _ = self.writer.run(Command::KeepRejected(list));
        }
    }

    /// Many refused requests in a row are a wrong secret, a wrong clock, or somebody trying. Those that are kept whole have an alert
    /// of their own.
    fn tell_of_refusals(&self, until: u64) -> u64 {
        let rows = self.rejected.list(&RejectedFilter::default());
        let mut news: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        let kept = self.reader.snapshot().and_then(|snapshot| snapshot.refused()).unwrap_or_default();
        let kept: BTreeSet<u64> = kept.iter().map(|kept| kept.id).collect();
        for row in rows.iter().filter(|row| row.id > until && !kept.contains(&row.id)) {
            let (count, reason) = news.entry(&row.source).or_insert((0, &row.reason));
            *count += 1;
            *reason = &row.reason;
        }
        for (source, (count, reason)) in news.into_iter().filter(|(_, (count, _))| *count >= MANY_REFUSALS) {
            self.alerts.report(&Trouble {
                subject: source.to_owned(),
                class: AlertClass::VerificationFailures,
                message: format!(
                    "{count} requests were refused ({reason}); see `tallyhook rejected list --source {source}`"
                ),
                transaction_id: None,
                lead_id: None,
                count,
            });
        }
        rows.first().map_or(until, |row| row.id.max(until))
    }

    /// Tells again of what was failed when the program stopped, whether it was told before or the program ended too soon.
    fn tell_of_full_queues(&self) {
        let Ok(totals) = self.reader.snapshot().and_then(|snapshot| snapshot.totals()) else { return };
        let Some(failed) = STATE_NAMES.iter().position(|name| *name == "failed") else { return };
        for (destination, counts) in totals.destinations.iter().filter(|(_, counts)| counts[failed] > 0) {
            let (name, count) = (self.news.name(*destination), counts[failed]);
            let (deliveries, wait) = if count == 1 { ("delivery", "waits") } else { ("deliveries", "wait") };
            self.alerts.report(&Trouble {
                message: format!(
                    "{count} failed {deliveries} to {name} {wait} for a person; see `tallyhook failed list --destination {name}`"
                ),
                subject: name,
                class: AlertClass::DeliveryFailed,
                transaction_id: None,
                lead_id: None,
                count,
            });
        }
    }

    /// Says when a failed queue that had something in it is empty again, also where that came and went between two looks.
    fn tell_of_empty_queues(&self, before: &mut BTreeMap<DestinationId, u64>) {
        // Before the totals: what fails after this is seen the next time.
        let lately = std::mem::take(&mut *self.news.failed.lock().unwrap_or_else(PoisonError::into_inner));
        let Ok(totals) = self.reader.snapshot().and_then(|snapshot| snapshot.totals()) else { return };
        let Some(failed) = STATE_NAMES.iter().position(|name| *name == "failed") else { return };
        for (destination, counts) in &totals.destinations {
            let was = before.insert(*destination, counts[failed]).unwrap_or(0);
            if (was > 0 || lately.contains(destination)) && counts[failed] == 0 {
                let subject = self.news.name(*destination);
                self.alerts.recovered(&Recovered { subject, class: AlertClass::DeliveryFailed });
            }
        }
    }

    /// Leads that have said nothing new for long.
    fn drop_leads(&self, now: Timestamp) {
        let before = now.before(self.leads_kept);
        while self.goes_on() {
            let old =
                self.reader.snapshot().and_then(|snapshot| snapshot.leads_before(before, SLICE)).unwrap_or_default();
            if old.is_empty() || self.writer.run(Command::DropLeads(old, before)).is_err() {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Lets go of leads whom nobody misses, when there are nearly too many: an unknown visitor of long ago for one of now. False
    /// when there is no room to be made.
    fn make_room_for_leads(&self) -> bool {
        let Ok(totals) = self.reader.snapshot().and_then(|snapshot| snapshot.totals()) else { return true };
        if !self.lead_limits.are_nearly_full(totals.leads) {
            return true;
        }
        let most = self.lead_limits.most_kept();
        let surplus = totals.leads.saturating_sub(most - (most / 10).max(1).min(most));
        let most = usize::try_from(surplus).unwrap_or(usize::MAX);
        let idle = self.reader.snapshot().and_then(|snapshot| snapshot.idle_leads(most)).unwrap_or_default();
        for slice in idle.chunks(SLICE) {
            let Some((until, _)) = slice.last() else { break };
            // Who says something new meanwhile stays.
            let before = until.after(Duration::from_millis(1));
            let ids = slice.iter().map(|(_, id)| id.clone()).collect();
            if self.stopping.load(Ordering::SeqCst) || self.writer.run(Command::DropLeads(ids, before)).is_err() {
                return true;
            }
            std::thread::sleep(PAUSE);
        }
        if !idle.is_empty() {
            tracing::info!(leads = idle.len(), "let go of the oldest leads without an address, to make room");
        }
        !idle.is_empty()
    }

    /// Says when a limit turns away what browsers post.
    fn tell_of_turned_away(&self, before: &mut TurnedAway, now: Timestamp) {
        let today = self.lead_limits.turned_away(now);
        let was = std::mem::replace(before, today);
        if today == was {
            return;
        }
        let (subject, class) = ("leads".to_owned(), AlertClass::LeadsTurnedAway);
        match today.problem() {
            Some(message) => {
                self.alerts.report(&Trouble { subject, class, message, transaction_id: None, lead_id: None, count: 1 })
            }
            None => self.alerts.recovered(&Recovered { subject, class }),
        }
    }

    /// Says when sales suddenly come without what tells where they came from: mostly a page lost its script.
    fn tell_of_shares(&self, now: Timestamp) {
        let Ok(totals) = self.reader.snapshot().and_then(|snapshot| snapshot.totals()) else { return };
        let (subject, class) = ("attribution".to_owned(), AlertClass::AttributionDropped);
        match totals.sales.dropped(now) {
            Some((what, was, is)) => self.alerts.report(&Trouble {
                subject,
                class,
                message: format!(
                    "{is} % of the sales of the last 7 days have a {what}, {was} % had one before: see whether lead.js is still on \
                     every page and the payment links still carry the lead id; `tallyhook status` shows the shares"
                ),
                transaction_id: None,
                lead_id: None,
                count: 1,
            }),
            None => self.alerts.recovered(&Recovered { subject, class }),
        }
    }

    fn goes_on(&self) -> bool {
        self.space.is_enough() && !self.stopping.load(Ordering::SeqCst)
    }

    fn sweep(&self, now: Timestamp) {
        let limits = |keep: Duration| SweepLimits { before: now.before(keep), most: SLICE };
        let first = [
            self.retention.payloads.map(|keep| Sweep::Bodies(limits(keep))),
            self.retention.dedup.map(|keep| Sweep::Webhooks(limits(keep))),
            self.retention.attempts.map(|keep| Sweep::Attempts(limits(keep), (0, 0, 0, 0))),
            Some(Sweep::Refused(limits(REFUSED_KEPT))),
        ];
        for mut slice in first.into_iter().flatten() {
            let mut gone = 0;
            while self.goes_on() {
                match self.writer.run(Command::Sweep(slice)) {
                    Ok(Reply::Swept { rows, next }) => {
                        gone += rows;
                        match next {
                            Some(next) => slice = next,
                            None => break,
                        }
                    }
                    _ => return,
                }
                std::thread::sleep(PAUSE);
            }
            if gone > 0 {
                tracing::info!(rows = gone, what = ?slice, "deleted what was past its keeping time");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use super::*;
    use crate::app::{App, Parts};
    use crate::config::Config;
    use crate::platform::clock::ManualClock;
    use crate::platform::disk::ManualDisk;

    const MINUTE: Duration = Duration::from_secs(61);

    fn forge(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = "POST /api/webhooks/stripe HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn until(is_so: impl Fn() -> bool) {
        for _ in 0..10_000 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("waited in vain");
    }

    #[test]
    fn below_the_reserve_nothing_is_written_that_can_wait() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nsocket = \"{place}/admin.sock\"\n[store]\npath = \"{place}/store.redb\"\n\
             [sources.stripe]\nkind = \"stripe\"\nsecrets = [\"whsec_made_for_these_tests_0123456789\"]\n"
        );
        std::fs::write(folder.path().join("tallyhook.toml"), text).unwrap();
        let config = Config::load(Some(&folder.path().join("tallyhook.toml")), &BTreeMap::new()).unwrap();
        let (clock, disk) =
            (ManualClock::at(Timestamp::from_unix_seconds(1_800_000_000)), Arc::new(ManualDisk::with(1 << 40)));
        let parts =
            Parts { clock: Arc::clone(&clock) as SharedClock, disk: Arc::clone(&disk) as _, ..Parts::default() };
        let app = App::start(config, parts).unwrap();
        let reader = app.store.reader();
        let kept = || reader.snapshot().unwrap().rejected().unwrap();
        assert!(forge(app.public_address()).starts_with("HTTP/1.1 400"));
        until(|| {
            clock.advance(MINUTE);
            kept().is_some()
        });

        disk.set(0);
        until(|| forge(app.public_address()).starts_with("HTTP/1.1 503"));
        // A turn that began before may still be writing; those after it write nothing, though requests were refused meanwhile.
        std::thread::sleep(Duration::from_millis(300));
        let before = kept();
        clock.advance(MINUTE);
        app.stop();
        // Whoever stops has written what was to be written.
        assert!(kept() == before, "written below the reserve");
    }
}
