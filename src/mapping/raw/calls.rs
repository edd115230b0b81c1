//! `calls:`, paging and error rows (docs/mapping.md sections 11, 14 and 15).

use std::time::Duration;

use super::read::{OneOrMany, Pairs, Read, Spanned, block, words};
use super::{RawReadFormat, RawSendFormat};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// One call on the app.
    pub struct RawCall in "a call" {
        /// `METHOD /path`; the path may hold `{{ }}` and a constant query.
        "call" => call: Spanned<String>,
        /// Names and values of the query.
        "query" => query: Pairs<Node>,
        /// Names and values of headers.
        "headers" => headers: Pairs<Node>,
        /// The body: a structure; `$.send` stands for what `send` picked.
        "body" => body: Node,
        /// FIELDS of `$.app` that are the body.
        "send" => send: Vec<Spanned<String>>,
        /// `changed`: on an update only the fields that differ. Default `all`.
        "only" => only: Spanned<RawOnly>,
        /// FIELDS that make the call necessary, when it has no `send`.
        "if_changed" => if_changed: Vec<Spanned<String>>,
        /// A condition; false = the call is skipped.
        "when" => when: Spanned<String>,
        /// A path or a structure: the one record in the answer.
        "record" => record: Node,
        /// A path ending in `[*]`: the records in the answer.
        "records" => records: Spanned<String>,
        /// `{ field: VALUE }`: keep the rows that are equal to values of `$.group`.
        "where" => keep_where: Pairs<Node>,
        /// How the pages of a list follow each other.
        "paging" => paging: RawPaging,
        /// Values to keep from the answer, by name; `id` sets the link.
        "save" => save: Pairs<RawSave>,
        /// No answer: `resend`, `find` or `stop`.
        "if_in_doubt" => if_in_doubt: Spanned<RawInDoubt>,
        /// What this call's answers mean; before the table's rows.
        "errors" => errors: Vec<RawErrorRow>,
        /// After the operation `get` runs; a field this call sent that still differs is a refusal.
        "read_back" => read_back: Spanned<bool>,
        /// Member ids in one call. Default: all.
        "batch" => batch: Spanned<u64>,
        /// A read that is repeated until it says that the work is done.
        "until" => until: RawUntil,
        /// What must be unchanged since the record was read, and the header that says so.
        "version" => version: RawVersion,
        /// The header that carries the key of this call. Overrides `sync.idempotency_key`.
        "idempotency_key" => idempotency_key: Spanned<String>,
        /// Longest time in which this call may still take effect. Overrides `sync.settle`.
        "settle" => settle: Spanned<Duration>,
        /// Overrides `connect.timeout`.
        "timeout" => timeout: Spanned<Duration>,
        /// Overrides `connect.sends`.
        "sends" => sends: RawSendFormat,
        /// Overrides `connect.reads`.
        "reads" => reads: RawReadFormat,
    }
    required ["call"]
}

block! {
    /// A read that is repeated after a call until it says that the work is done.
    pub struct RawUntil in "`until`" {
        /// The CALL that is repeated.
        "call" => call: Spanned<String>,
        /// A condition over its answer; true = done.
        "done" => done: Spanned<String>,
        /// The pause between two tries. Default 2s.
        "every" => every: Spanned<Duration>,
        /// How long it is tried; then the call is in doubt. Default 2m.
        "longest" => longest: Spanned<Duration>,
    }
    required ["call", "done"]
}

block! {
    /// The version of a record that a write is made against.
    pub struct RawVersion in "`version`" {
        /// `$.current.version`, or `{ header: etag }` of the answer that gave the record.
        "from" => from: RawFrom,
        /// `{ header: if-match }`: where it is sent.
        "send_as" => send_as: RawHeader,
    }
    required ["from", "send_as"]
}

block! {
    /// A header by its name.
    pub struct RawHeader in "`{ header: NAME }`" {
        /// The header's name.
        "header" => header: Spanned<String>,
    }
    required ["header"]
}

