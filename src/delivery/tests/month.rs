//! A month on the simulated clock: destinations go down, slow down, refuse the key and come back, Tallyhook is restarted and
//! killed, the clock jumps. What holds at every moment, and that everything ends in sight.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::crashes::ga4;
use super::fakes::{Answer, Fake, Sent, come_back, json_answer, no_answer, status_only};
use super::world::{Dice, START, World};
use crate::destinations::mailerlite::{Api, Groups, MailerLite, Rules, Settings, mapped};
use crate::destinations::{NoAnswer, rest};
use crate::model::business_event::EventKind;
use crate::model::delivery::State;
use crate::model::id::BusinessEventId;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use crate::platform::clock::Clock;

/// What a destination is like for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Fair,
    /// 500.
    Down,
    /// No connection.
    Unreachable,
    /// Takes it, and its answer is lost.
    Deaf,
    /// 429 with a wish.
    Busy,
    /// 401.
    Locked,
    /// Every third request fails.
    Shaky,
}

/// One destination's end of the line.
struct Remote {
    name: &'static str,
    weather: Weather,
    requests: u64,
    /// The CRM's contacts: id by external id.
    people: BTreeMap<String, Vec<String>>,
}

impl Remote {
    fn answer(&mut self, sent: &Sent) -> Answer {
        self.requests += 1;
        let third = self.requests.is_multiple_of(3);
        Answer::Now(match self.weather {
            Weather::Fair => self.take(sent),
            Weather::Shaky if !third => self.take(sent),
            Weather::Shaky | Weather::Down => status_only(503),
            Weather::Unreachable => Err(NoAnswer::NotSent("refused".into())),
            Weather::Deaf => {
                let _ = self.take(sent);
                no_answer()
            }
            Weather::Busy => come_back(429, 20 + self.requests % 600),
            Weather::Locked => status_only(401),
        })
    }

    fn take(&mut self, sent: &Sent) -> crate::destinations::Reply {
        match self.name {
            "crm" => {
                if let Some((_, id)) = sent.line.split_once("external_id=") {
                    let found = self.people.get(id).cloned().unwrap_or_default();
                    let rows: Vec<Value> = found.iter().map(|found| json!({"id": found, "external_id": id})).collect();
                    return json_answer(200, &json!(rows));
                }
                if sent.line.starts_with("POST") {
                    let external = sent.body["external_id"].as_str().unwrap().to_owned();
                    let id = format!("r{}", self.requests);
                    self.people.entry(external).or_default().push(id.clone());
                    return json_answer(201, &json!({ "id": id }));
                }
                json_answer(200, &json!({}))
            }
            "mailerlite" => json_answer(200, &json!({"data": {"id": "1", "status": "active"}})),
            _ => status_only(204),
        }
    }
}

fn mailerlite() -> MailerLite {
    MailerLite::new(Settings {
        api_key: Secret::new("key"),
        api: Api::New,
        endpoint: "https://mail.example".into(),
        groups: Rules {
            groups: Groups { standard: Some("1".into()), ..Groups::default() },
            vip_from: 1000,
            moves: false,
        },
        fields: mapped(&[]),
        requires_consent: false,
    })
}

const NAMES: [&str; 4] = ["ga4", "crm", "mailerlite", "hook"];

fn world(seed: u64) -> World {
    let crm = rest::Settings::new("https://crm.example", Secret::new("k"));
    let mut world = World::new()
        .with(NAMES[0], ga4())
        .with(NAMES[1], rest::Rest::new(crm))
        .with_spec(NAMES[2], mailerlite(), |spec| {
            spec.rate_limit = crate::model::rate::RateLimit::parse("100/min").ok()
        })
        .with(NAMES[3], Fake::events());
    world.chance = Dice::of(seed);
    world
}

/// What was seen of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    generation: u16,
    attempts: u16,
    state: &'static str,
}

struct Month {
    world: World,
    dice: fastrand::Rng,
    remotes: Vec<Arc<Mutex<Remote>>>,
    sold: Vec<BusinessEventId>,
    seen: BTreeMap<(BusinessEventId, usize), Seen>,
    log: Vec<String>,
}

impl Month {
    fn new(seed: u64) -> Self {
        let world = world(seed);
        let remotes: Vec<Arc<Mutex<Remote>>> = NAMES
            .iter()
            .map(|name| {
                Arc::new(Mutex::new(Remote { name, weather: Weather::Fair, requests: 0, people: BTreeMap::new() }))
            })
            .collect();
        let mut month = Self {
            world,
            dice: fastrand::Rng::with_seed(seed),
            remotes,
            sold: Vec::new(),
            seen: BTreeMap::new(),
            log: Vec::new(),
        };
        month.answer_as_the_weather_is();
        month.world.start();
        month
    }

