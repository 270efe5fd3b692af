//! Memory that fails at one call, and keeps what was written before.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// A kind of call that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Read,
    Write,
    Sync,
    SetLength,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    calls: Vec<Call>,
    fail_at: Option<usize>,
    for_ever: bool,
    failed: bool,
}

/// Clones share the bytes, which outlive the database: they are what the next start finds.
#[derive(Clone, Debug, Default)]
pub struct Broken(Arc<Mutex<State>>);

impl Broken {
    /// Works, over these bytes.
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { bytes, ..State::default() })))
    }

    /// Fails at the n-th call from 0 on: once, or from then on.
    pub fn failing(bytes: Vec<u8>, at: usize, for_ever: bool) -> Self {
        Self(Arc::new(Mutex::new(State { bytes, fail_at: Some(at), for_ever, ..State::default() })))
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().calls.clone()
    }

    pub fn has_failed(&self) -> bool {
        self.0.lock().unwrap().failed
    }

    fn call<T>(
        &self,
        call: Call,
        work: impl FnOnce(&mut Vec<u8>) -> io::Result<T>,
        half: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        let number = state.calls.len();
        state.calls.push(call);
        let fails = state.fail_at.is_some_and(|at| number == at || (state.for_ever && number > at));
        if fails {
            state.failed = true;
            half(&mut state.bytes);
            return Err(io::Error::other(format!("made to fail at call {number}, a {call:?}")));
        }
        work(&mut state.bytes)
    }
}

fn put(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let begin = usize::try_from(offset).unwrap();
    if bytes.len() < begin + data.len() {
        bytes.resize(begin + data.len(), 0);
    }
    bytes[begin..begin + data.len()].copy_from_slice(data);
}

impl StorageBackend for Broken {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let begin = usize::try_from(offset).unwrap();
        let work = |bytes: &mut Vec<u8>| {
            let found = bytes.get(begin..begin + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(found);
            Ok(())
        };
        self.call(Call::Read, work, |_| {})
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let work = |bytes: &mut Vec<u8>| {
            bytes.resize(usize::try_from(len).unwrap(), 0);
            Ok(())
        };
        self.call(Call::SetLength, work, |_| {})
    }

    fn sync_data(&self) -> io::Result<()> {
        self.call(Call::Sync, |_| Ok(()), |_| {})
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let work = |bytes: &mut Vec<u8>| {
            put(bytes, offset, data);
            Ok(())
        };
        // What a disk that fails has taken of a write is anything up to all of it; half is the nastiest.
        self.call(Call::Write, work, |bytes| put(bytes, offset, &data[..data.len() / 2]))
    }
}
