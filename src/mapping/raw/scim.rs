//! `scim:` (docs/mapping.md section 8).

use super::read::{OneOrMany, Pairs, Read, Spanned, block, words, wrong};
use super::shape::Shape;
use super::top::RawSecret;
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// What the SCIM side looks like.
    pub struct RawScimSettings in "`scim`" {
        /// The SCIM root. Default `/APP/scim/v2`. Two mappings whose roots are equal or nested are
        /// not served together.
        /// Example: /wiki/scim/v2
        "path" => path: Spanned<String>,
        /// Kinds of credential that are accepted: `bearer` (the default), `basic`, `bearer_pair`
        /// (Bearer base64(user:secret)), or a header of its own.
        /// Example: [ bearer, { header: x-api-key } ]
        "auth" => auth: Vec<Spanned<RawClientAuth>>,
        /// What stands in Okta's *Unique identifier field for users*. Default userName.
        /// Example: userName
        "identifier" => identifier: Spanned<String>,
        /// Short names of schemas: `short: NAMESPACE`, or `short: [written, also read]`.
        /// `enterprise` is always known.
        /// Example: { wiki: urn:wiki:User }
        "extensions" => extensions: Pairs<RawNamespaces>,
        /// What operators may do with tokens.
        /// Example: { regenerate: refused }
        "tokens" => tokens: RawTokens,
        /// SCIM attributes that the app has no field for; the bridge remembers and shows them.
        /// Example: [title, nickName]
        "keep" => keep: Vec<Spanned<String>>,
        /// Names of tables whose SCIM values are listed at `/Roles`.
        /// Example: [level]
        "roles" => roles: Vec<Spanned<String>>,
        /// Names of tables whose SCIM values are listed at `/Entitlements`.
        /// Example: [licences]
        "entitlements" => entitlements: Vec<Spanned<String>>,
    }
}

/// The namespaces of a short name: the first is written, all are read.
pub(crate) type RawNamespaces = OneOrMany<Spanned<String>>;

block! {
    /// Token policy.
    pub struct RawTokens in "`scim.tokens`" {
        /// Whether a second token may be made while one exists. Default `allowed`.
        /// Example: refused
        "regenerate" => regenerate: RawRegenerate,
        /// A credential that the installation gives, beside those that the bridge makes.
        /// Example: { file: /run/secrets/okta_token }
        "supplied" => supplied: RawSupplied,
    }
}

block! {
    /// A credential of the client: `{ env }`, `{ file }`, or a pair `{ user, secret }`.
    pub struct RawSupplied in "`scim.tokens.supplied`" {
        /// Name of the environment variable that holds the token.
        /// Example: OKTA_TOKEN
        "env" => env: Spanned<String>,
        /// Path of the file that holds the token; read again when its content changes.
        /// Example: /run/secrets/okta_token
        "file" => file: Spanned<String>,
        /// The user of a pair: a text, `{ env: NAME }` or `{ file: PATH }`.
        /// Example: okta
        "user" => user: Node,
        /// The secret of a pair: `{ env: NAME }` or `{ file: PATH }`.
        /// Example: { file: /run/secrets/okta_password }
        "secret" => secret: RawSecret,
    }
}

words! {
    /// Whether a token may be made again.
    pub enum RawRegenerate { "allowed" => Allowed, "refused" => Refused, }
}

/// One kind of client proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RawClientAuth {
    Bearer,
    Basic,
    BearerPair,
    Header(String),
}

impl Read for RawClientAuth {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match (&node.kind, node.text()) {
            (_, Some("bearer")) => Some(Self::Bearer),
            (_, Some("basic")) => Some(Self::Basic),
            (_, Some("bearer_pair")) => Some(Self::BearerPair),
            (NodeKind::Map(_), _) => {
                RawHeaderAuth::read(node, report)?.header.map(|h| Self::Header(h.value))
            }
            (_, Some(_)) => {
                super::read::wrong_word(node, report, &["bearer", "basic", "bearer_pair"]);
                None
            }
            _ => {
                wrong(node, report, "bearer, basic, bearer_pair or { header: NAME }");
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![
            Shape::Words(&["bearer", "basic", "bearer_pair"]),
            RawHeaderAuth::shape(),
        ])
    }
}

block! {
    /// A header of the client's choice.
    pub struct RawHeaderAuth in "`scim.auth`" {
        /// The header's name.
        /// Example: x-api-key
        "header" => header: Spanned<String>,
    }
    required ["header"]
}
