//! handlebars: compiles a text, and renders its parts. The only file that names the crate.
//!
//! Of what handlebars can do the mapping language takes little: variables, our helpers, constants.
//! Everything else is refused here at load, whatever the scanner let through.

use std::sync::LazyLock;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason,
    Renderable, ScopedJson, no_escape,
};
use serde_json::{Map, Value};

use super::{scalar_text, scan};
use crate::mapping::helpers::{self, HELPERS};

/// One registry for all texts: it has the helpers and no template, and never changes.
static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    // The place of a text encodes it; a variable that is not there is an error, never empty.
    registry.register_escape_fn(no_escape);
    registry.set_strict_mode(true);
    for (name, _) in HELPERS {
        registry.register_helper(name, Box::new(OurHelper(name)));
    }
    registry
});

/// A helper of the language as handlebars calls it.
struct OurHelper(&'static str);

impl HelperDef for OurHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let given: Option<Vec<String>> =
            helper.params().iter().map(|given| scalar_text(given.value())).collect();
        match given.and_then(|given| helpers::run(self.0, &given)) {
            Some(text) => Ok(ScopedJson::Derived(Value::String(text))),
            None => Err(RenderErrorReason::Other("a part is missing".to_owned()).into()),
        }
    }
}

/// A part of a compiled text.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Code(Code),
}

/// One `{{ }}`, compiled and found to be harmless.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Code(TemplateElement);

/// What is wrong, and in which call of which `{{ }}`, both counted from 0.
#[derive(Debug)]
pub(super) struct Wrong {
    pub expr: usize,
    pub call: usize,
    pub message: String,
}

/// Compiles a text with that many variables.
pub(super) fn compile(text: &str, variables: usize) -> Result<Vec<Piece>, Wrong> {
    let template = handlebars::Template::compile(text).map_err(|_| Wrong {
        expr: 0,
        call: 0,
        message: "this text cannot be read; write paths and helpers in `{{ }}`".to_owned(),
    })?;
    let mut pieces = Vec::new();
    let mut expr = 0;
    for element in template.elements {
        if let TemplateElement::RawString(text) = element {
            pieces.push(Piece::Text(text));
            continue;
        }
        let mut check = Check { variables, calls: 0 };
        check.element(&element).map_err(|message| Wrong {
            expr,
            call: check.calls.saturating_sub(1),
            message,
        })?;
        expr += 1;
        pieces.push(Piece::Code(Code(element)));
    }
    Ok(pieces)
}

/// What of handlebars is allowed.
struct Check {
    variables: usize,
    /// Calls of helpers that were seen.
    calls: usize,
}

impl Check {
    fn element(&mut self, element: &TemplateElement) -> Result<(), String> {
        match element {
            TemplateElement::Expression(expression) => self.expression(expression),
            _ => Err("blocks, partials and comments are not part of the language".to_owned()),
        }
    }

    fn expression(&mut self, expression: &HelperTemplate) -> Result<(), String> {
        let plain = !expression.block
            && !expression.chain
            && expression.hash.is_empty()
            && expression.block_param.is_none()
            && expression.template.is_none()
            && expression.inverse.is_none();
        let name = expression.name.as_name().filter(|_| plain);
        let name = name.ok_or("blocks and named parameters are not part of the language")?;
        if expression.params.is_empty() && self.is_variable(name) {
            return Ok(());
        }
        self.calls += 1;
        let Some((_, arity)) = HELPERS.iter().find(|(known, _)| *known == name) else {
            return Err(format!("`{name}` is no helper"));
        };
        let given = expression.params.len();
        if given != *arity {
            return Err(format!("`{name}` takes {arity} parameters, not {given}"));
        }
        expression.params.iter().try_for_each(|parameter| self.parameter(parameter))
    }

    fn parameter(&mut self, parameter: &Parameter) -> Result<(), String> {
        match parameter {
            Parameter::Literal(Value::String(_) | Value::Number(_)) => Ok(()),
            Parameter::Subexpression(inner) => self.element(inner.as_element()),
            Parameter::Path(_)
                if parameter.as_name().is_some_and(|name| self.is_variable(name)) =>
            {
                Ok(())
            }
            _ => Err("a path, a constant or a helper in round brackets is expected".to_owned()),
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        (0..self.variables).any(|path| scan::variable(path) == name)
    }
}

impl Code {
    /// Whether it is a variable and nothing else.
    pub fn is_variable(&self) -> bool {
        matches!(&self.0, TemplateElement::Expression(expression)
            if !HELPERS.iter().any(|(name, _)| expression.name.as_name() == Some(name)))
    }

    /// Its text with these variables; None if one of them or the value of a helper is missing.
    pub fn render(&self, variables: Map<String, Value>) -> Option<String> {
        let context = Context::from(Value::Object(variables));
        self.0.renders(&REGISTRY, &context, &mut RenderContext::new(None)).ok()
    }
}
