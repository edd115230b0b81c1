//! The requirements of ActivTrak's guide that its scenarios do not show, one by one.

use scim_bridge::mapping::Source;
use scim_bridge::sync::{BaseUrls, load};
use serde_json::{Value, json};
use standin::{Fault, When};

use super::activtrak::{account, agents_in, members, pushed, three};
use super::support::World;
use super::support::people::{group, patch, patch_active, user};
use super::support::text::{mapping_text, repository};
use super::support::world::id_of;

const TYLER: &str = "tyler@corp.example";

fn guide() -> String {
    std::fs::read_to_string(repository().join("mappings/activtrak/README.md")).unwrap()
}

/// ACT-2: the guide says that the software stays on the machines.
#[test]
fn act_02_the_guide_says_that_nothing_is_uninstalled() {
    assert!(guide().contains("The agent software stays on the machine"));
    assert!(!mapping_text("activtrak").to_lowercase().contains("uninstall"));
}

/// ACT-8: an app of the wizard sends PUTs, one of the catalogue PATCHes; the calls are the same.
#[tokio::test]
async fn act_08_put_and_patch_lead_to_the_same_calls() {
    let mut written = Vec::new();
    for is_put in [true, false] {
        let world = World::of("activtrak").await;
        let [tyler, ..] = three(&world).await;
        let path = format!("/Users/{tyler}");
        let name = json!({ "givenName": "Ty", "familyName": "Reed" });
        for (changes, operation) in [
            (
                json!({ "name": name }),
                json!({ "op": "replace", "path": "name.givenName", "value": "Ty" }),
            ),
            (json!({ "active": false }), json!({ "op": "replace", "value": { "active": false } })),
            (json!({ "active": true }), json!({ "op": "replace", "value": { "active": true } })),
        ] {
            match is_put {
                true => world.echo_put(&path, changes).await.expect(200),
                false => world.patch(&path, &patch(json!([operation]))).await.expect(200),
            };
        }
        written.push(world.writes());
    }
    assert_eq!(written[0].len(), 5, "{:?}", written[0]);
    assert_eq!(written[0], written[1]);
}

/// ACT-8: a PUT of what a GET showed makes no write, sent once or twice.
#[tokio::test]
async fn act_08_an_echo_makes_no_write() {
    let world = World::of("activtrak").await;
    world.seed("users", account(7, "Tyler"));
    let two = json!([{ "value": TYLER, "primary": true }, { "value": "t@home.example" }]);
    world.seed("users", json!({ "id": 7, "emails": two, "employeeId": "E-77", "middleName": "J" }));
    let path = format!("/Users/{}", id_of(&world.named(TYLER).await[0]));
    for _ in 0..2 {
        world.echo_put(&path, json!({})).await.expect(200);
    }
    assert_eq!(world.writes(), [] as [String; 0]);
}

/// ACT-12: every region has its host; another one is a mistake at the start, with the regions.
#[test]
fn act_12_a_region_is_a_host() {
    let at = |region: &str| {
        let given = region.to_owned();
        let environment = move |name: &str| match name {
            "ACTIVTRAK_REGION" => Some(given.clone()),
            _ => Some("a key".to_owned()),
        };
        let source = Source { file: "activtrak.yaml".into(), text: mapping_text("activtrak") };
        let loaded = load(&[source], &environment, &BaseUrls::default());
        loaded.map(|loaded| loaded[0].mapping.connect().base_url.clone()).map_err(|e| e.to_string())
    };
    for (region, host) in
        [("us", "api"), ("eu", "api-eu"), ("uk", "api-uk"), ("ca", "api-ca"), ("au", "api-au")]
    {
        assert_eq!(at(region), Ok(format!("https://{host}.activtrak.com/admin/v1")));
    }
    for unknown in ["mars", "EU", "api-eu"] {
        let refused = at(unknown).unwrap_err();
        assert!(refused.contains("allowed: us, eu, uk, ca, au"), "{unknown}: {refused}");
    }
}

