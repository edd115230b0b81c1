//! Values as this project writes YAML: plain where that is safe, quoted where it is not, on one line
//! where it fits. Reads nothing.

use serde_json::Value;

/// No line is longer, unless one value alone is.
const WIDEST: usize = 120;

/// A value behind a key (or a `-`) that stands `indent` spaces in; begins with a blank or a line
/// break, has none at its end.
pub fn yaml_text(value: &Value, indent: usize) -> String {
    let flow = flow(value);
    if flow.chars().count() + indent < WIDEST {
        return format!(" {flow}");
    }
    let pad = " ".repeat(indent + 2);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let line = |(key, value): (&String, &Value)| {
                format!("\n{pad}{}:{}", scalar(key), yaml_text(value, indent + 2))
            };
            fields.iter().map(line).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            let line = |value: &Value| format!("\n{pad}-{}", item(value, indent + 2));
            items.iter().map(line).collect()
        }
        _ => format!(" {flow}"),
    }
}

/// An element of a list: the first key of a long object stands behind its `-`.
fn item(value: &Value, indent: usize) -> String {
    let text = yaml_text(value, indent);
    match value {
        Value::Object(_) if text.starts_with('\n') => {
            format!(" {}", text.trim_start())
        }
        _ => text,
    }
}

/// On one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let pair =
                |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), flow(value));
            format!("{{ {} }}", fields.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => {
            format!("[ {} ]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text, plain if no reader can take it for anything else.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " _./@+-".contains(c))
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    // JSON's escapes are YAML's too; what YAML calls unprintable has to be escaped as well.
    let mut quoted = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_that_mean_something_else_are_quoted() {
        for (text, written) in [
            ("iris", "iris"),
            ("Iris Okafor", "Iris Okafor"),
            ("iris@corp.example", "iris@corp.example"),
            ("yes", "\"yes\""),
            ("0042", "\"0042\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("", "\"\""),
            ("$x", "\"$x\""),
            ("{{x}}", "\"{{x}}\""),
            ("a\u{85}\u{1b}", "\"a\\u0085\\u001b\""),
            ("x ", "\"x \""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    #[test]
    fn what_does_not_fit_on_a_line_stands_below_each_other() {
        let long = "x".repeat(70);
        let value = json!({ "a": long, "b": [{ "c": long, "d": long }], "e": 1 });
        assert_eq!(
            format!("v:{}", yaml_text(&value, 0)),
            format!("v:\n  a: {long}\n  b:\n    - c: {long}\n      d: {long}\n  e: 1")
        );
    }
}
