//! Mapping texts of this repository, and small edits of them that a test needs.

use std::path::{Path, PathBuf};

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The mapping file of an app.
pub fn mapping_file(app: &str) -> PathBuf {
    repository().join("mappings").join(app).join(format!("{app}.yaml"))
}

/// Its text.
pub fn mapping_text(app: &str) -> String {
    let file = mapping_file(app);
    std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The text with `key: value` in a top-level block; another value of the key goes, the block is
/// made if there is none.
#[must_use]
pub fn with_key(text: &str, block: &str, key: &str, value: &str) -> String {
    let line = format!("  {key}: {value}");
    let mut out: Vec<&str> = Vec::new();
    let (mut inside, mut found) = (false, false);
    for old in text.lines() {
        let top = !old.starts_with([' ', '#']) && !old.is_empty();
        if top {
            inside = old.starts_with(&format!("{block}:"));
        }
        if inside && old.starts_with(&format!("  {key}:")) {
            continue;
        }
        out.push(old);
        if top && inside {
            out.push(&line);
            found = true;
        }
    }
    let mut text = out.join("\n") + "\n";
    if !found {
        text += &format!("{block}:\n{line}\n");
    }
    text
}

/// The text with one piece replaced, which must be there exactly once.
#[must_use]
#[track_caller]
pub fn replaced(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "the mapping has not exactly one {old:?}");
    text.replacen(old, new, 1)
}

/// Waits are short, so that outages of a test are too.
#[must_use]
pub fn impatient(text: &str) -> String {
    let text = with_key(text, "sync", "wait", "300ms");
    let text = with_key(&text, "sync", "settle", "50ms");
    with_key(&text, "connect", "retries", "{ first_wait: 10ms, longest_wait: 50ms }")
}

#[test]
fn a_key_is_replaced_in_its_block_only() {
    let text = "app: x\nsync:\n  wait: 20s\n  late: accept\nconnect:\n  wait: 1s\n";
    assert_eq!(
        with_key(text, "sync", "wait", "1ms"),
        "app: x\nsync:\n  wait: 1ms\n  late: accept\nconnect:\n  wait: 1s\n"
    );
    assert_eq!(with_key("app: x\n", "sync", "wait", "1ms"), "app: x\nsync:\n  wait: 1ms\n");
}
