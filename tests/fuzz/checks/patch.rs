//! PATCH and PUT: the result is what its schemas say, only what was asserted changes, what is
//! read-only never does, all operations at once are the same as one after the other.

use scim_bridge::scim::{
    Absent, Patch, ResourceType, Slot, Written, normalise, parse_body, replace, take_members,
};
use serde_json::Value;

use super::sample;

/// Reads the bytes as the body of a PATCH and of a PUT.
pub fn check(data: &[u8]) {
    let body = match parse_body(data) {
        Ok(body) => body,
        Err(error) => return sample::good_error(&error, &[400]),
    };
    let bases = [(sample::user(), sample::lena()), (sample::group(), sample::staff())];
    let patch = Patch::parse(&body);
    for (rt, base) in &bases {
        sample::valid(base, rt);
        match &patch {
            Ok(patch) => patched(patch, base, rt),
            Err(error) => sample::good_error(error, &[400]),
        }
        put(body.clone(), base, rt);
    }
}

fn patched(patch: &Patch, base: &Value, rt: &ResourceType) {
    let written = match patch.apply(base, rt) {
        Ok(written) => written,
        Err(error) => return sample::good_error(&error, &[400, 413]),
    };
    good(&written, base, rt);
    if let Err(error) = patch.split_members() {
        sample::good_error(&error, &[400]);
    }
    // What ends access leaves out operations that would fail alone.
    let tolerant = written.desired["active"] == Value::Bool(false);
    let mut desired = base.clone();
    for operation in &patch.operations {
        let alone = Patch { operations: vec![operation.clone()] };
        match alone.apply(&desired, rt) {
            Ok(written) => desired = written.desired,
            Err(error) => assert!(tolerant, "{operation:?} fails only alone: {error}"),
        }
    }
    assert!(tolerant || desired == written.desired, "{desired} {}", written.desired);
    // To say again what is so changes nothing.
    let again = patch.apply(&written.desired, rt);
    if let (Ok(again), true) = (again, patch.operations.iter().all(is_plain)) {
        assert_eq!(again.desired, written.desired, "again");
    }
}

/// A replacement without a filter; several of them may build on each other, but one alone is
/// idempotent.
fn is_plain(operation: &scim_bridge::scim::Operation) -> bool {
    use scim_bridge::scim::PatchOp::Replace;
    operation.op == Replace && operation.path.as_ref().is_some_and(|path| !path.contains('['))
}

fn put(mut body: Value, base: &Value, rt: &ResourceType) {
    let id = base["id"].as_str();
    if let Err(error) = take_members(&mut body) {
        return sample::good_error(&error, &[400]);
    }
    let incoming = match normalise(body, rt, id) {
        Ok(incoming) => incoming,
        Err(error) => return sample::good_error(&error, &[400]),
    };
    for slot in &incoming.present {
        assert!(slot.get(&incoming.resource).is_some() && !incoming.cleared.contains(slot));
    }
    for absent in [Absent::Keep, Absent::Clear] {
        let written = replace(base, &incoming, rt, &|_| absent);
        good(&written, base, rt);
        let twice = replace(&written.desired, &incoming, rt, &|_| absent);
        assert_eq!(twice.desired, written.desired, "the same PUT twice");
    }
}

/// What holds for the outcome of any write.
fn good(written: &Written, base: &Value, rt: &ResourceType) {
    let desired = &written.desired;
    sample::valid(desired, rt);
    let writable = rt.writable_slots();
    for (at, slot) in written.asserted.iter().enumerate() {
        assert!(writable.contains(slot), "'{slot}' is asserted and not writable");
        assert!(!written.asserted[..at].contains(slot), "'{slot}' is asserted twice");
    }
    for slot in writable.iter().filter(|slot| !written.asserted.contains(slot)) {
        // The reference goes with its value.
        let is_derived = slot.0.last().is_some_and(|name| name == "$ref");
        let is = slot.get(desired);
        assert!(is == slot.get(base) || (is_derived && is.is_none()), "'{slot}' changed");
    }
    for name in ["id", "meta", "groups", "schemas", "password"] {
        assert_eq!(desired.get(name), base.get(name), "'{name}' changed");
    }
    let boss = Slot::new([scim_bridge::scim::core::ENTERPRISE_USER, "manager", "displayName"]);
    assert!(boss.get(desired).is_none() || boss.get(desired) == boss.get(base), "read-only");
}
