//! The names of things that are remembered: changes, steps, resources.

use serde::{Deserialize, Serialize};

/// A change's place in the journal: the order of acknowledgement, never a clock. From 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(pub i64);

impl std::fmt::Display for ChangeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A step's row in the journal. From 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub i64);

/// The SCIM id of a resource: ours, stable for ever, never the app's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(pub String);

impl std::fmt::Display for ResourceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl ResourceId {
    /// An id in the form of those that are given here, a UUID of version 7; capitals are folded.
    /// `None`: it never was one of ours.
    pub fn read(text: &str) -> Option<Self> {
        let id = text.trim().to_ascii_lowercase();
        let fits = |(at, c): (usize, char)| match at {
            8 | 13 | 18 | 23 => c == '-',
            14 => c == '7',
            19 => matches!(c, '8' | '9' | 'a' | 'b'),
            _ => c.is_ascii_hexdigit(),
        };
        (id.len() == 36 && id.chars().enumerate().all(fits)).then_some(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_our_own_form_are_read() {
        let ours = "019ab2c3-0000-7abc-8def-0123456789ab";
        for text in [ours, &ours.to_uppercase(), &format!(" {ours}\n")] {
            assert_eq!(ResourceId::read(text), Some(ResourceId(ours.to_owned())), "{text}");
        }
        for text in [
            "",
            "4711",
            "00u1maya0example0001",
            // Another version, another variant.
            "019ab2c3-0000-4abc-8def-0123456789ab",
            "019ab2c3-0000-7abc-cdef-0123456789ab",
            "019ab2c300007abc8def0123456789ab",
            "019ab2c3-0000-7abc-8def-0123456789abc",
            "019ab2c3-0000-7abc-8def-0123456789äb",
        ] {
            assert_eq!(ResourceId::read(text), None, "{text}");
        }
    }
}
