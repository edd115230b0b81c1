//! Files that say who had which SCIM id before the journal was lost: CSV, JSON lines, or a JSON list.
//!
//! Reads what the identity provider or an earlier bridge gave, whatever the columns are called, and
//! hands it over in batches. Whether an id is taken is not decided here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use super::CliError;
use crate::sync::{Command, IDS_AT_ONCE, IdRow, is_scim_id};

/// The most that a file may hold that must be read as a whole: a JSON list over several lines.
const LONGEST_LIST: u64 = 256 << 20;
/// The most that one record may hold.
const LONGEST_RECORD: u64 = 64 << 20;

/// What came of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldIds {
    /// Ids that are kept for records which were not met yet.
    pub remembered: u64,
    /// Resources that have another id now than before.
    pub given: u64,
    /// Resources that had their id already.
    pub known: u64,
    /// Records that say nothing: without an id, of another app, of changes that came to nothing.
    pub left_out: u64,
    /// Records that still wait to be met, of this and earlier files.
    pub waiting: u64,
    /// What was refused: `ids.csv:17: maya@corp.example: it has ...`.
    pub refused: Vec<String>,
}

/// Reads a file of ids and tells them by the command, at most 500 at a time.
///
/// # Errors
/// A file that cannot be read or understood, with its line; what the command says.
pub fn tell(
    file: &Path,
    app: &str,
    mut carry: impl FnMut(Command) -> Result<Value, CliError>,
) -> Result<ToldIds, CliError> {
    let mut told = ToldIds::default();
    let mut batch = Vec::new();
    let mut send = |batch: &mut Vec<IdRow>, told: &mut ToldIds| -> Result<(), CliError> {
        let rows = std::mem::take(batch);
        let said = carry(Command::TellIds { app: app.to_owned(), rows })?;
        let number = |name: &str| said[name].as_u64().unwrap_or_default();
        told.remembered += number("remembered");
        told.given += number("given");
        told.known += number("known");
        told.waiting = number("waiting");
        let refused = said["refused"].as_array().into_iter().flatten();
        told.refused.extend(refused.map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("?");
            format!("{}:{}: {}: {}", file.display(), one["line"], text("who"), text("why"))
        }));
        Ok(())
    };
    let mut left_out = 0;
    read(file, app, |row| {
        match row {
            None => left_out += 1,
            Some(row) => batch.push(row),
        }
        if batch.len() == IDS_AT_ONCE { send(&mut batch, &mut told) } else { Ok(()) }
    })?;
    send(&mut batch, &mut told)?;
    told.left_out = left_out;
    Ok(told)
}

