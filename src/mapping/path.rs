//! `$` paths: RFC 9535 from a root, compiled once.
//!
//! The only file that names the JSONPath crate. It refuses at load what that crate reads wrongly,
//! and walks plain paths (names and indexes) itself.

use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter, FilterAtom, JpQuery, Segment, Selector, SingularQuery, Test,
    TestFunction,
};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

use super::roots::Roots;

/// Longest path that is accepted, in characters; the crate recurses over it.
const LONGEST: usize = 200;

/// A compiled `$` path.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    text: String,
    root: String,
    plan: Plan,
}

#[derive(Debug, Clone, PartialEq)]
enum Plan {
    /// Names and indexes only: at most one value.
    Steps(Vec<Step>),
    /// Anything else: a list.
    Query(JpQuery),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Index(i64),
}

impl JsonPath {
    /// Compiles a path. The error says what is wrong with it.
    pub fn compile(text: &str) -> Result<Self, String> {
        if text.chars().count() > LONGEST {
            return Err(format!("a path has at most {LONGEST} characters"));
        }
        let query = parse_json_path(text).map_err(|_| {
            "this is not a path: write $.root.name, ['odd name'], [0], [*] or [?@.x == 'y']"
                .to_owned()
        })?;
        let mut segments = query.segments.into_iter();
        let Some(Step::Name(root)) = segments.next().as_ref().and_then(step) else {
            return Err("a path begins with a root, like $.user or $.body".to_owned());
        };
        let segments: Vec<Segment> = segments.collect();
        for segment in &segments {
            check_segment(segment)?;
        }
        let steps: Option<Vec<Step>> = segments.iter().map(step).collect();
        let plan = steps.map_or_else(|| Plan::Query(JpQuery { segments }), Plan::Steps);
        Ok(Self { text: text.to_owned(), root, plan })
    }

    /// The path as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The root it begins with.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Whether it gives at most one value (names and indexes only).
    pub fn is_singular(&self) -> bool {
        matches!(self.plan, Plan::Steps(_))
    }

    /// Whether a filter may narrow it down to one value (`[?@.key == 'x']`).
    pub fn is_filtered(&self) -> bool {
        let filter = |selector: &Selector| matches!(selector, Selector::Filter(_));
        match &self.plan {
            Plan::Steps(_) => false,
            Plan::Query(query) => query.segments.iter().any(|segment| match segment {
                Segment::Selector(selector) => filter(selector),
                Segment::Selectors(selectors) => selectors.iter().any(filter),
                Segment::Descendant(_) => false,
            }),
        }
    }

    /// The names that follow the root, as far as they are plain (`$.app.name.x[*]`: name, x).
    pub fn names(&self) -> Vec<&str> {
        match &self.plan {
            Plan::Steps(steps) => steps
                .iter()
                .map_while(|step| match step {
                    Step::Name(name) => Some(name.as_str()),
                    Step::Index(_) => None,
                })
                .collect(),
            Plan::Query(query) => query.segments.iter().map_while(segment_name).collect(),
        }
    }

    /// Replaces the first name after the root (a short extension name by its namespace).
    pub(crate) fn rename_first(&mut self, rename: impl Fn(&str) -> Option<String>) {
        match &mut self.plan {
            Plan::Steps(steps) => {
                if let Some(Step::Name(name)) = steps.first_mut()
                    && let Some(new) = rename(name)
                {
                    *name = new;
                }
            }
            Plan::Query(query) => {
                if let Some(first) = query.segments.first_mut()
                    && let Some(new) = segment_name(first).and_then(rename)
                {
                    *first = Segment::Selector(Selector::Name(format!("'{new}'")));
                }
            }
        }
    }

