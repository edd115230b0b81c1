//! Conditions: SCIM's filter grammar over the roots of the mapping language.
//!
//! On `user` and `group` SCIM's comparison rules hold; on everything the app answers texts
//! compare with case, and a number never equals a text. There is no truthiness.

use std::cmp::Ordering;

use serde_json::Value;

use super::path::JsonPath;
use super::roots::Roots;
use super::textpath::{TextStep, follow, steps};
use crate::scim::filter::syntax::{self, CompareOp, Expr, Operand, References};

/// A compiled condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    pub(crate) test: Test,
}

/// One node of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Present(Place),
    Compare {
        place: Place,
        op: CompareOp,
        right: Right,
        case_exact: bool,
    },
    /// An element of the list for which the filter holds, and what follows it.
    Any {
        place: Place,
        filter: Box<Test>,
        then: Option<Box<Test>>,
    },
}

/// A path: from a root, or inside `[ ]` from the element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    /// None inside of brackets.
    pub root: Option<String>,
    pub steps: Vec<TextStep>,
    /// Byte of the condition where it stands.
    pub at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Right {
    Literal(Value),
    Path(JsonPath),
}

/// A mistake in a condition: byte in its text, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConditionError {
    pub at: usize,
    pub message: String,
}

impl Condition {
    /// Compiles a condition; names are given their meaning by `compile`.
    pub(crate) fn compile(text: &str) -> Result<Self, ConditionError> {
        let expr = syntax::parse(text, References::Allowed).map_err(|error| ConditionError {
            at: error.at,
            message: format!("{} is expected here", error.expected),
        })?;
        Ok(Self { text: text.to_owned(), test: test(&expr, true)? })
    }

    /// The condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds.
    pub fn holds(&self, roots: &Roots) -> bool {
        self.test.holds(roots, None)
    }

    /// Whether everything it names is there (null counts as there); else nobody can know.
    pub fn is_known(&self, roots: &Roots) -> bool {
        self.test.is_known(roots)
    }

    /// Whether it holds, whatever the places that are missing may turn out to hold.
    pub fn holds_certainly(&self, roots: &Roots) -> bool {
        self.test.holds_certainly(roots)
    }

    /// Comparisons of these attributes of the user are made with case.
    pub(crate) fn compare_with_case(&mut self, is_exact: &dyn Fn(&Place) -> bool) {
        self.test.compare_with_case(is_exact);
    }

    /// The roots it names.
    pub fn roots(&self) -> Vec<&str> {
        self.places().iter().filter_map(|place| place.root.as_deref()).collect()
    }

    /// The paths it names, without those inside of brackets.
    pub(crate) fn places(&self) -> Vec<&Place> {
        self.test.places()
    }
}

fn test(expr: &Expr, top: bool) -> Result<Test, ConditionError> {
    let all = |list: &[Expr]| list.iter().map(|one| test(one, top)).collect::<Result<_, _>>();
    Ok(match expr {
        Expr::And(list) => Test::And(all(list)?),
        Expr::Or(list) => Test::Or(all(list)?),
        Expr::Not(one) => Test::Not(Box::new(test(one, top)?)),
        Expr::Present(path) => Test::Present(place(path, top)?),
        Expr::Compare { path, op, right } => Test::Compare {
            place: place(path, top)?,
            op: *op,
            right: right_side(right, path.at)?,
            case_exact: true,
        },
        Expr::ValuePath { path, filter, sub } => Test::Any {
            place: place(path, top)?,
            filter: Box::new(test(filter, false)?),
            then: match sub {
                Some(sub) => Some(Box::new(test(sub, false)?)),
                None => None,
            },
        },
    })
}

fn right_side(operand: &Operand, at: usize) -> Result<Right, ConditionError> {
    match operand {
        Operand::Literal(value) => Ok(Right::Literal(value.clone())),
        Operand::Reference(text) => JsonPath::compile(text)
            .map(Right::Path)
            .map_err(|message| ConditionError { at, message }),
    }
}

fn place(path: &syntax::RawPath, top: bool) -> Result<Place, ConditionError> {
    let error = |message: String| ConditionError { at: path.at, message };
    // SCIM's own spelling of a path below a namespace has a colon; the language has dots only.
    let mut steps = steps(path.text.trim_start_matches('.')).map_err(error)?;
    if !top {
        return Ok(Place { root: None, steps, at: path.at });
    }
    match steps.first() {
        Some(TextStep::Name(_)) => {}
        _ => {
            return Err(error("a path begins with a root, like user or body".to_owned()));
        }
    }
    let TextStep::Name(root) = steps.remove(0) else {
        return Err(error("a path begins with a root, like user or body".to_owned()));
    };
    Ok(Place { root: Some(root), steps, at: path.at })
}

impl Place {
    fn find<'v>(&self, roots: &'v Roots, element: Option<&'v Value>) -> Vec<&'v Value> {
        let base = match &self.root {
            Some(root) => roots.get(root),
            None => element,
        };
        base.map(|base| follow(&self.steps, base)).unwrap_or_default()
    }
}

