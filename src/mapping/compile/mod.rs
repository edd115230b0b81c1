//! From raw types to a mapping: names get their meaning, and every mistake is reported.
//!
//! Nothing stops at the first mistake; what could not be read is left out and the rest is
//! checked all the same.

mod answers;
mod attributes;
mod calls;
mod catalogues;
mod class;
mod conditions;
mod connect;
mod follow;
mod given;
mod group_models;
mod groups;
mod line;
mod readable;
mod resource_types;
mod row;
mod scope;
mod session;
mod settings;
mod sides;
mod tables;
mod uses;
mod xml;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::answer::AnswerRules;
use super::call::{Call, CallId};
use super::diagnostic::{Diagnostic, Report};
use super::learned::Learned;
use super::lint;
use super::model::{Hooks, Mapping, Origin, ScimSettings, VarSource};
use super::names;
use super::raw::{RawMapping, Read, Span, Spanned};
use super::source::{self, Source};
use super::wire::Kind;
use super::witness::Watched;
use crate::scim::ResourceType;

pub(crate) use calls::OwnCalls;
pub(crate) use uses::{CallUse, Uses};

/// The only version of the format.
const FORMAT: u64 = 1;

/// What the installation gives to a mapping.
pub struct Given<'g> {
    /// The text of a variable.
    pub vars: &'g dyn Fn(&VarSource) -> Option<String>,
    /// What a variable without a text means.
    pub without_value: WithoutValue,
    /// Replaces `connect.base_url` (`--base-url APP=URL`), by the name of the app.
    pub base_url: &'g dyn Fn(&str) -> Option<String>,
}

/// What a variable without a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutValue {
    /// The mapping does not load (`serve`).
    Refuse,
    /// It is checked as far as it can be (`check`); `base_url` is then not usable.
    Allow,
    /// Something harmless stands in its place: what `one_of` names first, else its own name
    /// (offline tests).
    StandIn,
}

impl Default for Given<'_> {
    fn default() -> Self {
        Self { vars: &|_| None, without_value: WithoutValue::Allow, base_url: &|_| None }
    }
}

/// The outcome of a load.
#[derive(Debug)]
pub struct Loaded {
    /// The mapping, if there was no error.
    pub mapping: Option<Mapping>,
    /// Everything that was found, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Loads a mapping file; finds all mistakes in one go.
pub fn load(source: &Source, given: &Given<'_>) -> Loaded {
    let mut report = Report::new(source);
    let raw =
        source::parse(source, &mut report).and_then(|root| RawMapping::read(&root, &mut report));
    let mapping = raw.and_then(|raw| {
        let mut cx = Cx::new(&raw, given, &mut report);
        mapping(&mut cx, source)
    });
    let mapping = mapping.filter(|_| !report.has_errors());
    Loaded { mapping, diagnostics: report.finish() }
}

/// What compiling needs to know everywhere.
pub(crate) struct Cx<'a, 's> {
    pub raw: &'a RawMapping,
    pub report: &'a mut Report<'s>,
    pub given: &'a Given<'a>,
    /// Short names of namespaces, and what is written for them.
    pub shorts: BTreeMap<String, String>,
    /// Values of the variables.
    pub vars: Arc<Value>,
    pub uses: Uses,
    /// What `user` and `group` can hold; nothing of a side that is not known completely.
    pub readable: BTreeMap<Kind, ResourceType>,
    /// Tables from the app, by name.
    pub learned: BTreeMap<String, Arc<Learned>>,
}

impl<'a, 's> Cx<'a, 's> {
    fn new(raw: &'a RawMapping, given: &'a Given<'a>, report: &'a mut Report<'s>) -> Self {
        let shorts = settings::shorts(raw);
        let uses = Uses::of(raw);
        let (vars, readable) = (Arc::new(Value::Null), BTreeMap::new());
        let learned = BTreeMap::new();
        let mut cx = Self { raw, report, given, shorts, vars, uses, readable, learned };
        cx.vars = Arc::new(given::vars(&mut cx));
        cx
    }

    /// A call by its name; reports a name that does not exist.
    pub fn call(&mut self, name: &Spanned<String>) -> Option<CallId> {
        let calls = self.raw.calls.as_ref()?;
        let found = calls.0.iter().position(|(known, _)| known.value == name.value);
        if found.is_none() {
            let known = calls.0.iter().map(|(known, _)| known.value.as_str());
            let help = names::help(&name.value, known);
            let message = format!("there is no call `{}`", name.value);
            self.report.error_help("M0301", name.span.clone(), message, help);
        }
        found.map(CallId)
    }

