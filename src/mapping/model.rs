//! The compiled mapping: what the rest of the program asks.
//!
//! Only data and look-ups. A mapping that exists was checked completely when it was loaded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::answer::{AnswerRules, Use};
use super::attribute::{Immutable, Row, Work};
use super::belonging::GroupName;
use super::call::{Call, CallId, VersionFrom};
use super::learned::Learned;
use super::login::Session;
use super::roots::Roots;
use super::side::Side;
use super::wire::{Answer, Classified, Kind};
use super::witness::{Understood, Watched};
use crate::scim::{AttrPath, Catalogue, ResourceType, Slot};

/// A compiled mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub(crate) app: String,
    pub(crate) source_file: String,
    pub(crate) digest: String,
    pub(crate) scim: ScimSettings,
    pub(crate) connect: Connect,
    pub(crate) secrets: Vec<SecretSource>,
    pub(crate) sync: SyncSettings,
    pub(crate) users: Side,
    pub(crate) groups: Option<Side>,
    pub(crate) calls: Vec<Call>,
    pub(crate) rules: AnswerRules,
    pub(crate) tables: Vec<Arc<Learned>>,
    pub(crate) hooks: Hooks,
    pub(crate) watched: Watched,
}

/// Calls of the app's life cycle, in the order in which they are made.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    /// Before SCIM opens.
    pub on_enable: Vec<CallId>,
    /// After SCIM was closed.
    pub on_disable: Vec<CallId>,
}

/// Where a value of the installation comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Env(String),
    /// A file; its content without the final line break.
    File(String),
}

/// A variable whose text the caller looks up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VarSource {
    /// Its name in the mapping.
    pub name: String,
    /// Where its text is.
    pub origin: Origin,
}

/// A secret of the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSource {
    /// Its name in the mapping.
    pub name: String,
    /// Where it is.
    pub origin: Origin,
    /// 1-based line in the mapping file, for messages.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
}

/// What the SCIM side looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct ScimSettings {
    /// The SCIM root, `/altr/scim/v2`; no slash at the end.
    pub path: String,
    /// Kinds of proof that are accepted, no others.
    pub auth: Vec<ClientAuth>,
    /// The attribute of Okta's "Unique identifier field".
    pub identifier: AttrPath,
    /// Whether a token may be made while one exists.
    pub regenerate: Regenerate,
    /// A credential that the installation gives.
    pub supplied: Option<Supplied>,
    /// User attributes the bridge itself remembers.
    pub keep: Vec<Slot>,
    /// Short names of extensions, and the namespaces that are written for them.
    pub shorts: BTreeMap<String, String>,
    /// Tables whose values SCIM lists as resources.
    pub catalogues: Arc<[Catalogue]>,
}

/// A credential of the client that the installation gives; the texts are among the secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplied {
    /// The user of a pair.
    pub user: Option<Reference>,
    /// The secret's name.
    pub secret: String,
}

/// A kind of proof of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// HTTP Basic with a pair.
    Basic,
    /// `Authorization: Bearer base64(user:secret)`.
    BearerPair,
    /// The token in a header of this name, in lower case.
    Header(String),
}

/// Whether a token may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Regenerate {
    Allowed,
    Refused,
}

/// A constant, or a secret by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The text itself.
    Plain(String),
    /// The secret of that name.
    Secret(String),
}

/// How the app is reached.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Scheme, host, port and path, without a slash at the end.
    pub base_url: String,
    /// http:// to another host is meant.
    pub insecure: bool,
    /// How the bridge proves itself.
    pub auth: AppAuth,
    /// What a credential test tries.
    pub probe: Option<CallId>,
    /// Longest time of one call.
    pub timeout: Duration,
    /// Calls under way at the same time, at least 1.
    pub at_once: u32,
    /// Calls begun in one second, at least 1; None: any number.
    pub per_second: Option<u32>,
    /// Changes that may wait.
    pub max_backlog: u64,
    /// How much may be taken away before an operator is asked.
    pub max_removals: Option<MaxRemovals>,
    /// Pauses between tries.
    pub retries: Retries,
    /// Largest answer, in bytes.
    pub max_answer: u64,
    /// PEM file with trusted certificates.
    pub ca: Option<String>,
    /// PEM files of the client certificate and its key.
    pub client_cert: Option<(String, String)>,
    /// URL of a proxy.
    pub proxy: Option<String>,
    /// XML elements that are always read as lists.
    pub xml_lists: Vec<String>,
}

