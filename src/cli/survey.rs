//! What `import` and `reconcile` share: waiting with a line that tells how far it is, and reading
//! what was found page by page.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::Value;

use super::CliError;
use super::control::Carry;
use super::output::out;
use crate::sync::Command;

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_millis(200);
/// Findings of one page.
const PAGE: u32 = 500;

/// Waits until a walk has ended. Gives it as `SurveyShow` does.
pub fn wait(carry: &mut Carry<'_>, app: &str, survey: i64) -> Result<Value, CliError> {
    let on_terminal = std::io::stderr().is_terminal();
    loop {
        let shown = carry(Command::SurveyShow { app: app.to_owned(), survey: Some(survey) })?;
        if shown["state"] != "running" {
            if on_terminal {
                eprint!("\r\x1b[K");
            }
            return Ok(shown);
        }
        if on_terminal {
            eprint!("\r\x1b[K{}", progress(&shown["counts"]));
        }
        std::thread::sleep(LOOK);
    }
}

/// How far a walk is, as a line with a bar where the app says how many there are.
fn progress(counts: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let kind = counts["phase"].as_str().unwrap_or_default();
    match kind {
        "missing" => "asking for those who were in no list".to_owned(),
        "repair" => {
            let repair = &counts["repair"];
            let done =
                ["applied", "pending", "refused"].iter().map(|key| number(&repair[*key])).sum();
            format!("putting right {}", bar(done, Some(number(&repair["planned"]))))
        }
        kind => {
            let numbers = &counts[kind];
            let new = number(&numbers["new"]);
            format!("{kind} {}, {new} new", bar(number(&numbers["read"]), counts["told"].as_u64()))
        }
    }
}

fn bar(done: u64, of: Option<u64>) -> String {
    const WIDTH: u64 = 30;
    match of.filter(|of| *of > 0) {
        None => format!("{done}"),
        Some(of) => {
            let full = (done.min(of) * WIDTH / of).min(WIDTH);
            let (full, rest) = (full as usize, (WIDTH - full) as usize);
            format!("[{}{}] {done} of {of}", "#".repeat(full), "-".repeat(rest))
        }
    }
}

/// Hands over what was found, in its order.
pub fn each_finding(
    carry: &mut Carry<'_>,
    survey: i64,
    mut take: impl FnMut(Value),
) -> Result<(), CliError> {
    let mut after = 0;
    loop {
        let mut page = carry(Command::Findings { survey, after, limit: PAGE })?;
        if let Value::Array(findings) = page["findings"].take() {
            findings.into_iter().for_each(&mut take);
        }
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}

/// Prints a walk and all it found as one JSON object, a finding a line.
pub fn print_json(carry: &mut Carry<'_>, shown: &Value, survey: i64) -> Result<(), CliError> {
    let mut head = shown.to_string();
    head.pop();
    out!("{head},\"findings\":[");
    let mut first = true;
    each_finding(carry, survey, |finding| {
        out!("{}\n{finding}", if first { "" } else { "," });
        first = false;
    })?;
    out!("\n]}}\n");
    Ok(())
}

/// Why a walk was given up, as an error of the command.
pub fn failed(app: &str, shown: &Value) -> Option<CliError> {
    let words = shown["words"].as_str().unwrap_or("nobody knows why");
    (shown["state"] == "failed").then(|| {
        CliError::environment(format!(
            "'{app}' was not read to the end, and nothing follows from it: {words}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_line_tells_how_far_it_is() {
        let users = json!({ "phase": "users", "told": 200, "users": { "read": 50, "new": 3 } });
        assert_eq!(progress(&users), "users [#######-----------------------] 50 of 200, 3 new");
        let unknown = json!({ "phase": "groups", "told": null, "groups": { "read": 7 } });
        assert_eq!(progress(&unknown), "groups 7, 0 new");
        let more = json!({ "phase": "users", "told": 2, "users": { "read": 5 } });
        assert_eq!(progress(&more), "users [##############################] 5 of 2, 0 new");
    }
}