    pub fn calls(&mut self, names: Option<&Vec<Spanned<String>>>) -> Vec<CallId> {
        names.into_iter().flatten().filter_map(|name| self.call(name)).collect()
    }
}

fn mapping(cx: &mut Cx<'_, '_>, source: &Source) -> Option<Mapping> {
    let raw = cx.raw;
    header(cx);
    let app = raw.app.as_ref().map_or_else(|| "app".to_owned(), |app| app.value.clone());
    let mut secrets = given::secrets(cx);
    let supplied = given::supplied(cx, &mut secrets);
    let full: BTreeMap<Kind, ResourceType> = resource_types::full(cx);
    cx.readable = readable::readable(cx, &full);
    let scim = ScimSettings { supplied, ..settings::scim(cx, &app, &full) };
    tables::all(cx, &full[&Kind::User]);
    let users = sides::users(cx, &full)?;
    let groups = groups::groups(cx, &full, &users);
    let rules = AnswerRules {
        errors: raw
            .errors
            .iter()
            .flatten()
            .filter_map(|row| answers::error_row(cx, row, None))
            .collect(),
        error_text: connect::error_text(cx),
    };
    let mut connect = connect::connect(cx, &app, &rules);
    let sync = settings::sync(cx);
    let own = OwnCalls { users: &users, groups: groups.as_ref() };
    let mut compiled: Vec<Call> = calls::calls(cx, &own);
    follow::same_fields(cx, &mut compiled, &own);
    let mut users = users;
    let mut groups = groups;
    sides::list_entries(cx, &mut users, &mut compiled);
    if let Some(groups) = &mut groups {
        sides::list_entries(cx, groups, &mut compiled);
    }
    connect::probe(cx, &mut connect, &mut compiled);
    let base_url: Arc<str> = connect.base_url.as_str().into();
    compiled.iter_mut().for_each(|call| call.base_url = Arc::clone(&base_url));
    users.keep.clone_from(&scim.keep);
    users.resource_type = resource_types::shown(&users, &full[&Kind::User], groups.is_some());
    if let Some(groups) = &mut groups {
        groups.resource_type = resource_types::shown(groups, &full[&Kind::Group], true);
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, source.text.as_bytes());
    let mapping = Mapping {
        app,
        source_file: source.file.clone(),
        digest: digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        scim,
        connect,
        secrets,
        sync,
        users,
        groups,
        calls: compiled,
        rules,
        tables: cx.learned.values().map(Arc::clone).collect(),
        hooks: Hooks {
            on_enable: cx.calls(raw.on_enable.as_ref()),
            on_disable: cx.calls(raw.on_disable.as_ref()),
        },
        watched: Watched::default(),
    };
    xml::lists(cx);
    lint::lint(cx, &mapping);
    Some(mapping)
}

/// `mapping`, `app` and `needs`.
fn header(cx: &mut Cx<'_, '_>) {
    if let Some(version) = &cx.raw.mapping
        && version.value != FORMAT
    {
        let message = format!("this server reads format {FORMAT}, not {}", version.value);
        cx.report.error_help("M0205", version.span.clone(), message, "write mapping: 1");
    }
    if let Some(app) = &cx.raw.app {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if app.is_empty() || app.len() > 64 || !app.chars().all(good) {
            cx.report.error_help(
                "M0205",
                app.span.clone(),
                "the name of the app stands in URLs and file names",
                "use a-z, 0-9, `-` and `_`, at most 64 characters",
            );
        }
    }
    if let Some(needs) = &cx.raw.needs {
        check_needs(cx.report, needs);
    }
}

fn check_needs(report: &mut Report<'_>, needs: &Spanned<String>) {
    let parse = |text: &str| -> Option<Vec<u32>> {
        text.split('.').map(|part| part.parse().ok()).collect()
    };
    let ours = env!("CARGO_PKG_VERSION");
    match (parse(needs), parse(ours)) {
        (None, _) => report.error_help(
            "M0205",
            needs.span.clone(),
            "a version is expected here",
            "write it as a text: \"0.7\"",
        ),
        (Some(wanted), Some(have)) if wanted > have => report.error_help(
            "M0206",
            needs.span.clone(),
            format!(
                "the mapping needs a server of version {} or later; this is {ours}",
                needs.value
            ),
            "update the server",
        ),
        _ => {}
    }
}

/// Where a value of the installation comes from: exactly one of the two.
fn origin(
    report: &mut Report<'_>,
    at: &Span,
    what: &str,
    env: Option<&Spanned<String>>,
    file: Option<&Spanned<String>>,
) -> Option<Origin> {
    match (env, file) {
        (Some(env), None) => Some(Origin::Env(env.value.clone())),
        (None, Some(file)) => Some(Origin::File(file.value.clone())),
        _ => {
            let message = format!("{what} comes from one place");
            report.error_help(
                "M0205",
                at.clone(),
                message,
                "write { env: NAME } or { file: PATH }",
            );
            None
        }
    }
}
