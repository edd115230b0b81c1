//! What a test file exercised of its mapping: calls, error rows, and paths into answers.
//!
//! A path that never found anything is most often misspelt: JSONPath is silent about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::mapping::answer::{ErrorRow, Save};
use crate::mapping::call::Call;
use crate::mapping::model::Mapping;
use crate::mapping::paging::NextFrom;
use crate::mapping::path::JsonPath;
use crate::mapping::roots::Roots;
use crate::mapping::side::Side;
use crate::mapping::wire::{Answer, AnswerClass, Kind};
use crate::mapping::witness::{RowPlace, Understood, Witness};

/// Listens to conversations and remembers what they exercised.
#[derive(Debug, Default)]
pub struct Exercised(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    calls: BTreeSet<String>,
    rows: BTreeSet<(Option<String>, usize)>,
    answers: BTreeMap<String, Vec<Answer>>,
}

/// Something of the mapping, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// What it is, in words.
    pub what: String,
    /// Its line in the mapping file, from 1; none where only the words say it.
    pub line: Option<usize>,
}

/// What was exercised, and what never was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Calls of the mapping.
    pub calls: usize,
    /// Those that were never made.
    pub never_called: Vec<Spot>,
    /// Error rows of the mapping.
    pub rows: usize,
    /// Those that never fitted an answer.
    pub never_met: Vec<Spot>,
    /// Paths into answers that never found anything.
    pub never_matched: Vec<Spot>,
}

impl Coverage {
    /// Calls and error rows that were exercised, in percent of all; 100 where there are none.
    pub fn percent(&self) -> u32 {
        let all = self.calls + self.rows;
        let done = all - self.never_called.len() - self.never_met.len();
        u32::try_from((done * 100).checked_div(all).unwrap_or(100)).unwrap_or(100)
    }
}

impl Witness for Exercised {
    fn understood(&self, understood: Understood<'_>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = understood.call.name().to_owned();
        match understood.row {
            RowPlace::OfCall(at) => drop(seen.rows.insert((Some(name.clone()), at))),
            RowPlace::OfMapping(at) => drop(seen.rows.insert((None, at))),
            RowPlace::BuiltIn => {}
        }
        seen.answers.entry(name).or_default().push(understood.answer.clone());
    }
}

impl Exercised {
    /// A call was made; it may have had no answer.
    pub fn called(&self, call: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls.insert(call.to_owned());
    }

    /// What of the mapping was exercised by now.
    pub fn of(&self, mapping: &Mapping) -> Coverage {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut coverage = Coverage::default();
        let mut named = BTreeSet::new();
        // Entries of `list` with a query of their own are copies under the call's name.
        for call in mapping.calls.iter().filter(|call| named.insert(call.name())) {
            coverage.calls += 1;
            if !seen.calls.contains(call.name()) {
                let what = call.name().to_owned();
                coverage.never_called.push(Spot { what, line: Some(call.line) });
            }
            let of_call = Some(call.name().to_owned());
            coverage.rows(&seen, of_call, &call.errors);
        }
        coverage.rows(&seen, None, &mapping.rules.errors);
        unmatched(mapping, &seen, &mut coverage.never_matched);
        coverage
    }
}

impl Coverage {
    fn rows(&mut self, seen: &Seen, of: Option<String>, rows: &[ErrorRow]) {
        for (at, row) in rows.iter().enumerate() {
            self.rows += 1;
            if !seen.rows.contains(&(of.clone(), at)) {
                self.never_met.push(Spot { what: row.describe(), line: Some(row.line) });
            }
        }
    }
}

impl ErrorRow {
    /// The row in words: `status 400, body.code eq "x": conflict`.
    pub(crate) fn describe(&self) -> String {
        let status: Vec<String> = self.status.iter().map(ToString::to_string).collect();
        let mut when = Vec::new();
        if !status.is_empty() {
            when.push(format!("status {}", status.join(" or ")));
        }
        when.extend(self.content_type.iter().map(|kind| format!("type {kind}")));
        when.extend(self.when.iter().map(|when| when.text().to_owned()));
        format!("{}: {}", when.join(", "), word_of(self.is))
    }
}

/// The word of a class in `errors`.
pub(crate) fn word_of(class: AnswerClass) -> &'static str {
    match class {
        AnswerClass::Ok => "ok",
        AnswerClass::AlreadyDone => "already_done",
        AnswerClass::Retry => "retry",
        AnswerClass::Unsure => "in doubt",
        AnswerClass::Conflict => "conflict",
        AnswerClass::NotFound => "not_found",
        AnswerClass::Rejected => "rejected",
        AnswerClass::Forbidden => "forbidden",
        AnswerClass::Look => "look",
        AnswerClass::Changed => "changed",
        AnswerClass::LoginAgain => "login_again",
        AnswerClass::Stop => "stop",
    }
}

