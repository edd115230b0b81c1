//! `connect:` (docs/mapping.md section 6).

use std::time::Duration;

use super::calls::{RawErrorRow, RawSave};
use super::read::{Pairs, Spanned, block, words};
use super::scalars::Bytes;
use crate::mapping::source::Node;

block! {
    /// How the app is reached.
    pub struct RawConnect in "`connect`" {
        /// Where the API begins: a constant, or a text over `vars`. Without a scheme it is https.
        /// `serve --base-url APP=URL` replaces it.
        /// Example: "{{vars.url}}"
        "base_url" => base_url: Node,
        /// `true` allows http to another machine. Default false.
        /// Example: true
        "insecure" => insecure: Spanned<bool>,
        /// How the bridge proves itself to the app. Default: not at all.
        /// Example: { bearer: { secret: token } }
        "auth" => auth: RawAuth,
        /// `GET /path?query` or a call: tried before the first page of `list` when Okta tests its
        /// connection. Only needed where that page would not show that the credential is refused.
        /// Example: GET /me
        "probe" => probe: Spanned<String>,
        /// Longest time of one call, from connecting to the last byte. Default 15s; a call may say
        /// otherwise.
        /// Example: 15s
        "timeout" => timeout: Spanned<Duration>,
        /// How bodies are written. Default `json`; a call may say otherwise.
        /// Example: form
        "sends" => sends: RawSendFormat,
        /// How answers are read. Default `json`; a call may say otherwise.
        /// Example: xml
        "reads" => reads: RawReadFormat,
        /// A list in a form: `repeat` its key (default), or `brackets` (`a[]=1&a[]=2`).
        /// Example: brackets
        "form_lists" => form_lists: RawFormLists,
        /// XML elements that may repeat: they are always read as lists.
        /// Example: [user]
        "xml_lists" => xml_lists: Vec<Spanned<String>>,
        /// Paths of the app's own words in an answer; the first that has a text is shown in Okta's
        /// task. Default: the first text in the answer.
        /// Example: [ $.body.message, "$.body.errors[0].text" ]
        "error_text" => error_text: Vec<Node>,
        /// PEM file of the authorities for the app's certificate. Default: those of the system.
        /// Example: /etc/wiki/ca.pem
        "ca" => ca: Spanned<String>,
        /// Certificate with which the bridge shows itself.
        /// Example: { cert: /etc/wiki/cert.pem, key: /etc/wiki/key.pem }
        "client_cert" => client_cert: RawClientCert,
        /// `http://[user:password@]host:port`. Environment variables for proxies are not looked at.
        /// Example: http://proxy.corp.example:3128
        "proxy" => proxy: Spanned<String>,
        /// A larger answer is unreadable. Default 32MiB.
        /// Example: 32MiB
        "max_answer" => max_answer: Bytes,
        /// How much the bridge asks of the app at once.
        /// Example: { at_once: 4, per_second: 10 }
        "limits" => limits: RawLimits,
        /// Pauses between tries; they double between these.
        /// Example: { first_wait: 1s, longest_wait: 1m }
        "retries" => retries: RawRetries,
    }
    required ["base_url"]
}

block! {
    /// One kind of proof.
    pub struct RawAuth in "`connect.auth`" {
        /// HTTP Basic: user and password.
        /// Example: { user: bridge, password: { secret: password } }
        "basic" => basic: RawBasic,
        /// The token of the Authorization header.
        /// Example: { secret: token }
        "bearer" => bearer: Node,
        /// The word before the token. Default Bearer.
        /// Example: Token
        "word" => word: Spanned<String>,
        /// Name of a header that holds the proof, beside `value`.
        /// Example: X-API-Key
        "header" => header: Spanned<String>,
        /// The value of that header.
        /// Example: { secret: key }
        "value" => value: Node,
        /// OAuth2 client credentials.
        /// Example: { token_url: https://login.example/token, client_id: bridge, client_secret: { secret: client_secret } }
        "oauth2" => oauth2: RawOAuth2,
        /// A login call of the app's own, whose outcome goes with every other call.
        /// Example: { login: { call: POST /login }, keep_cookies: true }
        "session" => session: RawSession,
    }
}

block! {
    /// OAuth2 client credentials (RFC 6749 section 4.4).
    pub struct RawOAuth2 in "`connect.auth.oauth2`" {
        /// A whole URL, constant or over `vars`, https like `base_url`. `ca`, `client_cert` and
        /// `proxy` hold for it too.
        /// Example: https://login.example/oauth2/token
        "token_url" => token_url: Node,
        /// The client: a constant or `{ secret: NAME }`; sent in the form of the token request.
        /// Example: scim-bridge
        "client_id" => client_id: Node,
        /// Its password: `{ secret: NAME }`.
        /// Example: { secret: client_secret }
        "client_secret" => client_secret: Node,
        /// One text with blanks between the scopes.
        /// Example: users.read users.write
        "scope" => scope: Node,
        /// Further parameters of the form.
        /// Example: { audience: https://api.example }
        "params" => params: Pairs<Node>,
        /// How long a token lasts: a time, or a path in seconds. Default `$.body.expires_in`.
        /// Example: 1h
        "lasts" => lasts: Node,
        /// A new token is fetched that long before the end; at most half of what it lasts. Default
        /// 60s.
        /// Example: 60s
        "early" => early: Spanned<Duration>,
    }
    required ["token_url", "client_id", "client_secret"]
}

