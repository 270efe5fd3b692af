//! What is rehearsed: a day in a small business in a few seconds, with what usually goes wrong.

use std::io;
use std::time::{Duration, Instant};

use super::DemoError;
use super::books::{Books, Counted};
use super::printer::{Printer, Row};
use super::samples::Signed;
use super::sandbox::Fault;
use super::stage::{PATH, Stage};
use super::watch::Watch;
use crate::platform::signals::{Signals, Wish};

/// Who buys. The source's samples make a person, a product and a price out of each number.
pub const BUYER: u64 = 1000;
/// Who subscribes.
pub const SUBSCRIBER: u64 = 1001;
/// Whose card is declined.
pub const DECLINED: u64 = 1002;
/// Who is a test.
pub const TEST: u64 = 1003;
/// What the buyer gets back, in cents.
pub const REFUNDED: i64 = 2500;

/// How long a chapter may take to reach every destination.
const CHAPTER: Duration = Duration::from_secs(10);
/// Between two webhooks and before a chapter, so that a person can follow.
const WEBHOOK_PAUSE: Duration = Duration::from_millis(100);
const CHAPTER_PAUSE: Duration = Duration::from_millis(400);
/// How often is looked for news.
const LOOK: Duration = Duration::from_millis(25);
/// How long is waited at the end for what should not come: longer than a sale settles.
const QUIET: Duration = Duration::from_millis(2500);

/// How webhooks were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub sent: u32,
    /// New ones.
    pub accepted: u32,
    /// Known ones.
    pub duplicates: u32,
    /// Forged ones.
    pub refused: u32,
}

/// A rehearsal under way.
pub struct Story<'a, 'out> {
    stage: &'a Stage,
    printer: Printer<'out>,
    watch: Watch,
    signals: Signals,
    books: Books,
    tally: Tally,
    /// Rows of the chapter that are no webhooks.
    effects: u32,
    surprises: Vec<String>,
}

impl<'a, 'out> Story<'a, 'out> {
    /// On a stage that is set up.
    ///
    /// # Errors
    /// When signals can't be listened for.
    pub fn new(stage: &'a Stage, printer: Printer<'out>) -> Result<Self, DemoError> {
        let signals = stage.app.block_on(async { Signals::listen() })?;
        Ok(Self {
            stage,
            printer,
            watch: Watch::default(),
            signals,
            books: Books::default(),
            tally: Tally::default(),
            effects: 0,
            surprises: Vec::new(),
        })
    }

    /// Plays every chapter.
    ///
    /// # Errors
    /// When the daemon can't be talked to, output can't be written, or the person has seen enough.
    pub fn play(&mut self) -> Result<(), DemoError> {
        let (shop, ga4, crm) = (&self.stage.shop, &self.stage.ga4, &self.stage.crm);
        let mailerlite = &self.stage.mailerlite;

        self.printer
            .chapter("A Checkout purchase", "Stripe tells of it in three events, here in odd order. It is one sale.")?;
        let charge = shop.event("charge.succeeded", BUYER, true)?;
        let intent = shop.event("payment_intent.succeeded", BUYER, true)?;
        let session = shop.event("checkout.session.completed", BUYER, true)?;
        for event in [&charge, &intent, &session] {
            self.send(event, Expected::Accepted)?;
        }
        self.until(|| {
            ga4.report().counted("purchase").count() == 1
                && crm.contacts().len() == 1
                && mailerlite.subscribers().len() == 1
        })?;

        self.printer.chapter("The same again", "Stripe repeats itself, and an invoice of the same sale comes late.")?;
        for event in [&session, &intent] {
            self.send(event, Expected::Duplicate)?;
        }
        self.send(&shop.event("invoice.paid", BUYER, true)?, Expected::Accepted)?;
        self.until(|| true)?;

        self.printer.chapter(
            "The first invoice of a subscription, while the CRM has a hiccup",
            "Three events again. The CRM answers 503 once, so it is asked again a second later; the others don't wait for it.",
        )?;
        crm.script([Fault::status(503)]);
        for event in shop.first_invoice(SUBSCRIBER)? {
            self.send(&event, Expected::Accepted)?;
        }
        self.until(|| {
            ga4.report().counted("purchase").count() == 2
                && crm.contacts().len() == 2
                && mailerlite.subscribers().len() == 2
        })?;

        self.printer.chapter("A partial refund", "Three events tell of it. It is one refund, with its own amount.")?;
        for event in shop.partial_refund(BUYER, REFUNDED)? {
            self.send(&event, Expected::Accepted)?;
        }
        self.until(|| ga4.report().counted("refund").count() == 1)?;

        self.printer.chapter("A declined card", "Nothing is sold, but it is worth knowing.")?;
        self.send(&shop.event("payment_intent.payment_failed", DECLINED, true)?, Expected::Accepted)?;
        self.until(|| ga4.report().counted("payment_failed").count() == 1 && crm.contacts().len() == 3)?;

        self.printer.chapter("A purchase in test mode", "It is written down, and goes nowhere.")?;
        self.send(&shop.event("checkout.session.completed", TEST, false)?, Expected::Accepted)?;
        self.until(|| true)?;

        self.printer.chapter("A forgery", "Somebody who doesn't know the signing secret sends a sale.")?;
        self.send(&shop.forged("checkout.session.completed", TEST)?, Expected::Refused)?;
        self.until(|| true)?;

        self.wait(QUIET, || false)?;
        self.print_counted()?;
        Ok(())
    }

