//! Raw bodies as they lie on disk: one byte that names the codec, then the bytes.
//!
//! The raw body is what a signature was checked over, so every codec gives back exactly the same bytes.

use lz4_flex::block::{compress_into_with_dict, decompress_into_with_dict, get_maximum_output_size};

/// The bytes follow as they are.
const STORED: u8 = 0;
/// The length in four bytes, the lowest first, then an LZ4 block that [`DICTIONARY`] comes before.
const LZ4: u8 = 1;

/// Bytes before the block.
const HEAD: usize = 5;

/// The names of fields as Stripe's objects have them: small bodies repeat hardly anything of their own. Part of the format: a
/// better one gets a codec of its own. Measured on a payment intent of 1.5 KiB: 4 µs for a fifth, where deflate takes 25 µs for a
/// half.
const DICTIONARY: &[u8] = include_bytes!("body_dictionary.txt");

/// Packs a body; compressed only where that makes it smaller. Takes microseconds, and belongs before the writer all the same.
pub fn compress(body: &[u8]) -> Vec<u8> {
    let as_it_is = || [&[STORED], body].concat();
    let Ok(length) = u32::try_from(body.len()) else { return as_it_is() };
    let mut packed = vec![0; HEAD + get_maximum_output_size(body.len())];
    packed[0] = LZ4;
    packed[1..HEAD].copy_from_slice(&length.to_le_bytes());
    match compress_into_with_dict(body, &mut packed[HEAD..], DICTIONARY) {
        Ok(written) if HEAD + written <= body.len() => {
            packed.truncate(HEAD + written);
            packed.shrink_to_fit();
            packed
        }
        _ => as_it_is(),
    }
}

/// Unpacks what [`compress`] packed. `limit` is the largest body in bytes that is wanted, and bounds the memory used.
///
/// # Errors
/// When the body is larger than `limit`, packed by a codec of a later version, or damaged.
pub fn decompress(packed: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    match packed.split_first() {
        Some((&STORED, body)) if body.len() > limit => Err(BodyError::TooLarge { limit }),
        Some((&STORED, body)) => Ok(body.to_vec()),
        Some((&LZ4, rest)) => {
            let (length, block) = rest.split_first_chunk().ok_or(BodyError::Damaged)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BodyError::TooLarge { limit })?;
            if length > limit {
                return Err(BodyError::TooLarge { limit });
            }
            let mut body = vec![0; length];
            match decompress_into_with_dict(block, &mut body, DICTIONARY) {
                Ok(written) if written == length => Ok(body),
                _ => Err(BodyError::Damaged),
            }
        }
        Some((&codec, _)) => Err(BodyError::UnknownCodec(codec)),
        None => Err(BodyError::Damaged),
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
    fn a_body_that_repeats_itself_is_compressed() {
        let body = br#"{"object":"event","data":{"object":"event"}}"#.repeat(20);
        let packed = compress(&body);
        assert_eq!(packed[0], LZ4);
        assert!(packed.len() * 4 < body.len());
        assert_eq!(decompress(&packed, body.len()), Ok(body));
    }

    #[test]
    fn a_body_that_would_only_grow_is_stored() {
        assert_eq!(compress(b""), [STORED]);
        assert_eq!(compress(b"{}"), [STORED, b'{', b'}']);
        assert_eq!(decompress(b"\0{}", 2), Ok(b"{}".to_vec()));
    }

    #[test]
    fn the_format_on_disk_stays() {
        let packed = compress(br#"{"object":"payment_intent","amount":7,"currency":"eur","status":"succeeded"}"#);
        assert_eq!(hex::encode(&packed), "014c000000167bed18046c010dfc040aa103206575e91c00eb0006c8006065646564227d");
        // The dictionary is part of the format.
        let sum = DICTIONARY.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        assert_eq!((DICTIONARY.len(), sum), (7_682, 54_353_866));
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
        for short in [&[LZ4][..], &[LZ4, 1, 0, 0], &[LZ4, 1, 0, 0, 0]] {
            assert_eq!(decompress(short, 1000), Err(BodyError::Damaged));
        }
        assert_eq!(decompress(&[LZ4, 255, 255, 255, 255, 0], 1000), Err(BodyError::TooLarge { limit: 1000 }));
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
            let with_codec = [&[LZ4, 200, 1, 0, 0], &packed[..]].concat();
            for bytes in [packed, with_codec] {
                if let Ok(body) = decompress(&bytes, 5000) {
                    prop_assert!(body.len() <= 5000);
                }
            }
        }
    }
}