block! {
    /// A session that a login call opens.
    pub struct RawSession in "`connect.auth.session`" {
        /// The call that logs in.
        /// Example: { call: POST /login, body: { password: { secret: password } }, save: { token: $.body.token } }
        "login" => login: RawLogin,
        /// What goes with every other call: names and VALUES over `session` and `vars`, or `{
        /// secret: NAME }`.
        /// Example: { X-CSRF: $.session.csrf }
        "headers" => headers: Pairs<Node>,
        /// Cookies that the app sets, in the login or later, are sent back. Default false.
        /// Example: true
        "keep_cookies" => keep_cookies: Spanned<bool>,
        /// A time, or a path into the login's answer that gives seconds. Default: until it is
        /// refused.
        /// Example: 20m
        "lasts" => lasts: Node,
        /// The login is made again that long before the end; at most half of what it lasts. Default
        /// 60s.
        /// Example: 60s
        "early" => early: Spanned<Duration>,
        /// The call that logs out when the bridge ends: tried once, 5 seconds at most.
        /// Example: { call: POST /logout }
        "logout" => logout: RawLogout,
    }
    required ["login"]
}

block! {
    /// The call that logs in.
    pub struct RawLogin in "`connect.auth.session.login`" {
        /// `METHOD /path`.
        /// Example: POST /login.do
        "call" => call: Spanned<String>,
        /// Names and values of the query: constants, `vars` and `{ secret: NAME }`.
        /// Example: { tenant: $.vars.tenant }
        "query" => query: Pairs<Node>,
        /// Names and values of headers.
        /// Example: { X-Client: scim-bridge }
        "headers" => headers: Pairs<Node>,
        /// The body: constants, `vars` and `{ secret: NAME }`.
        /// Example: { user: { secret: user }, password: { secret: password } }
        "body" => body: Node,
        /// What is kept from the answer, as `session.NAME`; from the body or a header.
        /// Example: { csrf: $.body.session.csrf }
        "save" => save: Pairs<RawSave>,
        /// What the answers mean; before the mapping's own rows.
        /// Example: [ { status: 403, is: stop } ]
        "errors" => errors: Vec<RawErrorRow>,
        /// In place of `connect.timeout`.
        /// Example: 5s
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
    /// The call that logs out.
    pub struct RawLogout in "`connect.auth.session.logout`" {
        /// `METHOD /path`; the path may hold `{{session.NAME}}`.
        /// Example: POST /logout.do
        "call" => call: Spanned<String>,
        /// Names and values of the query.
        /// Example: { csrf: $.session.csrf }
        "query" => query: Pairs<Node>,
        /// Names and values of headers.
        /// Example: { X-Client: scim-bridge }
        "headers" => headers: Pairs<Node>,
        /// The body.
        /// Example: { csrf: $.session.csrf }
        "body" => body: Node,
        /// In place of `connect.timeout`; never more than 5s.
        /// Example: 2s
        "timeout" => timeout: Spanned<Duration>,
        /// In place of `connect.sends`.
        /// Example: form
        "sends" => sends: RawSendFormat,
    }
    required ["call"]
}

block! {
    /// HTTP Basic.
    pub struct RawBasic in "`connect.auth.basic`" {
        /// The user: a constant or `{ secret: NAME }`.
        /// Example: scim-bridge
        "user" => user: Node,
        /// The password: `{ secret: NAME }`.
        /// Example: { secret: password }
        "password" => password: Node,
    }
    required ["user", "password"]
}

block! {
    /// Client certificate.
    pub struct RawClientCert in "`connect.client_cert`" {
        /// PEM file with the certificate chain.
        /// Example: /etc/wiki/cert.pem
        "cert" => cert: Spanned<String>,
        /// PEM file with the private key.
        /// Example: /etc/wiki/key.pem
        "key" => key: Spanned<String>,
    }
    required ["cert", "key"]
}

block! {
    /// Limits on the bridge's own traffic.
    pub struct RawLimits in "`connect.limits`" {
        /// Calls under way at the same time. Default 4.
        /// Example: 2
        "at_once" => at_once: Spanned<u64>,
        /// Calls begun in one second. Default: any number.
        /// Example: 10
        "per_second" => per_second: Spanned<u64>,
        /// Changes that may wait; above it Okta gets 429. Default 1000000.
        /// Example: 1000
        "max_backlog" => max_backlog: Spanned<u64>,
        /// Above it deactivations, deletes and removals of members wait for an operator.
        /// Example: { count: 50, percent: 10, window: 10m }
        "max_removals" => max_removals: RawMaxRemovals,
    }
}

block! {
    /// How much may be taken away before an operator is asked. With both numbers both must be
    /// exceeded.
    pub struct RawMaxRemovals in "`connect.limits.max_removals`" {
        /// So many in one `window`.
        /// Example: 50
        "count" => count: Spanned<u64>,
        /// So many of a hundred users that the bridge knows, in one `window`.
        /// Example: 10
        "percent" => percent: Spanned<u64>,
        /// The time in which they are counted. Default 10m.
        /// Example: 10m
        "window" => window: Spanned<Duration>,
    }
}

block! {
    /// Pauses between tries; the number of tries is the engine's.
    pub struct RawRetries in "`connect.retries`" {
        /// The first pause. Default 1s.
        /// Example: 1s
        "first_wait" => first_wait: Spanned<Duration>,
        /// The longest pause. Default 1m.
        /// Example: 5m
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
