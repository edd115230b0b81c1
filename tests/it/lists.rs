//! Lists through the whole bridge: order, cursors, searches, and conditional requests.

use serde_json::{Value, json};

use super::support::World;
use super::support::http::encoded;
use super::support::people::{group, patch, user};
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
