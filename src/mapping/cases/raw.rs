//! Test files as they are written: every key with its meaning (docs/mapping.md section 18).

use crate::mapping::diagnostic::Report;
use crate::mapping::raw::{Pairs, Read, Shape, Spanned, block, words};
use crate::mapping::source::{Node, NodeKind};

block! {
    /// A whole test file.
    pub struct RawSuite in "a test file" {
        /// The mapping file beside this one.
        /// Example: wiki.yaml
        "for" => mapping: Spanned<String>,
        /// Values of its variables. Without one: what `one_of` names first, else the variable's own
        /// name. Environment and files are not read.
        /// Example: { url: https://wiki.example }
        "vars" => vars: Pairs<Spanned<RawScalar>>,
        /// The cases.
        /// Example: [ { test: the table both ways, round_trip: { user: { userName: tom }, app: { login: tom } } } ]
        "tests" => tests: Vec<RawCase>,
    }
    required ["for", "tests"]
}

block! {
    /// One case: a conversation, or a round trip.
    pub struct RawCase in "a test" {
        /// What it shows, in a sentence; its name.
        /// Example: the login is taken
        "test" => name: Spanned<String>,
        /// What Okta asks, and what is known before.
        /// Example: { request: DELETE /Users/7 }
        "given" => given: RawGiven,
        /// The steps in their order; `[]` for no call at all.
        /// Example: [ { call: DELETE /users/7, reply: 204 } ]
        "expect" => expect: Vec<RawStep>,
        /// What Okta is told.
        /// Example: { status: 204 }
        "answer" => answer: RawAnswer,
        /// In place of these three: the table must make the app's record of the user and the user
        /// of the record, without a call. The record may hold more.
        /// Example: { user: { userName: tom }, app: { login: tom } }
        "round_trip" => round_trip: RawRoundTrip,
    }
    required ["test"]
}

block! {
    /// The beginning of a conversation.
    pub struct RawGiven in "`given`" {
        /// `POST /Users`, `PUT /Users/KEY`, `PATCH`, `DELETE`, `GET /Users/KEY`, `GET
        /// /Users?filter=...`; the same with `/Groups`. Or `enable app`, `disable app`: answered
        /// 200, or 422 when a hook fails.
        /// Example: PATCH /Users/7
        "request" => request: Spanned<String>,
        /// The SCIM body. Short names of `scim.extensions` (and `enterprise`) may be used.
        /// Example: { userName: tom, active: true }
        "body" => body: Spanned<Node>,
        /// Whom the bridge knows, as if Okta had written them a day ago.
        /// Example: { users: { "7": { userName: tom } } }
        "remembered" => remembered: RawRemembered,
    }
    required ["request"]
}

block! {
    /// What is known before.
    pub struct RawRemembered in "`remembered`" {
        /// SCIM users by the app's key. With `inactive: gone` somebody with `active: false` has no
        /// account; the key is only a name then.
        /// Example: { "7": { userName: tom, active: true } }
        "users" => users: Pairs<Spanned<Node>>,
        /// SCIM groups by the app's key.
        /// Example: { "3": { displayName: Editors } }
        "groups" => groups: Pairs<Spanned<Node>>,
        /// Keys of users by the key of their group.
        /// Example: { "3": ["7", "8"] }
        "members" => members: Pairs<Vec<Spanned<RawScalar>>>,
    }
}

