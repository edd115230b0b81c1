//! ALTR's mapping: the table both ways, requests and classing (seed requirements ALTR-*).

use super::*;
use crate::scim::{ScimType, Slot, Written};

fn altr() -> Mapping {
    mapping(&shipped("altr/altr.yaml"))
}

fn side() -> Side {
    altr().side(Kind::User).unwrap().clone()
}

fn george() -> Value {
    json!({
        "userName": "George3", "active": true,
        "name": { "givenName": "George", "familyName": "Washington" },
        "emails": [{ "value": "home@x", "type": "home" }, { "value": "george@altr.example", "primary": true }],
    })
}

fn created(user: Value) -> Result<AppRecord, Refusal> {
    side().app_record(&Roots::new().with("user", user), true, &Carried::everything(false))
}

/// What ALTR shows of George.
fn record() -> Value {
    json!({
        "id": 100, "firstName": "George", "lastName": "Washington", "email": "george@altr.example",
        "phone": 1115555555, "countryCode": 1, "phoneNumber": "+11115555555", "userStatus": "pending",
        "role": "ADMINISTRATOR", "username": "George3",
    })
}

#[test]
fn altr_10_29_a_create_without_level_gets_the_default_and_the_username_as_it_is() {
    assert_eq!(
        created(george()).unwrap().tree(),
        &json!({
            "username": "George3", "firstName": "George", "lastName": "Washington",
            "email": "george@altr.example", "role": "ADMINISTRATOR", "countryCode": 1, "phone": 0,
            "userStatus": "active",
        })
    );
}

#[test]
fn a_phone_number_is_taken_apart_and_shown_as_altr_has_it() {
    let split = |number: &str| {
        let mut user = george();
        user["phoneNumbers"] = json!([{ "value": number, "type": "work" }]);
        created(user).map(|app| (app.tree()["countryCode"].clone(), app.tree()["phone"].clone()))
    };
    assert_eq!(split("+1 (111) 555-5555"), Ok((json!(1), json!(1115555555))));
    assert_eq!(split("+11115555555"), Ok((json!(1), json!(1115555555))));
    assert_eq!(split("+49 30 123-45 67"), Ok((json!(49), json!(301234567))));
    assert!(split("call me").is_err());
    let shown = side().read_back(&record(), &json!(100));
    assert_eq!(
        shown["phoneNumbers"],
        json!([{ "value": "+11115555555", "primary": true, "type": "work" }])
    );
}

#[test]
fn altr_16_17_20_reading_shows_level_names_and_pending_as_active() {
    assert_eq!(
        side().read_back(&record(), &json!(100)),
        json!({
            "userName": "George3",
            "name": { "givenName": "George", "familyName": "Washington" },
            "emails": [{ "value": "george@altr.example", "primary": true, "type": "work" }],
            "ALTR_ADMIN_LEVEL": { "ALTR_ADMIN_LEVEL": "ADMINISTRATOR" },
            "phoneNumbers": [{ "value": "+11115555555", "primary": true, "type": "work" }],
            "active": true,
            "displayName": "George Washington",
        })
    );
    let mut disabled = record();
    disabled["userStatus"] = json!("disabled");
    assert_eq!(side().read_back(&disabled, &json!(100))["active"], json!(false));
}

#[test]
fn altr_12_13_a_level_compares_exactly() {
    for wrong in ["administrator", "Administrator", " ADMINISTRATOR", "SUPER"] {
        let mut user = george();
        user["ALTR_ADMIN_LEVEL"] = json!({ "ALTR_ADMIN_LEVEL": wrong });
        let error = created(user).unwrap_err().error;
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)), "{wrong}");
        for part in ["ALTR_ADMIN_LEVEL", "DATA_CONSUMER", "SUPERADMINISTRATOR"] {
            assert!(error.detail.contains(part), "{}", error.detail);
        }
    }
}

#[test]
fn altr_19_the_schema_shows_the_level() {
    let altr = altr();
    let rt = altr.resource_type(Kind::User).unwrap();
    let level = rt.attribute_at(&Slot::new(["ALTR_ADMIN_LEVEL", "ALTR_ADMIN_LEVEL"])).unwrap();
    assert!(level.case_exact);
    assert_eq!(
        level.canonical_values,
        ["ADMINISTRATOR", "SUPERADMINISTRATOR", "DATA_CONSUMER"].map(Value::from)
    );
    assert!(!level.required);
    assert!(rt.attribute("title").is_some() && rt.attribute("nickName").is_none());
    assert!(rt.attribute("emails").unwrap().required);
    assert!(altr.side(Kind::Group).is_none());
}