    /// The printer, for what comes after.
    pub fn printer(&mut self) -> &mut Printer<'out> {
        &mut self.printer
    }

    /// How webhooks were answered.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What was not as expected on the way, as sentences.
    pub fn surprises(&self) -> &[String] {
        &self.surprises
    }

    /// Shows what goes on until the person has seen enough.
    ///
    /// # Errors
    /// When the daemon can't be talked to or output can't be written.
    pub fn stay(&mut self) -> Result<(), DemoError> {
        loop {
            match self.wait(CHAPTER_PAUSE, || false) {
                Ok(_) => self.print_counted()?,
                Err(DemoError::Interrupted) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn send(&mut self, event: &Signed, expected: Expected) -> Result<(), DemoError> {
        let at = Instant::now();
        let answered = self.stage.client.post(PATH, &event.headers, &event.body)?;
        let said = ["status", "reason"].iter().find_map(|key| answered.body[*key].as_str()).unwrap_or("no words");
        self.tally.sent += 1;
        let as_expected = match expected {
            Expected::Accepted => {
                self.tally.accepted += 1;
                answered.status == 200 && said == "accepted"
            }
            Expected::Duplicate => {
                self.tally.duplicates += 1;
                answered.status == 200 && said == "duplicate"
            }
            Expected::Refused => {
                self.tally.refused += 1;
                answered.status == 400 && said == "no_matching_signature"
            }
        };
        if !as_expected {
            let sentence = format!("{} was answered {} {said} and not {expected:?}", event.event_type, answered.status);
            self.surprises.push(sentence);
        }
        let outcome = format!("{} {said}", answered.status);
        let row =
            Row { who: "webhook", what: event.event_type.clone(), id: short(&event.id), outcome, ..Row::default() };
        self.printer.row(at, &row)?;
        self.print_counted()?;
        self.wait(WEBHOOK_PAUSE, || false).map(drop)
    }

    /// Ends a chapter: what the destinations get until `done` and nothing more is pending.
    fn until(&mut self, done: impl Fn() -> bool) -> Result<(), DemoError> {
        let stage = self.stage;
        let is_quiet = || Books::pending(&stage.app.desk()).is_ok_and(|pending| pending == 0);
        if !self.wait(CHAPTER, || done() && is_quiet())? {
            self.surprises.push(format!("not everything had arrived after {} s", CHAPTER.as_secs()));
        }
        self.wait(CHAPTER_PAUSE, || false)?;
        self.print_counted()?;
        if std::mem::take(&mut self.effects) == 0 {
            self.printer.line("            nothing new is counted, nothing is sent")?;
        }
        Ok(())
    }

    /// Prints what arrives until `done`, for `span` at most. False when that was not enough.
    fn wait(&mut self, span: Duration, done: impl Fn() -> bool) -> Result<bool, DemoError> {
        let end = Instant::now() + span;
        loop {
            // Asked first, so that what made it true is printed.
            let is_done = done();
            for (at, row) in self.watch.news(self.stage) {
                self.printer.row(at, &row)?;
                self.effects += 1;
            }
            if is_done || Instant::now() >= end {
                return Ok(is_done);
            }
            let signals = &mut self.signals;
            let wish = self.stage.app.block_on(async { tokio::time::timeout(LOOK, signals.next()).await });
            if wish == Ok(Wish::Stop) {
                return Err(DemoError::Interrupted);
            }
        }
    }

    fn print_counted(&mut self) -> Result<(), DemoError> {
        for Counted { kind, amount, transaction_id, live, deliveries } in self.books.news(&self.stage.app.desk())? {
            let names: Vec<&str> = deliveries.iter().map(|(name, _)| name.as_str()).collect();
            let outcome = if live { format!("for {}", names.join(", ")) } else { "test mode: for nobody".to_owned() };
            let row = Row { who: "counted", what: kind, amount, id: transaction_id, outcome };
            self.printer.row(Instant::now(), &row)?;
            self.effects += 1;
        }
        Ok(())
    }
}

/// How a webhook should be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Accepted,
    Duplicate,
    Refused,
}

/// An event's id without its long middle.
fn short(id: &str) -> String {
    if id.len() <= 24 || !id.is_ascii() { id.to_owned() } else { format!("{}..{}", &id[..12], &id[id.len() - 8..]) }
}

impl From<io::Error> for DemoError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
