//! Who exists in the app and not in the bridge: found, linked, changed, and never made again.

use serde_json::{Value, json};

use super::support::World;
use super::support::crowd::{COUNTED, Crowd, Habits, mapping, name, person};
use super::support::people::{group, members_of, patch, user};
use super::support::text::replaced;
use super::support::world::id_of;

fn crowd_mapping(if_exists: &str) -> String {
    mapping(COUNTED, &format!("  if_exists: {if_exists}"), "")
}

async fn crowd(if_exists: &str) -> World {
    let app = Crowd::of(3, Habits::default());
    World::played("crowd", app, &crowd_mapping(if_exists)).await
}

/// What Okta sends for the person of that number.
fn as_sent(id: u64, mail: &str) -> Value {
    json!({
        "userName": name(id), "name": { "familyName": "From Okta" }, "active": true,
        "emails": [{ "value": mail, "type": "work", "primary": true }],
    })
}

fn own_mail(id: u64) -> String {
    format!("{}@corp.example", name(id))
}

/// The methods of the calls that wrote.
fn writes(world: &World) -> Vec<String> {
    let first = |line: String| line.split(' ').next().unwrap_or_default().to_owned();
    world.writes().into_iter().map(first).collect()
}

#[tokio::test]
async fn who_is_found_by_a_filter_is_linked_and_then_changed() {
    for if_exists in ["conflict", "adopt"] {
        let world = crowd(if_exists).await;
        let found = world.named(&name(2).to_uppercase()).await.remove(0);
        let asked: Vec<_> = world.app().calls().iter().map(|call| call.line()).collect();
        assert_eq!(asked, [format!("GET /people?name={}", name(2).to_uppercase())], "pushed down");
        let path = format!("/Users/{}", id_of(&found));
        let put =
            world.echo_put(&path, json!({ "name": { "familyName": "New" } })).await.expect(200);
        assert_eq!(put["id"], found["id"]);
        assert_eq!(world.writes(), [r#"PATCH /people/2 {"family":"New"}"#]);
        // From now on only the record itself is read, as for a GET.
        let calls = world.app().calls().len();
        assert_eq!(id_of(&world.named(&name(2)).await[0]), id_of(&found));
        let read: Vec<_> = world.app().calls()[calls..].iter().map(|call| call.line()).collect();
        assert_eq!(read, ["GET /people/2"]);
        assert_eq!(world.records("people").len(), 3);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    Never,
    Imported,
    Found,
    Written,
}

#[tokio::test]
async fn a_create_of_somebody_who_exists_follows_if_exists() {
    use Known::*;
    for (if_exists, same, adopts) in [
        ("conflict", true, [false, false, false, false]),
        // Who was written belongs to somebody already.
        ("adopt", true, [true, true, true, false]),
        ("adopt", false, [true, true, true, false]),
        ("{ adopt_if_same: [mail] }", true, [true, true, true, false]),
        ("{ adopt_if_same: [mail] }", false, [false, false, false, false]),
    ] {
        for (known, adopts) in [Never, Imported, Found, Written].into_iter().zip(adopts) {
            let case = format!("{if_exists} {same} {known:?}");
            let world = crowd(if_exists).await;
            let mut before = None;
            match known {
                Never => {}
                Imported => {
                    let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
                    before = Some(id_of(&list["Resources"][1]));
                }
                Found | Written => before = Some(id_of(&world.named(&name(2)).await[0])),
            }
            if known == Written {
                let path = format!("/Users/{}", before.clone().unwrap());
                let changes = json!({ "name": { "familyName": "Mine" } });
                world.echo_put(&path, changes).await.expect(200);
            }
            let wrote = world.writes().len();
            let mail = if same { own_mail(2) } else { "other@corp.example".to_owned() };
            let made = world.post("/Users", &as_sent(2, &mail)).await;
            assert_eq!(world.records("people").len(), 3, "nobody is made again: {case}");
            if adopts {
                let made = made.expect(201);
                assert_eq!(made["name"]["familyName"], "From Okta", "{case}");
                assert_eq!(writes(&world), ["PATCH"], "{case}");
                if let Some(before) = before {
                    assert_eq!(id_of(&made), before, "the id that it was shown with: {case}");
                }
                // And then it is there: the next one is refused.
                let again = json!({ "userName": name(2), "active": true, "displayName": "x" });
                world.post("/Users", &again).await.expect_scim(409, "uniqueness");
            } else {
                made.expect_scim(409, "uniqueness");
                assert_eq!(world.writes().len(), wrote, "{case}");
            }
        }
    }
}

/// The app has two of exactly one name: none of them is guessed, whatever is known of them.
#[tokio::test]
async fn two_of_one_name_are_refused_and_both_are_named() {
    for imported in [false, true] {
        for if_exists in ["conflict", "adopt", "{ adopt_if_same: [family] }"] {
            let world = crowd(if_exists).await;
            let mut twin = person(77);
            twin["name"] = name(2).into();
            world.seed("people", twin);
            if imported {
                let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
                assert_eq!(list["totalResults"], 4, "each is there");
            }
            let case = format!("{if_exists} {imported}");
            let filter = format!("userName eq \"{}\"", name(2));
            let filtered = world.filtered("/Users", &filter).await.expect_scim(409, "uniqueness");
            let created = world.post("/Users", &as_sent(2, &own_mail(2))).await;
            let created = created.expect_scim(409, "uniqueness");
            for detail in [filtered, created] {
                assert!(detail.contains("2, 77"), "{case}: {detail}");
            }
            assert!(world.writes().is_empty(), "{case}");
            // By id each can be changed.
            if imported {
                let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
                for at in [1, 3] {
                    let path = format!("/Users/{}", id_of(&list["Resources"][at]));
                    let family = json!({ "name": { "familyName": format!("No {at}") } });
                    world.echo_put(&path, family).await.expect(200);
                }
                assert_eq!(world.record("people", "family", "No 3")["id"], 77);
            }
            // The control: one of them is renamed, and all is clear.
            let mut renamed = person(77);
            renamed["name"] = "another".into();
            world.seed("people", renamed);
            if imported {
                world.get("/Users?startIndex=1&count=100").await.expect(200);
            }
            assert_eq!(world.named(&name(2)).await.len(), 1, "{case}");
        }
    }
}

/// ALTR's user names differ in case, SCIM's do not: who is equal to the letter is meant.
#[tokio::test]
async fn of_names_that_differ_only_in_case_the_one_to_the_letter_is_meant() {
    for imported in [false, true] {
        let world = World::with("altr", |text| {
            replaced(
                text,
                "users:\n  id: id\n",
                "users:\n  id: id\n  if_exists: adopt\n  never_touch: user.userName eq \"root\"\n",
            )
        })
        .await;
        for (id, name) in [(7, "Alice"), (8, "alice"), (9, "Bob"), (10, "bOb")] {
            let record = json!({ "id": id, "username": name, "firstName": "A", "lastName": "Old", "email": "a@corp.example" });
            world.seed("administrators", record);
        }
        if imported {
            let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
            assert_eq!(list["totalResults"], 4);
        }
        for (name, id) in [("alice", 8), ("Alice", 7)] {
            let found = world.named(name).await;
            assert_eq!((found.len(), &found[0]["userName"]), (1, &json!(name)), "{imported}");
            let path = format!("/Users/{}", id_of(&found[0]));
            let changes = json!({ "name": { "givenName": "A", "familyName": format!("Of {id}") } });
            world.echo_put(&path, changes).await.expect(200);
            assert_eq!(world.record("administrators", "lastName", &format!("Of {id}"))["id"], id);
        }
        // A create takes over the one to the letter, and no other.
        let made = world.post("/Users", &user("bOb", "B", "New")).await.expect(201);
        assert_eq!(made["userName"], "bOb");
        assert_eq!(world.record("administrators", "lastName", "New")["id"], 10);
        // Neither is: none is taken.
        let detail = world.post("/Users", &user("ALICE", "A", "New")).await;
        let detail = detail.expect_scim(409, "uniqueness");
        assert!(detail.contains('7') && detail.contains('8'), "{detail}");
        assert!(world.named("ALICE").await.is_empty());
        assert_eq!(world.records("administrators").len(), 4);
    }
}

/// The directory, whose groups are taken over.
async fn directory() -> World {
    World::with("directory", |text| {
        replaced(text, "create: allowed, if_exists: conflict", "create: allowed, if_exists: adopt")
    })
    .await
}

fn in_app(world: &World, name: &str) -> Vec<u64> {
    let members = world.record("groups", "name", name)["members"].clone();
    members.as_array().unwrap().iter().filter_map(Value::as_u64).collect()
}

#[tokio::test]
async fn two_groups_of_one_name_are_refused_and_both_are_named() {
    for imported in [false, true] {
        let world = World::teams(&super::groups::strict("if_exists: adopt")).await;
        world.seed("rooms", json!({ "id": 22, "name": "Hall" }));
        world.seed("rooms", json!({ "id": 23, "name": "Hall" }));
        if imported {
            let list = world.get("/Groups?startIndex=1&count=100").await.expect(200);
            assert_eq!(list["totalResults"], 2);
        }
        let filtered = world.filtered("/Groups", "displayName eq \"Hall\"").await;
        let created = world.post("/Groups", &group("Hall", &[])).await;
        for answer in [filtered, created] {
            let detail = answer.expect_scim(409, "uniqueness");
            assert!(detail.contains("22") && detail.contains("23"), "{imported}: {detail}");
        }
        assert_eq!(world.records("rooms").len(), 2);
    }
}

/// Okta's "Link Group": the group is found, gets Okta's name and members, and keeps its id.
#[tokio::test]
async fn link_group_with_rename_keeps_the_id() {
    for rename_by_put in [false, true] {
        let world = directory().await;
        let ada = world.create(&user("ada@corp.example", "Ada", "Byron")).await;
        let record = world.seed("groups", json!({ "name": "Old Name", "external": "x1" }));
        let list = world.get("/Groups?startIndex=1&count=100").await.expect(200);
        let id = id_of(&list["Resources"][0]);
        let found = world.filtered("/Groups", "displayName eq \"old name\"").await.expect(200);
        assert_eq!(id_of(&found["Resources"][0]), id);
        let path = format!("/Groups/{id}");
        if rename_by_put {
            let put = world.put(&path, &group("New Name", &[&ada])).await.expect(200);
            assert_eq!(id_of(&put), id);
        } else {
            let operations = json!([
                { "op": "replace", "value": { "id": id, "displayName": "New Name" } },
                { "op": "add", "path": "members", "value": members_of(&[&ada]) },
            ]);
            world.patch(&path, &patch(operations)).await.expect(204);
        }
        assert_eq!(world.records("groups").len(), 1);
        let renamed = world.record("groups", "name", "New Name");
        assert_eq!((&renamed["id"], &renamed["external"]), (&record, &json!("x1")));
        assert_eq!(in_app(&world, "New Name").len(), 1);
        let list = world.get("/Groups?startIndex=1&count=100").await.expect(200);
        assert_eq!((list["totalResults"].as_u64(), id_of(&list["Resources"][0])), (Some(1), id));
        let old = world.filtered("/Groups", "displayName eq \"Old Name\"").await.expect(200);
        assert_eq!(old["totalResults"], 0);
    }
}

/// A create of a group that is there already says of its members what a PUT would.
#[tokio::test]
async fn a_group_that_is_taken_over_keeps_its_members_or_has_those_that_are_sent() {
    for imported in [false, true] {
        for sent in [None, Some(vec![]), Some(vec![1, 2])] {
            let world = directory().await;
            let mut ids = Vec::new();
            for name in ["ada", "bob", "cyd"] {
                ids.push(world.create(&user(&format!("{name}@corp.example"), name, "X")).await);
            }
            let key = |name: &str| {
                world.record("users", "login", &format!("{name}@corp.example"))["id"].clone()
            };
            // Nobody knows the last one here.
            let stranger = world.seed("users", json!({ "login": "stranger@corp.example" }));
            let members = json!([key("ada"), key("bob"), stranger]);
            world.seed("groups", json!({ "name": "Team", "members": members }));
            if imported {
                world.get("/Groups?startIndex=1&count=100").await.expect(200);
            }
            let mut body = json!({ "displayName": "Team" });
            if let Some(sent) = &sent {
                let sent: Vec<&str> = sent.iter().map(|at: &usize| ids[*at].as_str()).collect();
                body["members"] = members_of(&sent);
            }
            world.post("/Groups", &body).await.expect(201);
            let number = |name: &str| key(name).as_u64().unwrap();
            let stranger = stranger.as_u64().unwrap();
            let mut expected = match sent.as_deref() {
                None => vec![number("ada"), number("bob"), stranger],
                Some([]) => vec![stranger],
                Some(_) => vec![number("bob"), number("cyd"), stranger],
            };
            let mut there = in_app(&world, "Team");
            expected.sort_unstable();
            there.sort_unstable();
            assert_eq!(there, expected, "{sent:?}, imported: {imported}");
            assert_eq!(world.records("groups").len(), 1);
        }
    }
}

/// A create that finds nobody must not make an account that nobody may see from then on.
#[tokio::test]
async fn nobody_is_made_whom_the_mapping_protects() {
    let protecting = |text: &str| {
        let condition = "never_touch: user.userName eq \"root\" or current.kind ne \"human\"";
        replaced(text, "users:\n  id: id\n", &format!("users:\n  id: id\n  {condition}\n"))
    };
    let world = World::with("directory", protecting).await;
    for name in ["root", "ROOT"] {
        world.post("/Users", &user(name, "R", "Oot")).await.expect_scim(409, "uniqueness");
    }
    assert!(world.writes().is_empty(), "{:?}", world.writes());
    assert!(world.changes().await.iter().all(|change| change["state"] == "rejected"));
    // What only the app will say of an account is no reason to make none.
    world.post("/Users", &user("ada", "Ada", "Byron")).await.expect(201);

    // Where names differ by case, another spelling is somebody else.
    let exact = |text: &str| {
        let text = replaced(text, "or current.kind ne \"human\"", "");
        let row = "login:        { scim: userName, required: true";
        replaced(&text, row, &format!("{row}, case: exact"))
    };
    let world = World::with("directory", |text| exact(&protecting(text))).await;
    world.post("/Users", &user("root", "R", "Oot")).await.expect_scim(409, "uniqueness");
    let made = world.create(&user("Root", "R", "Oot")).await;
    assert_eq!(id_of(&world.named("Root").await[0]), made);
    world.get(&format!("/Users/{made}")).await.expect(200);
}