    /// Everything the path finds, in document order.
    pub fn all<'r>(&self, roots: &'r Roots) -> Vec<&'r Value> {
        let Some(root) = roots.get(&self.root) else {
            return Vec::new();
        };
        match &self.plan {
            Plan::Steps(steps) => walk(steps, root).into_iter().collect(),
            // Paths were checked at load; the crate has no error for a value that does not fit.
            Plan::Query(query) => js_path_process(query, root)
                .map(|found| found.into_iter().map(|one| one.val()).collect())
                .unwrap_or_default(),
        }
    }

    /// Puts values where the path finds them again, as far as it is plain but for one `[*]`.
    pub(crate) fn place(&self, tree: &mut Value, values: &[Value]) {
        match &self.plan {
            Plan::Steps(steps) => {
                if let Some(value) = values.first() {
                    put(steps, tree, value.clone());
                }
            }
            Plan::Query(query) => {
                let before: Vec<Step> = query.segments.iter().map_while(step).collect();
                let rest = query.segments.iter().skip(before.len() + 1);
                let after: Vec<Step> = rest.map_while(step).collect();
                let row = |value: &Value| {
                    let mut row = Value::Null;
                    put(&after, &mut row, value.clone());
                    row
                };
                put(&before, tree, values.iter().map(row).collect());
            }
        }
    }

    /// For `records`: the path of the list that holds the rows, which must exist
    /// (`$.body.edges` of `$.body.edges[*].node`). None if the path gives no list.
    pub fn list(&self) -> Option<Self> {
        let Plan::Query(query) = &self.plan else {
            return None;
        };
        let steps = query.segments.iter().map_while(step).collect();
        Some(Self { text: self.text.clone(), root: self.root.clone(), plan: Plan::Steps(steps) })
    }
}

impl JsonPath {
    /// What a singular path's last name is looked up in, below the root. None where there is
    /// no such thing.
    pub(crate) fn parent(&self) -> Option<Self> {
        let Plan::Steps(steps) = &self.plan else {
            return None;
        };
        match steps.split_last()? {
            (Step::Name(_), before) if !before.is_empty() => {
                let plan = Plan::Steps(before.to_vec());
                Some(Self { text: self.text.clone(), root: self.root.clone(), plan })
            }
            _ => None,
        }
    }
}

fn walk<'v>(steps: &[Step], root: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(root, |at, step| match step {
        Step::Name(name) => at.get(name),
        Step::Index(index) => {
            let list = at.as_array()?;
            let at = if *index < 0 {
                list.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
            } else {
                usize::try_from(*index).ok()?
            };
            list.get(at)
        }
    })
}

