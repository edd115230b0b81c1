//! `connect:` (docs/mapping.md section 6).

use std::time::Duration;

use super::calls::{RawErrorRow, RawSave};
use super::read::{Pairs, Spanned, block, words};
use super::scalars::Bytes;
use crate::mapping::source::Node;

block! {
    /// How the app is reached.
    pub struct RawConnect in "`connect`" {
        /// Where the app's API begins: a constant, or a text over `vars`. Without scheme it is https.
        "base_url" => base_url: Node,
        /// `true` allows http:// to a host that is not this one.
        "insecure" => insecure: Spanned<bool>,
        /// How the bridge proves itself to the app.
        "auth" => auth: RawAuth,
        /// `GET /path?query` or the name of a call: what Okta's credential test tries.
        "probe" => probe: Spanned<String>,
        /// Longest time of one call, from connect to last byte. Default 15s.
        "timeout" => timeout: Spanned<Duration>,
        /// How bodies are written: json (default), form or xml.
        "sends" => sends: RawSendFormat,
        /// How answers are read: json (default), xml or text.
        "reads" => reads: RawReadFormat,
        /// How a list is written in a form: `repeat` (default) its key, or `brackets` (`a[]`).
        "form_lists" => form_lists: RawFormLists,
        /// XML elements that may repeat: they are always read as lists.
        "xml_lists" => xml_lists: Vec<Spanned<String>>,
        /// Paths of the app's own words in an answer; the first that has a text counts.
        "error_text" => error_text: Vec<Node>,
        /// File with the certificates that the app's certificate may be signed by.
        "ca" => ca: Spanned<String>,
        /// Certificate and key files with which the bridge shows itself.
        "client_cert" => client_cert: RawClientCert,
        /// URL of a proxy.
        "proxy" => proxy: Spanned<String>,
        /// Largest answer that is read. Default 32MiB.
        "max_answer" => max_answer: Bytes,
        /// How much the bridge asks of the app at once.
        "limits" => limits: RawLimits,
        /// Pauses between tries.
        "retries" => retries: RawRetries,
    }
    required ["base_url"]
}

block! {
    /// One kind of proof.
    pub struct RawAuth in "`connect.auth`" {
        /// User and password.
        "basic" => basic: RawBasic,
        /// The token of the Authorization header.
        "bearer" => bearer: Node,
        /// The word before the token. Default `Bearer`.
        "word" => word: Spanned<String>,
        /// Name of a header that holds the proof.
        "header" => header: Spanned<String>,
        /// The value of that header.
        "value" => value: Node,
        /// OAuth2 client credentials.
        "oauth2" => oauth2: RawOAuth2,
        /// A login call, whose outcome goes with every other call.
        "session" => session: RawSession,
    }
}

block! {
    /// OAuth2 client credentials (RFC 6749 section 4.4).
    pub struct RawOAuth2 in "`connect.auth.oauth2`" {
        /// Where tokens are given: a whole URL, constant or over `vars`.
        "token_url" => token_url: Node,
        /// The client: a constant or `{ secret: NAME }`.
        "client_id" => client_id: Node,
        /// Its password: `{ secret: NAME }`.
        "client_secret" => client_secret: Node,
        /// The scopes asked for, with blanks between them.
        "scope" => scope: Node,
        /// More parameters of the form, such as `audience`.
        "params" => params: Pairs<Node>,
        /// How long a token lasts: a time, or a path in seconds. Default `$.body.expires_in`.
        "lasts" => lasts: Node,
        /// A new token is fetched that long before the end. Default 60s.
        "early" => early: Spanned<Duration>,
    }
    required ["token_url", "client_id", "client_secret"]
}

block! {
    /// A session that a login call opens.
    pub struct RawSession in "`connect.auth.session`" {
        /// The call that logs in.
        "login" => login: RawLogin,
        /// What goes with every other call: names and VALUES over `session`.
        "headers" => headers: Pairs<Node>,
        /// `true`: cookies that the app sets are kept and sent back.
        "keep_cookies" => keep_cookies: Spanned<bool>,
        /// How long it lasts: a time, or a path into the login's answer, in seconds.
        "lasts" => lasts: Node,
        /// A new login is made that long before the end. Default 60s.
        "early" => early: Spanned<Duration>,
        /// The call that logs out when the bridge ends.
        "logout" => logout: RawLogout,
    }
    required ["login"]
}

