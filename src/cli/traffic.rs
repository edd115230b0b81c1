//! SCIM requests and the app calls they cause, as lines for a terminal.

use std::io::Write;

use serde_json::Value;

use crate::observe::{Traffic, cut, escape_control};

/// Longest body that is shown.
const BODY: usize = 400;

/// Prints one thing that happened. Failing to print is nobody's loss.
pub fn print(out: &mut dyn Write, traffic: &Traffic) {
    let _ = match traffic {
        Traffic::Scim { method, path, status, millis, request, response, .. } => {
            let lines = [("<-", request), ("->", response)];
            writeln!(out, "SCIM {method} {} {status} ({millis} ms)", safe(path))
                .and_then(|()| bodies(out, "  ", lines))
        }
        Traffic::Call { call, method, target, request, outcome, caused_by, .. } => {
            let cause = caused_by.map(|change| format!(", change {change}")).unwrap_or_default();
            writeln!(out, "    app  {method} {} {} ({call}{cause})", safe(target), safe(outcome))
                .and_then(|()| bodies(out, "         ", [("", request)]))
        }
    };
}

fn bodies<const N: usize>(
    out: &mut dyn Write,
    indent: &str,
    bodies: [(&str, &Option<Value>); N],
) -> std::io::Result<()> {
    for (arrow, body) in bodies {
        if let Some(body) = body {
            writeln!(out, "{indent}{arrow} {}", safe(&body.to_string()))?;
        }
    }
    Ok(())
}

fn safe(text: &str) -> String {
    cut(&escape_control(text), BODY).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_cannot_move_the_cursor() {
        let mut out = Vec::new();
        let traffic = Traffic::Call {
            app: "a".into(),
            call: "c".into(),
            method: "GET".into(),
            target: "/x\u{1b}[2J\r\n".into(),
            request: Some(serde_json::json!({ "name": "\u{1b}]0;owned\u{7}" })),
            outcome: "200".into(),
            status: Some(200),
            caused_by: Some(7),
        };
        print(&mut out, &traffic);
        let text = String::from_utf8_lossy(&out);
        assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text}");
        assert!(text.contains("change 7"), "{text}");
    }
}
