//! Plays a list of commands against a store, one commit each, and notes what was acknowledged.

use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use redb::StorageBackend;

use tallyhook::model::time::Timestamp;
use tallyhook::platform::clock::ManualClock;
use tallyhook::store::{Command, Reply, Store, StoreError, Unavailable, Writer, WriterSettings};

use super::{Ear, START, fakes};

/// A page cache that holds little, so that reads and early writes reach the storage.
pub const CACHE: usize = 64 * 1024;

/// One step, after which exactly one commit more has changed the books.
#[derive(Clone)]
pub enum Step {
    /// One command, at so many seconds after the start.
    One(u64, Rc<dyn Fn() -> Command>),
    /// Several commands that wait for each other and go in one commit.
    Together(u64, Rc<dyn Fn() -> Vec<Command>>),
}

pub fn one(seconds: u64, command: impl Fn() -> Command + 'static) -> Step {
    Step::One(seconds, Rc::new(command))
}

pub fn together(seconds: u64, commands: impl Fn() -> Vec<Command> + 'static) -> Step {
    Step::Together(seconds, Rc::new(commands))
}

/// How far a play came.
#[derive(Debug)]
pub struct Played {
    /// Whether the store could be opened.
    pub opened: bool,
    /// Steps that were acknowledged.
    pub steps: usize,
    /// What they were answered.
    pub replies: Vec<Reply>,
}

/// The moment so many seconds after the start.
pub fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

/// Plays all steps; `after` is called with the store after it was opened and after each step. When a step fails, all that the
/// writer owes then is checked.
pub fn play(backend: impl StorageBackend, steps: &[Step], mut after: impl FnMut(&Store)) -> Played {
    let mut played = Played { opened: false, steps: 0, replies: Vec::new() };
    let Ok(store) = open(backend) else { return played };
    let clock = ManualClock::at(START);
    let ear = Ear::new();
    let started = Writer::start(&store, fakes::rules(), WriterSettings::default(), clock.clone(), ear.clone());
    let Ok((writer, thread)) = started else { return played };
    played.opened = true;
    after(&store);
    for step in steps {
        let replies = match step {
            Step::One(seconds, command) => {
                clock.set(at(*seconds));
                vec![writer.run(command())]
            }
            Step::Together(seconds, commands) => {
                clock.set(at(*seconds));
                run_together(&writer, commands())
            }
        };
        match replies.into_iter().collect::<Result<Vec<Reply>, Unavailable>>() {
            Ok(replies) => {
                played.steps += 1;
                played.replies.extend(replies);
                after(&store);
            }
            Err(_) => {
                refuses_everything(&writer, &ear);
                thread.join().unwrap();
                assert_eq!(ear.failures(), 1, "the listener was told once");
                return played;
            }
        }
    }
    writer.close();
    thread.join().unwrap();
    assert_eq!(ear.failures(), 0);
    played
}

/// Opens what survived; it must open.
pub fn open(backend: impl StorageBackend) -> Result<Store, StoreError> {
    Store::open_with_backend(backend, CACHE, &fakes::names()).map(|opened| opened.store)
}

/// Holds the writer up with a first command, so that all the others are in the queue when it comes for them: one commit.
/// Either all are done or none is.
pub fn run_together(writer: &Writer, commands: Vec<Command>) -> Vec<Result<Reply, Unavailable>> {
    let (let_go, held) = mpsc::channel::<()>();
    let (is_held, holds) = mpsc::channel();
    writer.submit(Command::Touch, move |_| {
        let _ = is_held.send(());
        let _ = held.recv();
    });
    let _ = holds.recv();
    let (sender, receiver) = mpsc::channel();
    let count = commands.len();
    for (number, command) in commands.into_iter().enumerate() {
        let sender = sender.clone();
        writer.submit(command, move |reply| {
            let _ = sender.send((number, reply));
        });
    }
    let_go.send(()).ok();
    drop(sender);
    let mut replies: Vec<_> = receiver.iter().collect();
    assert_eq!(replies.len(), count, "every command is answered once");
    replies.sort_by_key(|(number, _)| *number);
    let replies: Vec<_> = replies.into_iter().map(|(_, reply)| reply).collect();
    let refused = replies.iter().filter(|reply| reply.is_err()).count();
    assert!(refused == 0 || refused == count, "one commit: all or none");
    replies
}

fn refuses_everything(writer: &Writer, ear: &Arc<Ear>) {
    assert!(matches!(writer.run(Command::Touch), Err(Unavailable::Failed(_))));
    assert!(matches!(writer.has_room(), Err(Unavailable::Failed(_))));
    let later = super::intake("payment_intent.succeeded", 99, at(0));
    assert!(matches!(writer.run(Command::Intake(Box::new(later))), Err(Unavailable::Failed(_))));
    writer.close();
    assert!(matches!(writer.has_room(), Err(Unavailable::Failed(_))), "a failure is not forgotten by stopping");
    assert!(ear.failures() <= 1);
}