/// Gives the rows of a file in their order; `None` for a record that says nothing.
fn read(
    file: &Path,
    app: &str,
    mut each: impl FnMut(Option<IdRow>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let at =
        |line: u64, words: &str| CliError::usage(format!("{}:{line}: {words}", file.display()));
    let unreadable = |e: std::io::Error| {
        CliError::environment(format!("{} cannot be read: {e}", file.display()))
    };
    let opened = File::open(file).map_err(unreadable)?;
    let length = opened.metadata().map_err(unreadable)?.len();
    let mut lines = Lines { input: BufReader::new(opened), line: 0 };
    let begins = lines.first_byte().map_err(unreadable)?;
    if begins == Some(b'[') && length <= LONGEST_LIST {
        let mut text = String::new();
        while lines.next(&mut text).map_err(unreadable)? {}
        return json_values(&text, 1, &at, &mut |line, value| {
            each(row_of(&cells(value), line, app))
        });
    }
    if matches!(begins, Some(b'{' | b'[')) {
        let mut text = String::new();
        loop {
            text.clear();
            let line = lines.line + 1;
            if !lines.next(&mut text).map_err(unreadable)? {
                return Ok(());
            }
            json_values(&text, line, &at, &mut |line, value| {
                each(row_of(&cells(value), line, app))
            })?;
        }
    }
    csv(&mut lines, &at, &unreadable, &mut |line, cells| each(row_of(cells, line, app)))
}

/// Lines of a file, counted from 1.
struct Lines<R> {
    input: R,
    line: u64,
}

impl<R: BufRead> Lines<R> {
    /// The first byte that is no blank; a byte order mark is taken away.
    fn first_byte(&mut self) -> std::io::Result<Option<u8>> {
        let begins = self.input.fill_buf()?;
        let mark = usize::from(begins.starts_with(b"\xef\xbb\xbf")) * 3;
        let first = begins[mark..].iter().find(|byte| !byte.is_ascii_whitespace()).copied();
        self.input.consume(mark);
        Ok(first)
    }

    /// Adds the next line with its end; `false`: there is none.
    fn next(&mut self, text: &mut String) -> std::io::Result<bool> {
        let read = self.input.by_ref().take(LONGEST_RECORD).read_line(text)?;
        if read as u64 == LONGEST_RECORD {
            return Err(std::io::Error::other(format!("line {} is too long", self.line + 1)));
        }
        self.line += u64::from(read > 0);
        Ok(read > 0)
    }
}

/// The cells of a record by the names of their columns.
type Cells = BTreeMap<String, String>;

/// Makes an error of a line and what is wrong there.
type At<'a> = dyn Fn(u64, &str) -> CliError + 'a;

/// The objects in a text of JSON values: themselves, in lists, in a SCIM list response.
fn json_values(
    text: &str,
    first_line: u64,
    at: &At<'_>,
    each: &mut dyn FnMut(u64, &Value) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let line_of = |offset: usize| {
        let before = text.get(..offset).unwrap_or(text);
        first_line + before.matches('\n').count() as u64
    };
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    loop {
        let begins = values.byte_offset();
        let blank = text.get(begins..).unwrap_or_default();
        let line = line_of(begins + blank.len() - blank.trim_start().len());
        let value = match values.next() {
            None => return Ok(()),
            Some(Ok(value)) => value,
            Some(Err(e)) => {
                let line = first_line + (e.line() as u64).saturating_sub(1);
                return Err(at(line, &format!("this is no JSON: {e}")));
            }
        };
        let listed = value.get("Resources").unwrap_or(&value);
        match listed {
            Value::Array(list) => list.iter().try_for_each(|value| each(line, value))?,
            one => each(line, one)?,
        }
    }
}

/// The cells of an object by their names, without case and signs; of an object inside by both names.
fn cells(value: &Value) -> Cells {
    let mut cells = Cells::new();
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(inside) => cells.extend(inside.iter().filter_map(|(below, value)| {
                Some((plain(&format!("{name}{below}")), text(value)?))
            })),
            value => cells.extend(text(value).map(|text| (plain(name), text))),
        }
    }
    cells
}

/// A name of a column as it is compared: `SCIM-Id` is `scimid`.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Where the SCIM id stands, the surest first: an identity provider calls it external.
const IDS: [&str; 5] = ["scimid", "externalid", "resource", "resourceid", "id"];
const USER_NAMES: [&str; 5] = ["username", "credentialsusername", "subject", "login", "name"];
const GROUP_NAMES: [&str; 4] = ["displayname", "subject", "groupname", "name"];
const APP_IDS: [&str; 4] = ["appid", "appkey", "accountid", "account"];
const TYPES: [&str; 4] = ["type", "resourcetype", "kind", "metaresourcetype"];

/// What a record says; `None`: nothing about an id of this app.
fn row_of(cells: &Cells, line: u64, app: &str) -> Option<IdRow> {
    let filled = |name: &&str| {
        let text = cells.get(*name).map(|text| text.trim()).filter(|text| !text.is_empty())?;
        Some(text.to_owned())
    };
    let first = |names: &[&str]| names.iter().find_map(filled);
    let came_to_nothing = filled(&"verb").is_some_and(|verb| verb == "delete")
        || filled(&"state")
            .is_some_and(|state| ["rejected", "discarded"].contains(&state.as_str()));
    if came_to_nothing || filled(&"app").is_some_and(|named| named != app) {
        return None;
    }
    let says = first(&TYPES).map(|word| word.to_lowercase());
    let group = match says.as_deref() {
        Some("group") => true,
        Some("user") => false,
        // Roles and the like have ids of the app.
        _ => first(&USER_NAMES).is_none() && first(&GROUP_NAMES).is_some(),
    };
    // An application user of Okta: its `id` is Okta's own.
    let of_okta = cells.contains_key("credentialsusername");
    let ids: &[&str] = if of_okta { &["externalid"] } else { &IDS };
    let found = ids.iter().filter_map(filled);
    let id = found.clone().find(|id| is_scim_id(id)).or_else(|| found.clone().next())?;
    let name = if group { first(&GROUP_NAMES) } else { first(&USER_NAMES) };
    Some(IdRow { line, group, id, name, app_id: first(&APP_IDS) })
}

