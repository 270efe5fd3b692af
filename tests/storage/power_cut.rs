//! Memory with a disk behind it: writes reach the disk for certain only with a sync, and the power goes at the n-th.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// A disk writes this much at once or not at all.
const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Pending {
    Length(usize),
    Sector(usize, Vec<u8>),
}

#[derive(Debug, Default)]
struct State {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
    syncs: usize,
    cut_at: Option<usize>,
    off: bool,
}

/// What of the writes since the last sync reaches the disk.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// Nothing.
    Lost,
    /// Everything: the sync was done and nobody lived to know.
    Kept,
    /// A random part of it, in the order it was written.
    Some(u64),
    /// A random part of it, in any order, sector by sector.
    Shuffled(u64),
}

/// Clones share the disk.
#[derive(Clone, Debug, Default)]
pub struct PowerCut(Arc<Mutex<State>>);

impl PowerCut {
    /// A disk that holds these bytes and loses its power at the n-th sync from 0 on; none for never.
    pub fn over(bytes: Vec<u8>, cut_at: Option<usize>) -> Self {
        Self(Arc::new(Mutex::new(State { live: bytes.clone(), durable: bytes, cut_at, ..State::default() })))
    }

    pub fn syncs(&self) -> usize {
        self.0.lock().unwrap().syncs
    }

    /// What is on the disk when the power is back.
    pub fn survivors(&self, fate: Fate) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        let mut bytes = state.durable.clone();
        let mut pending = state.pending.clone();
        match fate {
            Fate::Lost => pending.clear(),
            Fate::Kept => {}
            Fate::Some(seed) => {
                let mut chance = fastrand::Rng::with_seed(seed);
                pending.retain(|_| chance.bool());
            }
            Fate::Shuffled(seed) => {
                let mut chance = fastrand::Rng::with_seed(seed);
                pending.retain(|_| chance.f64() < 0.8);
                chance.shuffle(&mut pending);
            }
        }
        for change in pending {
            match change {
                Pending::Length(length) => bytes.resize(length, 0),
                Pending::Sector(begin, data) => {
                    bytes.resize(bytes.len().max(begin + data.len()), 0);
                    bytes[begin..begin + data.len()].copy_from_slice(&data);
                }
            }
        }
        bytes
    }

    fn on<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        if state.off {
            return Err(io::Error::other("the power is off"));
        }
        work(&mut state)
    }
}

impl StorageBackend for PowerCut {
    fn len(&self) -> io::Result<u64> {
        self.on(|state| Ok(state.live.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let begin = usize::try_from(offset).unwrap();
        self.on(|state| {
            let found = state.live.get(begin..begin + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(found);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let length = usize::try_from(len).unwrap();
        self.on(|state| {
            state.live.resize(length, 0);
            state.pending.push(Pending::Length(length));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.on(|state| {
            if state.cut_at == Some(state.syncs) {
                state.off = true;
                return Err(io::Error::other("the power is off"));
            }
            state.syncs += 1;
            state.durable.clone_from(&state.live);
            state.pending.clear();
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let begin = usize::try_from(offset).unwrap();
        self.on(|state| {
            state.live.resize(state.live.len().max(begin + data.len()), 0);
            state.live[begin..begin + data.len()].copy_from_slice(data);
            let mut at = 0;
            while at < data.len() {
                let end = data.len().min((begin + at) / SECTOR * SECTOR + SECTOR - begin);
                state.pending.push(Pending::Sector(begin + at, data[at..end].to_vec()));
                at = end;
            }
            Ok(())
        })
    }
}
