//! What an explanation is about: the request, and who is there before it. Made from the words of
//! the command line, with examples where nothing is given.

use serde_json::{Value, json};

use crate::change::Kind;
use crate::mapping::{Example, Mapping, Remembered, ScimRequest, ScimVerb, Side, id_text};

/// The scene of an explanation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub request: ScimRequest,
    pub body: Option<Value>,
    pub remembered: Remembered,
    /// The app's record, if there is one before.
    pub record: Option<Value>,
    /// The app's key of the record, now or in the end.
    pub id: Value,
    /// The app's keys of the group's members.
    pub members: Vec<Value>,
    /// The app's key and record of the person whose membership it is about.
    pub person: Option<(Value, Value)>,
}

/// The app's key of an example.
const ID: &str = "ID";
/// The app's key of an example's member.
pub(super) const MEMBER: &str = "USER-ID";
/// What can be said in place of a SCIM request.
const SHORT: &str = "create, update, deactivate, reactivate or delete user; create, rename or \
                     delete group; add or remove member; or a request such as PATCH /Users/ID";

/// Sets the scene.
///
/// # Errors
/// What to write instead.
pub(super) fn set(
    mapping: &Mapping,
    words: &str,
    body: Option<Value>,
    current: Option<Value>,
) -> Result<Scene, String> {
    let (line, sample) = match spoken(words) {
        Some((line, sample)) => (line.to_owned(), Some(sample)),
        None => (words.to_owned(), None),
    };
    let request = ScimRequest::parse(&line).map_err(|(what, _)| format!("{what}; say {SHORT}"))?;
    let kind = request.kind;
    let what = kind.resource_type();
    let side = mapping.side(kind).ok_or_else(|| format!("the mapping has no {what}s"))?;
    let first = named(side, Example::First);
    let key = request.key().unwrap_or(ID).to_owned();
    let listed = side.records.as_ref().and_then(|records| {
        let is = |record: &&Value| id_text(&record["id"]) == key;
        records.iter().find(is).or_else(|| records.first()).cloned()
    });
    let current = listed.clone().or(current);
    let id = current.as_ref().and_then(|record| side.id_of(record));
    let id = id.unwrap_or_else(|| json!(key));
    let is_new = matches!(request.verb, ScimVerb::Create);
    let record = match current {
        Some(record) => Some(record),
        None if is_new => None,
        None => Some(before(side, &first, &id, sample)?),
    };
    let mut remembered = Remembered::default();
    if let Some(record) = record.as_ref().filter(|_| !is_new) {
        let known = (id.clone(), side.read_back(record, &id));
        match kind {
            Kind::User => remembered.users.push(known),
            Kind::Group => remembered.groups.push(known),
        }
    }
    let mut members = Vec::new();
    let mut person = None;
    if kind == Kind::Group {
        let users = mapping.side(Kind::User).ok_or("the mapping has no Users")?;
        remembered.users.push((json!(MEMBER), named(users, Example::First)));
        if mapping.belongs_on_user() {
            let leaves = sample == Some(Sample::RemoveMember);
            let group = record.as_ref().filter(|_| leaves).map(|r| (&id, side.read_back(r, &id)));
            person = Some((json!(MEMBER), member_record(mapping, users, group)?));
        }
        if sample == Some(Sample::RemoveMember) {
            members.push(json!(MEMBER));
            remembered.members.push((id_text(&id), vec![MEMBER.to_owned()]));
        }
    }
    let body = match body {
        Some(body) => Some(body),
        None if !request.has_body() => None,
        None => Some(sample_body(side, &request, sample)?),
    };
    let request = match request.verb {
        // A record that was given has its own key.
        ScimVerb::Replace(_) => ScimRequest { verb: ScimVerb::Replace(id_text(&id)), kind },
        ScimVerb::Patch(_) => ScimRequest { verb: ScimVerb::Patch(id_text(&id)), kind },
        ScimVerb::Delete(_) => ScimRequest { verb: ScimVerb::Delete(id_text(&id)), kind },
        ScimVerb::Get(_) => ScimRequest { verb: ScimVerb::Get(id_text(&id)), kind },
        verb => ScimRequest { verb, kind },
    };
    Ok(Scene { request, body, remembered, record, id, members, person })
}