impl Test {
    fn places(&self) -> Vec<&Place> {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().flat_map(Self::places).collect(),
            Self::Not(one) => one.places(),
            Self::Present(place) | Self::Compare { place, .. } | Self::Any { place, .. } => {
                vec![place]
            }
        }
    }

    fn is_known(&self, roots: &Roots) -> bool {
        self.places().iter().all(|place| !place.find(roots, None).is_empty())
    }

    fn holds_certainly(&self, roots: &Roots) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds_certainly(roots)),
            Self::Or(all) => all.iter().any(|one| one.holds_certainly(roots)),
            one => one.is_known(roots) && one.holds(roots, None),
        }
    }

    fn compare_with_case(&mut self, is_exact: &dyn Fn(&Place) -> bool) {
        match self {
            Self::And(all) | Self::Or(all) => {
                all.iter_mut().for_each(|one| one.compare_with_case(is_exact));
            }
            Self::Not(one) => one.compare_with_case(is_exact),
            Self::Compare { place, case_exact, .. } => *case_exact |= is_exact(place),
            Self::Present(_) | Self::Any { .. } => {}
        }
    }

    fn holds(&self, roots: &Roots, element: Option<&Value>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(roots, element)),
            Self::Or(all) => all.iter().any(|one| one.holds(roots, element)),
            Self::Not(one) => !one.holds(roots, element),
            Self::Present(place) => place.find(roots, element).into_iter().any(is_present),
            Self::Compare { place, op, right, case_exact } => {
                let right = match right {
                    Right::Literal(value) => Some(value),
                    Right::Path(path) => path.all(roots).first().copied(),
                };
                compare(&place.find(roots, element), *op, right, *case_exact)
            }
            Self::Any { place, filter, then } => {
                place.find(roots, element).into_iter().flat_map(elements).any(|one| {
                    filter.holds(roots, Some(one))
                        && then.as_ref().is_none_or(|then| then.holds(roots, Some(one)))
                })
            }
        }
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

/// `pr`: false for missing, null, `""`, `[]` and `{}`.
pub(crate) fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A comparison holds if it holds for one element. Nothing there is null.
fn compare(found: &[&Value], op: CompareOp, right: Option<&Value>, case_exact: bool) -> bool {
    let right = right.unwrap_or(&Value::Null);
    let values: Vec<&Value> = found.iter().flat_map(|value| elements(value)).collect();
    if values.is_empty() {
        return holds(&Value::Null, op, right, case_exact);
    }
    values.into_iter().any(|left| holds(left, op, right, case_exact))
}

fn holds(left: &Value, op: CompareOp, right: &Value, case_exact: bool) -> bool {
    if let (Value::String(left), Value::String(right)) = (left, right) {
        let fold = |t: &str| {
            if case_exact { t.to_owned() } else { t.to_lowercase() }
        };
        let (left, right) = (fold(left), fold(right));
        return match op {
            CompareOp::Co => left.contains(&right),
            CompareOp::Sw => left.starts_with(&right),
            CompareOp::Ew => left.ends_with(&right),
            _ => ordered(Some(left.cmp(&right)), op),
        };
    }
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64().zip(right.as_f64()).and_then(|(l, r)| l.partial_cmp(&r)),
        },
        (left, right) => (left == right).then_some(Ordering::Equal),
    };
    ordered(order, op)
}

fn ordered(order: Option<Ordering>, op: CompareOp) -> bool {
    match op {
        CompareOp::Eq => order == Some(Ordering::Equal),
        CompareOp::Ne => order != Some(Ordering::Equal),
        CompareOp::Gt => order == Some(Ordering::Greater),
        CompareOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        CompareOp::Lt => order == Some(Ordering::Less),
        CompareOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn holds(text: &str) -> bool {
        let roots = Roots::new()
            .with("id", json!(7))
            .with("status", json!(400))
            .with("body", json!({
                "message": "It already exists", "code": "7", "user_id": 7, "empty": [], "x-y": 1,
                "list": ["a", "b"], "none": null,
                "errors": [{ "extensions": { "code": "X" }, "n": 1 }, { "extensions": { "code": "Y" }, "n": 2 }],
            }));
        Condition::compile(text).unwrap().holds(&roots)
    }

    #[test]
    fn answers_compare_with_case_and_type() {
        assert!(holds("body.message co \"already\""));
        assert!(!holds("body.message co \"Already\""));
        assert!(holds("status ge 400 and status lt 500"));
        assert!(holds("body.user_id eq $.id"));
        assert!(!holds("body.user_id ne $.id"));
        assert!(!holds("body.code eq 7"));
        assert!(holds("body['x-y'] eq 1"));
    }

    #[test]
    fn lists_hold_if_one_element_does() {
        assert!(holds("body.list eq \"b\""));
        assert!(holds("body.errors.extensions.code eq \"Y\""));
        assert!(holds("body.errors[extensions.code eq \"X\"].n eq 1"));
        assert!(!holds("body.errors[extensions.code eq \"X\"].n eq 2"));
    }

    #[test]
    fn nothing_is_null_and_never_present() {
        assert!(!holds("body.empty pr"));
        assert!(!holds("body.none pr"));
        assert!(holds("body pr"));
        assert!(holds("not (body.nobody pr)"));
        assert!(holds("body.nobody eq null"));
        assert!(holds("body.nobody ne \"x\""));
    }
}