    fn answer_as_the_weather_is(&self) {
        for (at, remote) in self.remotes.iter().enumerate() {
            let remote = Arc::clone(remote);
            self.world.client(at).answers(move |sent| remote.lock().unwrap().answer(sent));
        }
    }

    fn note(&mut self, what: String) {
        let now = self.world.clock.now();
        self.log.push(format!("{now} {what}"));
    }

    fn something_happens(&mut self) {
        match self.dice.u32(0..50) {
            0..8 => {
                let name = format!("buyer{}", self.dice.u32(0..15));
                let tells_address = self.dice.u32(0..6) > 0;
                let now = self.world.clock.now();
                self.sold.push(self.world.sale(&name, tells_address, now));
            }
            8..11 => {
                let name = format!("buyer{}", self.dice.u32(0..15));
                self.sold.push(self.world.failed_payment(&name));
            }
            18..30 => {
                let at = self.dice.usize(0..4);
                let weather = match self.dice.u32(0..12) {
                    0 => Weather::Down,
                    1 => Weather::Unreachable,
                    2 => Weather::Deaf,
                    3 => Weather::Busy,
                    4 => Weather::Locked,
                    5 => Weather::Shaky,
                    _ => Weather::Fair,
                };
                self.remotes[at].lock().unwrap().weather = weather;
                self.note(format!("{} is {weather:?}", NAMES[at]));
            }
            30..32 => {
                let at = self.dice.usize(0..4);
                let paused = self.dice.bool();
                self.world.set_paused(at, paused);
                self.note(format!("{} paused: {paused}", NAMES[at]));
            }
            32..34 => {
                self.note("restart".into());
                self.world.restart();
            }
            34..36 => self.dies(),
            36 => {
                let minutes = self.dice.u64(1..180);
                self.note(format!("the clock goes back by {minutes} minutes"));
                let now = self.world.clock.now();
                self.world.clock.set(now.before(Duration::from_secs(60 * minutes)));
                self.world.settle();
            }
            37 => {
                let minutes = self.dice.u64(1..360);
                self.note(format!("the clock jumps {minutes} minutes ahead"));
                self.world.advance(60 * minutes);
            }
            38..40 => self.a_person_retries(),
            _ => {}
        }
    }

    /// Killed in the middle of a request, where there is one.
    fn dies(&mut self) {
        let at = self.dice.usize(0..4);
        let remote = Arc::clone(&self.remotes[at]);
        let fair = remote.lock().unwrap().weather == Weather::Fair;
        self.world.client(at).answers(move |sent| {
            let mut remote = remote.lock().unwrap();
            let is_read = sent.line.starts_with("GET");
            if is_read || remote.weather != Weather::Fair {
                return remote.answer(sent);
            }
            let _ = remote.take(sent);
            Answer::Hang
        });
        let now = self.world.clock.now();
        let sale = self.world.sale("buyer1", true, now);
        self.sold.push(sale);
        let hangs = fair && self.world.client(at).hangs_within(Duration::from_millis(50), 1);
        self.note(format!("killed, at a request to {}: {hangs}", NAMES[at]));
        self.world.go_down();
        self.answer_as_the_weather_is();
        self.world.start();
        self.world.settle();
    }

    fn a_person_retries(&mut self) {
        let failed: Vec<(BusinessEventId, usize)> =
            self.seen.iter().filter(|(_, seen)| seen.state == "failed").map(|(key, _)| *key).collect();
        if let Some((event, at)) = self.dice.choice(failed) {
            // What is past its deadline is refused, with a reason.
            self.world.retry(event, at).unwrap();
            self.world.settle();
        }
    }

    /// What holds of every delivery at every moment.
    fn look(&mut self) {
        let snapshot = self.world.snapshot();
        let numbers: Vec<_> = (0..4).map(|at| self.world.id(at)).collect();
        for event in self.sold.clone() {
            let event = crate::ledger::books::Books::business_event(&snapshot, event).unwrap().unwrap();
            for delivery in &event.deliveries {
                let at = numbers.iter().position(|number| *number == delivery.destination).unwrap();
                let now = Seen {
                    generation: delivery.generation,
                    attempts: delivery.schedule.attempts,
                    state: delivery.state.name(),
                };
                let key = (event.id, at);
                if let Some(before) = self.seen.get(&key) {
                    let what = format!("{} at {}: {before:?} then {now:?}", event.id, NAMES[at]);
                    assert!(now.generation >= before.generation, "{what}");
                    if now.generation == before.generation {
                        assert!(now.attempts >= before.attempts, "{what}");
                        assert!(before.state == "pending" || now.state == before.state, "{what}");
                    }
                    assert!(before.state != "delivered" || now.state == "delivered", "{what}");
                    assert!(now.attempts <= 10, "{what}");
                }
                self.seen.insert(key, now);
            }
        }
    }

