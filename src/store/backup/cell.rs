//! How a key or a value is spelled in a backup: its own spelling, so that no backup depends on redb's.
//!
//! Numbers are little-endian, texts and bytes have their length in four bytes before them, the parts of a pair follow each other.

use redb::Value;

/// A type of key or value.
pub(super) trait Cell: Value + 'static {
    /// Appends a value.
    fn put(value: &Self::SelfType<'_>, out: &mut Vec<u8>);

    /// Takes a value off the front; none when the bytes are not one.
    fn take<'a>(from: &mut &'a [u8]) -> Option<Self::SelfType<'a>>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Cell for $number {
            fn put(value: &Self, out: &mut Vec<u8>) {
                out.extend_from_slice(&value.to_le_bytes());
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, i64);

impl Cell for () {
    fn put((): &(), _: &mut Vec<u8>) {}

    fn take(_: &mut &[u8]) -> Option<()> {
        Some(())
    }
}

impl Cell for &'static [u8] {
    fn put(value: &&[u8], out: &mut Vec<u8>) {
        // redb takes no value of 4 GiB.
        u32::put(&u32::try_from(value.len()).unwrap_or(u32::MAX), out);
        out.extend_from_slice(value);
    }

    fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
        let length = usize::try_from(u32::take(from)?).ok()?;
        let (bytes, rest) = from.split_at_checked(length)?;
        *from = rest;
        Some(bytes)
    }
}

impl Cell for &'static str {
    fn put(value: &&str, out: &mut Vec<u8>) {
        <&[u8]>::put(&value.as_bytes(), out);
    }

    fn take<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(<&[u8]>::take(from)?).ok()
    }
}

impl Cell for &'static [u8; 32] {
    fn put(value: &&[u8; 32], out: &mut Vec<u8>) {
        out.extend_from_slice(*value);
    }

    fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8; 32]> {
        let (bytes, rest) = from.split_first_chunk()?;
        *from = rest;
        Some(bytes)
    }
}

macro_rules! tuples {
    ($(($($part:ident),*)),*) => {$(
        #[allow(non_snake_case)]
        impl<$($part: Cell),*> Cell for ($($part,)*) {
            fn put(($($part,)*): &Self::SelfType<'_>, out: &mut Vec<u8>) {
                $(<$part as Cell>::put($part, out);)*
            }

            fn take<'a>(from: &mut &'a [u8]) -> Option<Self::SelfType<'a>> {
                Some(($(<$part as Cell>::take(from)?,)*))
            }
        }
    )*};
}

tuples!((A, B), (A, B, C), (A, B, C, D));

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled<C: Cell>(value: &C::SelfType<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        C::put(value, &mut bytes);
        bytes
    }

    #[test]
    fn the_spelling_stays() {
        assert_eq!(hex::encode(spelled::<u64>(&258)), "0201000000000000");
        assert_eq!(hex::encode(spelled::<&str>(&"ab")), "020000006162");
        assert_eq!(hex::encode(spelled::<(u16, i64, u64)>(&(1, -1, 2))), "0100ffffffffffffffff0200000000000000");
        assert_eq!(hex::encode(spelled::<(&str, u64)>(&("a", 1))), "01000000610100000000000000");
        assert_eq!(spelled::<&[u8; 32]>(&&[7; 32]), [7; 32]);
        assert_eq!(spelled::<()>(&()), Vec::<u8>::new());
    }

    #[test]
    fn what_was_spelled_is_read_and_half_of_it_is_nothing() {
        let bytes = spelled::<(&str, u64)>(&("ü", 9));
        assert_eq!(<(&str, u64)>::take(&mut &bytes[..]), Some(("ü", 9)));
        for end in 0..bytes.len() {
            assert_eq!(<(&str, u64)>::take(&mut &bytes[..end]), None, "{end} bytes");
        }
        assert_eq!(<&str>::take(&mut &b"\x01\0\0\0\xff"[..]), None, "no UTF-8");
    }
}
