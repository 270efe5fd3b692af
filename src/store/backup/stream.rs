//! The stream that a backup is: blocks, each of which proves itself and all before it.
//!
//! ```text
//! "tallyhook backup\n"
//! block = kind (1 byte), length (4 bytes, little-endian), that many bytes,
//!         SHA-256 over the sum of the block before (32 zeros before the first), kind, length and bytes
//! ```
//!
//! The first block is the header, the last one the end. So a reader knows of every byte whether it is as it was written before it
//! makes anything of it, and knows whether the end is there.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;
use crate::model::time::Timestamp;

/// What a backup begins with.
const MAGIC: &[u8] = b"tallyhook backup\n";
/// The stream as it is written today. Another number means that it can't be read by this program.
pub(super) const FORMAT: u32 = 1;
/// No block is longer, in bytes: a longer one is damage.
const LONGEST: u32 = 1 << 30;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// [`Header`] as JSON.
    Header = b'H',
    /// The name of the table that the next rows are of.
    Table = b'T',
    /// Rows, each its key and its value.
    Rows = b'R',
    /// How many rows each table has, as JSON.
    End = b'E',
}

/// What a backup says of itself. Fields may be added; whoever does not know them does without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// How the stream is written.
    pub format: u32,
    /// The layout of the tables in it.
    pub layout: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// As of when the books are.
    pub at: Timestamp,
}

/// Writes blocks.
pub(super) struct Encoder<'a> {
    out: &'a mut dyn Write,
    sum: [u8; 32],
}

impl<'a> Encoder<'a> {
    /// Begins a stream.
    pub(super) fn begin(out: &'a mut dyn Write, header: &Header) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        let mut encoder = Self { out, sum: [0; 32] };
        encoder.block(Kind::Header, serde_json::to_string(header)?.as_bytes())?;
        Ok(encoder)
    }

    /// Writes a block in one call.
    pub(super) fn block(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("a row is too long for a backup"))?;
        let mut block = Vec::with_capacity(bytes.len() + 37);
        block.push(kind as u8);
        block.extend_from_slice(&length.to_le_bytes());
        block.extend_from_slice(bytes);
        self.sum = sum(&self.sum, &block);
        block.extend_from_slice(&self.sum);
        self.out.write_all(&block)
    }

    /// Hands over what is still on its way.
    pub(super) fn finish(self) -> io::Result<()> {
        self.out.flush()
    }
}

fn sum(before: &[u8; 32], block: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(before).chain_update(block).finalize().into()
}

/// Reads blocks and believes none that does not prove itself.
pub(super) struct Decoder<'a> {
    from: &'a mut dyn Read,
    sum: [u8; 32],
    /// Bytes read so far.
    pub(super) at: u64,
    block: Vec<u8>,
}

impl<'a> Decoder<'a> {
    /// Reads the beginning.
    pub(super) fn begin(from: &'a mut dyn Read) -> Result<(Self, Header), BackupError> {
        let mut decoder = Self { from, sum: [0; 32], at: 0, block: Vec::new() };
        decoder.read(MAGIC.len())?;
        if decoder.block != MAGIC {
            return Err(foreign(&decoder.block));
        }
        let (kind, bytes) = decoder.next()?;
        let header = (kind == Kind::Header).then(|| serde_json::from_slice::<Beginning>(bytes).ok()).flatten();
        let Some(Beginning { format, program }) = header else { return Err(BackupError::Damaged { at: decoder.at }) };
        if format > FORMAT {
            return Err(BackupError::NewerFormat { program });
        }
        let header = serde_json::from_slice(decoder.bytes()).map_err(|_| BackupError::Damaged { at: decoder.at })?;
        Ok((decoder, header))
    }

