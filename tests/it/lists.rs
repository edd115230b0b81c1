//! Lists through the whole bridge: order, cursors, searches, and conditional requests.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::http::encoded;
use super::support::people::{group, patch, user};
use super::support::text::with_key;
use super::support::world::id_of;

/// A directory with so many people, who came in no order.
async fn crowd(count: usize) -> World {
    let world = World::of("directory").await;
    for number in 0..count {
        let name = format!("user{:02}@corp.example", (number * 7) % count);
        world.create(&user(&name, "User", &format!("No{number}"))).await;
    }
    world
}

fn names(page: &Value) -> Vec<String> {
    let rows = page["Resources"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["userName"].as_str().unwrap_or_default().to_owned()).collect()
}

fn expected(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|number| format!("user{number:02}@corp.example")).collect()
}

#[tokio::test]
async fn a_sorted_list_is_in_order_over_its_pages() {
    let world = crowd(13).await;
    let page = async |start: usize| {
        let path = format!("/Users?sortBy=userName&startIndex={start}&count=5");
        world.get(&path).await.expect(200)
    };
    assert_eq!(names(&page(1).await), expected(0..5));
    assert_eq!(names(&page(6).await), expected(5..10));
    assert_eq!(names(&page(11).await), expected(10..13));
    let path = "/Users?sortBy=userName&sortOrder=descending&count=4";
    assert_eq!(names(&world.get(path).await.expect(200)), expected((9..13).rev()));
    world.get("/Users?sortBy=nosuch").await.expect_scim(400, "invalidValue");
}

#[tokio::test]
async fn a_cursor_leads_through_the_list_and_back() {
    let world = crowd(8).await;
    let filter = encoded("userName sw \"user\"");
    let base = format!("/Users?filter={filter}&sortBy=userName&count=3");
    let page = async |cursor: &str| world.get(&format!("{base}&cursor={cursor}")).await.expect(200);
    let cursor = |page: &Value, name: &str| page[name].as_str().unwrap_or_default().to_owned();
    let first = page("").await;
    assert_eq!((first["totalResults"].as_u64(), first.get("startIndex")), (Some(8), None));
    assert_eq!((names(&first), first.get("previousCursor")), (expected(0..3), None));
    // Somebody who comes while a client pages moves nobody.
    world.create(&user("user00a@corp.example", "New", "Comer")).await;
    let second = page(&cursor(&first, "nextCursor")).await;
    assert_eq!(names(&second), expected(3..6));
    let third = page(&cursor(&second, "nextCursor")).await;
    assert_eq!((names(&third), third.get("nextCursor")), (expected(6..8), None));
    assert_eq!(names(&page(&cursor(&second, "previousCursor")).await), expected(0..3));

    let next = cursor(&first, "nextCursor");
    let elsewhere = format!("/Users?count=3&cursor={next}");
    world.get(&elsewhere).await.expect_scim(400, "invalidCursor");
    world.get(&format!("{base}&cursor=x")).await.expect_scim(400, "invalidCursor");
    let bad = base.replace("count=3", "count=three");
    world.get(&format!("{bad}&cursor={next}")).await.expect_scim(400, "invalidCount");
}

#[tokio::test]
async fn who_went_since_the_list_was_made_is_not_counted_on_its_last_page() {
    let world = World::of("directory").await;
    let mut ids = Vec::new();
    for number in 0..13 {
        let made = world.post("/Groups", &group(&format!("Group {number}"), &[])).await;
        ids.push(made.expect(201)["id"].as_str().unwrap().to_owned());
    }
    let page = async |start: usize| {
        world.get(&format!("/Groups?startIndex={start}&count=11")).await.expect(200)
    };
    let counts = |page: &Value| (page["totalResults"].as_u64(), page["itemsPerPage"].as_u64());
    assert_eq!(counts(&page(1).await), (Some(13), Some(11)));
    world.delete(&format!("/Groups/{}", ids[12])).await.expect(204);
    assert_eq!(counts(&page(12).await), (Some(12), Some(1)));
}

#[tokio::test]
async fn a_search_finds_users_and_groups_together() {
    let world = crowd(2).await;
    world.post("/Groups", &group("Approvers", &[])).await.expect(201);
    let found = world.post("/.search", &json!({})).await.expect(200);
    assert_eq!(
        (found["totalResults"].as_u64(), found["itemsPerPage"].as_u64()),
        (Some(3), Some(3))
    );
    let last = json!({ "startIndex": 3, "count": 5, "attributes": ["displayName"] });
    let last = world.post("/.search", &last).await.expect(200);
    assert_eq!(last["totalResults"], 3);
    assert_eq!(last["Resources"][0]["displayName"], "Approvers");
    let one = json!({ "filter": "userName eq \"user01@corp.example\"" });
    assert_eq!(names(&world.post("/.search", &one).await.expect(200)).len(), 1);
    assert_eq!(names(&world.post("/Users/.search", &one).await.expect(200)).len(), 1);
}

