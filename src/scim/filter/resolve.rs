//! Gives the names and literals of a parsed filter their meaning in a schema.

use serde_json::Value;

use super::Filter;
use super::eval::{Node, Wanted};
use super::syntax::{CompareOp, Expr, Operand, RawPath};
use crate::scim::attribute::{Attribute, AttributeType, Returned};
use crate::scim::compare::{folded, instant};
use crate::scim::path::{AttrPath, shown};
use crate::scim::resolve::{Found, Named};
use crate::scim::schema::ResourceType;

/// Where a filter's names are looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// In a resource.
    Resource(&'a ResourceType),
    /// In an element of this list: inside brackets.
    Element(&'a Attribute),
}

/// What is wrong, and the byte where it stands.
pub(super) struct Fault {
    pub at: usize,
    pub reason: String,
}

fn fault<T>(at: usize, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { at, reason: reason.into() })
}

/// The filter with its names resolved.
pub(super) fn node(expr: &Expr, scope: Scope<'_>) -> Result<Node, Fault> {
    let all = |exprs: &[Expr]| exprs.iter().map(|e| node(e, scope)).collect::<Result<Vec<_>, _>>();
    match expr {
        Expr::And(exprs) => Ok(Node::And(all(exprs)?)),
        Expr::Or(exprs) => Ok(Node::Or(all(exprs)?)),
        Expr::Not(expr) => Ok(Node::Not(Box::new(node(expr, scope)?))),
        Expr::Present(path) => Ok(Node::Present(look_up(path, scope)?.0)),
        Expr::Compare { path: raw, op, right } => {
            let (path, leaf) = look_up(raw, scope)?;
            match by_id(raw, scope, *op, right) {
                Some((path, leaf, id)) => compared(raw.at, path, leaf, *op, &id),
                None => compared(raw.at, path, leaf, *op, right),
            }
        }
        Expr::ValuePath { path, filter, sub } => elements(path, filter, sub.as_deref(), scope),
    }
}

/// A name's path, and the attribute whose values it means.
fn look_up<'a>(raw: &RawPath, scope: Scope<'a>) -> Result<(AttrPath, &'a Attribute), Fault> {
    let (found, of) = match scope {
        Scope::Resource(rt) => (in_resource(&raw.text, rt), &rt.name),
        Scope::Element(list) => (in_element(&raw.text, list), &list.name),
    };
    let Some(found) = found else {
        return fault(raw.at, format!("'{}' is not an attribute of {of}", shown(&raw.text)));
    };
    if [found.attribute, found.leaf()].iter().any(|a| a.returned == Returned::Never) {
        return fault(raw.at, format!("'{}' cannot be searched", found.leaf().name));
    }
    let mut path = AttrPath::of(&found);
    if matches!(scope, Scope::Element(list) if !list.is_complex()) {
        path = AttrPath { attribute: "value".to_owned(), multi_valued: false, ..path };
    }
    Ok((path, found.leaf()))
}

/// `members.$ref eq "https://…/Users/7"` is `members.value eq "7"`, and `meta.location` is `id`:
/// where a resource is seen from is not known here, and the last segment names it.
fn by_id<'a>(
    raw: &RawPath,
    scope: Scope<'a>,
    op: CompareOp,
    right: &Operand,
) -> Option<(AttrPath, &'a Attribute, Operand)> {
    let Operand::Literal(Value::String(uri)) = right else { return None };
    let (_, id) = uri.rsplit_once('/')?;
    let text = raw.text.to_ascii_lowercase();
    let sibling = match text.strip_suffix("meta.location") {
        Some(namespace) => format!("{namespace}id"),
        None => format!("{}value", text.strip_suffix("$ref")?),
    };
    let raw = RawPath { text: sibling, at: raw.at };
    let (path, leaf) = look_up(&raw, scope).ok()?;
    let is_plain = matches!(op, CompareOp::Eq | CompareOp::Ne);
    (is_plain && !id.is_empty()).then(|| (path, leaf, Operand::Literal(id.into())))
}

fn in_resource<'a>(name: &str, rt: &'a ResourceType) -> Option<Found<'a>> {
    match rt.resolve(name) {
        Some(Named::Attribute(found)) => Some(found),
        Some(Named::Extension(ext)) => {
            let attribute = ext.own_attribute()?;
            Some(Found { extension: Some(ext), attribute, sub: None })
        }
        // The unique identifier field of Okta's form may say "email".
        None if name.eq_ignore_ascii_case("email") => {
            let attribute = rt.attribute("emails")?;
            Some(Found { extension: None, attribute, sub: Some(attribute.sub("value")?) })
        }
        Some(Named::Core) | None => None,
    }
}