/// ACT-13: the identifier is userName, in whatever case it is written.
#[tokio::test]
async fn act_13_the_identifier_is_user_name() {
    let world = World::of("activtrak").await;
    world.seed("users", account(7, "Tyler"));
    for spelling in ["userName", "username", "USERNAME"] {
        let list = world.filtered("/Users", &format!("{spelling} eq \"{TYLER}\"")).await;
        assert_eq!(list.expect(200)["totalResults"], 1, "{spelling}");
    }
    world.filtered("/Users", "login eq \"x\"").await.expect_scim(400, "invalidFilter");
}

/// ACT-14: users, updates and groups are pushed; lists answer all the same, to their last page.
#[tokio::test]
async fn act_14_lists_answer_though_nothing_is_imported() {
    let world = World::of("activtrak").await;
    for id in 1..=120 {
        world.seed("users", account(id, &format!("User{id:03}")));
    }
    world.seed("groups", json!({ "groupname": "By hand" }));
    let mut names = Vec::new();
    for (start, count) in [(1, 100), (101, 20)] {
        let page = world.get(&format!("/Users?startIndex={start}&count=100")).await.expect(200);
        assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(120), &json!(count)));
        let rows = page["Resources"].as_array().unwrap().clone();
        names.extend(rows.iter().map(|row| row["userName"].as_str().unwrap().to_owned()));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 120);
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(groups["totalResults"], 1);
    assert_eq!(groups["Resources"][0]["displayName"], "By hand");
    assert!(world.writes().is_empty());
}

/// ACT-15: another header, or half a key, is no key.
#[tokio::test]
async fn act_15_a_key_elsewhere_is_no_key() {
    let world = World::of("activtrak").await;
    let cut = &world.token[..world.token.len() - 1];
    for header in [
        format!("x-apikey: {}", world.token),
        format!("x-api-key: {cut}"),
        format!("x-api-key: Bearer {}", world.token),
        format!("Authorization: {}", world.token),
    ] {
        world.raw("GET", "/Users?count=1", &[&header], b"").await.expect_error(401);
    }
    assert!(world.app().calls().is_empty());
}

/// ACT-16: the test fails in Okta when the key that Okta was given is wrong.
#[tokio::test]
async fn act_16_the_connection_test_fails_with_a_wrong_key() {
    let mut world = World::of("activtrak").await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    world.token = format!("{}x", world.token);
    world.get("/Users?startIndex=1&count=2").await.expect_error(401);
}

/// ACT-17: create, update, deactivate each work by themselves: nothing came through the bridge before.
#[tokio::test]
async fn act_17_no_operation_depends_on_another_one() {
    let world = World::of("activtrak").await;
    let [tyler, uma, _] = three(&world).await;
    let name = json!({ "givenName": "Ty", "familyName": "Reed" });
    world.echo_put(&format!("/Users/{tyler}"), json!({ "name": name })).await.expect(200);
    world.patch(&format!("/Users/{uma}"), &patch_active(false)).await.expect(200);
    world.create(&user("xena@corp.example", "Xena", "Reed")).await;
    assert_eq!(world.record("users", "username", TYLER)["firstName"], "Ty");
    assert_eq!(world.record("users", "username", "uma@corp.example")["doNotTrack"], true);
    assert_eq!(world.record("users", "username", "xena@corp.example")["doNotTrack"], false);
}