#[tokio::test]
async fn a_version_stands_for_what_is_shown() {
    let world = World::of("directory").await;
    let made = world.post("/Users", &user("ada@corp.example", "Ada", "Byron")).await.expect(201);
    let path = format!("/Users/{}", id_of(&made));
    let read = world.get(&path).await;
    let tag = read.header("etag").unwrap_or_default().to_owned();
    assert_eq!(read.expect(200)["meta"]["version"], *tag);
    let token = format!("Authorization: Bearer {}", world.token);
    let with = async |method: &str, header: String, body: &Value| {
        let headers = [token.as_str(), header.as_str(), "Content-Type: application/scim+json"];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        world.raw(method, &path, &headers, &body).await
    };
    let known = format!("If-None-Match: {tag}");
    assert_eq!(with("GET", known.clone(), &Value::Null).await.status, 304);

    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Analyst" }]));
    let unchanged = format!("If-Match: {tag}");
    with("PATCH", unchanged.clone(), &title).await.expect(200);
    assert_eq!(with("GET", known, &Value::Null).await.status, 200);
    with("PATCH", unchanged.clone(), &title).await.expect_error(412);
    with("DELETE", unchanged, &Value::Null).await.expect_error(412);
    let now = world.get(&path).await;
    let now = now.header("etag").unwrap_or_default();
    with("DELETE", format!("If-Match: {now}"), &Value::Null).await.expect(204);
}

#[tokio::test]
async fn pages_are_what_was_asked_for_whatever_was_asked_for() {
    let world = crowd(3).await;
    for (query, start, rows) in [
        ("", 1, 3),
        ("?count=0", 1, 0),
        ("?count=-1", 1, 0),
        ("?count=2", 1, 2),
        ("?count=99999999999999999999", 1, 3),
        ("?startIndex=-3&count=2", 1, 2),
        ("?startIndex=0", 1, 3),
        ("?startIndex=3&count=5", 3, 1),
        ("?startIndex=4&count=5", 4, 0),
        ("?startIndex=1000", 1000, 0),
        ("?startIndex=99999999999999999999", u64::MAX, 0),
        ("?sortBy=userName&filter=active%20eq%20true&count=1", 1, 1),
        ("?filter=userName+eq+%22user01%40corp.example%22+&", 1, 1),
    ] {
        let page = world.get(&format!("/Users{query}")).await.expect(200);
        let number = |name: &str| page[name].as_u64().unwrap_or_else(|| panic!("{query}: {page}"));
        assert_eq!(number("startIndex"), start, "{query}");
        assert_eq!(number("itemsPerPage"), rows, "{query}");
        assert_eq!(names(&page).len() as u64, rows, "{query}");
        let found = if query.contains("user01") { 1 } else { 3 };
        assert_eq!(number("totalResults"), found, "{query}");
    }
    for query in
        ["?startIndex=abc", "?count=x", "?count=1.5", "?sortBy=name", "?sortBy=id&sortOrder=up"]
    {
        world.get(&format!("/Users{query}")).await.expect_scim(400, "invalidValue");
    }
    world.get("/Users?filter=").await.expect_scim(400, "invalidFilter");
}

/// Pages of at most ten rows begin no list with their first page.
#[tokio::test]
async fn small_pages_see_who_has_come_since() {
    let world = crowd(11).await;
    let all = async || {
        let first = world.get("/Users?startIndex=1&count=10").await.expect(200);
        let second = world.get("/Users?startIndex=11&count=10").await.expect(200);
        assert_eq!(first["totalResults"], second["totalResults"]);
        [names(&first), names(&second)].concat().len()
    };
    assert_eq!(all().await, 11);
    world.create(&user("late@corp.example", "Late", "Comer")).await;
    assert_eq!(all().await, 12);
    // A connection test leaves the list of an import as it is.
    let page = async |start: usize| {
        world.get(&format!("/Users?startIndex={start}&count=11")).await.expect(200)
    };
    assert_eq!(names(&page(1).await).len(), 11);
    world.create(&user("later@corp.example", "Later", "Comer")).await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    assert_eq!(names(&page(12).await), ["late@corp.example"]);
}

