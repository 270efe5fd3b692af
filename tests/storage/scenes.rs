//! What the store is made to do while its storage breaks.

use tallyhook::destinations::Finished;
use tallyhook::ledger::result::Report;
use tallyhook::ledger::workspace::Target;
use tallyhook::model::delivery::{Attempt, FailureClass, Held, Outcome, Standing};
use tallyhook::model::envelope::Envelope;
use tallyhook::model::id::{BusinessEventId, ContactId, DeliveryId, DestinationId, GroupId, WebhookId};
use tallyhook::model::refused::Refused;
use tallyhook::store::{Command, Sweep, SweepLimits, body};

use super::broken::Broken;
use super::fakes::{PEOPLE, PIXELS};
use super::play::{Step, at, one, play, together};
use super::{intake, uninterpreted};

const SALE: &str = "payment_intent.succeeded";
const DAY: u64 = 86_400;

/// A scene: what is in the file before, and what happens.
pub struct Scene {
    pub name: &'static str,
    pub before: Vec<u8>,
    pub steps: Vec<Step>,
}

/// Every scene.
pub fn all() -> Vec<Scene> {
    let settled = || after(Vec::new(), &[sales(), settling()].concat());
    let tried = || after(settled(), &attempts());
    vec![
        Scene { name: "first open", before: Vec::new(), steps: vec![one(0, || Command::Touch)] },
        Scene { name: "ingest", before: after(Vec::new(), &[]), steps: ingest() },
        Scene { name: "settle", before: after(Vec::new(), &sales()), steps: settling() },
        Scene { name: "results", before: settled(), steps: attempts() },
        Scene { name: "decisions", before: tried(), steps: decisions() },
        Scene { name: "sweep", before: tried(), steps: sweeps() },
        Scene { name: "standing", before: settled(), steps: standings() },
        Scene { name: "refused", before: after(Vec::new(), &[]), steps: refusals() },
        Scene { name: "reopen", before: tried(), steps: vec![one(300, || Command::Touch)] },
    ]
}

/// The bytes that are left when steps have been played over these.
pub fn after(before: Vec<u8>, steps: &[Step]) -> Vec<u8> {
    let memory = Broken::whole(before);
    let played = play(memory.clone(), steps, |_| {});
    assert_eq!(played.steps, steps.len());
    memory.bytes()
}

pub fn take_in(event_type: &'static str, number: u64, seconds: u64) -> Command {
    Command::Intake(Box::new(intake(event_type, number, at(seconds))))
}

/// Four sales of four people.
pub fn sales() -> Vec<Step> {
    vec![together(0, || (1..=4).map(|number| take_in(SALE, number, 0)).collect())]
}

fn settling() -> Vec<Step> {
    vec![
        one(90, || Command::Settle(GroupId(1))),
        together(91, || (2..=4).map(|group| Command::Settle(GroupId(group))).collect()),
        // Asked twice, it is done once.
        one(92, || Command::Settle(GroupId(1))),
    ]
}

fn ingest() -> Vec<Step> {
    vec![
        one(0, || take_in(SALE, 1, 0)),
        // The same again, and the same sale by another event.
        one(1, || take_in(SALE, 1, 1)),
        one(2, || take_in("charge.succeeded", 1, 2)),
        one(3, || Command::Intake(Box::new(uninterpreted(1, at(3))))),
        together(4, || {
            let mut commands: Vec<Command> = (2..=6).map(|number| take_in(SALE, number, 4)).collect();
            commands.push(take_in(SALE, 3, 4));
            commands.push(take_in("payment_intent.payment_failed", 7, 4));
            commands
        }),
        one(5, || take_in("refund.created", 1, 5)),
    ]
}

pub fn report(destination: DestinationId, target: Target, event: u64, outcome: Outcome, seconds: u64) -> Command {
    let mut finished = Finished::new(outcome);
    if matches!(finished.outcome, Outcome::Delivered) && destination == PEOPLE {
        finished.remote_id = Some(format!("remote-{event}"));
        finished.external_id = Some(format!("external-{event}"));
    }
    Command::Report(Box::new(Report {
        destination,
        target,
        told: vec![(BusinessEventId(event), 0)],
        dropped: Vec::new(),
        left: None,
        finished,
        attempt: Some(Attempt {
            at: at(seconds),
            took_ms: 12,
            generation: 0,
            sent: "POST https://example.com/ {}".into(),
            status: Some(200),
            outcome: "tried".into(),
            excerpt: String::new(),
        }),
        chance: 0.5,
        probe: false,
    }))
}

