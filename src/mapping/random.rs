//! `{ random: N }`: texts nobody can guess, made from a seed that the caller brings.
//!
//! Pure: the same seed gives the same text at the same place. So a call that is sent again after a
//! crash carries the same value, though it is written down nowhere.

use std::fmt;
use std::sync::Arc;

use ring::hmac;
use zeroize::Zeroizing;

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
/// What a random value is shown as where nothing is really sent.
const SHOWN: &str = "<random>";
/// Texts that are tried before one is made to fit. One in a few fits, even of three characters.
const TRIES: u32 = 1_000;

/// What the random values of one operation are made from. Never shown.
#[derive(Clone)]
pub struct Seed(Kind);

#[derive(Clone)]
enum Kind {
    Secret(Arc<Zeroizing<[u8; 32]>>),
    Shown,
}

impl Seed {
    /// A seed of 32 bytes that only the bridge knows, another for each operation.
    pub fn of(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(Kind::Secret(Arc::new(bytes)))
    }

    /// For tests and explanations: every value is `<random>`.
    pub fn shown() -> Self {
        Self(Kind::Shown)
    }

    /// The text of a place: `length` characters of `A-Za-z0-9`, from 3 on at least one of each
    /// kind.
    pub(crate) fn text(&self, place: usize, length: usize) -> String {
        let Kind::Secret(bytes) = &self.0 else { return SHOWN.to_owned() };
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice());
        let mut text = Vec::new();
        for attempt in 0..TRIES {
            text = characters(&key, place, attempt, length);
            if [LOWER, UPPER, DIGITS].iter().all(|kind| text.iter().any(|c| kind.contains(c))) {
                break;
            }
        }
        text.into_iter().map(char::from).collect()
    }
}

/// Evenly distributed characters: bytes beyond the last whole multiple are passed over.
fn characters(key: &hmac::Key, place: usize, attempt: u32, length: usize) -> Vec<u8> {
    let all: Vec<u8> = [LOWER, UPPER, DIGITS].concat();
    let limit = 256 - 256 % all.len();
    let mut text = Vec::with_capacity(length);
    for block in 0_u64.. {
        let told = format!("{place} {attempt} {block}");
        for byte in hmac::sign(key, told.as_bytes()).as_ref() {
            if text.len() == length {
                return text;
            }
            let at = usize::from(*byte);
            if at < limit {
                text.push(all[at % all.len()]);
            }
        }
    }
    text
}

impl PartialEq for Seed {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Secret(a), Kind::Secret(b)) => a == b,
            (Kind::Shown, Kind::Shown) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(byte: u8) -> Seed {
        Seed::of(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn every_kind_of_character_is_there_in_texts_of_every_length() {
        for length in 3..40 {
            for byte in 0..40 {
                let text = seed(byte).text(7, length);
                assert_eq!(text.len(), length);
                assert!(text.bytes().all(|c| c.is_ascii_alphanumeric()), "{text}");
                assert!(text.bytes().any(|c| c.is_ascii_lowercase()), "{text}");
                assert!(text.bytes().any(|c| c.is_ascii_uppercase()), "{text}");
                assert!(text.bytes().any(|c| c.is_ascii_digit()), "{text}");
            }
        }
    }

    #[test]
    fn one_value_for_one_operation_and_place() {
        assert_eq!(seed(1).text(7, 24), seed(1).text(7, 24));
        assert_ne!(seed(1).text(7, 24), seed(1).text(8, 24));
        assert_ne!(seed(1).text(7, 24), seed(2).text(7, 24));
    }

    #[test]
    fn a_seed_never_shows_itself() {
        assert_eq!(format!("{:?}", seed(65)), "Seed(…)");
        assert_eq!(Seed::shown().text(1, 24), "<random>");
    }
}
