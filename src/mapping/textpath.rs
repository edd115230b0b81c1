//! Paths in texts and conditions: `user.emails[type eq "work"].value`, `body['x-y']`, `match.1`.
//!
//! A name applied to a list means any element. Pure look-up, no evaluation of anything.

use serde_json::Value;

use super::roots::Roots;

/// A compiled path without `$`.
#[derive(Debug, Clone, PartialEq)]
pub struct TextPath {
    text: String,
    root: String,
    steps: Vec<TextStep>,
}

/// One step of such a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TextStep {
    /// `.name` or `['odd-name']`.
    Name(String),
    /// `[0]`.
    Index(usize),
    /// `[sub eq "x" and other.sub eq 1]`.
    Select(Vec<(Vec<String>, Value)>),
    /// `[]`: every element; only in FIELD notation.
    Each,
}

impl TextPath {
    /// Compiles a path. The error says what is wrong with it.
    pub fn compile(text: &str) -> Result<Self, String> {
        let mut steps = steps(text)?;
        if steps.is_empty() || !matches!(steps[0], TextStep::Name(_)) {
            return Err("a path begins with a root, like user or body".to_owned());
        }
        if steps.contains(&TextStep::Each) {
            return Err("`[]` is not allowed here".to_owned());
        }
        let TextStep::Name(root) = steps.remove(0) else {
            return Err("a path begins with a root, like user or body".to_owned());
        };
        Ok(Self { text: text.to_owned(), root, steps })
    }

    /// The path as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The root it begins with.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The names after the root, as far as they are plain.
    pub fn names(&self) -> Vec<&str> {
        let names = self.steps.iter().map_while(|step| match step {
            TextStep::Name(name) => Some(name.as_str()),
            _ => None,
        });
        names.collect()
    }

    /// Replaces the first name after the root (a short extension name by its namespace).
    pub(crate) fn rename_first(&mut self, rename: impl Fn(&str) -> Option<String>) {
        if let Some(TextStep::Name(name)) = self.steps.first_mut()
            && let Some(new) = rename(name)
        {
            *name = new;
        }
    }

    /// Everything the path finds; lists on the way are looked through.
    pub fn all<'r>(&self, roots: &'r Roots) -> Vec<&'r Value> {
        roots.get(&self.root).map(|root| follow(&self.steps, root)).unwrap_or_default()
    }
}

/// Everything that steps find below a value; lists on the way are looked through.
pub(crate) fn follow<'v>(steps: &[TextStep], value: &'v Value) -> Vec<&'v Value> {
    steps
        .iter()
        .fold(vec![value], |at, step| at.into_iter().flat_map(|value| apply(step, value)).collect())
}

fn apply<'v>(step: &TextStep, value: &'v Value) -> Vec<&'v Value> {
    match (step, value) {
        (TextStep::Name(name), Value::Array(list)) => {
            list.iter().filter_map(|element| element.get(name)).collect()
        }
        (TextStep::Name(name), value) => value.get(name).into_iter().collect(),
        (TextStep::Index(index), value) => value.get(*index).into_iter().collect(),
        (TextStep::Select(pairs), Value::Array(list)) => {
            list.iter().filter(|element| selected(pairs, element)).collect()
        }
        (TextStep::Each, Value::Array(list)) => list.iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether an element has all the values of a `[sub eq "x"]`; texts ignore case, as SCIM's
/// filters do.
pub(crate) fn selected(pairs: &[(Vec<String>, Value)], element: &Value) -> bool {
    pairs.iter().all(|(names, wanted)| {
        let found = names.iter().try_fold(element, |at, name| at.get(name));
        found.is_some_and(|found| same_ignoring_case(found, wanted))
    })
}

fn same_ignoring_case(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.to_lowercase() == b.to_lowercase(),
        _ => a == b,
    }
}

/// The steps of a path or of a FIELD key.
pub(crate) fn steps(text: &str) -> Result<Vec<TextStep>, String> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after).ok_or("a `[` is not closed")?;
            steps.push(bracket(after[..end].trim())?);
            rest = &after[end + 1..];
            continue;
        }
        let after = match rest.strip_prefix('.') {
            Some(after) if !steps.is_empty() => after,
            None if steps.is_empty() => rest,
            _ => return Err(format!("`.` or `[` is expected before `{rest}`")),
        };
        let end = after.find(|c: char| !name_char(c)).unwrap_or(after.len());
        if end == 0 || after.starts_with('-') {
            return Err(format!("a name is expected at `{after}`; odd names are written ['name']"));
        }
        steps.push(TextStep::Name(after[..end].to_owned()));
        rest = &after[end..];
    }
    Ok(steps)
}

pub(crate) fn name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$')
}

/// Where the bracket closes; brackets inside quotes do not count.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Result<TextStep, String> {
    if inner.is_empty() {
        return Ok(TextStep::Each);
    }
    if let Ok(index) = inner.parse::<usize>() {
        return Ok(TextStep::Index(index));
    }
    if let Some(name) = quoted(inner) {
        return Ok(TextStep::Name(name.to_owned()));
    }
    let pairs: Result<Vec<_>, String> = split_and(inner).into_iter().map(equality).collect();
    pairs.map(TextStep::Select)
}

fn quoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    })
}

fn split_and(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') if text[at..].to_ascii_lowercase().starts_with(" and ") => {
                parts.push(&text[from..at]);
                from = at + 5;
            }
            _ => {}
        }
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts
}

fn equality(text: &str) -> Result<(Vec<String>, Value), String> {
    let wrong = || format!("`[{text}]` must be an index, a quoted name or `name eq \"value\"`");
    let mut words = text.trim().splitn(3, ' ');
    let (Some(path), Some(op), Some(value)) = (words.next(), words.next(), words.next()) else {
        return Err(wrong());
    };
    if !op.eq_ignore_ascii_case("eq") {
        return Err(wrong());
    }
    let value = value.trim();
    let value = match quoted(value) {
        Some(text) => Value::String(text.to_owned()),
        None => serde_json::from_str(value).map_err(|_| wrong())?,
    };
    Ok((path.split('.').map(str::to_owned).collect(), value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn found(path: &str) -> Vec<Value> {
        let roots = Roots::new()
            .with(
                "user",
                json!({ "emails": [
                { "type": "work", "value": "w" }, { "type": "home", "value": "h" }] }),
            )
            .with(
                "body",
                json!({ "x-y": 1, "errors": [{ "extensions": { "code": "X" }, "n": 1 }] }),
            );
        TextPath::compile(path).unwrap().all(&roots).into_iter().cloned().collect()
    }

    #[test]
    fn every_form_of_the_language() {
        assert_eq!(found("user.emails[0].value"), [json!("w")]);
        assert_eq!(found("user.emails[type eq \"home\"].value"), [json!("h")]);
        assert_eq!(found("user.emails.value"), [json!("w"), json!("h")]);
        assert_eq!(found("body['x-y']"), [json!(1)]);
        assert_eq!(found("body.x-y"), [json!(1)]);
        assert_eq!(found("body.errors[extensions.code eq \"X\"].n"), [json!(1)]);
        assert_eq!(found("body.errors.extensions.code"), [json!("X")]);
    }

    #[test]
    fn mistakes_are_named() {
        for path in ["", "[0]", "user..name", "user.", "user[", "user.emails[]", "user[type gt 1]"]
        {
            assert!(TextPath::compile(path).is_err(), "{path}");
        }
    }
}
