//! Top-level keys, `vars:` and `secrets:` (docs/mapping.md sections 5 and 7).

use super::read::{OneOrMany, Pairs, Read, Spanned, block, wrong};
use super::{
    RawCall, RawConnect, RawErrorRow, RawGroups, RawScimSettings, RawSync, RawTable, RawUsers,
};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// A whole mapping file.
    pub struct RawMapping in "the mapping" {
        /// Version of the format: 1.
        "mapping" => mapping: Spanned<u64>,
        /// Name of the app; the SCIM root is `/<app>/scim/v2` by default.
        "app" => app: Spanned<String>,
        /// Oldest server that can read the file, as a text: "0.7".
        "needs" => needs: Spanned<String>,
        /// Settings that differ from installation to installation, by name.
        "vars" => vars: Pairs<RawVar>,
        /// Where secrets come from, by name; the only place secrets are named.
        "secrets" => secrets: Pairs<RawSecret>,
        /// How the app is reached.
        "connect" => connect: RawConnect,
        /// What the SCIM side looks like.
        "scim" => scim: RawScimSettings,
        /// Answering, doubt, reading, repair.
        "sync" => sync: RawSync,
        /// Tables of values that several attributes use, by name.
        "tables" => tables: Pairs<RawTable>,
        /// Users: attributes and operations.
        "users" => users: RawUsers,
        /// Groups: attributes, members and operations.
        "groups" => groups: RawGroups,
        /// The calls on the app, by name.
        "calls" => calls: Pairs<RawCall>,
        /// What the app's error answers mean.
        "errors" => errors: Vec<RawErrorRow>,
        /// Calls that `scim-bridge app enable` makes, in order, before SCIM opens.
        "on_enable" => on_enable: Vec<Spanned<String>>,
        /// Calls that `scim-bridge app disable` makes, in order, after SCIM was closed.
        "on_disable" => on_disable: Vec<Spanned<String>>,
    }
    required ["mapping", "app", "connect", "users", "calls"]
}

block! {
    /// One of `vars:`.
    pub struct RawVar in "a variable" {
        /// Name of the environment variable that holds it.
        "env" => env: Spanned<String>,
        /// Path of the file that holds it.
        "file" => file: Spanned<String>,
        /// The value, or the default beside `env`.
        "value" => value: Spanned<Node>,
        /// The values allowed: a list, or a block from allowed value to what stands for it.
        "one_of" => one_of: Spanned<RawOneOf>,
        /// A pattern the whole value must fit.
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
}

block! {
    /// One of `secrets:`.
    pub struct RawSecret in "a secret" {
        /// Name of the environment variable that holds it.
        "env" => env: Spanned<String>,
        /// Path of the file that holds it; read again when its content changes.
        "file" => file: Spanned<String>,
    }
}
