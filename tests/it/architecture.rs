//! The walls of the house: who may call whom, where each big crate is named, what is pure.
//!
//! Reads the sources as text. Comments and string literals are taken out first, and so is code
//! that only tests see, where a rule is about the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::support::text::repository;

/// Room, and the rooms it may name.
const ARROWS: &[(&str, &[&str])] = &[
    ("cli", &["server", "sync", "mapping", "journal", "observe"]),
    ("server", &["sync", "scim", "observe"]),
    ("sync", &["journal", "app", "change", "mapping", "scim", "observe"]),
    ("app", &["mapping", "observe"]),
    ("journal", &["change", "observe"]),
    ("change", &["mapping"]),
    ("mapping", &["scim"]),
    ("scim", &[]),
    ("observe", &[]),
];

/// Tests that look across a wall: file, and the room it may name besides. What a mapping plans is
/// proved by what leaves.
const LOOKS_ACROSS: &[(&str, &str)] = &[("mapping/tests/leaving.rs", "app")];

/// What the CLI may use of the journal: opening it for the engine, and the lock.
const CLI_OF_JOURNAL: &[&str] =
    &["Gauge", "Holder", "Journal", "KeySource", "Keys", "Open", "Reserve", "Room", "read_lock"];

/// Crate, and the rooms that may name it.
const CRATES: &[(&str, &[&str])] = &[
    ("rusqlite", &["journal"]),
    ("hyper", &["server", "app"]),
    ("hyper_util", &["server", "app"]),
    ("http_body_util", &["server", "app"]),
    ("tokio_rustls", &["server", "app"]),
    ("rustls_native_certs", &["app"]),
    ("quick_xml", &["app"]),
    ("cookie", &["app"]),
    ("jsonpath_rust", &["mapping"]),
    ("handlebars", &["mapping"]),
    ("annotate_snippets", &["mapping"]),
    ("serde_saphyr", &["mapping"]),
    ("regex", &["mapping"]),
    ("clap", &["cli"]),
    ("standin", &["cli"]),
    ("prometheus_client", &["observe"]),
    ("tracing_subscriber", &["observe"]),
];

/// Rooms without I/O, clock, randomness, async, environment.
const PURE: &[&str] = &["scim", "mapping", "change"];

/// What would make a room impure.
const IMPURE: &[&str] = &[
    "tokio",
    "tracing",
    "ring::rand",
    "uuid",
    "rand",
    "std::fs",
    "std::env",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "Timestamp::now",
    "Zoned::now",
];

/// Names of apps that are ordinary words too.
const ORDINARY: &[&str] = &["directory"];

/// A source file of the program.
struct Source {
    /// Below `src/`: `scim/path.rs`.
    name: String,
    text: String,
}

impl Source {
    fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned() }
    }

    /// The room: the folder, or the file at the top.
    fn room(&self) -> &str {
        let first = self.name.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// Whether only tests see the whole file.
    fn is_test(&self) -> bool {
        let mut parts = self.name.split('/');
        parts.any(|part| {
            part == "tests"
                || part == "testing.rs"
                || part.trim_end_matches(".rs").ends_with("tests")
        })
    }

    /// The code without comments and literals.
    fn code(&self) -> String {
        stripped(&self.text).0
    }

    /// The code that the program consists of, and its string literals.
    fn program(&self) -> (String, Vec<String>) {
        if self.is_test() {
            return (String::new(), Vec::new());
        }
        stripped(&without_tests(&self.text))
    }
}

/// The text up to its test module; such a module stands last in its file.
fn without_tests(text: &str) -> String {
    match text.find("#[cfg(test)]\nmod tests {") {
        Some(at) => text[..at].to_owned(),
        None => text.to_owned(),
    }
}

/// Code without comments, literals replaced by `""`; and the string literals.
fn stripped(text: &str) -> (String, Vec<String>) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut literals, mut at) = (String::new(), Vec::new(), 0);
    while at < chars.len() {
        let rest = &chars[at..];
        let end = match rest {
            ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => at + 2 + find(&rest[2..], "*/") + 2,
            ['"', ..] => at + quoted(rest),
            ['r', '"' | '#', ..] if !ends_in_name(&code) => match raw(rest) {
                Some(length) => at + length,
                None => at,
            },
            ['\'', '\\', ..] => at + 3 + find(&rest[3..], "'"),
            ['\'', _, '\'', ..] => at + 3,
            _ => at,
        };
        if end == at {
            code.push(chars[at]);
            at += 1;
            continue;
        }
        if matches!(rest[0], '"' | 'r') {
            literals.push(chars[at..end.min(chars.len())].iter().collect());
            code.push_str("\"\"");
        } else {
            code.push(' ');
        }
        at = end;
    }
    (code, literals)
}

/// Length of a string literal, with its quotes.
fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of a raw string literal; `None` where it is a raw name (`r#type`).
fn raw(rest: &[char]) -> Option<usize> {
    let marks = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + marks) != Some(&'"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(marks));
    Some(2 + marks + find(&rest[2 + marks..], &end) + end.len())
}