/// Paths of calls that were answered, none of whose answers had anything there.
fn unmatched(mapping: &Mapping, seen: &Seen, found: &mut Vec<Spot>) {
    let mut records: BTreeMap<Kind, Vec<Value>> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for call in mapping.calls.iter().filter(|call| named.insert(call.name())) {
        let answers = seen.answers.get(call.name()).map(Vec::as_slice).unwrap_or_default();
        let good: Vec<Roots> = answers
            .iter()
            .filter(|answer| (200..300).contains(&answer.status))
            .map(|answer| Roots::new().with_answer(answer))
            .collect();
        if good.is_empty() {
            continue;
        }
        for (key, path) in paths_of(call) {
            if !good.iter().any(|roots| !path.all(roots).is_empty()) {
                let what = format!("{} of call {}: {}", key, call.name(), path.text());
                found.push(Spot { what, line: Some(call.line) });
            }
        }
        let rows = answers.iter().flat_map(|answer| records_in(call, answer));
        for kind in kinds_of(mapping, call) {
            records.entry(kind).or_default().extend(rows.clone());
        }
    }
    for (kind, records) in &records {
        if let Some(side) = mapping.side(*kind).filter(|side| side.records.is_none()) {
            fields(side, records, found);
        }
    }
    let failed = seen.answers.values().flatten().filter(|answer| answer.status >= 400);
    let failed: Vec<Roots> = failed.map(|answer| Roots::new().with_answer(answer)).collect();
    let silent = |path: &&JsonPath| !failed.iter().any(|roots| !path.all(roots).is_empty());
    if !failed.is_empty() {
        let silent = mapping.rules.error_text.iter().filter(silent);
        found.extend(
            silent.map(|path| Spot { what: format!("error_text: {}", path.text()), line: None }),
        );
    }
}

/// The paths that a call reads from its answer, with their keys.
fn paths_of(call: &Call) -> Vec<(&'static str, &JsonPath)> {
    let answered = |path: &&JsonPath| matches!(path.root(), "body" | "headers" | "status");
    let mut paths = Vec::new();
    let of_record = call.record.iter().flat_map(|record| record.json_paths());
    paths.extend(of_record.map(|path| ("record", path)));
    paths.extend(call.records.iter().map(|records| ("records", &records.path)));
    let saved = call.save.iter().filter_map(|(_, save)| match save {
        Save::Value(value) | Save::List(value) => Some(value.json_paths()),
        Save::Header { .. } => None,
    });
    paths.extend(saved.flatten().map(|path| ("save", path)));
    if let Some(paging) = &call.paging {
        let next = match &paging.next {
            Some(NextFrom::Path(path)) => Some(path),
            Some(NextFrom::LinkHeader) | None => None,
        };
        let of_paging = [next, paging.more.as_ref(), paging.total.as_ref()];
        paths.extend(of_paging.into_iter().flatten().map(|path| ("paging", path)));
    }
    paths.retain(|(_, path)| answered(path));
    paths
}

fn records_in(call: &Call, answer: &Answer) -> Vec<Value> {
    let rows = call.raw_rows(answer).unwrap_or_default();
    let one = call.record(answer, &Roots::new()).ok().flatten();
    rows.into_iter().chain(one).collect()
}

/// Whose records a call answers. Members are people's keys, not their records.
fn kinds_of(mapping: &Mapping, call: &Call) -> Vec<Kind> {
    let named = |id: &crate::mapping::CallId| mapping.call(*id).name() == call.name();
    let reads = |side: &Side| {
        let lists = side.list.iter().map(|entry| entry.call);
        let finds = side.find.iter().map(|entry| entry.call);
        let all = side.get.iter().chain(&side.create).chain(&side.update).copied();
        lists.chain(finds).chain(all).chain(side.complete_by).any(|id| named(&id))
    };
    [Kind::User, Kind::Group]
        .into_iter()
        .filter(|kind| mapping.side(*kind).is_some_and(reads))
        .collect()
}

/// Fields of the table that no record ever had, and values of `shows` that never had anything.
fn fields(side: &Side, records: &[Value], found: &mut Vec<Spot>) {
    if records.is_empty() {
        return;
    }
    let key = match side.kind {
        Kind::User => "users",
        Kind::Group => "groups",
    };
    for row in side.attributes.iter().filter(|row| row.is_readable()) {
        if !records.iter().any(|record| row.field.get(record).is_some()) {
            let what = format!("{key}.attributes: {}", row.field.text());
            found.push(Spot { what, line: None });
        }
    }
    let roots: Vec<Roots> =
        records.iter().map(|record| Roots::new().with("current", record.clone())).collect();
    let shown = side.shows.iter().flat_map(|(_, values)| values).flat_map(|v| v.json_paths());
    for path in shown.filter(|path| path.root() == "current") {
        if !roots.iter().any(|roots| !path.all(roots).is_empty()) {
            found.push(Spot { what: format!("{key}.shows: {}", path.text()), line: None });
        }
    }
}