    /// The next block.
    pub(super) fn next(&mut self) -> Result<(Kind, &[u8]), BackupError> {
        let begin = self.at;
        self.block.clear();
        self.append(5)?;
        let length = u32::from_le_bytes([self.block[1], self.block[2], self.block[3], self.block[4]]);
        let kind = match self.block[0] {
            b'H' => Kind::Header,
            b'T' => Kind::Table,
            b'R' => Kind::Rows,
            b'E' => Kind::End,
            _ => return Err(BackupError::Damaged { at: begin }),
        };
        if length > LONGEST {
            return Err(BackupError::Damaged { at: begin });
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.append(length)?;
        self.sum = sum(&self.sum, &self.block);
        self.append(32)?;
        let proof = self.block.split_off(5 + length);
        if proof != self.sum {
            return Err(BackupError::Damaged { at: begin });
        }
        Ok((kind, self.bytes()))
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), BackupError> {
        let mut more = [0];
        match self.from.read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(BackupError::Trailing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.end(),
            Err(error) => Err(BackupError::Read(error)),
        }
    }

    /// What the block that was read last holds.
    fn bytes(&self) -> &[u8] {
        &self.block[5..]
    }

    fn read(&mut self, length: usize) -> Result<(), BackupError> {
        self.block.clear();
        match self.append(length) {
            // Too short for a beginning is another thing than too short for what was begun.
            Err(BackupError::CutShort { .. }) if !MAGIC.starts_with(&self.block) => Err(foreign(&self.block)),
            Err(BackupError::CutShort { .. }) if self.block.is_empty() => Err(BackupError::Empty),
            done => done,
        }
    }

    /// Reads on, with no more memory than what really comes.
    fn append(&mut self, length: usize) -> Result<(), BackupError> {
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        let read = (&mut self.from).take(wanted).read_to_end(&mut self.block).map_err(BackupError::Read)?;
        self.at += u64::try_from(read).unwrap_or(u64::MAX);
        if read < length { Err(BackupError::CutShort { at: self.at }) } else { Ok(()) }
    }
}

/// What every header of any format has.
#[derive(Deserialize)]
struct Beginning {
    format: u32,
    program: String,
}

/// What it is instead of a backup.
fn foreign(bytes: &[u8]) -> BackupError {
    match bytes {
        [0x1f, 0x8b, ..] => BackupError::Packed { by: "gzip", with: "gunzip" },
        [0x28, 0xb5, 0x2f, 0xfd, ..] => BackupError::Packed { by: "zstd", with: "unzstd" },
        [0xfd, b'7', b'z', b'X', b'Z', ..] => BackupError::Packed { by: "xz", with: "unxz" },
        [b'B', b'Z', b'h', ..] => BackupError::Packed { by: "bzip2", with: "bunzip2" },
        [b'r', b'e', b'd', b'b', ..] => BackupError::IsAStore,
        [b'a', b'g', b'e', b'-', ..] | [b'-', b'-', b'-', b'-', b'-', b'B', b'E', ..] => BackupError::Encrypted,
        _ => BackupError::NotABackup,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        let header = Header {
            format: FORMAT,
            layout: 1,
            program: "0.1.0".into(),
            at: Timestamp::from_unix_seconds(1_790_000_000),
        };
        let mut encoder = Encoder::begin(&mut bytes, &header).unwrap();
        encoder.block(Kind::Table, b"webhooks").unwrap();
        encoder.block(Kind::Rows, b"abc").unwrap();
        encoder.block(Kind::End, b"{}").unwrap();
        encoder.finish().unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<(Kind, Vec<u8>)>, BackupError> {
        let mut from = bytes;
        let (mut decoder, _) = Decoder::begin(&mut from)?;
        let mut blocks = Vec::new();
        loop {
            let (kind, bytes) = decoder.next()?;
            blocks.push((kind, bytes.to_vec()));
            if kind == Kind::End {
                decoder.end()?;
                return Ok(blocks);
            }
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let blocks = read(&written()).unwrap();
        assert_eq!(blocks[1], (Kind::Rows, b"abc".to_vec()));
        assert!(written().starts_with(b"tallyhook backup\nH"));
    }

    #[test]
    fn the_format_stays() {
        let digest = hex::encode(Sha256::digest(written()));
        assert_eq!(
            digest, "ffd3b5acc570cfd53eb1ace56b5eacca4dc7024470f4de2ba49dc1d872cb73d1",
            "a change needs a new FORMAT"
        );
    }

    #[test]
    fn a_part_is_never_taken_for_the_whole() {
        let whole = written();
        assert!(matches!(read(&[]), Err(BackupError::Empty)));
        for end in 1..whole.len() {
            assert!(matches!(read(&whole[..end]), Err(BackupError::CutShort { .. })), "{end} bytes");
        }
        assert!(matches!(read(&[&whole[..], b"x"].concat()), Err(BackupError::Trailing)));
    }

    #[test]
    fn a_newer_format_and_other_files_are_told_from_damage() {
        let mut bytes = Vec::new();
        let header = Header { format: 2, layout: 1, program: "9.0.0".into(), at: Timestamp::EPOCH };
        Encoder::begin(&mut bytes, &header).unwrap();
        assert!(matches!(read(&bytes), Err(BackupError::NewerFormat { program }) if program == "9.0.0"));
        let is = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert!(is(b"\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").contains("gunzip"));
        assert!(is(b"redb\x1a\x0a\xa9\x0d\x0a and so on").contains("is a store"));
        assert!(is(b"x").contains("no backup"));
    }

    proptest! {
        #[test]
        fn any_change_is_seen(at in 0usize..300, change in 1u8..=255) {
            let mut bytes = written();
            let at = at % bytes.len();
            bytes[at] ^= change;
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn nothing_makes_it_panic(rubbish: Vec<u8>) {
            prop_assert!(read(&rubbish).is_err());
            prop_assert!(read(&[MAGIC, &rubbish].concat()).is_err());
        }
    }
}