fn put(steps: &[Step], at: &mut Value, value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *at = value;
        return;
    };
    match step {
        Step::Name(name) => {
            if !at.is_object() {
                *at = Value::Object(serde_json::Map::new());
            }
            if let Value::Object(object) = at {
                put(rest, object.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        Step::Index(index) => {
            // From the end: the only element is the last one too.
            let index = usize::try_from(*index).unwrap_or(0);
            if !at.is_array() {
                *at = Value::Array(Vec::new());
            }
            if let Value::Array(list) = at {
                while list.len() <= index {
                    list.push(Value::Null);
                }
                put(rest, &mut list[index], value);
            }
        }
    }
}

fn step(segment: &Segment) -> Option<Step> {
    let selector = match segment {
        Segment::Selector(selector) => selector,
        Segment::Selectors(selectors) if selectors.len() == 1 => &selectors[0],
        _ => return None,
    };
    match selector {
        Selector::Name(name) => Some(Step::Name(unquoted(name).to_owned())),
        Selector::Index(index) => Some(Step::Index(*index)),
        _ => None,
    }
}

fn segment_name(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Selector(Selector::Name(name)) => Some(unquoted(name)),
        Segment::Selectors(selectors) => match selectors.as_slice() {
            [Selector::Name(name)] => Some(unquoted(name)),
            _ => None,
        },
        _ => None,
    }
}

/// The crate keeps the quotes of `['name']`.
fn unquoted(name: &str) -> &str {
    for quote in ['\'', '"'] {
        if let Some(inner) = name.strip_prefix(quote).and_then(|n| n.strip_suffix(quote)) {
            return inner;
        }
    }
    name
}

fn check_segment(segment: &Segment) -> Result<(), String> {
    match segment {
        Segment::Selector(selector) => check_selector(selector),
        Segment::Selectors(selectors) => selectors.iter().try_for_each(check_selector),
        Segment::Descendant(inner) => match inner.as_ref() {
            Segment::Selectors(selectors) if selectors.len() > 1 => {
                Err("`..[a, b]` gives its values in no sure order; write two paths".to_owned())
            }
            inner => check_segment(inner),
        },
    }
}

fn check_selector(selector: &Selector) -> Result<(), String> {
    match selector {
        Selector::Name(name) if name.contains('\\') => {
            Err("a name in a path may not have a backslash".to_owned())
        }
        Selector::Filter(filter) => check_filter(filter),
        _ => Ok(()),
    }
}

fn check_filter(filter: &Filter) -> Result<(), String> {
    match filter {
        Filter::Or(parts) | Filter::And(parts) => parts.iter().try_for_each(check_filter),
        Filter::Atom(FilterAtom::Filter { expr, .. }) => check_filter(expr),
        Filter::Atom(FilterAtom::Test { expr, .. }) => match expr.as_ref() {
            Test::RelQuery(segments) => segments.iter().try_for_each(no_filter_inside),
            Test::AbsQuery(_) => Err(ABSOLUTE.to_owned()),
            Test::Function(function) => check_function(function),
        },
        Filter::Atom(FilterAtom::Comparison(comparison)) => {
            let (left, right) = sides(comparison);
            check_comparable(left)?;
            check_comparable(right)
        }
    }
}

const ABSOLUTE: &str =
    "a filter in a path looks at `@` only; use `where:` to compare with another root";

fn sides(comparison: &Comparison) -> (&Comparable, &Comparable) {
    comparison.vals()
}

fn check_comparable(side: &Comparable) -> Result<(), String> {
    match side {
        Comparable::Literal(_) | Comparable::SingularQuery(SingularQuery::Current(_)) => Ok(()),
        Comparable::SingularQuery(SingularQuery::Root(_)) => Err(ABSOLUTE.to_owned()),
        Comparable::Function(function) => check_function(function),
    }
}

fn check_function(function: &TestFunction) -> Result<(), String> {
    match function {
        TestFunction::Match(..) | TestFunction::Search(..) => Ok(()),
        _ => Err("functions in paths are not supported, but for match() and search()".to_owned()),
    }
}

fn no_filter_inside(segment: &Segment) -> Result<(), String> {
    let selectors: &[Selector] = match segment {
        Segment::Selector(selector) => std::slice::from_ref(selector),
        Segment::Selectors(selectors) => selectors,
        Segment::Descendant(inner) => return no_filter_inside(inner),
    };
    if selectors.iter().any(|s| matches!(s, Selector::Filter(_))) {
        return Err("a filter inside a filter is not supported".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn roots() -> Roots {
        Roots::new().with(
            "body",
            json!({ "items": [{ "id": 1, "t": "a" }, { "id": 2, "t": "b" }], "odd-name": 3 }),
        )
    }

    fn found(path: &str) -> Vec<Value> {
        JsonPath::compile(path).unwrap().all(&roots()).into_iter().cloned().collect()
    }

    #[test]
    fn plain_paths_give_one_value_and_keep_its_type() {
        assert_eq!(found("$.body.items[1].id"), [json!(2)]);
        assert_eq!(found("$.body.items[-1].id"), [json!(2)]);
        assert_eq!(found("$.body['odd-name']"), [json!(3)]);
        assert_eq!(found("$.body.none"), Vec::<Value>::new());
    }

    #[test]
    fn other_paths_give_lists() {
        assert_eq!(found("$.body.items[*].id"), [json!(1), json!(2)]);
        assert_eq!(found("$.body.items[?@.t == 'b'].id"), [json!(2)]);
        assert!(!JsonPath::compile("$.body.items[*]").unwrap().is_singular());
    }

    #[test]
    fn what_the_crate_reads_wrongly_is_refused() {
        for path in [
            "$.body[?@[?@.a == 1]]",
            "$.body[?length(@.a) > 1]",
            "$.body..['a', 'b']",
            "$.body.items[?@.id == $.id]",
            "$[0]",
            "$",
            "user.name",
            &format!("$.{}", "a".repeat(300)),
        ] {
            assert!(JsonPath::compile(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_placed_is_found_again() {
        for path in ["$.body", "$.body.a.b", "$.body.a[0].b", "$.body[-1]", "$.body.e[*].node"] {
            let path = JsonPath::compile(path).unwrap();
            let mut body = Value::Null;
            path.place(&mut body, &[json!(7)]);
            let roots = Roots::new().with("body", body);
            assert_eq!(path.all(&roots), [&json!(7)], "{}", path.text());
        }
    }

    #[test]
    fn a_path_of_records_knows_its_list() {
        let path = JsonPath::compile("$.body.items[*]").unwrap();
        let list = path.list().unwrap();
        assert!(list.is_singular());
        assert_eq!(list.all(&roots())[0].as_array().unwrap().len(), 2);
        assert_eq!(path.names(), ["items"]);
    }
}