fn find(chars: &[char], wanted: &str) -> usize {
    let wanted: Vec<char> = wanted.chars().collect();
    chars.windows(wanted.len()).position(|window| window == wanted).unwrap_or(chars.len())
}

fn ends_in_name(code: &str) -> bool {
    code.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Names and marks: `crate`, `::`, `{`.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for c in code.chars() {
        let is_name = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if is_name && ends_in_name(last) => last.push(c),
            Some(last) if c == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => tokens.push(" ".into()),
            _ => tokens.push(c.into()),
        }
    }
    tokens.retain(|token| token != " ");
    tokens
}

/// All `crate::…` paths, groups taken apart: `app::AppClient`. `super` that climbs out of the
/// room counts as `crate`.
fn inner_paths(source: &Source) -> BTreeSet<String> {
    let tokens = tokens(&source.code());
    let file = source.name.trim_end_matches(".rs").trim_end_matches("/mod");
    let depth = file.split('/').count();
    let mut paths = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        if token == "crate" && tokens.get(at + 1).is_some_and(|next| next == "::") {
            collect(&tokens, at + 2, "", &mut paths);
        }
        let before = at.checked_sub(1).map(|before| tokens[before].as_str());
        if token == "super" && before != Some("::") {
            let climbs = tokens[at..].chunks(2).take_while(|pair| pair[0] == "super").count();
            if climbs >= depth {
                collect(&tokens, at + 2 * climbs, "", &mut paths);
            }
        }
    }
    paths
}

/// Adds the path that begins at a token; a group adds each of its paths. Gives where it ends.
fn collect(tokens: &[String], mut at: usize, prefix: &str, paths: &mut BTreeSet<String>) -> usize {
    let mut path = prefix.to_owned();
    while let Some(token) = tokens.get(at) {
        if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token != "}") {
                at = collect(tokens, at, &path, paths);
                at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
            }
            return at + 1;
        }
        path = if path.is_empty() { token.clone() } else { format!("{path}::{token}") };
        at += 1;
        if tokens.get(at).is_none_or(|next| next != "::") {
            break;
        }
        at += 1;
    }
    paths.insert(path);
    if tokens.get(at).is_some_and(|token| token == "as") {
        at += 2;
    }
    at
}

/// Whether the code names the crate or path: `hyper` in `hyper::Method`, `use hyper as h`.
fn names(code: &str, path: &str) -> bool {
    let tokens = tokens(code);
    let wanted: Vec<&str> = path.split("::").collect();
    let mut found = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let starts = at.checked_sub(1).is_none_or(|b| tokens[b] != "::" && tokens[b] != ".");
        let continues = tokens.get(at + 1).is_some_and(|next| next == "::");
        let used = at.checked_sub(1).is_some_and(|before| tokens[before] == "use");
        if token == wanted[0] && starts && (continues || used) {
            collect(&tokens, at, "", &mut found);
        }
    }
    let prefix = format!("{path}::");
    found.iter().any(|found| found == path || found.starts_with(&prefix))
}

/// Arrows that point where they must not.
fn wrong_arrows(source: &Source) -> Vec<String> {
    let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == source.room()) else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    for path in inner_paths(source) {
        let room = path.split("::").next().unwrap_or_default();
        if room == source.room() || !ARROWS.iter().any(|(known, _)| *known == room) {
            continue;
        }
        let item = path.split("::").nth(1).unwrap_or_default();
        let too_much =
            source.room() == "cli" && room == "journal" && !CLI_OF_JOURNAL.contains(&item);
        let looks = LOOKS_ACROSS.contains(&(source.name.as_str(), room));
        if !(allowed.contains(&room) || looks) || too_much {
            wrong.push(format!("{}: {} must not use crate::{path}", source.name, source.room()));
        }
    }
    wrong
}

/// Crates that are named where they must not be.
fn wrong_crates(source: &Source) -> Vec<String> {
    let (code, _) = source.program();
    let is_wrong =
        |(_, rooms): &&(&str, &[&str])| source.room() != "main" && !rooms.contains(&source.room());
    CRATES
        .iter()
        .filter(is_wrong)
        .filter(|(name, _)| names(&code, name))
        .map(|(name, rooms)| format!("{}: {name} belongs to {rooms:?}", source.name))
        .collect()
}

/// What makes a pure room impure.
fn impurities(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.room()) {
        return Vec::new();
    }
    let (code, _) = source.program();
    let is_async = tokens(&code).iter().any(|token| token == "async" || token == "await");
    IMPURE
        .iter()
        .filter(|path| names(&code, path))
        .copied()
        .chain(is_async.then_some("async"))
        .map(|what| format!("{}: {} is pure, and here is {what}", source.name, source.room()))
        .collect()
}