/// How the bridge proves itself to the app.
#[derive(Debug, Clone)]
pub enum AppAuth {
    /// Not at all.
    None,
    /// HTTP Basic.
    Basic {
        /// The user.
        user: Reference,
        /// The password.
        password: Reference,
    },
    /// `Authorization: <word> <value>`.
    Bearer {
        /// The token.
        value: Reference,
        /// The word before it.
        word: String,
    },
    /// A header.
    Header {
        /// Its name, in lower case.
        name: String,
        /// Its value.
        value: Reference,
    },
    /// A login of its own, whose outcome goes with every other call; OAuth2 too.
    Session(Arc<Session>),
}

/// How much may be taken away in a time before an operator is asked; one of the numbers is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxRemovals {
    /// So many.
    pub count: Option<u64>,
    /// So many of a hundred users.
    pub percent: Option<u64>,
    /// The time.
    pub window: Duration,
}

impl MaxRemovals {
    /// Whether so many, of so many users, are too many: more than every number that is given.
    pub fn exceeded(&self, removals: u64, users: u64) -> bool {
        let over =
            |limit: u64, of: u64, by: u64| limit.saturating_mul(of) < removals.saturating_mul(by);
        self.count.is_none_or(|count| over(count, 1, 1))
            && self.percent.is_none_or(|percent| over(percent, users, 100))
    }
}

/// Pauses between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// The first pause.
    pub first_wait: Duration,
    /// The longest.
    pub longest_wait: Duration,
}

/// Answering, doubt, reading (docs/mapping.md section 16).
#[derive(Debug, Clone, PartialEq)]
pub struct SyncSettings {
    /// Answer when settled (true), or at once.
    pub confirm: bool,
    /// How long Okta waits, at most 40 s.
    pub wait: Duration,
    /// What Okta is told when it is not settled in time.
    pub late: Late,
    /// Longest time a lost call may still take effect.
    pub settle: Duration,
    /// Tops of the fields the app itself keeps unique.
    pub unique: Vec<String>,
    /// What happens when a linked record is gone.
    pub missing: Missing,
    /// Whether the create of a deactivated one restores it (else 409).
    pub restore: bool,
    /// How long a reading counts as fresh.
    pub read_fresh_for: Duration,
    /// Longest time of a reading before memory answers.
    pub read_wait: Duration,
    /// How long the app may show old values after a write.
    pub lag: Duration,
    /// How long a list that was read is given again.
    pub list_fresh_for: Duration,
    /// Longest time a client waits for one.
    pub list_wait: Duration,
    /// Comparing what the app has with what is wanted there.
    pub reconcile: Reconcile,
}

/// When what the app has is compared with what is wanted there, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconcile {
    /// How often; zero: only when an operator asks.
    pub every: Duration,
    /// What is put right when it is found by the clock.
    pub repair: Repair,
    /// So many of a hundred accounts may be gone before a list is not believed.
    pub max_gone: u64,
}

/// What is put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Nothing; it is told.
    Report,
    /// Whether users are active, their roles and groups.
    Access,
    /// Every attribute.
    All,
}

/// What Okta is told when time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Late {
    Accept,
    Retry,
}

/// What happens when a linked record is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Missing {
    NotFound,
    Recreate,
    Park,
}

impl Mapping {
    /// The name of the app.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The file it came from.
    pub fn source_file(&self) -> &str {
        &self.source_file
    }

    /// SHA-256 of the text, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the SCIM side looks like.
    pub fn scim(&self) -> &ScimSettings {
        &self.scim
    }

    /// How the app is reached.
    pub fn connect(&self) -> &Connect {
        &self.connect
    }

    /// The secrets it needs.
    pub fn secrets(&self) -> &[SecretSource] {
        &self.secrets
    }

    /// Answering, doubt, reading.
    pub fn sync(&self) -> &SyncSettings {
        &self.sync
    }

    /// Calls of the app's life cycle.
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Users or groups; None for groups that the mapping does not have.
    pub fn side(&self, kind: Kind) -> Option<&Side> {
        match kind {
            Kind::User => Some(&self.users),
            Kind::Group => self.groups.as_ref(),
        }
    }

