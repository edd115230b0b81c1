//! `users:` (docs/mapping.md section 12).

use super::read::{Pairs, Read, Spanned, block, words, wrong};
use super::shape::Shape;
use super::{RawAttributeEntry, RawShows};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// Users: attributes and operations.
    pub struct RawUsers in "`users`" {
        /// The field of the record that never changes, or a VALUE over `record`.
        /// Example: id
        "id" => id: Node,
        /// The attribute table: the app's fields and where SCIM has them.
        /// Example: { login: userName, first: name.givenName }
        "attributes" => attributes: Pairs<RawAttributeEntry>,
        /// SCIM attributes that neither the table nor `keep` gives, from `current`, `id` and
        /// `vars`; never written.
        /// Example: { displayName: "{{current.first}} {{current.last}}" }
        "shows" => shows: RawShows,
        /// What a deactivated user is in the app. `kept` (the default): the account exists and can
        /// be read. `gone`: there is none, `deactivate` removes it.
        /// Example: gone
        "inactive" => inactive: Spanned<RawInactive>,
        /// A condition: such accounts are never shown and never written to. Write one where
        /// accounts can be adopted.
        /// Example: user.userName eq "root"
        "never_touch" => never_touch: Spanned<String>,
        /// A condition: such accounts are not shown; `find` still sees them for `if_exists`.
        /// Example: record.system eq true
        "hide" => hide: Spanned<String>,
        /// `find` found somebody on a create: `conflict` (the default; 409), `adopt`, or `{
        /// adopt_if_same: [FIELDS] }`.
        /// Example: { adopt_if_same: [mail] }
        "if_exists" => if_exists: RawIfExists,
        /// A call that completes each row of a list.
        /// Example: read
        "complete_by" => complete_by: Spanned<String>,
        /// How an account is looked up: tried in order before every create, and for filters.
        /// Example: [ { by: userName, use: look_up } ]
        "find" => find: Vec<RawFind>,
        /// Calls that make an account, after `find` found nobody. One of them saves `id`.
        /// Example: [add]
        "create" => create: Vec<Spanned<String>>,
        /// Calls that change one, after `get`; each only if one of its fields differs.
        /// Example: [change]
        "update" => update: Vec<Spanned<String>>,
        /// Calls that take the access away; with `reactivate` or not at all. They run first and
        /// alone decide the outcome. Without them `active` is a field like any other.
        /// Example: [disable]
        "deactivate" => deactivate: Vec<Spanned<String>>,
        /// Calls that give the access back.
        /// Example: [enable]
        "reactivate" => reactivate: Vec<Spanned<String>>,
        /// Calls, or `deactivate`, or `refuse` (501). No default. After `deactivate` the SCIM
        /// resource is gone and the account stays; a later create of that name brings it back with
        /// the same id.
        /// Example: deactivate
        "delete" => delete: Spanned<RawDelete>,
        /// Calls that read one record; their records are laid over each other.
        /// Example: [read]
        "get" => get: Vec<Spanned<String>>,
        /// Calls that list everybody, or `{ use: CALL, query: {...}, add: {...} }`.
        /// Example: [page]
        "list" => list: Vec<RawListEntry>,
    }
    required ["id", "attributes"]
}

words! {
    /// What a deactivated user is in the app.
    pub enum RawInactive { "kept" => Kept, "gone" => Gone, }
}

block! {
    /// One way to look an account up.
    pub struct RawFind in "`find`" {
        /// The SCIM attribute that is looked for.
        /// Example: userName
        "by" => by: Spanned<String>,
        /// The call that answers candidates. Of the rows only those count whose value equals the
        /// one looked for; of several the one that is equal to the letter.
        /// Example: look_up
        "use" => call: Spanned<String>,
        /// What may equal the value instead: fields of the table, or paths into the row
        /// (`$.record.aliases[*]`).
        /// Example: [login, "$.record.aliases[*]"]
        "match" => fields: Vec<Spanned<String>>,
        /// A call that completes the rows.
        /// Example: read
        "complete_by" => complete_by: Spanned<String>,
        /// `conflict`: a hit is never taken over.
        /// Example: conflict
        "then" => then: Spanned<RawThen>,
    }
    required ["by", "use"]
}

words! {
    /// What follows a hit.
    pub enum RawThen { "conflict" => Conflict, }
}

/// `delete:`.
#[derive(Debug, Clone, Default)]
pub(crate) enum RawDelete {
    Calls(Vec<Spanned<String>>),
    Deactivate,
    #[default]
    Refuse,
}

impl Read for RawDelete {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match (&node.kind, node.text()) {
            (NodeKind::List(_), _) => Vec::read(node, report).map(Self::Calls),
            (_, Some("deactivate")) => Some(Self::Deactivate),
            (_, Some("refuse")) => Some(Self::Refuse),
            _ => {
                wrong(node, report, "a list of calls, deactivate or refuse");
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![Vec::<String>::shape(), Shape::Words(&["deactivate", "refuse"])])
    }
}

/// `if_exists:`.
#[derive(Debug, Clone)]
pub(crate) enum RawIfExists {
    Conflict,
    Adopt,
    IfSame(Vec<Spanned<String>>),
}

impl Read for RawIfExists {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match (&node.kind, node.text()) {
            (_, Some("conflict")) => Some(Self::Conflict),
            (_, Some("adopt")) => Some(Self::Adopt),
            (NodeKind::Map(_), _) => RawAdopt::read(node, report)?.same.map(Self::IfSame),
            _ => {
                super::read::wrong_word(
                    node,
                    report,
                    &["conflict", "adopt", "{ adopt_if_same: [FIELDS] }"],
                );
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![Shape::Words(&["conflict", "adopt"]), RawAdopt::shape()])
    }
}

block! {
    /// When somebody found is taken over.
    pub struct RawAdopt in "`if_exists`" {
        /// Fields that must be equal.
        /// Example: [mail]
        "adopt_if_same" => same: Vec<Spanned<String>>,
    }
    required ["adopt_if_same"]
}

/// An entry of `list:`: a call, or a call with another query.
#[derive(Debug, Clone)]
pub(crate) struct RawListEntry {
    pub call: Spanned<String>,
    pub query: Pairs<Node>,
    pub add: Pairs<Node>,
}

block! {
    /// A call with another query.
    pub struct RawListUse in "`list`" {
        /// The call.
        /// Example: page
        "use" => call: Spanned<String>,
        /// Query values in place of the call's own.
        /// Example: { state: disabled }
        "query" => query: Pairs<Node>,
        /// Constants that are laid over each row.
        /// Example: { active: false }
        "add" => add: Pairs<Node>,
    }
    required ["use"]
}

impl Read for RawListEntry {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let NodeKind::Map(_) = &node.kind else {
            let call = Spanned::read(node, report)?;
            return Some(Self { call, query: Pairs::default(), add: Pairs::default() });
        };
        let block = RawListUse::read(node, report)?;
        Some(Self {
            call: block.call?,
            query: block.query.unwrap_or_default(),
            add: block.add.unwrap_or_default(),
        })
    }

    fn shape() -> Shape {
        Shape::Either(vec![Shape::Text, RawListUse::shape()])
    }
}
