//! `users:` (docs/mapping.md section 12).

use super::read::{Pairs, Read, Spanned, block, words, wrong};
use super::{RawAttributeEntry, RawShows};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// Users: attributes and operations.
    pub struct RawUsers in "`users`" {
        /// The app's key of a record: a field name, or a VALUE over `record`.
        "id" => id: Node,
        /// The attribute table: app fields and where SCIM has them.
        "attributes" => attributes: Pairs<RawAttributeEntry>,
        /// What SCIM shows when neither the table nor `keep` gives a value.
        "shows" => shows: RawShows,
        /// What a deactivated user is in the app: `kept` (default) or `gone`.
        "inactive" => inactive: Spanned<RawInactive>,
        /// Records that the bridge never writes to and never shows.
        "never_touch" => never_touch: Spanned<String>,
        /// Records that are not shown.
        "hide" => hide: Spanned<String>,
        /// A create finds somebody: `conflict` (default), `adopt` or `{ adopt_if_same: [FIELDS] }`.
        "if_exists" => if_exists: RawIfExists,
        /// The call that completes the rows of lists.
        "complete_by" => complete_by: Spanned<String>,
        /// How an account is looked up.
        "find" => find: Vec<RawFind>,
        /// Calls that make an account.
        "create" => create: Vec<Spanned<String>>,
        /// Calls that change one.
        "update" => update: Vec<Spanned<String>>,
        /// Calls that take the access away.
        "deactivate" => deactivate: Vec<Spanned<String>>,
        /// Calls that give it back.
        "reactivate" => reactivate: Vec<Spanned<String>>,
        /// Calls that delete, or `deactivate`, or `refuse`.
        "delete" => delete: Spanned<RawDelete>,
        /// Calls that read one account; their records are laid over each other.
        "get" => get: Vec<Spanned<String>>,
        /// Calls that list all accounts.
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
        /// The SCIM attribute looked for.
        "by" => by: Spanned<String>,
        /// The call that answers candidates.
        "use" => call: Spanned<String>,
        /// App fields that may equal the value looked for.
        "match" => fields: Vec<Spanned<String>>,
        /// The call that completes the rows.
        "complete_by" => complete_by: Spanned<String>,
        /// `conflict`: a hit is never adopted.
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
}

block! {
    /// When somebody found is taken over.
    pub struct RawAdopt in "`if_exists`" {
        /// FIELDS that must be equal.
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
        "use" => call: Spanned<String>,
        /// Query values that replace the call's own.
        "query" => query: Pairs<Node>,
        /// Constants laid over each row.
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
}
