//! Test files as they are written: every key with its meaning (docs/mapping.md section 18).

use crate::mapping::diagnostic::Report;
use crate::mapping::raw::{Pairs, Read, Spanned, block, words};
use crate::mapping::source::{Node, NodeKind};

block! {
    /// A whole test file.
    pub struct RawSuite in "a test file" {
        /// The mapping file, beside this one.
        "for" => mapping: Spanned<String>,
        /// Values of the mapping's variables, by name.
        "vars" => vars: Pairs<Spanned<RawScalar>>,
        /// The cases.
        "tests" => tests: Vec<RawCase>,
    }
    required ["for", "tests"]
}

block! {
    /// One case: a conversation, or a round trip.
    pub struct RawCase in "a test" {
        /// What it shows, in a sentence; its name.
        "test" => name: Spanned<String>,
        /// What Okta asks, and what is known before.
        "given" => given: RawGiven,
        /// The calls in their order, each with the app's reply.
        "expect" => expect: Vec<RawStep>,
        /// What Okta is told.
        "answer" => answer: RawAnswer,
        /// The table both ways, without a call.
        "round_trip" => round_trip: RawRoundTrip,
    }
    required ["test"]
}

block! {
    /// The beginning of a conversation.
    pub struct RawGiven in "`given`" {
        /// `POST /Users`, `PATCH /Users/KEY` …
        "request" => request: Spanned<String>,
        /// Its body.
        "body" => body: Spanned<Node>,
        /// Users, groups and members that the bridge knows.
        "remembered" => remembered: RawRemembered,
    }
    required ["request"]
}

block! {
    /// What is known before.
    pub struct RawRemembered in "`remembered`" {
        /// SCIM users by the app's key.
        "users" => users: Pairs<Spanned<Node>>,
        /// SCIM groups by the app's key.
        "groups" => groups: Pairs<Spanned<Node>>,
        /// Keys of users by the key of their group.
        "members" => members: Pairs<Vec<Spanned<RawScalar>>>,
    }
}

block! {
    /// A call that must be made, or something that happens between two.
    pub struct RawStep in "a step of `expect`" {
        /// `METHOD /path?query`.
        "call" => call: Spanned<String>,
        /// Names and values of the query, in place of `?…` in `call`.
        "query" => query: Pairs<Spanned<Node>>,
        /// The JSON body.
        "body" => body: Spanned<Node>,
        /// Names and values of a form body.
        "form" => form: Pairs<Spanned<Node>>,
        /// The body as text, byte by byte.
        "raw" => raw: Spanned<String>,
        /// Headers that must be there; others may be.
        "headers" => headers: Pairs<Spanned<String>>,
        /// What the app answers: a block, a status, `timeout` or `crash`.
        "reply" => reply: RawReply,
        /// The bridge dies here, and starts again.
        "crash" => crash: Spanned<bool>,
        /// `settle`: the next call must not come before the settle time.
        "after" => after: Spanned<RawAfter>,
        /// `none`: the second look after the settle time is left out of the conversation.
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
        "status" => status: Spanned<u64>,
        /// Names and values of headers.
        "headers" => headers: Pairs<Spanned<RawScalar>>,
        /// A structure is sent as JSON, a text as it stands.
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
}

block! {
    /// What Okta is told; what is left out is not looked at.
    pub struct RawAnswer in "`answer`" {
        /// The HTTP status.
        "status" => status: Spanned<u64>,
        /// The kind of the error.
        "scimType" => scim_type: Spanned<String>,
        /// Words that stand in the error's detail.
        "detail" => detail: Spanned<String>,
        /// Part of the body.
        "body" => body: Spanned<Node>,
    }
}

block! {
    /// A SCIM user and the app's record of it.
    pub struct RawRoundTrip in "`round_trip`" {
        /// The SCIM user.
        "user" => user: Spanned<Node>,
        /// The app's record.
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
}