/// Elements that are no objects have one part, `value`: themselves.
fn in_element<'a>(name: &str, list: &'a Attribute) -> Option<Found<'a>> {
    let attribute = if list.is_complex() {
        list.sub(name)?
    } else if name.eq_ignore_ascii_case("value") {
        list
    } else {
        return None;
    };
    Some(Found { extension: None, attribute, sub: None })
}

/// `list[filter]`, `list[filter].sub pr`, `list[filter].sub eq "x"`.
fn elements(
    raw: &RawPath,
    filter: &Expr,
    sub: Option<&Expr>,
    scope: Scope<'_>,
) -> Result<Node, Fault> {
    let Scope::Resource(rt) = scope else {
        return fault(raw.at, "a bracket inside a bracket");
    };
    let (mut path, _) = look_up(raw, scope)?;
    let attribute = path.attribute_in(rt).filter(|_| path.sub.is_none());
    let Some(list) = attribute.filter(|a| a.is_complex() || a.multi_valued) else {
        let name = shown(&raw.text);
        return fault(raw.at, format!("'{name}' has no parts that a bracket could name"));
    };
    path.filter = Some(Filter(Box::new(node(filter, Scope::Element(list))?)));
    let part = |raw: &RawPath| -> Result<(AttrPath, &Attribute), Fault> {
        let (mut part, leaf) = look_up(raw, Scope::Element(list))?;
        if list.is_complex() {
            part = AttrPath { sub: Some(part.attribute), ..path.clone() };
        } else {
            part = path.clone();
        }
        Ok((part, leaf))
    };
    match sub {
        None => Ok(Node::Present(path)),
        Some(Expr::Present(raw)) => Ok(Node::Present(part(raw)?.0)),
        Some(Expr::Compare { path: raw, op, right }) => {
            let (path, leaf) = part(raw)?;
            compared(raw.at, path, leaf, *op, right)
        }
        Some(_) => fault(raw.at, "expected an operator behind the bracket"),
    }
}

fn compared(
    at: usize,
    mut path: AttrPath,
    mut leaf: &Attribute,
    op: CompareOp,
    right: &Operand,
) -> Result<Node, Fault> {
    let named = path.to_string();
    if leaf.is_complex() {
        // `emails eq "x"`: the value is what stands for a complex attribute.
        let Some(value) = leaf.sub("value").filter(|_| path.sub.is_none()) else {
            return fault(at, format!("'{named}' has parts: compare one of them"));
        };
        leaf = value;
        path.sub = Some(value.name.clone());
    }
    let Operand::Literal(literal) = right else {
        return fault(at, format!("'{named}' must be compared with a value"));
    };
    let kind = leaf.kind.keyword();
    if !fits(op, literal, leaf.kind) {
        return fault(at, format!("'{named}' is a {kind}: '{}' does not fit it", op.keyword()));
    }
    let Some((value, wanted)) = typed(literal, leaf, is_search(op)) else {
        let literal = shown(&literal.to_string());
        return fault(at, format!("'{named}' is a {kind}: {literal} is none"));
    };
    Ok(Node::Compare { path, op, value, wanted })
}

fn is_search(op: CompareOp) -> bool {
    matches!(op, CompareOp::Co | CompareOp::Sw | CompareOp::Ew)
}

/// Whether the operator makes sense (RFC 7644 table 3: booleans and binaries have no order).
fn fits(op: CompareOp, literal: &Value, kind: AttributeType) -> bool {
    let is_plain = matches!(op, CompareOp::Eq | CompareOp::Ne);
    match kind {
        _ if literal.is_null() => is_plain,
        AttributeType::Boolean => is_plain,
        AttributeType::Integer | AttributeType::Decimal => !is_search(op),
        AttributeType::Binary => is_plain || is_search(op),
        _ => true,
    }
}

/// The literal in the attribute's type.
fn typed(literal: &Value, leaf: &Attribute, is_search: bool) -> Option<(Value, Wanted)> {
    let as_text = match literal {
        Value::Null => return Some((Value::Null, Wanted::Null)),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match leaf.kind {
        AttributeType::Boolean => {
            let flag = as_text.to_ascii_lowercase().parse().ok()?;
            Some((Value::Bool(flag), Wanted::Bool(flag)))
        }
        AttributeType::Integer | AttributeType::Decimal => {
            let number: serde_json::Number = serde_json::from_str(&as_text).ok()?;
            Some((Value::Number(number.clone()), Wanted::Number(number)))
        }
        AttributeType::DateTime if !is_search => {
            let at = instant(&as_text)?;
            Some((as_text.into(), Wanted::Instant(at)))
        }
        AttributeType::Complex => None,
        AttributeType::String
        | AttributeType::Reference
        | AttributeType::Binary
        | AttributeType::DateTime => {
            let case_exact = leaf.case_exact;
            let text = folded(&as_text, case_exact).into_owned();
            Some((as_text.into(), Wanted::Text { text, case_exact }))
        }
    }
}