/// Records of a CSV file. Without a header there are two columns, and the ids say which is which.
fn csv(
    lines: &mut Lines<impl BufRead>,
    at: &At<'_>,
    unreadable: &dyn Fn(std::io::Error) -> CliError,
    each: &mut dyn FnMut(u64, &Cells) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut header: Option<Vec<String>> = None;
    let mut separator = None;
    loop {
        let line = lines.line + 1;
        let mut text = String::new();
        loop {
            let more = lines.next(&mut text).map_err(unreadable)?;
            let is_whole = text.matches('"').count().is_multiple_of(2);
            match (more, is_whole) {
                (false, true) if text.is_empty() => return Ok(()),
                (_, true) => break,
                (false, false) => return Err(at(line, "a quoted cell has no end")),
                (true, false) if text.len() as u64 > LONGEST_RECORD => {
                    return Err(at(line, "a record is too long"));
                }
                (true, false) => {}
            }
        }
        let record = text.trim_end_matches(['\r', '\n']);
        if record.trim().is_empty() {
            continue;
        }
        let separator = *separator.get_or_insert_with(|| separator_of(record));
        let record = split(record, separator).ok_or_else(|| {
            at(line, "a quote stands inside a cell; write it twice, and quote the cell")
        })?;
        let Some(names) = &header else {
            let names = header_of(&record).map_err(|words| at(line, words))?;
            if record.iter().any(|cell| is_scim_id(cell)) {
                each(line, &named(&names, record))?;
            }
            header = Some(names);
            continue;
        };
        if record.len() != names.len() {
            let words = format!("{} cells, and the first line has {}", record.len(), names.len());
            return Err(at(line, &words));
        }
        each(line, &named(names, record))?;
    }
}

fn named(names: &[String], record: Vec<String>) -> Cells {
    names.iter().cloned().zip(record).collect()
}

/// The names of the columns, by the first record: it is a header unless it holds an id.
fn header_of(record: &[String]) -> Result<Vec<String>, &'static str> {
    if let Some(at) = record.iter().position(|cell| is_scim_id(cell)) {
        if record.len() != 2 {
            return Err("more than two columns need a header, such as id,userName,type");
        }
        let mut names = vec!["username".to_owned(), "username".to_owned()];
        names[at] = "id".to_owned();
        return Ok(names);
    }
    let names: Vec<String> = record.iter().map(|name| plain(name)).collect();
    let has = |known: &[&str]| names.iter().any(|name| known.contains(&name.as_str()));
    if !has(&IDS) || !(has(&USER_NAMES) || has(&GROUP_NAMES) || has(&APP_IDS)) {
        return Err(
            "this names no column with SCIM ids and one with names; write a header such as \
                    id,userName",
        );
    }
    Ok(names)
}

/// What parts the cells: what stands most often in the first record.
fn separator_of(record: &str) -> char {
    let count = |c: char| record.matches(c).count();
    [',', ';', '\t'].into_iter().max_by_key(|c| (count(*c), *c == ',')).unwrap_or(',')
}

/// The cells of a record (RFC 4180); `None` for a quote where none may stand.
fn split(record: &str, separator: char) -> Option<Vec<String>> {
    let mut cells = Vec::new();
    let mut rest = record;
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted)?,
            None => {
                let end = rest.find(separator).unwrap_or(rest.len());
                let cell = &rest[..end];
                if cell.contains('"') {
                    return None;
                }
                (cell.to_owned(), &rest[end..])
            }
        };
        // What `changes export` writes before a cell that a spreadsheet would take for a formula.
        let formula = cell.strip_prefix('\'').filter(|text| text.starts_with(['=', '+', '-', '@']));
        cells.push(formula.map_or(cell.clone(), str::to_owned));
        match after.strip_prefix(separator) {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(cells),
            None => return None,
        }
    }
}

/// The text up to the quote that ends it, and what follows.
fn quoted_cell(text: &str) -> Option<(String, &str)> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        cell.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                cell.push('"');
                rest = next;
            }
            None => return Some((cell, after)),
        }
    }
}

#[cfg(test)]
#[path = "ids_file_tests.rs"]
mod tests;