/// ACT-18: all that ActivTrak has a field for is carried; /Schemas shows that and nothing else.
#[tokio::test]
async fn act_18_the_supported_attributes_are_carried() {
    let world = World::of("activtrak").await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let mut body = user(TYLER, "Tyler", "Reed");
    body["name"]["middleName"] = "James".into();
    body["displayName"] = "Ty Reed".into();
    body["emails"] = json!([
        { "value": TYLER, "type": "work", "primary": true },
        { "value": "ty@home.example", "type": "home", "primary": false },
    ]);
    body["phoneNumbers"] = json!([{ "value": "+1 555 0100", "type": "work" }]);
    body["title"] = "Clerk".into();
    body[enterprise] = json!({ "employeeNumber": "E-77", "department": "Sales" });
    world.create(&body).await;
    let record = world.record("users", "username", TYLER);
    assert_eq!(
        record,
        json!({
            "id": 1, "displayName": "Ty Reed", "firstName": "Tyler", "middleName": "James",
            "lastName": "Reed", "upns": [TYLER], "employeeId": "E-77", "doNotTrack": false,
            "emails": [
                { "value": TYLER, "primary": true },
                { "value": "ty@home.example", "primary": false },
            ],
            "username": TYLER,
        }),
    );
    let schemas = world.get("/Schemas").await.expect(200).to_string();
    for name in ["middleName", "displayName", "emails", "employeeNumber", "userName"] {
        assert!(schemas.contains(&format!("\"name\":\"{name}\"")), "{name}");
    }
    for name in ["nickName", "phoneNumbers", "title", "department", "costCenter"] {
        assert!(!schemas.contains(&format!("\"name\":\"{name}\"")), "{name}");
    }
}

