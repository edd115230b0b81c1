//! The rest that an app asks for in the headers of an answer.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::Answer;

/// How long the app asks to be left alone; `None`: it does not say, or not readably.
///
/// `Retry-After` (RFC 9110 section 10.2.3) in seconds, also with a fraction, or as a date, which
/// counts from the answer's own `Date`: the app's clock, not ours. Azure and others tell
/// milliseconds in headers of their own, which are the more exact word.
pub fn asked_rest(answer: &Answer) -> Option<Duration> {
    let millis = |name| answer.header(name)?.trim().parse().ok().map(Duration::from_millis);
    millis("retry-after-ms").or_else(|| millis("x-ms-retry-after-ms")).or_else(|| {
        let text = answer.header("retry-after")?.trim();
        let seconds = text.parse::<f64>().ok();
        match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(rest) => Some(rest),
            None => until_date(text, answer.header("date")?.trim()),
        }
    })
}

fn until_date(then: &str, now: &str) -> Option<Duration> {
    let then = date(then)?;
    let now = date(now)?;
    Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

fn date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Body;

    fn asked(headers: &[(&str, &str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        asked_rest(&Answer { status: 429, headers, body: Body::Empty, session: 0 })
    }

    #[test]
    fn seconds_dates_and_milliseconds_are_understood() {
        let date = ("date", "Fri, 31 Dec 1999 23:58:59 GMT");
        for (headers, expected) in [
            (vec![("retry-after", "17")], Some(17_000)),
            (vec![("retry-after", " 1.5 ")], Some(1_500)),
            (vec![("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"), date], Some(60_000)),
            (vec![("retry-after", "Fri, 31 Dec 1999 23:57:59 GMT"), date], Some(0)),
            (vec![("retry-after-ms", "250"), ("retry-after", "1")], Some(250)),
            (vec![("x-ms-retry-after-ms", "900")], Some(900)),
            // Without the app's own clock a date says nothing.
            (vec![("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")], None),
            (vec![("retry-after", "-5")], None),
            (vec![("retry-after", "soon"), date], None),
            (vec![("retry-after", "1e300")], None),
            (vec![], None),
        ] {
            assert_eq!(asked(&headers), expected.map(Duration::from_millis), "{headers:?}");
        }
    }
}