block! {
    /// A call that must be made, or something that happens between two.
    pub struct RawStep in "a step of `expect`" {
        /// `METHOD /path?query`, relative to `base_url`.
        /// Example: GET /users?login=tom
        "call" => call: Spanned<String>,
        /// In place of the part after `?`: names and values of the query.
        /// Example: { login: tom }
        "query" => query: Pairs<Spanned<Node>>,
        /// The JSON body. Without `body`, `body_has`, `form` and `raw`: any body.
        /// Example: { login: tom, active: true }
        "body" => body: Spanned<Node>,
        /// In place of `body`: some keys of the JSON body, each with its whole value; what else is
        /// in the body is not looked at. For envelopes that are always the same.
        /// Example: { operationName: FindUser, variables: { login: tom } }
        "body_has" => body_has: Pairs<Spanned<Node>>,
        /// Names and values of a form; a list repeats its name.
        /// Example: { login: tom }
        "form" => form: Pairs<Spanned<Node>>,
        /// The body as text, byte by byte.
        /// Example: <user><login>tom</login></user>
        "raw" => raw: Spanned<String>,
        /// Headers that must be there; others may be.
        /// Example: { Authorization: "Bearer <secret token>" }
        "headers" => headers: Pairs<Spanned<String>>,
        /// What the app answers: a block, a status alone, `timeout` (no answer comes) or `crash`
        /// (the bridge dies while the call is under way).
        /// Example: { status: 200, body: { id: 7 } }
        "reply" => reply: RawReply,
        /// A step of its own: the bridge dies after the step before, and starts again.
        /// Example: true
        "crash" => crash: Spanned<bool>,
        /// In a call or before it: `settle`: it must not come before the settle time is over.
        /// Example: settle
        "after" => after: Spanned<RawAfter>,
        /// In a call that looks, or behind it: `none`: the same look after the settle time is left
        /// out, and answered as this one.
        /// Example: none
        "second_look" => second_look: Spanned<RawSecondLook>,
    }
}

words! {
    /// What a call waits for.
    pub enum RawAfter { "settle" => Settle, }
}
words! {
    /// Whether the second look is written out.
    pub enum RawSecondLook { "none" => None, }
}

/// The app's answer, or what comes in its place.
#[derive(Debug, Clone)]
pub(crate) enum RawReply {
    Status(Spanned<u64>),
    Timeout,
    Crash,
    Block(Box<RawReplyBlock>),
    /// Something else; reported.
    Unreadable,
}

block! {
    /// An answer of the app.
    pub struct RawReplyBlock in "`reply`" {
        /// The HTTP status.
        /// Example: 200
        "status" => status: Spanned<u64>,
        /// Names and values of headers.
        /// Example: { Location: /users/7 }
        "headers" => headers: Pairs<Spanned<RawScalar>>,
        /// A structure is sent as JSON, a text as it stands (XML, HTML, half a JSON).
        /// Example: { id: 7, login: tom }
        "body" => body: Spanned<Node>,
    }
    required ["status"]
}

impl Read for RawReply {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match (&node.kind, node.text()) {
            (NodeKind::Map(_), _) => {
                RawReplyBlock::read(node, report).map(|block| Self::Block(Box::new(block)))
            }
            (_, Some("timeout")) => Some(Self::Timeout),
            (_, Some("crash")) => Some(Self::Crash),
            (_, Some(_)) => {
                crate::mapping::raw::read::wrong_word(node, report, &["timeout", "crash"]);
                Some(Self::Unreadable)
            }
            _ => Some(Spanned::read(node, report).map_or(Self::Unreadable, Self::Status)),
        }
    }

    fn shape() -> Shape {
        let words = Shape::Words(&["timeout", "crash"]);
        Shape::Either(vec![u64::shape(), words, RawReplyBlock::shape()])
    }
}

block! {
    /// What Okta is told; what is left out is not looked at.
    pub struct RawAnswer in "`answer`" {
        /// The HTTP status.
        /// Example: 409
        "status" => status: Spanned<u64>,
        /// The kind of the error.
        /// Example: uniqueness
        "scimType" => scim_type: Spanned<String>,
        /// Words that stand in the error's detail.
        /// Example: is taken
        "detail" => detail: Spanned<String>,
        /// Part of the body; lists in full length.
        /// Example: { id: <id>, userName: tom }
        "body" => body: Spanned<Node>,
    }
}

block! {
    /// A SCIM user and the app's record of it.
    pub struct RawRoundTrip in "`round_trip`" {
        /// The SCIM user.
        /// Example: { userName: tom, active: true }
        "user" => user: Spanned<Node>,
        /// The app's record.
        /// Example: { login: tom, state: A }
        "app" => app: Spanned<Node>,
    }
    required ["user", "app"]
}

/// A text or a number, as text: keys and values that are compared as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawScalar(pub String);

impl Read for RawScalar {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Scalar(value) if !value.is_null() => {
                crate::mapping::template::scalar_text(value).map(Self)
            }
            _ => {
                crate::mapping::raw::read::wrong(node, report, "a text or a number");
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Scalar
    }
}