    /// What SCIM shows of users or groups.
    pub fn resource_type(&self, kind: Kind) -> Option<&ResourceType> {
        self.side(kind).map(Side::resource_type)
    }

    /// A call. Ids come from this mapping's own sides and settings.
    pub fn call(&self, id: CallId) -> &Call {
        &self.calls[id.0]
    }

    /// A call by its name.
    pub fn call_named(&self, name: &str) -> Option<CallId> {
        self.calls.iter().position(|call| call.name() == name).map(CallId)
    }

    /// Whether some call takes the version of a record from a header of that (lower-case) name.
    pub(crate) fn takes_version(&self, header: &str) -> bool {
        self.version_headers().any(|name| name == header)
    }

    /// The headers, in lower case, that versions of records are taken from.
    pub(crate) fn version_headers(&self) -> impl Iterator<Item = &str> {
        self.calls.iter().filter_map(|call| match &call.version.as_ref()?.from {
            VersionFrom::Header(name) => Some(name.as_str()),
            VersionFrom::Path(_) => None,
        })
    }

    /// Whether some call waits for this one: in `until` or `save.id_from`.
    pub(crate) fn follows_a_call(&self, id: CallId) -> bool {
        let name = self.call(id).name();
        let follows = self.calls.iter().flat_map(|call| &call.follow);
        follows.into_iter().any(|follow| self.call(follow.call()).name() == name)
    }

    /// Longest time in which a call of that name may still take effect after no answer came. A call
    /// that is waited for may do so that much later.
    pub fn settle_of(&self, call: &str) -> Duration {
        let call = self.call_named(call).map(|id| self.call(id));
        let own = call.and_then(Call::settle).unwrap_or(self.sync.settle);
        own.saturating_add(call.map_or(Duration::ZERO, Call::followed_for))
    }

    /// The tables whose rows come from the app, and that fields of that kind need for that
    /// work; each once.
    pub fn tables_of(&self, kind: Kind, work: Work) -> Vec<&Arc<Learned>> {
        let rows = self.side(kind).map(|side| side.attributes.as_slice()).unwrap_or_default();
        let used = |table: &&Arc<Learned>| {
            let needed = rows.iter().filter(|row| row.needs_table(work));
            let mut names = needed.filter_map(|row| row.table.as_ref()?.learned.as_ref());
            names.any(|learned| learned.name() == table.name())
        };
        self.tables.iter().filter(used).collect()
    }

    /// Whether somebody who has a record may get another one: a create behind an update.
    pub fn may_recreate(&self, kind: Kind) -> bool {
        let rows = self.side(kind).map(|side| side.attributes.as_slice()).unwrap_or_default();
        self.sync.missing == Missing::Recreate
            || rows.iter().any(|row| row.immutable == Immutable::Recreate)
    }

    /// Whether names that differ only in case are two users. Groups are never told apart by it.
    pub fn names_differ_by_case(&self, kind: Kind) -> bool {
        let is_name = |row: &&Row| row.sources.iter().any(|source| source.slot.0 == ["userName"]);
        kind == Kind::User
            && self.users.attributes.iter().find(is_name).is_some_and(|row| row.case_exact)
    }

    /// A table of the app by its name.
    pub fn table(&self, name: &str) -> Option<&Arc<Learned>> {
        self.tables.iter().find(|table| table.name() == name)
    }

    /// Whether memberships are made on the user's record, in the user's lane.
    pub fn belongs_on_user(&self) -> bool {
        self.groups.as_ref().is_some_and(|groups| groups.members.place.is_on_user())
    }

    /// Whether what users are in the app depends on their groups.
    pub fn users_follow_groups(&self) -> bool {
        self.groups.is_some() && self.users.attributes.iter().any(Row::follows_groups)
    }

    /// What a user's record shows of the user's groups; `None`: it does not tell.
    pub fn groups_shown(&self, current: &Value) -> Option<Vec<GroupName>> {
        let on_user = self.groups.as_ref()?.members.place.on_user()?;
        Some(on_user.shown(&self.users, current))
    }

    /// What an answer means. `roots` are those the request was built from.
    pub fn classify(&self, call: &Call, answer: &Answer, used: Use, roots: &Roots) -> Classified {
        let (classified, row) = self.rules.classify(call, answer, used, roots);
        let class = classified.class;
        self.watched.tell(|witness| witness.understood(Understood { call, answer, row, class }));
        classified
    }
}
