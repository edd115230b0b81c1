//! What can go wrong when a loaded mapping is used.

use crate::scim::ScimError;

/// A value that its place cannot take; the request is not built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A path gives a list of several where one value is needed.
    #[error(
        "{place}: `{path}` gives {found} values where one is needed; choose one in the mapping"
    )]
    Several {
        /// Where in which call.
        place: String,
        /// The path.
        path: String,
        /// How many values it gave.
        found: usize,
    },
    /// A part of the URL path is missing, empty, `.` or `..`.
    #[error("{place}: a part of the path is {found}; the call was not made")]
    PathPart {
        /// Which call.
        place: String,
        /// "missing", "empty", "`.`" …
        found: &'static str,
    },
    /// A header value has control characters.
    #[error(
        "{place}: the value of header `{header}` has control characters; the call was not made"
    )]
    Header {
        /// Which call.
        place: String,
        /// The header.
        header: String,
    },
    /// The body cannot be written as XML.
    #[error("{place}: the body cannot be XML: {why}; the call was not made")]
    Xml {
        /// Which call.
        place: String,
        /// Why, without the value.
        why: String,
    },
    /// A query or form value is a block of keys.
    #[error(
        "{place}: `{name}` is a structure where a text is needed; use json_text in the mapping"
    )]
    Structure {
        /// Which call.
        place: String,
        /// The key.
        name: String,
    },
}

/// An answer that does not hold what the mapping reads from it. In a read the read fails, in a
/// write it is in doubt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer to `{call}` cannot be read: {why}")]
pub struct Unreadable {
    /// The call.
    pub call: String,
    /// Why, in words, without content of the answer.
    pub why: String,
}

/// A walk over pages that must not be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PagingError {
    /// The same page or cursor came twice.
    #[error(
        "`{call}` answered the same page or cursor twice, as an app does that ignores which page it \
         is asked for; the list was not taken"
    )]
    Repeated {
        /// The call.
        call: String,
    },
    /// A page has only records that were on earlier ones.
    #[error(
        "`{call}` gave a page without anybody new, as an app does that ignores which page it is \
         asked for, or whose list changes while it is read; the list was not taken"
    )]
    NobodyNew {
        /// The call.
        call: String,
    },
    /// The pages ended before `total` was reached.
    #[error(
        "`{call}` says there are {total} rows but its pages ended after {found}; the list was not taken"
    )]
    Short {
        /// The call.
        call: String,
        /// What the app says.
        total: u64,
        /// What came.
        found: u64,
    },
    /// `total` changed during the walk; begin once more from the first page.
    #[error(
        "`{call}`: the total changed from {before} to {now} while the list was read; the list was \
         not taken"
    )]
    TotalChanged {
        /// The call.
        call: String,
        /// At the first page.
        before: u64,
        /// At this page.
        now: u64,
    },
    /// What the paging reads from the answer is not there or of the wrong type.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// The attribute table refuses what SCIM wants; Okta is answered this error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// The answer.
    pub error: ScimError,
    /// The value is not in this table of the app; reading it again may help.
    pub ask: Option<String>,
}
