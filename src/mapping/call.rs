//! A call: what it sends and reads, and when it runs. `request` builds what is sent.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::answer::{ErrorRow, Save};
use super::attribute::FieldId;
use super::condition::Condition;
use super::field::FieldPath;
use super::paging::PagingRule;
use super::path::JsonPath;
use super::roots::Roots;
use super::template::Part;
use super::value::Val;
use super::wire::{Format, InDoubtRule, Kind, Method, StepClass};

/// A call, by its place in the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(pub(crate) usize);

/// One call on the app, compiled.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) name: String,
    /// Its line in the mapping file, from 1.
    pub(crate) line: usize,
    pub(crate) method: Method,
    pub(crate) class: StepClass,
    pub(crate) in_doubt: InDoubtRule,
    /// Segments of the path; each is one or more parts.
    pub(crate) path: Vec<Vec<Part>>,
    /// The constant query of `call:`, already encoded.
    pub(crate) fixed_query: Option<String>,
    pub(crate) query: Vec<(String, Val)>,
    pub(crate) headers: Vec<(String, Val)>,
    pub(crate) body: Option<Val>,
    pub(crate) send: Option<Vec<SentField>>,
    pub(crate) only_changed: bool,
    pub(crate) fields: Vec<FieldId>,
    pub(crate) when: Option<Condition>,
    pub(crate) record: Option<Val>,
    pub(crate) records: Option<Records>,
    pub(crate) keep_where: Vec<(String, Val)>,
    pub(crate) paging: Option<PagingRule>,
    pub(crate) save: Vec<(String, Save)>,
    pub(crate) errors: Vec<ErrorRow>,
    pub(crate) read_back: bool,
    pub(crate) then_update: bool,
    pub(crate) batch: Option<u64>,
    pub(crate) fan: Fan,
    /// It names `member.user` or `member.current`.
    pub(crate) about_person: bool,
    pub(crate) timeout: Duration,
    pub(crate) sends: Format,
    pub(crate) reads: Format,
    pub(crate) bracket_lists: bool,
    /// What must be seen after it before it counts as done, in this order.
    pub(crate) follow: Vec<Follow>,
    pub(crate) version: Option<Version>,
    /// The header of its key, in lower case.
    pub(crate) idempotency_key: Option<String>,
    /// Longest time in which it may still take effect, where it says so itself.
    pub(crate) settle: Option<Duration>,
    /// The random values that its request may hold.
    pub(crate) randoms: Vec<Val>,
    /// Where links of its answers must lead.
    pub(crate) base_url: Arc<str>,
    pub(crate) kind: Option<Kind>,
    /// Where a password stands in `app`.
    pub(crate) passwords: Vec<FieldPath>,
    pub(crate) vars: Arc<Value>,
}

/// A field of `send`: its top name and the rows below it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentField {
    pub top: String,
    pub rows: Vec<FieldId>,
    /// Sent on create only.
    pub on_create: bool,
}

/// `records:`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Records {
    pub path: JsonPath,
    /// The list itself, which must exist.
    pub list: JsonPath,
}

/// What must be seen after a call before it counts as done.
#[derive(Debug, Clone)]
pub(crate) enum Follow {
    /// `until`: a read says so.
    Until { call: CallId, done: Condition, every: Duration, longest: Duration },
    /// `save.id_from`: a look-up gives the new record's id. The rows that count show these fields
    /// as they were sent.
    IdFrom { call: CallId, wait: Duration, same: Vec<FieldId> },
}

impl Follow {
    /// The call that is made.
    pub fn call(&self) -> CallId {
        match self {
            Self::Until { call, .. } | Self::IdFrom { call, .. } => *call,
        }
    }

    /// How long it is tried.
    pub fn longest(&self) -> Duration {
        match self {
            Self::Until { longest, .. } => *longest,
            Self::IdFrom { wait, .. } => *wait,
        }
    }
}