    fn all_end(&mut self) {
        for remote in &self.remotes {
            remote.lock().unwrap().weather = Weather::Fair;
        }
        for at in 0..4 {
            self.world.set_paused(at, false);
        }
        // What waits for an address waits for thirty days; what the clock put off by going back waits for that too.
        for _ in 0..34 * 2 {
            self.world.advance(12 * 3600);
        }
        self.look();
        for ((event, at), seen) in &self.seen {
            assert_ne!(seen.state, "pending", "{event} at {}", NAMES[*at]);
        }
        let sale = self.world.sale_to("ada");
        self.world.settle();
        for (at, name) in NAMES.iter().enumerate() {
            assert_eq!(self.world.state(sale, at), "delivered", "{name}");
        }
    }

    /// What went out over the month.
    fn what_was_sent(&self) {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for sent in self.world.client(0).sent() {
            let event = &sent.body["events"][0];
            let happened = Timestamp::from_millis(event["timestamp_micros"].as_i64().unwrap() / 1000);
            assert!(sent.at < happened.after(Duration::from_secs(72 * 3600)), "too late for GA4: {sent:?}");
            if let Some(id) = event["params"]["transaction_id"].as_str().filter(|_| event["name"] == "purchase") {
                let mut frozen = sent.body.clone();
                // Of the values only the session ages.
                frozen["events"][0]["params"]["session_id"].take();
                told.entry(id.to_owned()).or_default().insert(frozen.to_string());
            }
        }
        for (id, values) in told {
            assert_eq!(values.len(), 1, "{id} was told with different values: {values:#?}");
        }
        // What the CRM has twice was made twice.
        for (external_id, ids) in &self.remotes[1].lock().unwrap().people {
            assert_eq!(ids.len(), 1, "{external_id} was made {} times", ids.len());
        }
    }

    /// Of what GA4 can't tell from a repeat, no second request follows one that may have arrived.
    fn nothing_was_told_twice(&self) {
        for event in &self.sold {
            let event = self.world.event(*event);
            if event.kind == EventKind::PaymentFailed {
                let delivery = event.deliveries.iter().find(|delivery| delivery.destination == self.world.id(0));
                let target = crate::ledger::workspace::Target::Event(event.id);
                let attempts = self.world.snapshot().attempts(self.world.id(0), target).unwrap();
                let ambiguous = attempts.iter().position(|row| row.attempt.outcome.starts_with("ambiguous"));
                if let (Some(at), Some(delivery)) = (ambiguous, delivery) {
                    let is_last = at + 1 == attempts.len();
                    let was_asked_for = delivery.generation > attempts[at].attempt.generation;
                    assert!(is_last || was_asked_for, "{}: {attempts:#?}", event.id);
                    assert!(was_asked_for || matches!(delivery.state, State::Suppressed { .. }));
                }
            }
        }
    }
}

fn live_through(seed: u64) {
    let mut month = Month::new(seed);
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut steps = 0;
        while month.world.clock.now() < START.after(Duration::from_secs(30 * 86_400)) {
            month.something_happens();
            month.world.settle();
            let seconds = month.dice.u64(1..60) * month.dice.u64(1..360);
            month.world.advance(seconds);
            steps += 1;
            if steps % 12 == 0 {
                month.look();
            }
        }
        month.all_end();
        month.what_was_sent();
        month.nothing_was_told_twice();
    }));
    if let Err(panic) = lived {
        println!(
            "seed {seed}; the last of what happened:\n{}",
            month.log[month.log.len().saturating_sub(60)..].join("\n")
        );
        std::panic::resume_unwind(panic);
    }
    let requests: Vec<usize> = (0..4).map(|at| month.world.client(at).count()).collect();
    println!("seed {seed}: {} events, requests {requests:?}", month.sold.len());
}

#[test]
fn a_month_of_trouble_ends_in_sight() {
    live_through(1);
}

#[test]
fn another_month_of_other_trouble_ends_in_sight_too() {
    live_through(2);
}