block! {
    /// The call that logs in.
    pub struct RawLogin in "`connect.auth.session.login`" {
        /// `METHOD /path`.
        "call" => call: Spanned<String>,
        /// Names and values of the query; `{ secret: NAME }` is allowed.
        "query" => query: Pairs<Node>,
        /// Names and values of headers.
        "headers" => headers: Pairs<Node>,
        /// The body; `{ secret: NAME }` is allowed.
        "body" => body: Node,
        /// What is kept from the answer, as `session.NAME`.
        "save" => save: Pairs<RawSave>,
        /// What the answers mean; before the mapping's rows.
        "errors" => errors: Vec<RawErrorRow>,
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
    /// The call that logs out.
    pub struct RawLogout in "`connect.auth.session.logout`" {
        /// `METHOD /path`; the path may hold `{{session.NAME}}`.
        "call" => call: Spanned<String>,
        /// Names and values of the query.
        "query" => query: Pairs<Node>,
        /// Names and values of headers.
        "headers" => headers: Pairs<Node>,
        /// The body.
        "body" => body: Node,
        /// Overrides `connect.timeout`; never more than 5s.
        "timeout" => timeout: Spanned<Duration>,
        /// Overrides `connect.sends`.
        "sends" => sends: RawSendFormat,
    }
    required ["call"]
}

block! {
    /// HTTP Basic.
    pub struct RawBasic in "`connect.auth.basic`" {
        /// The user: a constant or `{ secret: NAME }`.
        "user" => user: Node,
        /// The password: `{ secret: NAME }`.
        "password" => password: Node,
    }
    required ["user", "password"]
}

block! {
    /// Client certificate.
    pub struct RawClientCert in "`connect.client_cert`" {
        /// PEM file with the certificate chain.
        "cert" => cert: Spanned<String>,
        /// PEM file with the private key.
        "key" => key: Spanned<String>,
    }
    required ["cert", "key"]
}

block! {
    /// Limits on the bridge's own traffic.
    pub struct RawLimits in "`connect.limits`" {
        /// Calls under way at the same time. Default 4.
        "at_once" => at_once: Spanned<u64>,
        /// Calls begun in one second. Default: any number.
        "per_second" => per_second: Spanned<u64>,
        /// Changes that may wait; beyond it Okta gets 429. Default 1000000.
        "max_backlog" => max_backlog: Spanned<u64>,
        /// Above it deactivations, deletes and removals of members wait for an operator.
        "max_removals" => max_removals: RawMaxRemovals,
    }
}

block! {
    /// How much may be taken away before an operator is asked. With both numbers both must be
    /// exceeded.
    pub struct RawMaxRemovals in "`connect.limits.max_removals`" {
        /// So many in one `window`.
        "count" => count: Spanned<u64>,
        /// So many of a hundred users that the bridge knows, in one `window`.
        "percent" => percent: Spanned<u64>,
        /// The time in which they are counted. Default 10m.
        "window" => window: Spanned<Duration>,
    }
}

block! {
    /// Pauses between tries; the number of tries is the engine's.
    pub struct RawRetries in "`connect.retries`" {
        /// The first pause. Default 1s.
        "first_wait" => first_wait: Spanned<Duration>,
        /// The longest pause. Default 1m.
        "longest_wait" => longest_wait: Spanned<Duration>,
    }
}

words! {
    /// How a body is written.
    pub enum RawSendFormat { "json" => Json, "form" => Form, "xml" => Xml, }
}

words! {
    /// How an answer is read.
    pub enum RawReadFormat { "json" => Json, "xml" => Xml, "text" => Text, }
}

words! {
    /// How a list stands in a form.
    pub enum RawFormLists { "repeat" => Repeat, "brackets" => Brackets, }
}
