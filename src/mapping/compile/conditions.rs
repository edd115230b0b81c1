//! Conditions get their meaning: their roots are checked, and on SCIM resources the schema's case
//! rule is taken.

use std::collections::BTreeMap;

use super::scope::Scope;
use super::{Cx, attributes};
use crate::mapping::condition::{Condition, Place as ConditionPlace, Right, Test};
use crate::mapping::raw::Spanned;
use crate::mapping::textpath::TextStep;
use crate::scim::{AttrPath, ResourceType};

impl Cx<'_, '_> {
    /// Compiles a condition. `rt` gives the rules for `user` and `group`.
    pub fn condition(
        &mut self,
        text: &Spanned<String>,
        scope: &Scope,
        rt: Option<&ResourceType>,
    ) -> Option<Condition> {
        let mut condition = match Condition::compile(text) {
            Ok(condition) => condition,
            Err(error) => {
                let at = self.report.inside(&text.span, text, error.at, 1);
                self.report.error("M0404", at, error.message);
                return None;
            }
        };
        let shorts = self.shorts.clone();
        let known = self.test(&mut condition.test, text, scope, rt, &shorts);
        known.then_some(condition)
    }

    fn test(
        &mut self,
        test: &mut Test,
        text: &Spanned<String>,
        scope: &Scope,
        rt: Option<&ResourceType>,
        shorts: &BTreeMap<String, String>,
    ) -> bool {
        match test {
            Test::And(all) | Test::Or(all) => {
                // Every part is looked at, so that all mistakes show.
                let mut known = true;
                for one in all {
                    known &= self.test(one, text, scope, rt, shorts);
                }
                known
            }
            Test::Not(one) => self.test(one, text, scope, rt, shorts),
            Test::Present(place) => self.place(place, text, scope, shorts),
            Test::Any { place, .. } => self.place(place, text, scope, shorts),
            Test::Compare { place, right, case_exact, .. } => {
                let scim = matches!(place.root.as_deref(), Some("user" | "group"));
                if scim && let Some(rt) = rt {
                    *case_exact = is_case_exact(place, rt, shorts);
                }
                let mut known = self.place(place, text, scope, shorts);
                if let Right::Path(path) = right {
                    let names: Vec<String> = path.names().into_iter().map(str::to_owned).collect();
                    known &= self.root(path.root(), &names, &text.span, scope);
                }
                known
            }
        }
    }

    fn place(
        &mut self,
        place: &mut ConditionPlace,
        text: &Spanned<String>,
        scope: &Scope,
        shorts: &BTreeMap<String, String>,
    ) -> bool {
        let Some(root) = place.root.clone() else {
            return true;
        };
        let names: Vec<String> = place
            .steps
            .iter()
            .map_while(|step| match step {
                TextStep::Name(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let at = self.report.inside(&text.span, text, place.at, root.len());
        let known = self.root(&root, &names, &at, scope);
        if matches!(root.as_str(), "user" | "group")
            && let Some(TextStep::Name(first)) = place.steps.first_mut()
            && let Some(namespace) = shorts.get(first)
        {
            first.clone_from(namespace);
        }
        known
    }
}

fn is_case_exact(
    place: &ConditionPlace,
    rt: &ResourceType,
    shorts: &BTreeMap<String, String>,
) -> bool {
    let mut text = String::new();
    for step in &place.steps {
        let TextStep::Name(name) = step else { continue };
        if text.is_empty() {
            text.push_str(shorts.get(name).unwrap_or(name));
        } else {
            text.push(if shorts.values().any(|ns| *ns == text) { ':' } else { '.' });
            text.push_str(name);
        }
    }
    let path = AttrPath::parse(&text, rt).ok();
    path.and_then(|path| attributes::leaf(&path, rt)).is_some_and(|leaf| leaf.case_exact)
}
