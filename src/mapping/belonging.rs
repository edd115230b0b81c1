//! What a user's groups mean for the user's record: which of them count, and what a record shows
//! of them. For groups that the app keeps on the user, and those it does not have at all.

use serde_json::{Value, json};

use super::attribute::FieldId;
use super::field::FieldPath;
use super::plan::id_text;
use super::side::Side;
use super::table::same_name;

/// A group as a user's record names it.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupName {
    /// By its key in the app.
    Key(Value),
    /// By its name.
    Display(String),
}

/// `on_user:`, compiled.
#[derive(Debug, Clone)]
pub struct OnUser {
    /// Where membership stands in the user's record.
    pub field: FieldPath,
    /// The row of `users.attributes` that writes it; None: `add_members` does.
    pub row: Option<FieldId>,
    /// The row holds keys of groups, not their names.
    pub by_key: bool,
    /// A person has one group.
    pub one_at_a_time: bool,
    /// What means no group, where `add_members` writes.
    pub empty: Option<Value>,
    /// Taken out of the group that counts: the one pushed before counts again.
    pub falls_back: bool,
}

/// A group that a user is to be in, or still is.
#[derive(Debug, Clone, PartialEq)]
pub struct UserGroup {
    /// Its key in the app, typed.
    pub id: Value,
    /// Its name.
    pub display: String,
    /// The user is to be in it.
    pub wanted: bool,
    /// Whether the app has it so far; `None`: nobody knows.
    pub there: Option<bool>,
}

/// The groups of a user, in the order in which the user was put into them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserGroups {
    /// Those the user is to be in or still is in.
    pub all: Vec<UserGroup>,
    /// A membership waits to be made, or another one was made in the group itself.
    pub due: bool,
}

impl OnUser {
    /// The groups that a record shows.
    pub fn shown(&self, users: &Side, current: &Value) -> Vec<GroupName> {
        let Some(value) = self.field_value(users, current) else { return Vec::new() };
        let named = |value: Value| match (&self.row, self.by_key, value) {
            (_, _, Value::Null | Value::Object(_) | Value::Array(_)) => None,
            (Some(_), false, Value::String(name)) => Some(GroupName::Display(name)),
            (Some(_), false, _) => None,
            (_, _, key) if self.means_none(&key) => None,
            (_, _, key) => Some(GroupName::Key(key)),
        };
        match value {
            Value::Array(values) => values.into_iter().filter_map(named).collect(),
            one => named(one).into_iter().collect(),
        }
    }

    /// The value of the field: as SCIM reads it where a row writes it.
    fn field_value(&self, users: &Side, current: &Value) -> Option<Value> {
        match self.row.and_then(|row| users.row(row)) {
            Some(row) => row.field.get(current).and_then(|value| row.inward(&value)),
            None => self.field.get(current),
        }
    }

    fn means_none(&self, key: &Value) -> bool {
        match &self.empty {
            Some(Value::Array(keys)) => keys.iter().any(|empty| id_text(empty) == id_text(key)),
            Some(empty) => id_text(empty) == id_text(key),
            None => false,
        }
    }
}

impl GroupName {
    fn is(&self, group: &UserGroup) -> bool {
        match self {
            Self::Key(key) => id_text(key) == id_text(&group.id),
            Self::Display(name) => same_name(name, &group.display),
        }
    }
}

impl UserGroups {
    /// Of a person who has one group at a time: the one that was pushed last, and after it the
    /// one before, if groups fall back.
    pub fn counting(&self, falls_back: bool) -> Option<&UserGroup> {
        let last = self.all.last()?;
        match last.wanted {
            true => Some(last),
            false if falls_back => self.all.iter().rev().find(|group| group.wanted),
            false => None,
        }
    }

    /// Root `user.groups`: those wanted. Of what the record shows, groups that the user is to
    /// leave go, and what is no group here stays.
    pub(crate) fn root(&self, on_user: Option<&OnUser>, shown: Vec<GroupName>) -> Value {
        let known = |name: &GroupName| self.all.iter().find(|group| name.is(group));
        let entry = |group: &UserGroup| json!({ "value": group.id, "display": group.display });
        if let Some(on_user) = on_user.filter(|on_user| on_user.one_at_a_time) {
            let kept = || match shown.iter().find(|name| known(name).is_none()) {
                Some(stranger) => json!([named(stranger)]),
                None => json!([]),
            };
            return match self.counting(on_user.falls_back) {
                Some(group) => json!([entry(group)]),
                None => kept(),
            };
        }
        let mut groups: Vec<Value> =
            shown.iter().filter(|name| known(name).is_none()).map(named).collect();
        groups.extend(self.all.iter().filter(|group| group.wanted).map(entry));
        Value::Array(groups)
    }
}

fn named(name: &GroupName) -> Value {
    match name {
        GroupName::Key(key) => json!({ "value": key }),
        GroupName::Display(name) => json!({ "display": name }),
    }
}

/// Groups that stand in the mapping, with what a person's membership of them asks of the app.
pub(crate) struct FixedGroups<'s> {
    /// As `fixed` lists them.
    pub records: &'s [Value],
    /// The value that groups share of which only the topmost counts.
    pub one_per: Option<&'s str>,
}

/// One call for a person and a fixed group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FixedStep {
    /// The group's record.
    pub group: Value,
    /// The person comes in (true) or goes.
    pub joins: bool,
    /// Keys of the groups whose memberships end with it.
    pub settles: Vec<Value>,
}