/// ACT-19: an attribute that was taken out of the profile keeps its value in ActivTrak.
#[tokio::test]
async fn act_19_what_a_put_leaves_out_stays() {
    let world = World::of("activtrak").await;
    let mut seeded = account(7, "Tyler");
    seeded["employeeId"] = "E-77".into();
    seeded["middleName"] = "James".into();
    world.seed("users", seeded);
    let path = format!("/Users/{}", id_of(&world.named(TYLER).await[0]));
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": TYLER, "active": true, "name": { "givenName": "Tyler", "familyName": "Read" },
    });
    world.put(&path, &body).await.expect(200);
    assert_eq!(world.writes(), [r#"PATCH /users {"users":[{"id":7,"lastName":"Read"}]}"#]);
    let record = world.record("users", "username", TYLER);
    assert_eq!((&record["employeeId"], &record["middleName"]), (&json!("E-77"), &json!("James")));
    assert_eq!(record["displayName"], "Tyler Reed");
}

/// ACT-20: everybody is assigned by a create of their own; one that fails stops nobody else.
#[tokio::test]
async fn act_20_users_are_assigned_one_by_one() {
    let world = World::of("activtrak").await;
    world.seed("users", account(7, "Tyler"));
    let people = [
        user("ann@corp.example", "Ann", "Adams"),
        user("t2@corp.example", "Tyler", "Reed"),
        user("bob@corp.example", "Bob", "Bell"),
    ];
    let (first, failing, last) = tokio::join!(
        world.post("/Users", &people[0]),
        world.post("/Users", &people[1]),
        world.post("/Users", &people[2]),
    );
    first.expect(201);
    failing.expect_scim(409, "uniqueness");
    last.expect(201);
    let writes = world.app().writes();
    assert_eq!(writes.len(), 3, "one create each");
    assert!(writes.iter().all(|call| call.line() == "POST /users"));
    assert!(writes.iter().all(|call| call.body["users"].as_array().unwrap().len() == 1));
    assert_eq!(world.records("users").len(), 3);
}

/// ACT-21: a pushed group is renamed and deleted with the one in Okta; its people stay.
#[tokio::test]
async fn act_21_a_pushed_group_lives_and_dies() {
    let world = World::of("activtrak").await;
    let [tyler, ..] = three(&world).await;
    let path = pushed(&world, "Sales", &[&tyler]).await;
    world.put(&path, &group("Field sales", &[&tyler])).await.expect(200);
    assert_eq!(agents_in(&world, "Field sales"), json!([11, 12]));
    assert_eq!(
        world.writes()[2..],
        [r#"PATCH /groups/1 {"groupname":"Field sales"}"#],
        "the membership is as it was",
    );
    world.delete(&path).await.expect(204);
    world.get(&path).await.expect_error(404);
    assert_eq!(world.records("groups"), [] as [Value; 0]);
    assert_eq!((world.records("users").len(), world.records("clients").len()), (3, 3));
}

/// ACT-21: a group of that name is not taken over; neither is the built-in one.
#[tokio::test]
async fn act_21_a_group_that_exists_is_a_conflict() {
    let world = World::of("activtrak").await;
    world.seed("groups", json!({ "groupid": 3, "groupname": "Sales" }));
    for name in ["Sales", "All Users and Groups (current and future)"] {
        world.post("/Groups", &group(name, &[])).await.expect_scim(409, "uniqueness");
    }
    assert!(world.writes().is_empty());
}

/// ACT-25: agents of people whom SCIM does not know are left alone.
#[tokio::test]
async fn act_25_agents_of_strangers_stay_in_the_group() {
    let world = World::of("activtrak").await;
    let [tyler, uma, _] = three(&world).await;
    let path = pushed(&world, "Sales", &[&tyler, &uma]).await;
    world.seed("users", account(20, "Zed"));
    world.seed("clients", json!({ "id": 21, "userid": 20 }));
    world.seed("groups", json!({ "groupid": 1, "members": [11, 12, 13, 21] }));
    world.put(&path, &group("Sales", &[])).await.expect(200);
    assert_eq!(agents_in(&world, "Sales"), json!([21]));
    assert!(members(&world, &path).await.iter().all(|id| *id != tyler && *id != uma));
}

/// ACT-22: an agent that ActivTrak refuses does not hold back the others, and is refused alone.
#[tokio::test]
async fn act_22_an_agent_that_is_refused_is_refused_alone() {
    let world = World::of("activtrak").await;
    let [tyler, uma, vic] = three(&world).await;
    let made = world.post("/Groups", &group("Sales", &[])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    // The first one who is asked about had an agent that is gone when it is to be put in.
    let gone = json!({ "clients": [{ "id": 99, "userid": 7 }], "total": 1 });
    let fault = Fault::Answer { status: 200, body: gone, retry_after: None };
    world.app().order(When::Call("GET".into(), "/clients".into()), fault);
    let both = group("Sales", &[&tyler, &uma]);
    world.put(&path, &both).await.expect(200);
    let written = r#"POST /groups/1/members {"add":[99,13],"remove":[]}"#;
    assert_eq!(world.writes()[1..], [written], "in one call, and not again one by one");
    assert_eq!(agents_in(&world, "Sales"), json!([13]));
    assert_eq!(members(&world, &path).await, [json!(uma)]);
    world.put(&path, &both).await.expect(200);
    assert_eq!(world.writes().len(), 2, "not again before the people of the group change");
    world.put(&path, &group("Sales", &[&tyler, &uma, &vic])).await.expect(200);
    assert_eq!(agents_in(&world, "Sales"), json!([11, 12, 13]), "with the agents of now");
}

/// ACT-27: somebody whose agents are gone stays a member for Okta, as the last PUT said.
#[tokio::test]
async fn act_27_whoever_has_no_agent_any_more_is_remembered() {
    let world = World::of("activtrak").await;
    let [tyler, ..] = three(&world).await;
    let path = pushed(&world, "Sales", &[&tyler]).await;
    for agent in [11, 12] {
        world.app().remove("clients", &json!(agent)).unwrap();
    }
    world.put(&path, &group("Sales", &[&tyler])).await.expect(200);
    assert_eq!(members(&world, &path).await, [json!(tyler)]);
    assert_eq!(agents_in(&world, "Sales"), json!([]));
    world.seed("clients", json!({ "id": 14, "userid": 7 }));
    world.put(&path, &group("Sales", &[&tyler])).await.expect(200);
    assert_eq!(agents_in(&world, "Sales"), json!([14]));
}

/// ACT-28: a create of somebody who exists updates the account.
#[tokio::test]
async fn act_28_a_create_of_an_existing_user_updates_it() {
    let world = World::of("activtrak").await;
    world.seed("users", account(7, "Tyler"));
    let mut body = user(TYLER, "Tyler", "Read");
    body["displayName"] = "Tyler Reed".into();
    let made = world.post("/Users", &body).await.expect(201);
    assert_eq!(made["name"]["familyName"], "Read");
    assert_eq!(world.writes(), [r#"PATCH /users {"users":[{"id":7,"lastName":"Read"}]}"#]);
    assert_eq!(world.records("users").len(), 1);
}

/// ACT-28: by any of the names; and of two creates at once one makes the account.
#[tokio::test]
async fn act_28_there_is_never_a_second_account() {
    let world = World::of("activtrak").await;
    let mut seeded = account(7, "Tyler");
    seeded["upns"] = json!(["treed@lab.example"]);
    world.seed("users", seeded);
    world.post("/Users", &user(TYLER, "Tyler", "Reed")).await.expect(201);
    assert_eq!(world.records("users").len(), 1);
    let uma = user("uma@corp.example", "Uma", "Khan");
    let (a, b) = tokio::join!(world.post("/Users", &uma), world.post("/Users", &uma));
    assert!([a.status, b.status].contains(&201), "{a:?} {b:?}");
    assert_eq!(world.records("users").len(), 2);
}

/// ACT-28: a create whose answer was lost is looked for, not made again.
#[tokio::test]
async fn act_28_a_lost_answer_makes_no_second_account() {
    let world = World::impatient("activtrak").await;
    world.app().drop_next();
    world.create(&user(TYLER, "Tyler", "Reed")).await;
    assert_eq!(world.app().writes().len(), 1);
    assert_eq!(world.records("users").len(), 1);
}

/// ACT-2: ActivTrak fails between the Do-Not-Track list and the agents: they go all the same.
#[tokio::test]
async fn act_02_a_deactivation_is_carried_to_its_end() {
    let world = World::impatient("activtrak").await;
    let [tyler, ..] = three(&world).await;
    let fault = Fault::Answer { status: 500, body: "oops".into(), retry_after: None };
    world.app().order(When::Call("GET".into(), "/clients".into()), fault);
    world.echo_put(&format!("/Users/{tyler}"), json!({ "active": false })).await;
    world.settled().await;
    assert_eq!(world.record("users", "username", TYLER)["doNotTrack"], true);
    assert_eq!(world.records("clients").len(), 1, "only Uma's is left");
}

/// ActivTrak's own people can be named in the mapping: they are not taken over.
#[tokio::test]
async fn act_protected_accounts_are_not_taken_over() {
    let world = World::of("activtrak").await;
    let mut support = account(7, "Support");
    support["upns"] = json!(["support@activtrak.com"]);
    world.seed("users", support);
    world
        .post("/Users", &user("support@activtrak.com", "S", "U"))
        .await
        .expect_scim(409, "uniqueness");
    assert!(world.writes().is_empty());
    assert_eq!(world.get("/Users").await.expect(200)["totalResults"], 0);
}

/// ACT-29: the login of the SWA app concerns Okta alone, and the guide says so.
#[test]
fn act_29_the_guide_says_what_is_oktas_business() {
    let guide = guide();
    assert!(guide.contains("Login URL") && guide.contains("concern Okta alone"), "{guide}");
    let mapping = mapping_text("activtrak").to_lowercase();
    assert!(!mapping.contains("login") && !mapping.contains("password"));
}

#[test]
fn every_requirement_of_activtrak_is_named_above_its_test() {
    let mut named = Vec::new();
    for file in ["activtrak.rs", "activtrak_rules.rs"] {
        let text = std::fs::read_to_string(repository().join("tests/it").join(file)).unwrap();
        let mut above: Vec<u32> = Vec::new();
        for line in text.lines() {
            match line.strip_prefix("/// ACT-").and_then(|rest| rest.split_once(':')) {
                Some((number, _)) => above.push(number.parse().unwrap()),
                None if line.contains("fn act_") => named.append(&mut above),
                None => {}
            }
        }
        assert!(above.is_empty(), "{file}: {above:?} stand above no test");
    }
    let missing: Vec<u32> = (1..=29).filter(|number| !named.contains(number)).collect();
    assert!(missing.is_empty(), "no test names ACT-{missing:?}");
}