/// A path, or a header of the answer.
#[derive(Debug, Clone)]
pub(crate) enum RawFrom {
    /// `$.…`
    Path(Spanned<String>),
    /// `{ header: NAME }`
    Header(RawHeader),
}

impl Read for RawFrom {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Map(_) => RawHeader::read(node, report).map(Self::Header),
            _ => Spanned::read(node, report).map(Self::Path),
        }
    }
}

words! {
    /// Which fields `send` picks on an update.
    pub enum RawOnly { "all" => All, "changed" => Changed, }
}
words! {
    /// What to do without an answer.
    pub enum RawInDoubt { "resend" => Resend, "find" => Find, "stop" => Stop, }
}

block! {
    /// How pages follow each other.
    pub struct RawPaging in "`paging`" {
        /// `offset`, `page`, `cursor`, `link` or `none`.
        "by" => by: Spanned<RawPagingBy>,
        /// The first offset (default 0) or page (default 1).
        "first" => first: Spanned<u64>,
        /// Rows in a page, as `$.page.size`.
        "size" => size: Spanned<u64>,
        /// Path of the next cursor or URL; for `by: link` also `{ header: link }`.
        "next" => next: RawFrom,
        /// Path of a boolean: there is more.
        "more" => more: Spanned<String>,
        /// Path of the number of all rows.
        "total" => total: Spanned<String>,
    }
    required ["by"]
}

words! {
    /// Kinds of paging.
    pub enum RawPagingBy { "offset" => Offset, "page" => Page, "cursor" => Cursor, "link" => Link, "none" => None, }
}

/// Where a saved value comes from.
#[derive(Debug, Clone)]
pub(crate) enum RawSave {
    /// A VALUE over the answer.
    Value(Node),
    /// A header, or the first group of a pattern on it.
    Header(RawSaveHeader),
    /// `id_from`: the new record is looked for.
    IdFrom(RawIdFrom),
}

block! {
    /// How the id of a new record is found that its answer does not give.
    pub struct RawIdFrom in "`id_from`" {
        /// The CALL that looks for it.
        "use" => call: Spanned<String>,
        /// How long it is looked for; then the call is in doubt. Default 30s.
        "wait" => wait: Spanned<Duration>,
    }
    required ["use"]
}

block! {
    /// A value from a header.
    pub struct RawSaveHeader in "`save`" {
        /// The header's name.
        "header" => header: Spanned<String>,
        /// A pattern; its first group is the value.
        "match" => pattern: Spanned<String>,
    }
    required ["header"]
}

impl Read for RawSave {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Map(entries) if entries.iter().any(|e| e.key == "header") => {
                RawSaveHeader::read(node, report).map(Self::Header)
            }
            NodeKind::Map(entries) if entries.iter().any(|e| e.key == "use") => {
                RawIdFrom::read(node, report).map(Self::IdFrom)
            }
            _ => Some(Self::Value(node.clone())),
        }
    }
}

block! {
    /// A row of `errors:`.
    pub struct RawErrorRow in "an error row" {
        /// The status, or a list of them.
        "status" => status: OneOrMany<Spanned<u64>>,
        /// The content type.
        "type" => content_type: Spanned<String>,
        /// A condition over `body`, `headers` and `status`.
        "when" => when: Spanned<String>,
        /// What such an answer means.
        "is" => is: Spanned<RawIs>,
        /// What the Okta admin reads.
        "say" => say: Spanned<String>,
        /// How long to wait before the next try.
        "wait" => wait: Spanned<Duration>,
    }
    required ["is"]
    later ["members"]
}

words! {
    /// What an answer means.
    pub enum RawIs {
        "ok" => Ok,
        "already_done" => AlreadyDone,
        "retry" => Retry,
        "conflict" => Conflict,
        "not_found" => NotFound,
        "rejected" => Rejected,
        "forbidden" => Forbidden,
        "look" => Look,
        "changed" => Changed,
        "login_again" => LoginAgain,
        "stop" => Stop,
    }
}