impl FixedGroups<'_> {
    /// What is to be done so that the app has what the groups of a person ask.
    pub fn steps(&self, groups: &UserGroups) -> Vec<FixedStep> {
        let mut steps = Vec::new();
        for class in self.classes() {
            steps.extend(step(&class, groups));
        }
        // Leaving first would take away for a moment what another group gives.
        steps.sort_by_key(|step| !step.joins);
        steps
    }

    /// The records, those that share a value together.
    fn classes(&self) -> Vec<Vec<&Value>> {
        let mut classes: Vec<Vec<&Value>> = Vec::new();
        for record in self.records {
            let shared = self.one_per.and_then(|key| record.get(key));
            let key = self.one_per.unwrap_or_default();
            let same = |class: &&mut Vec<&Value>| {
                shared.is_some() && class.first().and_then(|first| first.get(key)) == shared
            };
            match classes.iter_mut().find(same) {
                Some(class) => class.push(record),
                None => classes.push(vec![record]),
            }
        }
        classes
    }
}

/// The topmost group counts: that of the wish against that of the app.
fn step(class: &[&Value], groups: &UserGroups) -> Option<FixedStep> {
    let key = |record: &Value| record.get("id").map(id_text).unwrap_or_default();
    let of = |record: &Value| groups.all.iter().find(|group| id_text(&group.id) == key(record));
    let touched: Vec<&UserGroup> = class.iter().filter_map(|record| of(record)).collect();
    if touched.is_empty() {
        return None;
    }
    let settles = touched.iter().map(|group| group.id.clone()).collect();
    let wanted = class.iter().find(|record| of(record).is_some_and(|group| group.wanted));
    let before = class.iter().find(|record| of(record).is_some_and(|g| g.there != Some(false)));
    let certain = before.and_then(|record| of(record)).is_some_and(|g| g.there == Some(true));
    match (wanted, before) {
        (Some(wanted), Some(before)) if certain && key(wanted) == key(before) => None,
        (Some(wanted), _) => Some(FixedStep { group: (*wanted).clone(), joins: true, settles }),
        (None, Some(before)) => Some(FixedStep { group: (*before).clone(), joins: false, settles }),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, wanted: bool, there: Option<bool>) -> UserGroup {
        UserGroup { id: json!(id), display: id.to_uppercase(), wanted, there }
    }

    fn groups(all: &[(&str, bool, Option<bool>)]) -> UserGroups {
        let all = all.iter().map(|(id, wanted, there)| group(id, *wanted, *there)).collect();
        UserGroups { all, due: true }
    }

    fn on_user(one_at_a_time: bool, falls_back: bool) -> OnUser {
        OnUser {
            field: FieldPath::compile("role").unwrap_or_else(|why| panic!("{why}")),
            row: None,
            by_key: true,
            one_at_a_time,
            empty: None,
            falls_back,
        }
    }

    #[test]
    fn what_is_no_group_here_stays_and_what_is_left_goes() {
        let all = groups(&[("a", true, None), ("b", false, Some(true))]);
        let shown = ["hand", "b", "a"].map(|key| GroupName::Key(json!(key))).to_vec();
        let expected = json!([{ "value": "hand" }, { "value": "a", "display": "A" }]);
        assert_eq!(all.root(Some(&on_user(false, false)), shown), expected);
    }

    #[test]
    fn one_at_a_time_is_the_one_pushed_last() {
        let both = groups(&[("a", true, Some(true)), ("b", true, Some(true))]);
        assert_eq!(both.counting(false).map(|g| &g.id), Some(&json!("b")));
        let left = groups(&[("a", true, Some(true)), ("b", false, Some(true))]);
        assert_eq!(left.counting(false), None);
        assert_eq!(left.counting(true).map(|g| &g.id), Some(&json!("a")));
        let other = groups(&[("a", false, Some(true)), ("b", true, Some(true))]);
        assert_eq!(other.counting(false).map(|g| &g.id), Some(&json!("b")));
        let shown = vec![GroupName::Key(json!("b"))];
        assert_eq!(left.root(Some(&on_user(true, false)), shown), json!([]));
        let hand = vec![GroupName::Key(json!("hand"))];
        assert_eq!(left.root(Some(&on_user(true, false)), hand), json!([{ "value": "hand" }]));
    }

    #[test]
    fn leaving_a_group_never_takes_what_another_of_its_kind_gives() {
        let records = [
            json!({ "id": "writers", "vhost": "orders" }),
            json!({ "id": "readers", "vhost": "orders" }),
            json!({ "id": "owners", "vhost": "/" }),
        ];
        let fixed = FixedGroups { records: &records, one_per: Some("vhost") };
        let did = |all: &[(&str, bool, Option<bool>)]| -> Vec<(String, bool)> {
            let steps = fixed.steps(&groups(all));
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            steps.iter().map(|step| (text(&step.group["id"]), step.joins)).collect()
        };
        let yes = |id: &str| (id.to_owned(), true);
        let no = |id: &str| (id.to_owned(), false);
        assert_eq!(did(&[("readers", true, Some(false))]), [yes("readers")]);
        // The topmost counts already.
        let below = [("writers", true, Some(true)), ("readers", true, Some(false))];
        assert_eq!(did(&below), []);
        assert_eq!(
            did(&[("writers", false, Some(true)), ("readers", true, Some(true))]),
            [yes("readers")]
        );
        assert_eq!(did(&[("writers", true, Some(true)), ("readers", false, Some(true))]), []);
        assert_eq!(
            did(&[("writers", false, Some(true)), ("readers", false, Some(true))]),
            [no("writers")]
        );
        // Nobody knows what the app has: it is said again.
        assert_eq!(did(&[("writers", true, None)]), [yes("writers")]);
        let across = [("writers", false, Some(true)), ("owners", true, Some(false))];
        assert_eq!(did(&across), [yes("owners"), no("writers")]);
    }
}
