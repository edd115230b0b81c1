//! The directory's mapping: lists of SCIM, real groups, members.

use super::*;
use crate::scim::Slot;

fn directory() -> Mapping {
    mapping(&shipped("directory/directory.yaml"))
}

fn ada() -> Value {
    json!({
        "userName": "ada", "active": true, "externalId": "00u1", "title": "Countess",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "value": "ada@x.example", "type": "home", "primary": true }],
        "phoneNumbers": [{ "value": "1", "type": "work" }, { "value": "2", "type": "work" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "Engines", "employeeNumber": "12", "manager": { "value": "9" } },
    })
}

fn record() -> Value {
    json!({
        "id": 7, "login": "ada", "active": true, "external": "00u1", "given": "Ada",
        "family": "Lovelace", "display": null, "title": "Countess", "locale": null,
        "emails": [{ "address": "ada@x.example", "type": "home", "main": true }],
        "phones": [{ "number": "1", "type": "work" }, { "number": "2", "type": "work" }],
        "roles": [], "department": "Engines", "employee_no": "12", "manager": "9",
    })
}

#[test]
fn users_go_out_and_come_back() {
    let directory = directory();
    let side = directory.side(Kind::User).unwrap();
    let roots = Roots::new().with("user", ada());
    let app = side.app_record(&roots, true, &Carried::everything(false)).unwrap();
    let mut expected = record();
    for absent in ["id", "display", "locale", "roles"] {
        expected.as_object_mut().unwrap().shift_remove(absent);
    }
    assert_eq!(app.tree(), &expected);
    assert_eq!(side.read_back(&record(), &json!(7)), ada());
    assert_eq!(side.id_of(&record()), Some(json!(7)));
}

#[test]
fn a_password_goes_out_when_it_came_and_is_never_shown() {
    let directory = directory();
    let side = directory.side(Kind::User).unwrap();
    let mut user = ada();
    user["password"] = json!("s3cret");
    let roots = Roots::new().with("user", user).with("current", record()).with("id", json!(7));
    let none = Carried { password: false, slots: Asserted::Slots(Vec::new()) };
    let with = Carried { password: true, ..none.clone() };
    let password = side.attributes.iter().find(|row| row.is_password()).unwrap().id;

    let app = side.app_record(&roots, false, &none).unwrap();
    assert!(!side.differs(password, &app, &record(), &none));
    assert_eq!(app.tree().get("password"), None);

    let app = side.app_record(&roots, false, &with).unwrap();
    assert!(side.differs(password, &app, &record(), &with));
    let change = directory.call(side.update[0]);
    let roots = roots.with("app", app.tree().clone());
    let request = change.request(&roots, Pick::Update { differing: &[password] }, None).unwrap();
    assert_eq!(request.body.unwrap().tree, json!({ "password": "s3cret" }));
    assert_eq!(request.sensitive, ["s3cret"]);

    let mut shown = record();
    shown["password"] = json!("hash");
    assert_eq!(side.read_back(&shown, &json!(7)).get("password"), None);
}

#[test]
fn a_cleared_value_is_sent_as_null_where_the_app_has_one() {
    let directory = directory();
    let side = directory.side(Kind::User).unwrap();
    let mut user = ada();
    user.as_object_mut().unwrap().shift_remove("title");
    let roots = Roots::new().with("user", user).with("current", record());
    let slots = Asserted::Slots(vec![Slot::new(["title"]), Slot::new(["locale"])]);
    let carried = Carried { password: false, slots };
    let app = side.app_record(&roots, false, &carried).unwrap();
    let id = |name: &str| side.attributes.iter().find(|row| row.field.text() == name).unwrap().id;
    assert_eq!(app.state(id("title")), &FieldState::Cleared(Some(Value::Null)));
    assert_eq!(app.state(id("locale")), &FieldState::Absent);
    assert_eq!(app.tree()["title"], Value::Null);
    assert!(side.differs(id("title"), &app, &record(), &carried));
    assert!(!side.differs(id("locale"), &app, &record(), &carried));
}

#[test]
fn members_are_written_one_by_one_and_ids_keep_their_type() {
    let directory = directory();
    let groups = directory.side(Kind::Group).unwrap();
    let join = directory.call(groups.members.add[0]);
    assert_eq!(join.fan(), Fan::PerMember);
    assert_eq!((join.class(), join.in_doubt()), (StepClass::Idempotent, InDoubtRule::Resend));
    let roots = Roots::new().with("group", json!({ "id": 3 })).with("member", json!({ "id": 7 }));
    let request = join.request(&roots, Pick::Update { differing: &[] }, None).unwrap();
    assert_eq!(request.target, "/groups/3/members/7");
    assert_eq!(request.body, None);

    let rule = groups.members.read.as_ref().unwrap();
    assert_eq!(groups.member_of(&json!({ "user_id": 7 })), Some((json!(7), json!(7))));
    let members = directory.call(rule.call);
    let reply = answer(200, json!({ "items": [{ "user_id": 7 }], "total": 1 }));
    assert_eq!(members.records(&reply, &roots).unwrap(), [json!({ "user_id": 7 })]);
    assert_eq!(groups.members.policy.create, GroupCreate::Allowed);
    assert_eq!(groups.members.policy.delete, GroupDelete::Remove);
}

#[test]
fn group_names_ignore_case_and_the_type_shows_members() {
    let directory = directory();
    let groups = directory.side(Kind::Group).unwrap();
    let row = json!({ "id": 1, "name": "Admins" });
    assert_eq!(
        groups.find_match(&groups.find[0], std::slice::from_ref(&row), "admins"),
        FindResult::One(row)
    );
    let rt = directory.resource_type(Kind::Group).unwrap();
    assert!(rt.attribute("members").is_some() && rt.attribute("displayName").is_some());
    let user = directory.resource_type(Kind::User).unwrap();
    assert!(user.attribute_at(&Slot::new(["emails"])).unwrap().sub("type").is_some());
    assert!(user.attribute("groups").is_some_and(|groups| !groups.is_writable()));
}