fn carried(slots: &[&[&str]]) -> Carried {
    let slots = slots.iter().map(|keys| Slot::new(keys.iter().copied())).collect();
    Carried { password: false, slots: Asserted::Slots(slots) }
}

/// The names of the fields of `change` that differ.
fn differing(user: Value, current: &Value, carried: &Carried) -> Vec<String> {
    let altr = altr();
    let side = altr.side(Kind::User).unwrap();
    let roots = Roots::new().with("user", user).with("current", current.clone());
    let app = side.app_record(&roots, false, carried).unwrap();
    let change = altr.call(side.update[0]);
    let differs =
        change.fields().iter().filter(|field| side.differs(**field, &app, current, carried));
    differs.map(|field| side.row(*field).unwrap().field.text().to_owned()).collect()
}

#[test]
fn altr_15_only_the_level_differs_and_only_it_is_sent() {
    let altr = altr();
    let side = altr.side(Kind::User).unwrap();
    let mut user = side.read_back(&record(), &json!(100));
    user["ALTR_ADMIN_LEVEL"]["ALTR_ADMIN_LEVEL"] = json!("SUPERADMINISTRATOR");
    let carried = carried(&[
        &["ALTR_ADMIN_LEVEL", "ALTR_ADMIN_LEVEL"],
        &["name", "givenName"],
        &["phoneNumbers"],
    ]);
    assert_eq!(differing(user.clone(), &record(), &carried), ["role"]);

    let roots = Roots::new().with("user", user).with("current", record()).with("id", json!(100));
    let app = side.app_record(&roots, false, &carried).unwrap();
    let change = altr.call(side.update[0]);
    let role = side.attributes.iter().find(|row| row.field.text() == "role").unwrap().id;
    let roots = roots.with("app", app.tree().clone());
    let request = change.request(&roots, Pick::Update { differing: &[role] }, None).unwrap();
    assert_eq!(request.method, Method::Patch);
    assert_eq!(request.target, "/administrators/100");
    assert_eq!(request.body.unwrap().tree, json!({ "role": "SUPERADMINISTRATOR" }));
}

#[test]
fn the_same_again_differs_in_nothing() {
    let shown = side().read_back(&record(), &json!(100));
    let all = Carried::everything(false);
    assert_eq!(differing(shown, &record(), &all), Vec::<String>::new());
}

#[test]
fn a_removed_phone_becomes_the_default_and_a_missing_one_is_left_alone() {
    let mut user = side().read_back(&record(), &json!(100));
    user.as_object_mut().unwrap().shift_remove("phoneNumbers");
    assert_eq!(differing(user.clone(), &record(), &carried(&[&["phoneNumbers"]])), ["phone"]);
    assert_eq!(differing(user, &record(), &carried(&[&["title"]])), Vec::<String>::new());
}

#[test]
fn altr_13_14_a_write_is_checked_before_any_call() {
    let side = side();
    let write = |desired: Value, asserted: &[&[&str]]| Written {
        desired,
        asserted: asserted.iter().map(|keys| Slot::new(keys.iter().copied())).collect(),
        ..Written::default()
    };
    let mut without = george();
    without["name"].as_object_mut().unwrap().shift_remove("givenName");
    let error = side.check_write(None, &mut write(without, &[]), false).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
    assert!(error.detail.contains("name.givenName"), "{}", error.detail);

    let base = side.read_back(&record(), &json!(100));
    let mut renamed = base.clone();
    renamed["userName"] = json!("Fred");
    let error = side
        .check_write(Some(&base), &mut write(renamed.clone(), &[&["userName"]]), false)
        .unwrap_err();
    assert_eq!((error.status, error.scim_type), (400, Some(ScimType::Mutability)));

    // userName ignores case in SCIM: the same name in another case is no rename.
    let mut same = base.clone();
    same["userName"] = json!("george3");
    assert!(side.check_write(Some(&base), &mut write(same, &[&["userName"]]), false).is_ok());

    // ALTR cannot change an e-mail address: it stays, with a warning.
    let mut mail = base.clone();
    mail["emails"][0]["value"] = json!("new@altr.example");
    let mut written = write(mail, &[&["emails"]]);
    assert_eq!(side.check_write(Some(&base), &mut written, false).unwrap().len(), 1);
    assert_eq!(
        (written.desired["emails"] == base["emails"], written.asserted.is_empty()),
        (true, true)
    );
}

