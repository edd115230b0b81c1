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
        /// header: NAME, match: PATTERN }`. `id_from: { use: CALL, wait: 30s }` in place of `id`: the
        /// record is looked for.
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
        /// In `create`: afterwards the record is read, and `update` runs for what the app did not
        /// take; what it refuses then is a warning. Default false.
        /// Example: true
        "then_update" => then_update: Spanned<bool>,
        /// Member ids in one call. Default: all.
        /// Example: 50
        "batch" => batch: Spanned<u64>,
        /// A read that is repeated until it says that the work is done.
        /// Example: { call: task, done: body.state eq "done", every: 2s, longest: 2m }
        "until" => until: RawUntil,
        /// The version that the record had when it was read, and the header that says it.
        /// Example: { from: { header: etag }, send_as: { header: if-match } }
        "version" => version: RawVersion,
        /// A header: the call carries a key in it by which the app does it only once. In place of
        /// `sync.idempotency_key`.
        /// Example: Idempotency-Key
        "idempotency_key" => idempotency_key: Spanned<String>,
        /// In place of `sync.settle`, for this call.
        /// Example: 5m
        "settle" => settle: Spanned<Duration>,
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
}

block! {
    /// A read that is repeated after a call until it says that the work is done.
    pub struct RawUntil in "`until`" {
        /// The CALL that is repeated.
        /// Example: task
        "call" => call: Spanned<String>,
        /// A condition over its answer; true: the work is done.
        /// Example: body.state eq "done"
        "done" => done: Spanned<String>,
        /// The pause between two tries. Default 2s.
        /// Example: 5s
        "every" => every: Spanned<Duration>,
        /// How long it is tried; then the call is in doubt. Default 2m, at most 1h.
        /// Example: 10m
        "longest" => longest: Spanned<Duration>,
    }
    required ["call", "done"]
}

block! {
    /// The version of a record that a write is made against.
    pub struct RawVersion in "`version`" {
        /// `$.current.version`, or `{ header: etag }` of the answer that gave the record.
        /// Example: { header: etag }
        "from" => from: RawFrom,
        /// `{ header: if-match }`: where it is sent.
        /// Example: { header: if-match }
        "send_as" => send_as: RawHeader,
    }
    required ["from", "send_as"]
}

block! {
    /// A header by its name.
    pub struct RawHeader in "`{ header: NAME }`" {
        /// The header's name.
        /// Example: etag
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

    fn shape() -> Shape {
        Shape::Either(vec![Shape::Text, RawHeader::shape()])
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
        /// How pages are asked for: by `offset`, number of the `page`, `cursor`, the `link` that an
        /// answer gives, or not at all.
        /// Example: offset
        "by" => by: Spanned<RawPagingBy>,
        /// The first offset (default 0) or page (default 1).
        /// Example: 1
        "first" => first: Spanned<u64>,
        /// Rows in a page, as `$.page.size`.
        /// Example: 100
        "size" => size: Spanned<u64>,
        /// With `cursor`: path of the next cursor. With `link`: path of the next page's URL, or
        /// `{ header: link }` (RFC 8288). The list ends when it is missing or empty.
        /// Example: $.body.next
        "next" => next: RawFrom,
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
        /// Example: by_mail
        "use" => call: Spanned<String>,
        /// How long it is looked for; then the call is in doubt. Default 30s, at most 1h.
        /// Example: 1m
        "wait" => wait: Spanned<Duration>,
    }
    required ["use"]
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
            NodeKind::Map(entries) if entries.iter().any(|e| e.key == "use") => {
                RawIdFrom::read(node, report).map(Self::IdFrom)
            }
            _ => Some(Self::Value(node.clone())),
        }
    }

    fn shape() -> Shape {
        Shape::Keyed(vec![("header", RawSaveHeader::shape()), ("use", RawIdFrom::shape())])
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
        /// With `retry`: a path to the number of seconds that the app asks for. Without a number there:
        /// as without this key.
        /// Example: $.body.retry_after
        "wait_seconds" => wait_seconds: Spanned<String>,
        /// The same in milliseconds.
        /// Example: $.body.retry_after_ms
        "wait_milliseconds" => wait_milliseconds: Spanned<String>,
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