fn retry() -> Outcome {
    Outcome::Retry { explanation: "503".into(), after: None }
}

fn rejected() -> Outcome {
    Outcome::Permanent { class: FailureClass::Rejected, explanation: "422".into() }
}

fn event(id: u64) -> Target {
    Target::Event(BusinessEventId(id))
}

fn contact(id: u64) -> Target {
    Target::Contact(ContactId(id))
}

fn attempts() -> Vec<Step> {
    vec![
        one(100, || Command::Start(PIXELS, event(1))),
        one(101, || report(PIXELS, event(1), 1, Outcome::Delivered, 101)),
        one(102, || report(PIXELS, event(2), 2, retry(), 102)),
        together(103, || {
            vec![
                report(PIXELS, event(3), 3, rejected(), 103),
                report(PEOPLE, contact(1), 1, Outcome::Delivered, 103),
                report(PEOPLE, contact(2), 2, retry(), 103),
                report(PEOPLE, contact(3), 3, rejected(), 103),
            ]
        }),
    ]
}

fn decisions() -> Vec<Step> {
    let delivery = |event, destination| DeliveryId { event: BusinessEventId(event), destination };
    vec![
        one(200, move || Command::Retry(delivery(3, PIXELS))),
        one(201, move || Command::Discard(delivery(3, PEOPLE), "entered by hand".into())),
        one(8 * DAY, || Command::Expire(PIXELS, event(4))),
        one(8 * DAY, || Command::Expire(PEOPLE, contact(4))),
        one(8 * DAY + 1, move || Command::Retry(delivery(4, PEOPLE))),
    ]
}

/// A slice of a sweep of what is older than a moment.
pub fn limits(seconds: u64, most: usize) -> SweepLimits {
    SweepLimits { before: at(seconds), most }
}

fn sweeps() -> Vec<Step> {
    vec![
        one(40 * DAY, || Command::Sweep(Sweep::Bodies(limits(30 * DAY, 3)))),
        one(40 * DAY, || Command::Sweep(Sweep::Bodies(limits(30 * DAY, 3)))),
        one(40 * DAY, || Command::Sweep(Sweep::Webhooks(limits(35 * DAY, 3)))),
        one(40 * DAY, || Command::Sweep(Sweep::Attempts(limits(20 * DAY, 100), (0, 0, 0, 0)))),
        one(40 * DAY, || take_in(SALE, 1, 40 * DAY)),
    ]
}

fn refusals() -> Vec<Step> {
    let keep = |id: u64, seconds: u64| {
        let refused = Refused {
            id,
            source: "shop".into(),
            received_at: at(seconds),
            address: "192.0.2.7".into(),
            reason: "no_matching_signature".into(),
            verdict: "The secret is another one.".into(),
            envelope: Envelope { headers: vec![("stripe-signature".into(), b"t=1,v1=00".to_vec())], event: None },
            query: None,
            body_bytes: 2,
        };
        Command::KeepRefused(Box::new(refused), body::compress(b"{}"))
    };
    vec![
        one(0, move || keep(1, 0)),
        together(1, move || vec![keep(2, 1), take_in(SALE, 1, 1), keep(3, 1)]),
        one(2, || Command::DropRefused(vec![("shop".into(), 2), ("shop".into(), 9)])),
        one(8 * DAY, || Command::Sweep(Sweep::Refused(limits(1, 100)))),
    ]
}

fn standings() -> Vec<Step> {
    let held = || Standing {
        held: Some(Held { since: at(200), explanation: "the key is refused".into(), probe_at: at(500), probes: 1 }),
        ..Standing::default()
    };
    vec![
        one(200, move || Command::SetStanding(PIXELS, Box::new(held()))),
        one(201, || Command::SetStanding(PIXELS, Box::new(Standing { paused: true, ..Standing::default() }))),
        one(202, || Command::KeepRejected(b"a list".to_vec())),
        one(203, || {
            let said = intake(SALE, 1, at(0)).interpreted.unwrap();
            Command::Reinterpret(WebhookId(1), Box::new(said))
        }),
    ]
}