#[tokio::test]
async fn a_cursor_of_a_list_that_is_no_longer_kept_has_expired() {
    let mut world = crowd(3).await;
    let first = world.get("/Users?cursor=&count=1").await.expect(200);
    let cursor = first["nextCursor"].as_str().unwrap_or_default().to_owned();
    let next = format!("/Users?count=2&cursor={cursor}");
    // RFC 9865: the count may differ from page to page.
    assert_eq!(names(&world.get(&next).await.expect(200)).len(), 2);
    world.restart_bridge().await;
    assert_eq!(names(&world.get(&next).await.expect(200)).len(), 2, "a restart loses nothing");
    world.stop_bridge().await;
    let journal = rusqlite::Connection::open(world.journal()).unwrap();
    let aged = journal.execute("UPDATE snapshots SET used_at = used_at - 1800001", ()).unwrap();
    assert!(aged > 0);
    drop(journal);
    world.start_bridge().await;
    world.get(&next).await.expect_scim(400, "expiredCursor");
}

#[tokio::test]
async fn filters_find_by_key_and_by_walk_alike() {
    let world = World::of("directory").await;
    let mut ids = Vec::new();
    for (name, display) in [("a@corp.example", "John Smith"), ("b@corp.example", "john smith")] {
        let mut person = user(name, "John", "Smith");
        person["displayName"] = display.into();
        person["externalId"] = format!("ext-{name}").into();
        ids.push(world.create(&person).await);
    }
    let team = world.post("/Groups", &group("Team Alpha", &[&ids[0]])).await.expect(201);
    for (filter, found) in [
        (r#"displayName eq "JOHN SMITH""#, 2),
        (r#"displayName eq "John Smith""#, 2),
        (r#"displayName eq "John Smith" and userName eq "b@corp.example""#, 1),
        (r#"userName eq "A@CORP.example""#, 1),
        (r#"emails.value eq "a@corp.example""#, 1),
        (r#"emails[type eq "work"].value eq "a@corp.example""#, 1),
        (r#"emails[type eq "home"].value eq "a@corp.example""#, 0),
        (r#"externalId eq "ext-a@corp.example""#, 1),
        (r#"externalId eq "EXT-a@corp.example""#, 0),
        ("externalId eq ext-a@corp.example", 1),
        (r#"groups.display eq "team alpha""#, 1),
        (r#"meta.created gt "2020-01-01T00:00:00+05:00""#, 2),
        (r#"meta.lastModified lt "2020-01-01T00:00:00Z""#, 0),
        ("not(title pr)  ", 2),
        ("emails pr and not (active eq false)", 2),
        ("userName eq null", 0),
        (&format!(r#"id eq "{}""#, ids[0]), 1),
        (&format!(r#"id eq "{}" and active eq false"#, ids[0]), 0),
        (&format!(r#"meta.location eq "{}/Users/{}""#, world.base, ids[1]), 1),
    ] {
        let list = world.filtered("/Users", filter).await.expect(200);
        assert_eq!(list["totalResults"], found, "{filter}");
    }
    for (filter, found) in [
        (r#"displayName eq "team alpha""#.to_owned(), 1),
        (format!(r#"members[value eq "{}"]"#, ids[0]), 1),
        (format!(r#"members.value eq "{}""#, ids[1]), 0),
        (format!(r#"members.$ref eq "{}/Users/{}""#, world.base, ids[0]), 1),
        (format!(r#"id eq "{}" and members eq "{}""#, id_of(&team), ids[0]), 1),
        (format!(r#"id eq "{}" and members eq "{}""#, id_of(&team), ids[1]), 0),
    ] {
        let filter = encoded(&filter);
        let path = format!("/Groups?filter={filter}&excludedAttributes=members");
        let list = world.get(&path).await.expect(200);
        assert_eq!(list["totalResults"], found, "{filter}");
        assert!(list["Resources"][0].get("members").is_none());
    }
    world.filtered("/Users", "active gt true").await.expect_scim(400, "invalidFilter");
    world.filtered("/Users", "password pr").await.expect_scim(400, "invalidFilter");
}

#[tokio::test]
async fn a_user_shows_the_groups_and_has_another_version_with_them() {
    let world = World::of("directory").await;
    let id = world.create(&user("ada@corp.example", "Ada", "Byron")).await;
    let path = format!("/Users/{id}");
    let before = world.get(&path).await.expect(200);
    assert!(before.get("groups").is_none(), "{before}");
    let team = world.post("/Groups", &group("Team Alpha", &[&id])).await.expect(201);
    let after = world.get(&path).await.expect(200);
    let team = id_of(&team);
    let location = format!("{}/Groups/{team}", world.base);
    let expected =
        json!([{ "value": team, "display": "Team Alpha", "type": "direct", "$ref": location }]);
    assert_eq!(after["groups"], expected);
    assert_ne!(after["meta"]["version"], before["meta"]["version"]);
    // Groups are changed by groups; Okta echoes what it was shown.
    let shown = world.echo_put(&path, json!({ "groups": [] })).await.expect(200);
    assert_eq!(shown["groups"], expected);
}

#[tokio::test]
async fn every_answer_with_a_resource_says_version_and_place() {
    let world = World::of("directory").await;
    let check = |answer: &super::support::Answer, status: u16| -> Value {
        let body = answer.expect(status);
        assert_eq!(answer.header("etag"), body["meta"]["version"].as_str());
        assert!(answer.header("etag").unwrap_or_default().starts_with("W/\""), "{answer:?}");
        for time in ["created", "lastModified"] {
            let text = body["meta"][time].as_str().unwrap_or_default();
            assert!(text.parse::<jiff::Timestamp>().is_ok() && text.ends_with('Z'), "{body}");
        }
        body
    };
    let person = user("ada@corp.example", "Ada", "Byron");
    let made = world.post("/Users", &person).await;
    let first = check(&made, 201);
    let location = first["meta"]["location"].as_str();
    let path = format!("/Users/{}", id_of(&first));
    assert_eq!(location, Some(format!("{}{path}", world.base).as_str()));
    assert_eq!(made.header("location"), location);
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Analyst" }]));
    let answers =
        [world.get(&path).await, world.put(&path, &person).await, world.patch(&path, &title).await];
    for answer in answers {
        let body = check(&answer, 200);
        assert_eq!(body["meta"]["created"], first["meta"]["created"]);
        assert_eq!(body["meta"]["location"], first["meta"]["location"]);
    }
    let head = world.request("HEAD", &path, None).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("etag"), world.get(&path).await.header("etag"));
}

#[tokio::test]
async fn a_list_is_given_again_while_it_is_fresh() {
    for (fresh_for, seen) in [("1h", 1), ("0s", 2)] {
        let list = format!("{{ fresh_for: {fresh_for} }}");
        let edit = |text: &str| with_key(text, "sync", "list", &list);
        let world = World::with("directory", edit).await;
        world.seed("users", json!({ "login": "one@corp.example" }));
        let count = async || {
            world.get("/Users?startIndex=1&count=100").await.expect(200)["totalResults"].clone()
        };
        assert_eq!(count().await, 1);
        world.seed("users", json!({ "login": "two@corp.example" }));
        assert_eq!(count().await, seen, "{fresh_for}");
    }
}

/// Identity providers link a group by this filter and take from it who is in.
#[tokio::test]
async fn a_filter_that_meets_a_group_shows_who_is_in_it() {
    let world = World::of("directory").await;
    let ada = world.create(&user("ada@corp.example", "Ada", "Byron")).await;
    let account = world.record("users", "login", "ada@corp.example")["id"].clone();
    let members = async |rest: &str| {
        let filter = encoded("displayName eq \"Readers\"");
        let list = world.get(&format!("/Groups?filter={filter}{rest}")).await.expect(200);
        assert_eq!(list["totalResults"], 1, "{list}");
        list["Resources"][0]["members"].clone()
    };
    world.seed("groups", json!({ "name": "Readers", "members": [account] }));
    let calls = || world.app().calls().len();
    let before = calls();
    assert_eq!(members("&excludedAttributes=members").await, Value::Null);
    assert_eq!(calls() - before, 1, "nobody asks who is in");
    let shown = members("").await;
    assert_eq!((shown.as_array().map(Vec::len), &shown[0]["value"]), (Some(1), &json!(ada)));

    // Never met before, and the app does not say who is in: no answer is better than an empty group.
    world.seed("groups", json!({ "name": "Writers", "members": [account] }));
    let silent = Fault::Answer { status: 500, body: Value::Null, retry_after: None };
    let group = world.record("groups", "name", "Writers")["id"].clone();
    let call = When::Call("GET".into(), format!("/groups/{group}/members").replace('"', ""));
    world.app().order(call, silent);
    world.filtered("/Groups", "displayName eq \"Writers\"").await.expect_error(429);
    let list = world.filtered("/Groups", "displayName eq \"Writers\"").await.expect(200);
    assert_eq!(list["Resources"][0]["members"][0]["value"], json!(ada));
}