/// Names of apps in the program: code and texts.
fn named_apps(source: &Source, apps: &[String]) -> Vec<String> {
    let (code, literals) = source.program();
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect()
    };
    let in_code: BTreeSet<String> = words(&code).into_iter().collect();
    // An ordinary word may be a variable and stand in a sentence, but not be a text of its own.
    let in_texts: BTreeSet<String> =
        literals.iter().filter(|text| !text.contains(' ')).flat_map(|text| words(text)).collect();
    let is_word = |app: &String| ORDINARY.contains(&app.as_str());
    apps.iter()
        .filter(|app| in_texts.contains(*app) || (in_code.contains(*app) && !is_word(app)))
        .map(|app| format!("{}: names the app {app}", source.name))
        .collect()
}

fn apps() -> Vec<String> {
    let mut apps = Vec::new();
    for entry in std::fs::read_dir(repository().join("mappings")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            apps.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    assert!(apps.len() >= 2, "{apps:?}");
    apps
}

fn sources() -> Vec<Source> {
    let root = repository().join("src");
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(read(&root, &path));
            }
        }
    }
    assert!(sources.len() > 50, "the sources are found");
    sources
}

fn read(root: &Path, path: &Path) -> Source {
    let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    Source { name, text: std::fs::read_to_string(path).unwrap() }
}

#[track_caller]
fn none(rule: impl Fn(&Source) -> Vec<String>) {
    let wrong: Vec<String> = sources().iter().flat_map(rule).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn arrows_point_down() {
    none(wrong_arrows);
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<String> = sources().iter().map(|s| s.room().to_owned()).collect();
    let known: BTreeSet<String> =
        ARROWS.iter().map(|(room, _)| *room).chain(["lib", "main"]).map(str::to_owned).collect();
    assert_eq!(rooms, known);
}

#[test]
fn each_big_crate_is_named_in_its_room_only() {
    none(wrong_crates);
}

#[test]
fn yaml_is_read_in_one_file() {
    let files: Vec<_> = sources()
        .into_iter()
        .filter(|source| names(&source.program().0, "serde_saphyr"))
        .map(|source| source.name)
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[test]
fn pure_rooms_are_pure() {
    none(impurities);
}

#[test]
fn no_app_is_named_in_the_program() {
    let apps = apps();
    none(|source| named_apps(source, &apps));
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    none(|source| match source.text.starts_with("//! ") {
        true => Vec::new(),
        false => vec![format!("{} does not begin with `//! `", source.name)],
    });
}

/// The control: what is planted is caught, what only looks like it is not.
#[test]
fn the_rules_catch_what_is_planted() {
    let upward = "//! x\nuse crate::{\n    scim::{self, Slot},\n    sync::Bridge as B,\n};\n";
    for (name, text, caught) in [
        ("mapping/x.rs", upward, 1),
        ("scim/x.rs", upward, 1),
        ("sync/x.rs", upward, 0),
        ("scim/filter/x.rs", "fn f() { super::super::super::app::go() }", 1),
        ("scim/filter/x.rs", "use super::super::path;", 0),
        ("journal/x.rs", "fn f() -> crate::mapping::Kind { todo() }", 1),
        ("journal/x.rs", "// crate::mapping::Kind\nconst A: &str = \"crate::app\";", 0),
        ("cli/x.rs", "use crate::journal::{Journal, Resource};", 1),
    ] {
        assert_eq!(wrong_arrows(&Source::new(name, text)).len(), caught, "{name}: {text}");
    }
    for (name, text, caught) in [
        ("sync/x.rs", "use hyper::{Method, body::Body};", 1),
        ("sync/x.rs", "use hyper as http;", 1),
        ("app/x.rs", "use hyper::Method;", 0),
        ("sync/x.rs", "fn f() { self::hyper::x(); crate::hyper::y() }", 0),
        ("sync/x.rs", "let c: rusqlite::Connection;", 1),
        ("sync/x.rs", "/// rusqlite::Connection\nfn f() {}", 0),
    ] {
        assert_eq!(wrong_crates(&Source::new(name, text)).len(), caught, "{name}: {text}");
    }
    for (text, caught) in [
        ("use std::{collections::BTreeMap, time::{Duration, Instant}};", 1),
        ("use std::time::Duration;", 0),
        ("let x = std::env::var(\"X\");", 1),
        ("async fn f() {}", 1),
        ("use tokio::sync::Mutex;", 1),
        ("let t = jiff::Timestamp::now();", 0),
        ("let t = Timestamp::now();", 1),
    ] {
        assert_eq!(impurities(&Source::new("scim/x.rs", text)).len(), caught, "{text}");
    }
    let apps = ["altr".to_owned(), "directory".to_owned()];
    for (text, caught) in [
        ("if app == \"altr\" {}", 1),
        ("const R: &str = r#\"/altr/scim\"#;", 1),
        ("// altr\nlet why = \"no such directory here\";", 0),
        ("let x = 'a'; let why = \"directory\";", 1),
        ("#[cfg(test)]\nmod tests { const A: &str = \"altr\"; }", 0),
    ] {
        assert_eq!(named_apps(&Source::new("sync/x.rs", text), &apps).len(), caught, "{text}");
    }
}
