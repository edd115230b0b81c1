//! The rows of a report: what is said of a person, an account, a role, a group.
//!
//! Asks nothing: all that there is to say is in the journal's page.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::change::ChangeId;
use crate::journal::{AccessPage, Asker, HistoryPeriod, MembershipAt, Named, PersonAccess};
use crate::mapping::id_text;

/// Who made it so when no change asked.
const SEEN: &str = "seen in the app";

/// One page, on the way to rows.
pub(super) struct Told<'a> {
    /// The moment.
    pub at: Timestamp,
    pub page: &'a AccessPage,
    /// Of tokens, by their ids.
    pub labels: HashMap<String, String>,
}

/// What a row says beside whom it is about.
#[derive(Default)]
struct Thing {
    what: &'static str,
    value: String,
    of: String,
    since: Option<Timestamp>,
    /// 0: seen in the app. `None`: not known.
    change: Option<ChangeId>,
    waiting: Vec<ChangeId>,
    notes: Vec<String>,
}

impl Told<'_> {
    /// The state that gives a person access at the moment.
    pub fn now_of<'p>(&self, person: &'p PersonAccess) -> Option<&'p HistoryPeriod> {
        let state = person.states.first()?;
        let lasts = state.until.is_none_or(|until| until > self.at);
        (lasts && state.row.has_access()).then_some(state)
    }

    /// The rows of a person. `always`: one at least.
    pub fn person(&self, person: &PersonAccess, always: bool) -> Vec<Value> {
        let Some(state) = self.now_of(person) else {
            let link = person.states.first().and_then(|state| state.row.link.as_ref());
            let without = always.then(|| self.without(person));
            return without.into_iter().map(|thing| self.row(person, link, thing)).collect();
        };
        let link = state.row.link.as_ref();
        let mut rows = vec![self.row(person, link, self.account(person, state))];
        for (of, value) in flat(state.row.roles.as_ref()) {
            rows.push(self.row(person, link, role(&person.states, &of, value)));
        }
        for membership in &person.memberships {
            rows.extend(self.group(membership).map(|thing| self.row(person, link, thing)));
        }
        for (former, change) in &person.former {
            if state.row.link.as_ref().is_some_and(|link| id_text(link) == id_text(former)) {
                continue;
            }
            let thing = Thing {
                what: "account",
                value: "former".into(),
                change: Some(*change),
                notes: vec!["another account took its place; it is still to be removed".into()],
                ..Thing::default()
            };
            rows.push(self.row(person, Some(former), thing));
        }
        rows
    }

    fn account(&self, person: &PersonAccess, state: &HistoryPeriod) -> Thing {
        let mut notes = Vec::new();
        let since_change = state.since_change.unwrap_or(state.row.change);
        if state.since.is_none() {
            notes.push("or earlier".to_owned());
        }
        if state.row.found {
            notes.push(match since_change.0 {
                0 => "known since it was first seen; may be older".to_owned(),
                _ => "it was there before; the change took it over".to_owned(),
            });
        }
        if let Some(deleted) = person.deleted_at.filter(|deleted| *deleted <= self.at) {
            notes.push(format!("the user was deleted in SCIM at {deleted}"));
        }
        if !person.linked && state.until.is_none() {
            notes.push("the application was retargeted; not seen since".to_owned());
        }
        Thing {
            what: "account",
            value: if state.row.active.is_some() { "active" } else { "there" }.to_owned(),
            since: Some(state.since.unwrap_or(state.at)),
            change: Some(since_change),
            waiting: person.waiting.clone(),
            notes,
            ..Thing::default()
        }
    }

    fn group(&self, membership: &MembershipAt) -> Option<Thing> {
        let accepted = |change: ChangeId| self.page.changes.get(&change).map(|a| a.accepted_at);
        let was_accepted = |change: &ChangeId| accepted(*change).is_some_and(|at| at <= self.at);
        let mut notes = Vec::new();
        let mut change = Some(membership.change.unwrap_or(ChangeId(0)));
        match membership.since {
            // Asked for, and a call about it may have worked.
            None if membership.unsure && membership.change.as_ref().is_none_or(was_accepted) => {
                notes.push("nobody knows whether the application has it".to_owned());
            }
            None => return None,
            Some(_) if membership.unsure => {
                notes.push("it is to be looked at again whether it is still there".to_owned());
            }
            Some(since) => {
                if let Some(again) = membership.change
                    && accepted(again).is_some_and(|at| at > since)
                {
                    // The wish was renewed while its end was under way.
                    notes.push(format!("asked for again by change {again}"));
                    change = None;
                }
            }
        }
        if let Some(asked) = membership.asked.filter(was_accepted) {
            notes.push(format!("asked for by change {asked} later"));
        }
        notes.extend(membership.note.clone());
        let named = self.page.groups.get(&membership.group);
        Some(Thing {
            what: "group",
            value: named.and_then(|named| name(named, "displayName")).unwrap_or_default(),
            of: membership.group.0.clone(),
            since: membership.since,
            change,
            waiting: membership.ends.filter(was_accepted).into_iter().collect(),
            notes,
        })
    }

    /// Somebody who had no access, or of whom that is not known.
    fn without(&self, person: &PersonAccess) -> Thing {
        let waiting = person.waiting.clone();
        if let Some(first) = &person.first_later {
            let (what, value, note) = if first.row.found {
                let note = "first seen later: whether there was an account before cannot be told";
                ("unknown", "not known", note.to_owned())
            } else {
                let note = format!("the first account was made later, at {}", first.at);
                ("none", "no access", note)
            };
            let value = value.to_owned();
            let notes = vec![note];
            return Thing { what, value, waiting, notes, ..Thing::default() };
        }
        let mut thing =
            Thing { what: "none", value: "no access".into(), waiting, ..Thing::default() };
        let Some(state) = person.states.first() else {
            thing.notes.push("no account was ever known".to_owned());
            return thing;
        };
        let ended = state.until.filter(|until| *until <= self.at);
        let had = state.had_access || state.row.has_access();
        thing.since = ended.or(state.since).or(Some(state.at));
        thing.change = if ended.is_some() { None } else { state.since_change };
        thing.notes.push(match had {
            true => "the last access ended then".to_owned(),
            false => "no access was known before".to_owned(),
        });
        if state.row.link.is_some() && ended.is_none() {
            thing.notes.push("the account is there, inactive".to_owned());
        }
        if let Some(deleted) = person.deleted_at.filter(|deleted| *deleted <= self.at) {
            thing.notes.push(format!("the user was deleted in SCIM at {deleted}"));
        }
        thing
    }

    fn row(&self, person: &PersonAccess, link: Option<&Value>, thing: Thing) -> Value {
        let Thing { what, value, of, since, change, waiting, mut notes } = thing;
        let asker = change.and_then(|change| self.page.changes.get(&change));
        let number = change.filter(|change| change.0 > 0);
        if number.is_some() && asker.is_none() {
            notes.push("nothing more is kept of the change".to_owned());
        }
        let seen = change == Some(ChangeId(0));
        let label = |asker: &Asker| {
            self.labels.get(&asker.actor).cloned().unwrap_or_else(|| asker.actor.clone())
        };
        let actor = if seen { Some(SEEN.to_owned()) } else { asker.map(label) };
        let waiting: Vec<Value> = waiting
            .iter()
            .filter_map(|change| {
                let asker = self.page.changes.get(change)?;
                Some(json!({
                    "change": change,
                    "verb": asker.verb,
                    "ends_access": asker.ends_access,
                    "accepted": asker.accepted_at.to_string(),
                    "state_now": asker.state.as_ref().map(|state| state.word()),
                }))
            })
            .collect();
        json!({
            "at": self.at.to_string(),
            "user": name(&person.named, "userName"),
            "scim_id": person.id,
            "app_id": link.map(id_text),
            "what": what,
            "value": value,
            "of": (!of.is_empty()).then_some(of),
            "since": since.map(|since| since.to_string()),
            "change": number,
            "verb": asker.map(|asker| asker.verb),
            "actor": actor,
            "token": asker.map(|asker| &asker.actor),
            "accepted": asker.map(|asker| asker.accepted_at.to_string()),
            "waiting": waiting,
            "note": (!notes.is_empty()).then(|| notes.join("; ")),
        })
    }
}