/// The app's record of a member; with the group that the member is in.
fn member_record(
    mapping: &Mapping,
    users: &Side,
    group: Option<(&Value, Value)>,
) -> Result<Value, String> {
    let mut resource = named(users, Example::First);
    if let Some((id, group)) = &group {
        resource["groups"] = json!([{ "value": id, "display": group["displayName"] }]);
    }
    let mut record = before(users, &resource, &json!(MEMBER), None)?;
    let on_user = mapping.side(Kind::Group).and_then(|side| side.members.place.on_user());
    if let (Some(on_user), Some((id, _))) = (on_user.filter(|on| on.row.is_none()), group) {
        on_user.field.put(&mut record, id.clone(), &Value::Null);
    }
    Ok(record)
}

/// What is to be shown by a request in plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    Create,
    Update,
    Deactivate,
    Reactivate,
    Delete,
    Rename,
    AddMember,
    RemoveMember,
}

fn spoken(words: &str) -> Option<(&'static str, Sample)> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Some(match words.as_slice() {
        ["create", "user"] => ("POST /Users", Sample::Create),
        ["update", "user"] => ("PUT /Users/ID", Sample::Update),
        ["deactivate", "user"] => ("PATCH /Users/ID", Sample::Deactivate),
        ["reactivate", "user"] => ("PATCH /Users/ID", Sample::Reactivate),
        ["delete", "user"] => ("DELETE /Users/ID", Sample::Delete),
        ["create", "group"] => ("POST /Groups", Sample::Create),
        ["rename", "group"] => ("PATCH /Groups/ID", Sample::Rename),
        ["delete", "group"] => ("DELETE /Groups/ID", Sample::Delete),
        ["add", "member"] => ("PATCH /Groups/ID", Sample::AddMember),
        ["remove", "member"] => ("PATCH /Groups/ID", Sample::RemoveMember),
        _ => return None,
    })
}

fn sample_body(
    side: &Side,
    request: &ScimRequest,
    sample: Option<Sample>,
) -> Result<Value, String> {
    let patch = |operation: Value| json!({ "Operations": [operation] });
    let set =
        |path: &str, value: Value| patch(json!({ "op": "replace", "path": path, "value": value }));
    Ok(match (sample, &request.verb) {
        (Some(Sample::Deactivate), _) => set("active", json!(false)),
        (Some(Sample::Reactivate), _) => set("active", json!(true)),
        (Some(Sample::Rename), _) => set("displayName", json!("Another example")),
        (Some(Sample::AddMember), _) => {
            patch(json!({ "op": "add", "path": "members", "value": [{ "value": MEMBER }] }))
        }
        (Some(Sample::RemoveMember), _) => {
            patch(json!({ "op": "remove", "path": format!("members[value eq \"{MEMBER}\"]") }))
        }
        (_, ScimVerb::Create) => match side.records.as_ref().and_then(|records| records.first()) {
            Some(listed) => json!({ "displayName": listed["displayName"] }),
            None => named(side, Example::First),
        },
        (_, ScimVerb::Replace(_)) => named(side, Example::Changed),
        _ => return Err("this request needs a body: --body FILE (or --body - for stdin)".into()),
    })
}

/// The app's record before the request.
fn before(
    side: &Side,
    example: &Value,
    id: &Value,
    sample: Option<Sample>,
) -> Result<Value, String> {
    let mut resource = example.clone();
    if sample == Some(Sample::Reactivate) {
        resource["active"] = json!(false);
    }
    side.record_of(&resource, id).map_err(|why| {
        format!("no example can be made for this mapping ({why}); give --current FILE")
    })
}

/// An example that SCIM takes: it has a name, whatever the table says.
fn named(side: &Side, which: Example) -> Value {
    let mut resource = side.example(which);
    let (key, name) = match side.kind {
        Kind::User => ("userName", "iris.okafor"),
        Kind::Group => ("displayName", "An example"),
    };
    if side.kind == Kind::Group || resource.get(key).is_none() {
        resource[key] = json!(name);
    }
    resource
}
