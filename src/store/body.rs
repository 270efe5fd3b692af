//! Raw bodies as they lie on disk: one byte that names the codec, then the bytes.
//!
//! The raw body is what a signature was checked over, so every codec gives back exactly the same bytes.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as inflate};

/// The bytes follow as they are.
const STORED: u8 = 0;
/// A raw deflate stream follows (RFC 1951).
const DEFLATE: u8 = 1;

/// Measured on Checkout events of 1.9 KiB: level 1 takes 25 µs and leaves 50 %, levels 2 to 6 take 35 to 50 µs for 46 %.
const LEVEL: u8 = 1;

/// Packs a body; deflated only where that makes it smaller. Takes about 25 µs for 2 KiB, so it belongs before the writer.
pub fn compress(body: &[u8]) -> Vec<u8> {
    let deflated = compress_to_vec(body, LEVEL);
    let (codec, bytes) = if deflated.len() < body.len() { (DEFLATE, deflated.as_slice()) } else { (STORED, body) };
    let mut packed = Vec::with_capacity(1 + bytes.len());
    packed.push(codec);
    packed.extend_from_slice(bytes);
    packed
}

/// Unpacks what [`compress`] packed. `limit` is the largest body in bytes that is wanted, and bounds the memory used.
///
/// # Errors
/// When the body is larger than `limit`, packed by a codec of a later version, or damaged.
pub fn decompress(packed: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    match packed.split_first() {
        Some((&STORED, body)) if body.len() > limit => Err(BodyError::TooLarge { limit }),
        Some((&STORED, body)) => Ok(body.to_vec()),
        Some((&DEFLATE, stream)) => inflate_within(stream, limit),
        Some((&codec, _)) => Err(BodyError::UnknownCodec(codec)),
        None => Err(BodyError::Damaged),
    }
}

fn inflate_within(stream: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut inflater = Box::<DecompressorOxide>::default();
    let mut body = vec![0; stream.len().saturating_mul(3).min(limit)];
    let (mut read, mut written) = (0, 0);
    loop {
        let (status, more_read, more_written) = inflate(
            &mut inflater,
            stream.get(read..).unwrap_or_default(),
            &mut body,
            written,
            TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
        );
        read += more_read;
        written += more_written;
        match status {
            TINFLStatus::Done if read == stream.len() => {
                body.truncate(written);
                return Ok(body);
            }
            TINFLStatus::HasMoreOutput if body.len() >= limit => return Err(BodyError::TooLarge { limit }),
            TINFLStatus::HasMoreOutput => body.resize(body.len().saturating_mul(2).clamp(1, limit), 0),
            _ => return Err(BodyError::Damaged),
        }
    }
}

/// Why a stored body can't be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Its codec has no meaning to this version.
    #[error(
        "a stored body is packed by codec {0}, which this version does not know: the file was written by a newer \
         version of Tallyhook; run that one"
    )]
    UnknownCodec(u8),
    /// It is larger than the caller takes.
    #[error("a stored body is larger than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The bytes are not what was written.
    #[error("a stored body is damaged: check the disk and restore the store from a backup")]
    Damaged,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_that_repeats_itself_is_deflated() {
        let body = br#"{"object":"event","data":{"object":"event"}}"#.repeat(20);
        let packed = compress(&body);
        assert_eq!(packed[0], DEFLATE);
        assert!(packed.len() * 4 < body.len());
        assert_eq!(decompress(&packed, body.len()), Ok(body));
    }

    #[test]
    fn a_body_that_deflate_would_only_lengthen_is_stored() {
        assert_eq!(compress(b""), [STORED]);
        assert_eq!(compress(b"{}"), [STORED, b'{', b'}']);
        assert_eq!(decompress(b"\0{}", 2), Ok(b"{}".to_vec()));
    }

    #[test]
    fn the_format_on_disk_stays() {
        let packed = hex::decode("014b840300").unwrap();
        assert_eq!(decompress(&packed, 100), Ok(b"a".repeat(10)));
    }

    #[test]
    fn nothing_larger_than_the_limit_is_unpacked() {
        let bomb = compress(&vec![b'a'; 1 << 20]);
        assert!(bomb.len() < 10_000);
        for limit in [0, 1, 1000, (1 << 20) - 1] {
            assert_eq!(decompress(&bomb, limit), Err(BodyError::TooLarge { limit }));
        }
        assert_eq!(decompress(&bomb, 1 << 20).map(|body| body.len()), Ok(1 << 20));
        assert_eq!(decompress(b"\0abc", 2), Err(BodyError::TooLarge { limit: 2 }));
    }

    #[test]
    fn what_is_damaged_or_unknown_is_refused() {
        let packed = compress(&b"a body that repeats a body that repeats".repeat(3));
        assert_eq!(decompress(&packed[..packed.len() - 1], 1000), Err(BodyError::Damaged));
        assert_eq!(decompress(&[&packed[..], &[0]].concat(), 1000), Err(BodyError::Damaged));
        assert_eq!(decompress(b"", 1000), Err(BodyError::Damaged));
        assert_eq!(decompress(&[DEFLATE], 1000), Err(BodyError::Damaged));
        let unknown = decompress(&[2, 1, 2, 3], 1000).unwrap_err();
        assert!(unknown.to_string().contains("written by a newer version"), "{unknown}");
    }

    proptest! {
        #[test]
        fn every_body_comes_back_as_it_was(body in proptest::collection::vec(any::<u8>(), 0..3000), times in 1..4_usize) {
            let body = body.repeat(times);
            let packed = compress(&body);
            prop_assert!(packed.len() <= body.len() + 1);
            prop_assert_eq!(decompress(&packed, body.len()), Ok(body));
        }

        #[test]
        fn arbitrary_bytes_never_panic_nor_exceed_the_limit(packed in proptest::collection::vec(any::<u8>(), 0..300)) {
            let with_codec = [&[DEFLATE], &packed[..]].concat();
            for bytes in [packed, with_codec] {
                if let Ok(body) = decompress(&bytes, 5000) {
                    prop_assert!(body.len() <= 5000);
                }
            }
        }
    }
}
