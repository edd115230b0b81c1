//! PUT: what a resource becomes when a body replaces it.
//!
//! A PUT asserts what it says and nothing else: Okta sends only what is mapped there, so
//! what is absent is kept unless the caller's rule says otherwise.

use std::collections::HashSet;

use serde_json::Value;

use super::normalise::Incoming;
use super::schema::ResourceType;
use super::slot::Slot;

/// What a PUT without an attribute means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// It stays as it is.
    Keep,
    /// It is cleared.
    Clear,
}

/// The outcome of a PUT or PATCH.
#[derive(Clone, Default, PartialEq)]
pub struct Written {
    /// The whole resource as it shall be.
    pub desired: Value,
    /// Every slot the request spoke about, changed or not, and no other: only these are
    /// enforced in the app. `password` is no slot.
    pub asserted: Vec<Slot>,
    /// The new password, if one was sent. `Debug` hides it.
    pub password: Option<String>,
    /// What the request asked for and is left out, for log and journal.
    pub left_out: Vec<String>,
}

impl std::fmt::Debug for Written {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written")
            .field("desired", &self.desired)
            .field("asserted", &self.asserted)
            .field("has_password", &self.password.is_some())
            .field("left_out", &self.left_out)
            .finish()
    }
}

/// Applies a PUT to what the resource shows now. Members of groups are not handled here;
/// see [`take_members`](super::take_members).
pub fn replace(
    base: &Value,
    incoming: &Incoming,
    rt: &ResourceType,
    on_absent: &dyn Fn(&Slot) -> Absent,
) -> Written {
    let members = Slot::new(["members"]);
    let mut desired = base.clone();
    let mut asserted = Vec::new();
    for slot in incoming.present.iter().chain(&incoming.cleared).filter(|slot| **slot != members) {
        slot.copy(&incoming.resource, &mut desired);
        asserted.push(slot.clone());
    }
    let spoken: HashSet<&Slot> = incoming.present.iter().chain(&incoming.cleared).collect();
    for slot in rt.writable_slots() {
        let is_absent = !spoken.contains(&slot) && slot != members;
        if is_absent && on_absent(&slot) == Absent::Clear {
            slot.remove(&mut desired);
            asserted.push(slot);
        }
    }
    Written {
        desired,
        asserted,
        password: incoming.password.clone(),
        left_out: incoming.left_out.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scim::normalise;
    use crate::scim::testing::{altr_user, group};

    fn slots(written: &Written) -> Vec<String> {
        written.asserted.iter().map(ToString::to_string).collect()
    }

    fn base() -> Value {
        json!({
            "id": "1", "userName": "a", "name": {"givenName": "A", "familyName": "B"},
            "emails": [{"value": "a@x"}], "title": "T", "active": true,
            "ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "ADMINISTRATOR"},
        })
    }

    fn put(body: Value, on_absent: &dyn Fn(&Slot) -> Absent) -> Written {
        let rt = altr_user();
        replace(&base(), &normalise(body, &rt, Some("1")).unwrap(), &rt, on_absent)
    }

    #[test]
    fn what_is_absent_is_kept_and_not_asserted() {
        let written = put(json!({"userName": "b", "name": {"givenName": "C"}}), &|_| Absent::Keep);
        let mut expected = base();
        expected["userName"] = json!("b");
        expected["name"]["givenName"] = json!("C");
        assert_eq!(written.desired, expected);
        assert_eq!(slots(&written), ["userName", "name.givenName"]);
    }

    #[test]
    fn what_is_cleared_goes_and_is_asserted() {
        let body = json!({"title": "", "name": {"familyName": null}, "ALTR_ADMIN_LEVEL": null});
        let written = put(body, &|_| Absent::Keep);
        assert_eq!(
            written.desired,
            json!({"id": "1", "userName": "a", "name": {"givenName": "A"},
                   "emails": [{"value": "a@x"}], "active": true})
        );
        let expected = ["title", "name.familyName", "ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL"];
        assert_eq!(slots(&written), expected);
    }

    #[test]
    fn the_rule_for_absent_ones_is_asked_slot_by_slot() {
        let clears = ["name.familyName", "emails", "externalId"];
        let rule = |slot: &Slot| {
            let clear = clears.contains(&slot.to_string().as_str());
            if clear { Absent::Clear } else { Absent::Keep }
        };
        let written = put(json!({"userName": "a", "name": {"givenName": "A"}}), &rule);
        assert_eq!(
            slots(&written),
            ["userName", "name.givenName", "externalId", "name.familyName", "emails"]
        );
        assert_eq!(written.desired["name"], json!({"givenName": "A"}));
        assert_eq!(written.desired.get("emails"), None);
        assert_eq!(written.desired["title"], "T");
    }

    #[test]
    fn members_of_groups_are_never_touched() {
        let rt = group();
        let base = json!({"displayName": "g", "members": [{"value": "u1"}]});
        let body = json!({"displayName": "h", "members": [{"value": "u2"}]});
        let incoming = normalise(body, &rt, None).unwrap();
        let written = replace(&base, &incoming, &rt, &|_| Absent::Clear);
        assert_eq!(written.desired, json!({"displayName": "h", "members": [{"value": "u1"}]}));
        assert_eq!(slots(&written), ["displayName", "externalId"]);
    }

    proptest! {
        #[test]
        fn putting_twice_is_putting_once(
            title in prop::option::of("[a-z]{0,2}"),
            given in prop::option::of(prop::option::of("[a-z]{0,2}")),
            emails in prop::option::of(prop::collection::vec("[a-z]{0,2}", 0..3)),
            clear in any::<bool>(),
        ) {
            let rt = altr_user();
            let mut body = json!({});
            if let Some(title) = title { body["title"] = json!(title); }
            if let Some(given) = given { body["name"] = json!({"givenName": given}); }
            if let Some(emails) = emails { body["emails"] = json!(emails); }
            let before = base();
            let rule = |_: &Slot| if clear { Absent::Clear } else { Absent::Keep };
            let incoming = normalise(body, &rt, None).unwrap();
            let once = replace(&base(), &incoming, &rt, &rule);
            let twice = replace(&once.desired, &incoming, &rt, &rule);
            prop_assert_eq!(&once, &twice);
            // What is not asserted is as it was.
            for slot in rt.writable_slots().iter().filter(|slot| !once.asserted.contains(slot)) {
                prop_assert_eq!(slot.get(&once.desired), slot.get(&before));
            }
        }
    }
}
