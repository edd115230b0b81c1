//! A first mapping, guessed from an example of the app's answers or from its OpenAPI file.
//!
//! Pure: text out of trees. What is a guess says so in a comment. Whether the text loads is for
//! the caller to see, with the loader that loads every mapping.

mod api;
mod fields;
mod shape;
mod write;

use serde_json::Value;

use super::cases::yaml_text;
use fields::Fields;
use shape::Shape;

pub use api::read_api;

/// What is known of an app.
#[derive(Debug, Clone, Default)]
pub struct DraftOrder {
    /// The name: a-z, 0-9, - and _.
    pub app: String,
    /// Where the API begins.
    pub base_url: String,
    /// How the app wants to be shown who calls; none: as its OpenAPI file says, else a bearer.
    pub auth: Option<DraftAuth>,
    /// The path that lists everybody, below `base_url`.
    pub list: Option<String>,
    /// A record, or the answer to a list.
    pub example: Option<Value>,
    /// The OpenAPI file.
    pub api: Option<Value>,
}

/// How the app wants to be shown who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftAuth {
    /// Not at all.
    None,
    /// User and password.
    Basic,
    /// A token behind the word Bearer.
    Bearer,
    /// A token in a header of that name.
    Header(String),
    /// Client credentials, from that URL.
    OAuth2(Option<String>),
    /// A login call of the app's own, at that path.
    Session(Option<String>),
}

/// A first mapping.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The mapping's text.
    pub text: String,
    /// An example record of the app.
    pub record: Option<Value>,
    /// What was guessed, in sentences.
    pub guessed: Vec<String>,
    /// Whether there are calls that switch somebody off and on.
    pub switches: bool,
}

/// Writes a first mapping.
///
/// # Errors
/// What is missing, and what to give.
pub fn draft(order: &DraftOrder) -> Result<Draft, String> {
    let known = order.api.as_ref().map(|api| api::Known::of(api, order.list.as_deref()));
    let answer = order.example.clone().or_else(|| known.as_ref().and_then(|k| k.answer.clone()));
    let shape = Shape::of(answer.as_ref(), known.as_ref());
    let record = shape.record.clone();
    let enums = known.as_ref().map(|known| known.enums.clone()).unwrap_or_default();
    let fields = match &record {
        Some(record) => Fields::of(record, &enums),
        None => Fields::usual(),
    };
    if fields.user_name.is_none() {
        return Err(
            "no field looks like a user name or an e-mail address; give an example record \
                    with one (--example FILE)"
                .to_owned(),
        );
    }
    let record = record.filter(|_| order.example.is_some());
    Ok(write::mapping(order, known.as_ref(), &shape, &fields, record))
}

/// A value on one line.
fn line(value: &Value) -> String {
    // Short values never break.
    yaml_text(value, 0).trim().to_owned()
}

/// Letters and digits in lower case: `First-Name` and `first_name` are one.
fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}
