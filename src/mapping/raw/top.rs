//! Top-level keys, `vars:` and `secrets:` (docs/mapping.md sections 5 and 7).

use super::read::{OneOrMany, Pairs, Read, Spanned, block, wrong};
use super::shape::Shape;
use super::{
    RawCall, RawConnect, RawErrorRow, RawGroups, RawScimSettings, RawSync, RawTable, RawUsers,
};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// A whole mapping file.
    pub struct RawMapping in "the mapping" {
        /// Version of the format: always 1.
        /// Example: 1
        "mapping" => mapping: Spanned<u64>,
        /// Name of the app: a-z, 0-9, - and _. It stands in the SCIM base URL.
        /// Example: wiki
        "app" => app: Spanned<String>,
        /// Oldest bridge that can read the file, as a text.
        /// Example: "0.1"
        "needs" => needs: Spanned<String>,
        /// Settings that differ from place to place, by name.
        /// Example: { url: { env: WIKI_URL } }
        "vars" => vars: Pairs<RawVar>,
        /// Where credentials come from, by name; the only place where secrets are named.
        /// Example: { token: { file: /run/secrets/wiki_token } }
        "secrets" => secrets: Pairs<RawSecret>,
        /// How the app is reached.
        /// Example: { base_url: "{{vars.url}}", auth: { bearer: { secret: token } } }
        "connect" => connect: RawConnect,
        /// What Okta sees.
        /// Example: { identifier: userName, keep: [title] }
        "scim" => scim: RawScimSettings,
        /// Waiting, doubt, reading.
        /// Example: { wait: 20s, late: accept }
        "sync" => sync: RawSync,
        /// Tables of values that several attributes use, by name.
        /// Example: { roles: [ { scim: Admin, app: admin } ] }
        "tables" => tables: Pairs<RawTable>,
        /// Users: attributes and operations.
        /// Example: { id: id, attributes: { login: userName }, create: [add] }
        "users" => users: RawUsers,
        /// Groups: attributes, members and operations; left out if the app has none.
        /// Example: { id: id, attributes: { name: displayName }, list: [all_groups] }
        "groups" => groups: RawGroups,
        /// All calls on the app, by name.
        /// Example: { read: { call: "GET /users/{{id}}", record: $.body } }
        "calls" => calls: Pairs<RawCall>,
        /// What the app's error answers mean.
        /// Example: [ { status: 400, is: rejected } ]
        "errors" => errors: Vec<RawErrorRow>,
    }
    required ["mapping", "app", "connect", "users", "calls"]
    later ["on_enable", "on_disable"]
}

block! {
    /// One of `vars:`.
    pub struct RawVar in "a variable" {
        /// Name of the environment variable that holds it.
        /// Example: WIKI_URL
        "env" => env: Spanned<String>,
        /// Path of the file that holds it.
        /// Example: /etc/wiki/url
        "file" => file: Spanned<String>,
        /// The value; beside `env` the default.
        /// Example: eu
        "value" => value: Spanned<Node>,
        /// The values that are allowed: a list, or a block from allowed value to what stands for
        /// it.
        /// Example: [eu, us]
        "one_of" => one_of: Spanned<RawOneOf>,
        /// A pattern that the whole value must fit.
        /// Example: '[a-z]+-[0-9]+'
        "match" => pattern: Spanned<String>,
    }
}

/// `one_of`: a list, or a block whose right sides are the values.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawOneOf(pub Vec<(String, String)>);

impl Read for RawOneOf {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Map(_) => {
                let pairs = Pairs::<String>::read(node, report)?.0;
                Some(Self(pairs.into_iter().map(|(key, value)| (key.value, value)).collect()))
            }
            NodeKind::List(_) => {
                let words = OneOrMany::<String>::read(node, report)?.0;
                Some(Self(words.into_iter().map(|word| (word.clone(), word)).collect()))
            }
            NodeKind::Scalar(_) => {
                wrong(node, report, "a list, or a block from allowed value to value");
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![Shape::list(Shape::Text), Shape::Names(Box::new(Shape::Text))])
    }
}

block! {
    /// One of `secrets:`.
    pub struct RawSecret in "a secret" {
        /// Name of the environment variable that holds it.
        /// Example: WIKI_TOKEN
        "env" => env: Spanned<String>,
        /// Path of the file that holds it; read again when the app refuses what it held.
        /// Example: /run/secrets/wiki_token
        "file" => file: Spanned<String>,
    }
}
