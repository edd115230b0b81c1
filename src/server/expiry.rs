//! When a certificate ends: walks DER just far enough to find `notAfter` (RFC 5280 4.1).
//!
//! Must not judge the certificate; rustls does. An X.509 crate would be a hundred times the
//! code for one number, and this one only feeds a gauge.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of the validity in Unix seconds, if it can be read.
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (certificate, _) = tagged(certificate, SEQUENCE)?;
    let (mut at, _) = tagged(certificate, SEQUENCE)?;
    if at.first() == Some(&VERSION) {
        at = tagged(at, VERSION)?.1;
    }
    at = tagged(at, INTEGER)?.1; // serial number
    at = tagged(at, SEQUENCE)?.1; // signature algorithm
    at = tagged(at, SEQUENCE)?.1; // issuer
    let (validity, _) = tagged(at, SEQUENCE)?;
    let (_, _, after) = element(validity)?;
    let (tag, time, _) = element(after)?;
    unix_seconds(tag, std::str::from_utf8(time).ok()?)
}

/// Content of an element of that tag, and what comes after it.
fn tagged(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        let length = bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` (years 1950 to 2049) or `YYYYMMDDHHMMSSZ`.
fn unix_seconds(tag: u8, time: &str) -> Option<i64> {
    let digits = time.strip_suffix('Z')?;
    let digits = match tag {
        UTC_TIME if digits < "50" => format!("20{digits}"),
        UTC_TIME => format!("19{digits}"),
        GENERALIZED_TIME => digits.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    let zoned = time.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn ending(year: i32) -> Option<i64> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 7, 1);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        not_after(certificate.der())
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(ending(2027), Some(1_814_400_000));
        assert_eq!(ending(2055), Some(2_698_012_800));
    }

    #[test]
    fn broken_input_is_nothing_and_does_not_panic() {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2027, 7, 1);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let der = certificate.der();
        for end in 0..100 {
            assert_eq!(not_after(&der[..end]), None);
        }
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