/// A role of the newest state: since when, as far back as the account had it without a break.
fn role(states: &[HistoryPeriod], of: &str, value: String) -> Thing {
    let has = |state: &HistoryPeriod| {
        flat(state.row.roles.as_ref()).iter().any(|(o, v)| (o.as_str(), v) == (of, &value))
    };
    let mut first = &states[0];
    let mut known = false;
    for older in &states[1..] {
        let goes_on = older.until == Some(first.at)
            && older.row.has_access()
            && older.row.link.as_ref().map(id_text) == first.row.link.as_ref().map(id_text);
        if !goes_on || !has(older) {
            known = true;
            break;
        }
        first = older;
    }
    // The oldest state that is kept, of an account that is older.
    let is_older = !known && first.since.is_none_or(|since| since < first.at);
    let notes = if is_older { vec!["or earlier".to_owned()] } else { Vec::new() };
    Thing {
        what: "role",
        of: of.to_owned(),
        since: Some(first.at),
        change: (!is_older).then_some(first.row.change),
        notes,
        value,
        ..Thing::default()
    }
}

/// Roles as pairs of attribute and value, each once.
fn flat(roles: Option<&Value>) -> Vec<(String, String)> {
    fn walk(of: &str, value: &Value, found: &mut BTreeMap<(String, String), ()>) {
        match value {
            Value::Null => {}
            Value::Object(parts) => match parts.get("value") {
                Some(value) if !value.is_object() => walk(of, value, found),
                _ => {
                    for (key, part) in parts {
                        let of = if of.is_empty() { key.clone() } else { format!("{of}:{key}") };
                        walk(&of, part, found);
                    }
                }
            },
            Value::Array(list) => list.iter().for_each(|one| walk(of, one, found)),
            plain => drop(found.insert((of.to_owned(), id_text(plain)), ())),
        }
    }
    let mut found = BTreeMap::new();
    if let Some(roles) = roles {
        walk("", roles, &mut found);
    }
    found.into_keys().collect()
}

/// How something is called at present.
fn name(named: &Named, key: &str) -> Option<String> {
    let shown = named.document.as_ref().and_then(|document| document.get(key)?.as_str());
    shown.map(str::to_owned).or_else(|| named.natural.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn roles_of_every_shape_are_pairs_of_attribute_and_value() {
        let roles = json!({
            "userType": "Admin",
            "urn:x:User": { "level": "HIGH", "areas": ["a", "b"] },
            "roles": [{ "value": "r1", "primary": true }, { "value": "r2" }, { "value": "r1" }],
            "entitlements": null,
        });
        let pairs = flat(Some(&roles));
        let shown: Vec<String> = pairs.iter().map(|(of, value)| format!("{of}={value}")).collect();
        assert_eq!(
            shown,
            [
                "roles=r1",
                "roles=r2",
                "urn:x:User:areas=a",
                "urn:x:User:areas=b",
                "urn:x:User:level=HIGH",
                "userType=Admin"
            ]
        );
    }
}
