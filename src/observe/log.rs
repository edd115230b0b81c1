//! Log output: text or JSON lines on stderr, filtered by `RUST_LOG`.
//!
//! Must not let a value from outside steer the reader's terminal or forge a line. That holds
//! for every field and message, because it is not done where values are logged but where
//! lines are written: the formatter hands over each event as one text that ends in a line
//! break, and `Escaping` escapes every control character before that break. So there are no
//! colours either.

use std::borrow::Cow;
use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::escape::{escape_control, is_steering};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `RUST_LOG` is not a filter.
    #[error(
        "RUST_LOG='{text}' is not a log filter: {why}. Write e.g. RUST_LOG=info or RUST_LOG=scim_bridge=debug."
    )]
    Filter {
        /// What stands there.
        text: String,
        /// What the parser says.
        why: String,
    },
    /// Something in this process set it up before.
    #[error("the log is set up twice in this process: {0}")]
    Twice(String),
}

/// Sends the process's log to stderr from now on. Time stamps are UTC, RFC 3339.
/// `RUST_LOG` says what is logged, `info` if it is not there.
///
/// # Errors
/// A filter that cannot be read, or a log that is set up already.
pub fn init_log(format: LogFormat) -> Result<(), LogError> {
    #[expect(clippy::disallowed_methods, reason = "RUST_LOG is the log's own, whoever starts it")]
    let text = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = if text.trim().is_empty() {
        EnvFilter::new("info")
    } else {
        EnvFilter::try_new(&text)
            .map_err(|error| LogError::Filter { why: error.to_string(), text: text.clone() })?
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(EscapingStderr(format));
    let done = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    done.map_err(|error| LogError::Twice(error.to_string()))
}

struct EscapingStderr(LogFormat);

impl<'a> MakeWriter<'a> for EscapingStderr {
    type Writer = Escaping<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Escaping { inner: io::stderr(), format: self.0 }
    }
}

/// Escapes control characters in each line written to it.
struct Escaping<W> {
    inner: W,
    format: LogFormat,
}

impl<W: Write> Write for Escaping<W> {
    /// One call is one whole event: so tracing-subscriber's `fmt` layer does it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut escaped = match self.format {
            LogFormat::Text => escape_control(line),
            LogFormat::Json => escape_in_json(line),
        }
        .into_owned();
        escaped.push('\n');
        self.inner.write_all(escaped.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Inside a JSON text such characters can only stand in strings, where `\uXXXX` means the
/// same. serde_json escapes C0 itself, but not DEL, C1 and the bidirectional controls.
fn escape_in_json(line: &str) -> Cow<'_, str> {
    if !line.contains(is_steering) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 8);
    for c in line.chars() {
        if is_steering(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged by `act` in that format.
    fn logged(format: LogFormat, act: impl FnOnce()) -> String {
        let sink = Sink::default();
        let inner = sink.clone();
        let builder = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || Escaping { inner: inner.clone(), format });
        match format {
            LogFormat::Text => tracing::subscriber::with_default(builder.finish(), act),
            LogFormat::Json => tracing::subscriber::with_default(builder.json().finish(), act),
        }
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const EVIL: &str = "x\n2026-01-01T00:00:00Z ERROR forged\x1b[2J\u{9b}31m\u{202e}";

    fn log_evil() {
        let span = tracing::info_span!("request", path = EVIL);
        let _inside = span.enter();
        tracing::info!(shown = %EVIL, debug = ?EVIL, "message {EVIL}");
    }

    #[test]
    fn values_cannot_forge_lines_or_steer_terminals_in_text_logs() {
        let text = logged(LogFormat::Text, log_evil);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.ends_with('\n'));
        assert!(!text.trim_end_matches('\n').contains(is_steering), "{text:?}");
        assert!(text.contains("forged"), "{text:?}");
    }

    #[test]
    fn json_logs_stay_one_json_object_per_line_with_the_value_intact() {
        let text = logged(LogFormat::Json, log_evil);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.trim_end_matches('\n').contains(is_steering), "{text:?}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        let shown = line["fields"]["shown"].as_str().unwrap();
        assert!(shown.contains("forged") && shown.contains('\u{202e}'), "{shown:?}");
    }
}