/// `version`: what of the record must not have changed since it was read.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub from: VersionFrom,
    /// The header it is sent in, in lower case.
    pub header: String,
}

/// Where the version of a record stands.
#[derive(Debug, Clone)]
pub(crate) enum VersionFrom {
    /// In the record: `$.current…`.
    Path(JsonPath),
    /// In a header of the answer that gave it, in lower case.
    Header(String),
}

/// How often a group call runs for a change of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fan {
    /// Once; it names no members.
    Once,
    /// Once per member (`$.member`).
    PerMember,
    /// Once per batch of at most this many member ids (`$.members`, `$.added`, `$.removed`);
    /// None: all in one.
    PerBatch(Option<u64>),
}

/// Which fields `send` picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick<'f> {
    /// A create: all that have a value.
    Create,
    /// Anything else; with `only: changed` those that differ.
    Update {
        /// The fields that differ.
        differing: &'f [FieldId],
    },
}

impl Call {
    /// Its name in the mapping.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The side whose fields it sends.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// What a repetition may do in the app.
    pub fn class(&self) -> StepClass {
        self.class
    }

    /// What to do without an answer.
    pub fn in_doubt(&self) -> InDoubtRule {
        self.in_doubt
    }

    /// Its fields: those in `send`, else in `if_changed`, else the `$.app` fields it mentions.
    pub fn fields(&self) -> &[FieldId] {
        &self.fields
    }

    /// Whether `send` picks only what differs.
    pub fn sends_only_changed(&self) -> bool {
        self.only_changed
    }

    /// Whether `get` must confirm afterwards what it sent.
    pub fn read_back(&self) -> bool {
        self.read_back
    }

    /// Whether `update` makes up for what this create did not take.
    pub fn then_update(&self) -> bool {
        self.then_update
    }

    /// Longest time in which it may still take effect; `None`: as `sync.settle` says.
    pub fn settle(&self) -> Option<Duration> {
        self.settle
    }

    /// Whether it carries a key by which the app does it only once.
    pub fn has_key(&self) -> bool {
        self.idempotency_key.is_some()
    }

    /// How long it is waited, after it worked, for what must be seen then.
    pub fn followed_for(&self) -> Duration {
        self.follow.iter().map(Follow::longest).sum()
    }

    /// Whether the new record's id is looked for after it: where such a call worked, it is never
    /// made again.
    pub fn looks_for_id(&self) -> bool {
        self.follow.iter().any(|follow| matches!(follow, Follow::IdFrom { .. }))
    }

    /// How often it runs for a change of members.
    pub fn fan(&self) -> Fan {
        self.fan
    }

    /// Whether it names more of a member than the id.
    pub fn is_about_person(&self) -> bool {
        self.about_person
    }

    /// Whether its answer holds a record, records, or values to save.
    pub fn reads_answer(&self) -> bool {
        self.has_record() || self.has_records() || !self.save.is_empty()
    }

    /// Whether its answer holds one record.
    pub fn has_record(&self) -> bool {
        self.record.is_some()
    }

    /// Whether its answer holds a list of records.
    pub fn has_records(&self) -> bool {
        self.records.is_some()
    }

    /// Whether its answer gives a value of that name (`id` sets the link).
    pub fn saves(&self, name: &str) -> bool {
        self.save.iter().any(|(saved, _)| saved == name)
    }

    /// `when`: false skips the call.
    pub fn wanted(&self, roots: &Roots) -> bool {
        let roots = self.with_vars(roots);
        self.when.as_ref().is_none_or(|when| when.holds(&roots))
    }

    /// The text of `when`.
    pub fn when_text(&self) -> Option<&str> {
        self.when.as_ref().map(Condition::text)
    }

    pub(crate) fn with_vars(&self, roots: &Roots) -> Roots {
        roots.clone().with("vars", Arc::clone(&self.vars))
    }

    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        format!("call `{}`", self.name)
    }
}