#[test]
fn a_leaver_is_never_refused_for_another_attribute() {
    let side = side();
    let base = side.read_back(&record(), &json!(100));
    let mut desired = base.clone();
    desired["active"] = json!(false);
    desired["userName"] = json!("Fred");
    desired["ALTR_ADMIN_LEVEL"]["ALTR_ADMIN_LEVEL"] = json!("nonsense");
    desired["name"].as_object_mut().unwrap().shift_remove("familyName");
    let asserted = [
        &["active"][..],
        &["userName"],
        &["ALTR_ADMIN_LEVEL", "ALTR_ADMIN_LEVEL"],
        &["name", "familyName"],
    ];
    let mut written = Written {
        desired,
        asserted: asserted.iter().map(|keys| Slot::new(keys.iter().copied())).collect(),
        ..Written::default()
    };
    assert_eq!(side.check_write(Some(&base), &mut written, true).unwrap().len(), 3);
    let mut expected = base;
    expected["active"] = json!(false);
    assert_eq!(written.desired, expected);
    assert_eq!(written.asserted, [Slot::new(["active"])]);
}

#[test]
fn what_altr_itself_shows_is_no_reason_to_refuse() {
    // ALTR joins the number; the echo of it fits no row of the table.
    let side = side();
    let mut current = record();
    current["phoneNumber"] = json!("+4930123");
    let base = side.read_back(&current, &json!(100));
    let mut written = Written {
        desired: base.clone(),
        asserted: vec![Slot::new(["phoneNumbers"]), Slot::new(["title"])],
        ..Written::default()
    };
    assert_eq!(side.check_write(Some(&base), &mut written, false), Ok(Vec::new()));
    assert_eq!(written.asserted, [Slot::new(["title"])]);
    let roots = Roots::new().with("user", base).with("current", current);
    let carried = Carried { password: false, slots: Asserted::Slots(written.asserted) };
    assert!(side.app_record(&roots, false, &carried).is_ok());
}

#[test]
fn altr_e5_a_look_up_keeps_the_equal_one() {
    let side = side();
    let entry = &side.find[0];
    let row = |id: u64, name: &str| json!({ "id": id, "username": name });
    let found = |rows: &[Value], wanted: &str| side.find_match(entry, rows, wanted);
    let rows = [row(7, "alice"), row(8, "alice2"), row(9, "Malice")];
    assert_eq!(found(&rows, "alice"), FindResult::One(row(7, "alice")));
    assert_eq!(found(&rows, "ALICE"), FindResult::One(row(7, "alice")));
    assert_eq!(found(&rows, "bob"), FindResult::Nobody);
    let cases = [row(1, "Alice"), row(2, "alice"), row(2, "alice")];
    assert_eq!(found(&cases, "alice"), FindResult::One(row(2, "alice")));
    assert!(matches!(found(&cases, "ALICE"), FindResult::Inexact(rows) if rows.len() == 2));
    let twice = [row(1, "alice"), row(2, "alice")];
    assert!(matches!(found(&twice, "alice"), FindResult::Several(rows) if rows.len() == 2));
}

#[test]
fn the_create_request_is_what_altr_wants() {
    let altr = altr();
    let side = altr.side(Kind::User).unwrap();
    let app = created(george()).unwrap();
    let add = altr.call(side.create[0]);
    assert_eq!((add.class(), add.in_doubt()), (StepClass::Create, InDoubtRule::Find));
    let roots = Roots::new().with("user", george()).with("app", app.tree().clone());
    let request = add.request(&roots, Pick::Create, None).unwrap();
    assert_eq!(request.target, "/administrators");
    assert_eq!(
        request.body.unwrap().tree,
        json!({ "username": "George3", "firstName": "George", "lastName": "Washington",
            "email": "george@altr.example", "role": "ADMINISTRATOR", "phone": 0, "countryCode": 1 })
    );
    let reply = answer(201, json!({ "data": { "id": 100 }, "success": true }));
    assert_eq!(add.saved(&reply, &roots).unwrap()["id"], json!(100));
    assert_eq!(add.record(&reply, &roots).unwrap(), Some(json!({ "id": 100 })));
}

