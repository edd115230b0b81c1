//! `calls:`, paging and error rows (docs/mapping.md sections 11, 14 and 15).

use std::time::Duration;

use super::read::{OneOrMany, Pairs, Read, Spanned, block, words};
use super::shape::Shape;
use super::{RawReadFormat, RawSendFormat};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// One call on the app.
    pub struct RawCall in "a call" {
        /// `METHOD /path`, relative to `base_url`. The path may hold `{{ }}` and a constant query.
        /// Example: "GET /users/{{id}}"
        "call" => call: Spanned<String>,
        /// Names and VALUES of the query.
        /// Example: { login: $.wanted, limit: 50 }
        "query" => query: Pairs<Node>,
        /// Names and VALUES of headers.
        /// Example: { X-Tenant: $.vars.tenant }
        "headers" => headers: Pairs<Node>,
        /// A structure. `$.send` in it stands for what `send` picked; a body without `$.send` is
        /// laid over that.
        /// Example: { user: $.send, notify: false }
        "body" => body: Node,
        /// Fields of the table that are the body.
        /// Example: [login, first, mail]
        "send" => send: Vec<Spanned<String>>,
        /// `changed`: on an update only the fields that differ. Default `all`.
        /// Example: changed
        "only" => only: Spanned<RawOnly>,
        /// Fields that make the call necessary, when it has no `send`.
        /// Example: [role]
        "if_changed" => if_changed: Vec<Spanned<String>>,
        /// A condition; false: the call is skipped.
        /// Example: app.role pr
        "when" => when: Spanned<String>,
        /// A path or a structure: the one record in the answer.
        /// Example: $.body.user
        "record" => record: Node,
        /// A path that ends in `[*]`: the rows of the answer. null is nobody; a missing list is an
        /// error, never an empty one.
        /// Example: "$.body.items[*]"
        "records" => records: Spanned<String>,
        /// Keep only rows with these field values.
        /// Example: { kind: person }
        "where" => keep_where: Pairs<Node>,
        /// How the pages of a list follow each other.
        /// Example: { by: offset, size: 100, total: $.body.total }
        "paging" => paging: RawPaging,
        /// Values to keep from the answer, by name; `id` is the new record's key. From a header: `{
        /// header: NAME, match: PATTERN }`.
        /// Example: { id: $.body.user.id }
        "save" => save: Pairs<RawSave>,
        /// What to do without an answer: `resend`, `find` or `stop`. Required on POST and PATCH
        /// that write.
        /// Example: find
        "if_in_doubt" => if_in_doubt: Spanned<RawInDoubt>,
        /// What this call's answers mean; before the mapping's own rows.
        /// Example: [ { status: 404, is: already_done } ]
        "errors" => errors: Vec<RawErrorRow>,
        /// Afterwards the record is read; a field that this call sent and that still differs is a
        /// refusal. Default false.
        /// Example: true
        "read_back" => read_back: Spanned<bool>,
        /// Member ids in one call. Default: all.
        /// Example: 50
        "batch" => batch: Spanned<u64>,
        /// In place of `connect.timeout`.
        /// Example: 30s
        "timeout" => timeout: Spanned<Duration>,
        /// In place of `connect.sends`.
        /// Example: form
        "sends" => sends: RawSendFormat,
        /// In place of `connect.reads`.
        /// Example: text
        "reads" => reads: RawReadFormat,
    }
    required ["call"]
    later ["until", "version", "idempotency_key", "settle"]
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
        /// How pages are asked for: by `offset`, number of the `page`, `cursor`, or not at all.
        /// Example: offset
        "by" => by: Spanned<RawPagingBy>,
        /// The first offset (default 0) or page (default 1).
        /// Example: 1
        "first" => first: Spanned<u64>,
        /// Rows in a page, as `$.page.size`.
        /// Example: 100
        "size" => size: Spanned<u64>,
        /// With `cursor`: path of the next cursor. The list ends when it is missing or empty.
        /// Example: $.body.next
        "next" => next: Spanned<String>,
        /// Path of a boolean; the list ends when it is false.
        /// Example: $.body.has_more
        "more" => more: Spanned<String>,
        /// Path of the number of all rows; the list ends when it is reached.
        /// Example: $.body.total
        "total" => total: Spanned<String>,
    }
    required ["by"]
}

words! {
    /// Kinds of paging.
    pub enum RawPagingBy { "offset" => Offset, "page" => Page, "cursor" => Cursor, "none" => None, }
    later ["link"]
}

/// Where a saved value comes from.
#[derive(Debug, Clone)]
pub(crate) enum RawSave {
    /// A VALUE over the answer.
    Value(Node),
    /// A header, or the first group of a pattern on it.
    Header(RawSaveHeader),
}

block! {
    /// A value from a header.
    pub struct RawSaveHeader in "`save`" {
        /// The header's name.
        /// Example: location
        "header" => header: Spanned<String>,
        /// A pattern; its first group is the value.
        /// Example: '/users/([^/]+)$'
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
            _ => Some(Self::Value(node.clone())),
        }
    }

    fn shape() -> Shape {
        Shape::Keyed("header", Box::new(RawSaveHeader::shape()))
    }
}

block! {
    /// A row of `errors:`.
    pub struct RawErrorRow in "an error row" {
        /// The status, or a list of them.
        /// Example: [400, 422]
        "status" => status: OneOrMany<Spanned<u64>>,
        /// The content type.
        /// Example: text/html
        "type" => content_type: Spanned<String>,
        /// A condition over `body`, `headers` and `status`.
        /// Example: body.message co "already exists"
        "when" => when: Spanned<String>,
        /// What such an answer means.
        /// Example: conflict
        "is" => is: Spanned<RawIs>,
        /// What the administrator of Okta reads, at most 500 characters. Default: the text of
        /// `error_text`.
        /// Example: "The wiki refused it: {{error_text}}"
        "say" => say: Spanned<String>,
        /// With `retry`: how long to wait before the next try. Default: Retry-After, else growing
        /// pauses.
        /// Example: 30s
        "wait" => wait: Spanned<Duration>,
        /// With `is: ok`, in calls that add or remove members: a path to the member ids that were
        /// refused; the rest is applied.
        /// Example: "$.body.refused[*]"
        "members" => members: Spanned<String>,
    }
    required ["is"]
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
