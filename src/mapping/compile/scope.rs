//! Values and texts get their meaning: every root and name in them is checked against what is
//! there at the place where they stand.

use serde_json::Value;

use super::Cx;
use crate::mapping::names;
use crate::mapping::path::JsonPath;
use crate::mapping::raw::{Span, Spanned};
use crate::mapping::source::{Node, NodeKind};
use crate::mapping::template::{Template, Variable};
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;

/// What a place in the file offers and allows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// What the place is, for messages: "the body of call `add`".
    pub what: String,
    /// The roots that are there.
    pub roots: Vec<&'static str>,
    /// The tops of `app`, if they are known.
    pub fields: Option<Vec<String>>,
    /// What `saved` may hold.
    pub saved: Vec<String>,
    /// What `session` holds.
    pub session: Vec<String>,
    /// `{ secret: NAME }` may stand here.
    pub secrets: bool,
    /// It may also stand inside a structure.
    pub secrets_inside: bool,
    /// `{ random: N }` may stand here.
    pub random: bool,
    /// Only one value can be taken: no paths that always give lists.
    pub single: bool,
}

impl Scope {
    pub fn new(what: impl Into<String>, roots: &[&'static str]) -> Self {
        Self { what: what.into(), roots: roots.to_vec(), ..Self::default() }
    }

    /// What holds for the values inside a structure.
    fn inner(&self) -> Self {
        Self { single: false, secrets: self.secrets_inside, ..self.clone() }
    }

    pub fn single(mut self) -> Self {
        self.single = true;
        self
    }

    pub fn with(mut self, roots: &[&'static str]) -> Self {
        self.roots.extend(roots);
        self
    }

    pub fn named(&self, what: impl Into<String>) -> Self {
        Self { what: what.into(), ..self.clone() }
    }
}

impl Cx<'_, '_> {
    /// Compiles a VALUE.
    pub fn value(&mut self, node: &Node, scope: &Scope) -> Option<Val> {
        match &node.kind {
            NodeKind::Scalar(Value::String(text)) => self.text_value(text, &node.span, scope),
            NodeKind::Scalar(constant) => Some(Val::Constant(constant.clone())),
            NodeKind::List(items) => {
                let inner = scope.inner();
                let items: Vec<Option<Val>> =
                    items.iter().map(|item| self.value(item, &inner)).collect();
                items
                    .into_iter()
                    .collect::<Option<Vec<Val>>>()
                    .map(|items| simple(Val::List(items)))
            }
            NodeKind::Map(entries) => {
                if let [only] = entries.as_slice()
                    && let Some(special) =
                        self.special(&only.key, &only.key_span, &only.value, scope)
                {
                    return special;
                }
                let inner = scope.inner();
                let pairs: Vec<Option<(String, Val)>> = entries
                    .iter()
                    .map(|entry| Some((entry.key.clone(), self.value(&entry.value, &inner)?)))
                    .collect();
                pairs.into_iter().collect::<Option<Vec<_>>>().map(|pairs| simple(Val::Map(pairs)))
            }
        }
    }

    /// `{ secret: … }`, `{ json_text: … }`, `{ random: … }`. The outer None: it is a structure.
    fn special(
        &mut self,
        key: &str,
        at: &Span,
        value: &Node,
        scope: &Scope,
    ) -> Option<Option<Val>> {
        match key {
            "secret" => {
                let name = value.text()?.to_owned();
                if !scope.secrets {
                    self.report.error_help(
                        "M0405",
                        at.clone(),
                        format!("a secret may not stand in {}", scope.what),
                        "secrets are allowed as values in `connect`, in `headers` and in the login",
                    );
                    return Some(None);
                }
                let spanned = Spanned { value: name, span: value.span.clone() };
                Some(self.secret(&spanned).map(Val::Secret))
            }
            "json_text" => {
                let inner = Scope { secrets: false, secrets_inside: false, ..scope.inner() };
                Some(self.value(value, &inner).map(|value| Val::JsonText(Box::new(value))))
            }
            "random" => {
                let NodeKind::Scalar(Value::Number(length)) = &value.kind else { return None };
                Some(self.random(length, &value.span, at, scope))
            }
            _ => None,
        }
    }

    /// `{ random: N }`.
    fn random(
        &mut self,
        length: &serde_json::Number,
        span: &Span,
        at: &Span,
        scope: &Scope,
    ) -> Option<Val> {
        if !scope.random {
            self.report.error_help(
                "M0405",
                at.clone(),
                format!("a random value may not stand in {}", scope.what),
                "random values are made for calls that write, and for `default` and `to_app`",
            );
            return None;
        }
        let length = length.as_u64().and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|length| (3..=256).contains(length)) else {
            let message = "a random value has 3 to 256 characters";
            self.report.error_help("M0205", span.clone(), message, "write { random: 24 }");
            return None;
        };
        Some(Val::Random { place: at.start, length })
    }

    /// A secret by its name; reports a name that does not exist.
    pub fn secret(&mut self, name: &Spanned<String>) -> Option<String> {
        let raw = self.raw;
        let known =
            || raw.secrets.iter().flat_map(|s| s.0.iter()).map(|(name, _)| name.value.as_str());
        if known().any(|known| known == name.value) {
            return Some(name.value.clone());
        }
        let message = format!("there is no secret `{}`", name.value);
        self.report.error_help(
            "M0303",
            name.span.clone(),
            message,
            names::help(&name.value, known()),
        );
        None
    }

    fn text_value(&mut self, text: &str, span: &Span, scope: &Scope) -> Option<Val> {
        if let Some(constant) = text.strip_prefix("$$") {
            return Some(Val::Constant(Value::String(format!("${constant}"))));
        }
        if text.starts_with("$.") || text.starts_with("$[") || text == "$" {
            let path = self.path(text, span, scope)?;
            if scope.single && !path.is_singular() && !path.is_filtered() {
                self.report.error_help(
                    "M0403",
                    span.clone(),
                    format!("`{text}` gives a list, and {} takes one value", scope.what),
                    "choose one: [0], or a filter [?@.name == 'x']",
                );
                return None;
            }
            return Some(Val::Path(path));
        }
        if Template::is_one(text) {
            return self.template(text, span, scope).map(Val::Text);
        }
        Some(Val::Constant(Value::String(text.to_owned())))
    }

    /// Compiles a `$` path.
    pub fn path(&mut self, text: &str, span: &Span, scope: &Scope) -> Option<JsonPath> {
        match JsonPath::compile(text) {
            Err(message) => {
                self.report.error("M0401", span.clone(), format!("`{text}`: {message}"));
                None
            }
            Ok(mut path) => {
                let names: Vec<String> = path.names().into_iter().map(str::to_owned).collect();
                let known = self.root(path.root(), &names, span, scope);
                if matches!(path.root(), "user" | "group") {
                    path.rename_first(|name| self.shorts.get(name).cloned());
                }
                known.then_some(path)
            }
        }
    }

    /// Compiles a text with `{{ }}`.
    pub fn template(&mut self, text: &str, span: &Span, scope: &Scope) -> Option<Template> {
        let mut template = match Template::compile(text) {
            Ok(template) => template,
            Err(error) => {
                let at = self.report.inside(span, text, error.at, 1);
                self.report.error("M0402", at, error.message);
                return None;
            }
        };
        let shorts = self.shorts.clone();
        let mut known = true;
        for Variable { at, path, .. } in template.variables_mut() {
            let names: Vec<String> = path.names().into_iter().map(str::to_owned).collect();
            let at = self.report.inside(span, text, *at, path.text().len());
            known &= self.root(path.root(), &names, &at, scope);
            if matches!(path.root(), "user" | "group") {
                path.rename_first(|name| shorts.get(name).cloned());
            }
        }
        known.then_some(template)
    }

    /// Checks a root and the names below it, as far as they can be known.
    pub(super) fn root(&mut self, root: &str, names: &[String], at: &Span, scope: &Scope) -> bool {
        if !scope.roots.contains(&root) {
            let known: Vec<&str> = scope.roots.clone();
            let message = if ROOTS.contains(&root) {
                format!("`{root}` is not there in {}", scope.what)
            } else {
                format!("there is no root `{root}`")
            };
            let help = match names::nearest(root, known.iter().copied()) {
                Some(near) if near != root => names::did_you_mean(near),
                _ => format!("here: {}", known.join(", ")),
            };
            self.report.error_help("M0406", at.clone(), message, help);
            return false;
        }
        let Some(name) = names.first() else {
            return true;
        };
        let (what, known): (&str, Vec<String>) = match root {
            "vars" => ("variable", self.var_names()),
            "app" => match &scope.fields {
                Some(fields) => ("field in `attributes`", fields.clone()),
                None => return true,
            },
            "saved" => ("saved value", scope.saved.clone()),
            "member" => return self.member_has(name, at),
            "session" => ("value that the login saves", scope.session.clone()),
            "user" => return self.resource_has(Kind::User, root, names, at),
            "group" => return self.resource_has(Kind::Group, root, names, at),
            _ => return true,
        };
        if known.contains(name) {
            return true;
        }
        let help = names::help(name, known.iter().map(String::as_str));
        self.report.error_help("M0407", at.clone(), format!("there is no {what} `{name}`"), help);
        false
    }

    fn member_has(&mut self, name: &str, at: &Span) -> bool {
        let known = ["id", "user", "current"];
        if known.contains(&name) {
            return true;
        }
        let message = format!("`member` has no `{name}`");
        self.report.error_help("M0407", at.clone(), message, names::help(name, known));
        false
    }

    fn var_names(&self) -> Vec<String> {
        let vars = self.raw.vars.iter().flat_map(|vars| vars.0.iter());
        vars.map(|(name, _)| name.value.clone()).collect()
    }
}

/// Every root of the language.
const ROOTS: &[&str] = &[
    "vars",
    "user",
    "app",
    "current",
    "merged",
    "id",
    "saved",
    "wanted",
    "group",
    "member",
    "members",
    "added",
    "removed",
    "page",
    "record",
    "records",
    "body",
    "headers",
    "status",
    "error_text",
    "match",
    "session",
    "send",
];

/// A structure of constants is a constant.
fn simple(value: Val) -> Val {
    fn constant(value: &Val) -> Option<Value> {
        match value {
            Val::Constant(value) => Some(value.clone()),
            Val::List(items) => items.iter().map(constant).collect(),
            Val::Map(entries) => {
                let pairs: Option<serde_json::Map<String, Value>> = entries
                    .iter()
                    .map(|(key, value)| Some((key.clone(), constant(value)?)))
                    .collect();
                pairs.map(Value::Object)
            }
            _ => None,
        }
    }
    match constant(&value) {
        Some(value) => Val::Constant(value),
        None => value,
    }
}