#[test]
fn searches_are_paged() {
    let altr = altr();
    let side = altr.side(Kind::User).unwrap();
    let search = altr.call(side.find[0].call);
    let page = search.first_page().unwrap();
    let roots = Roots::new().with("wanted", json!("a&b=c"));
    let request = search.request(&roots, Pick::Create, Some(&page)).unwrap();
    assert_eq!(
        request.target,
        "/administrators?username=a%26b%3Dc&sortBy=username&orderBy=asc&limit=50&offset=0"
    );
    assert_eq!(request.class, StepClass::Read);
    let rows: Vec<Value> = (0..50).map(|id| json!({ "id": id })).collect();
    let reply = answer(200, json!({ "data": { "administrators": rows, "count": 120 } }));
    let next = search.next_page(page, &reply).unwrap().unwrap();
    let request = search.request(&roots, Pick::Create, Some(&next)).unwrap();
    assert!(request.target.ends_with("offset=50"), "{}", request.target);
}

#[test]
fn altr_28_answers_mean_what_the_mapping_says() {
    let altr = altr();
    let side = altr.side(Kind::User).unwrap();
    let add = altr.call(side.create[0]);
    let class = |status: u16, message: &str, used: Use| {
        let body =
            json!({ "data": { "message": message, "statusCode": status }, "success": false });
        altr.classify(add, &answer(status, body), used, &Roots::new())
    };
    let taken = class(400, "An administrator with that username already exists", Use::Write);
    assert_eq!(taken.class, AnswerClass::Conflict);
    assert_eq!(taken.say, "An administrator with that username already exists");
    assert_eq!(
        class(400, "'id' does not match an administrator", Use::Write).class,
        AnswerClass::NotFound
    );
    assert_eq!(class(400, "'phone' must be a number", Use::Write).class, AnswerClass::Rejected);
    let forbidden = class(403, "Resource is forbidden", Use::Write);
    assert_eq!(
        (forbidden.class, forbidden.say.as_str()),
        (AnswerClass::Forbidden, "Resource is forbidden")
    );
    assert_eq!(class(403, "x", Use::List).class, AnswerClass::Stop);
    assert_eq!(class(401, "x", Use::Write).class, AnswerClass::LoginAgain);
}

#[test]
fn a_probe_may_be_a_path() {
    let mut source = shipped("altr/altr.yaml");
    let probe = "connect:\n  probe: GET /administrators?limit=1\n";
    source.text = source.text.replace("connect:\n", probe);
    let altr = mapping(&source);
    let probe = altr.call(altr.connect().probe.unwrap());
    let request = probe.request(&Roots::new(), Pick::Create, None).unwrap();
    assert_eq!(request.target, "/administrators?limit=1");
}

#[test]
fn the_settings_are_those_of_the_file() {
    let altr = altr();
    assert_eq!(altr.app(), "altr");
    assert_eq!(altr.scim().path, "/altr/scim/v2");
    assert_eq!(altr.scim().auth, [ClientAuth::Bearer]);
    assert_eq!(altr.scim().regenerate, Regenerate::Refused);
    assert_eq!(
        altr.scim().keep,
        [Slot::new(["title"]), Slot::new(["locale"]), Slot::new(["externalId"])]
    );
    assert_eq!(altr.connect().base_url, "https://app.example/api");
    let secret = |name: &str| Reference::Secret(name.to_owned());
    let AppAuth::Basic { user, password } = &altr.connect().auth else {
        panic!("{:?}", altr.connect().auth);
    };
    assert_eq!((user, password), (&secret("key_name"), &secret("key_secret")));
    assert!(altr.connect().probe.is_none(), "the first page of the list tries the credential");
    assert_eq!(altr.sync().unique, ["username"]);
    assert_eq!(altr.secrets().len(), 2);
    assert_eq!(altr.digest().len(), 64);
}
