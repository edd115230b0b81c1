//! Which part of a list is asked for (RFC 7644 section 3.4.2.4).
//!
//! Reads the numbers only; how large a page may become is the caller's decision.

use super::error::ScimError;
use super::path::shown;

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The first row, counted from 1.
    pub start_index: u64,
    /// The largest number of rows; none if the client leaves it to the server, 0 to count only.
    pub count: Option<u64>,
}

impl Paging {
    /// Reads `startIndex` and `count`. As the RFC says, a `startIndex` below 1 is 1 and a
    /// negative `count` is 0. Numbers too large for us mean "beyond the end" and "all".
    ///
    /// # Errors
    /// 400 `invalidValue` for what is no whole number.
    pub fn parse(start_index: Option<&str>, count: Option<&str>) -> Result<Self, ScimError> {
        let start_index = whole_number("startIndex", start_index)?.unwrap_or(1).max(1);
        let count = whole_number("count", count)?;
        Ok(Self { start_index, count })
    }
}

/// A whole number, negative ones as 0; none for an empty or missing parameter.
fn whole_number(name: &str, text: Option<&str>) -> Result<Option<u64>, ScimError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ScimError::invalid_value(format!(
            "'{name}' must be a whole number, not '{}'.",
            shown(text)
        )));
    }
    // All digits: parsing fails only beyond the largest number.
    Ok(Some(if negative { 0 } else { digits.parse().unwrap_or(u64::MAX) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::ScimType;

    #[test]
    fn numbers_are_read_as_the_rfc_says() {
        for (start, count, expected) in [
            (None, None, (1, None)),
            (Some("1"), Some("100"), (1, Some(100))),
            (Some("0"), Some("0"), (1, Some(0))),
            (Some("-5"), Some("-1"), (1, Some(0))),
            (Some(" 101 "), Some("+2"), (101, Some(2))),
            (Some(""), Some(" "), (1, None)),
            (
                Some("99999999999999999999999"),
                Some("-99999999999999999999999"),
                (u64::MAX, Some(0)),
            ),
        ] {
            let paging = Paging::parse(start, count).map(|p| (p.start_index, p.count));
            assert_eq!(paging, Ok(expected), "{start:?} {count:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["x", "1.5", "1e3", "-", "+", "0x1", "1 2", "١", "\"1\""] {
            for (start, count, name) in
                [(Some(text), None, "startIndex"), (None, Some(text), "count")]
            {
                let error = Paging::parse(start, count).map_err(|e| (e.scim_type, e.detail));
                let Err((kind, detail)) = error else { panic!("{text}") };
                assert_eq!(kind, Some(ScimType::InvalidValue));
                assert!(detail.contains(name), "{detail}");
            }
        }
    }
}
