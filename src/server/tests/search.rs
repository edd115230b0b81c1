//! Searches, cursors and conditional requests as they stand on the wire.

use super::*;

#[tokio::test]
async fn a_search_by_post_is_the_list_by_get() {
    let bench = Bench::start().await;
    let body = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter":"userName pr","sortBy":"userName","sortOrder":"descending","startIndex":11,
        "count":5,"attributes":["userName"]}"#;
    let found = bench.scim("POST", "/altr/scim/v2/Users/.search", body).await;
    assert_eq!(found.status, 200, "{found:?}");
    let page = found.json();
    assert_eq!((page["totalResults"].as_u64(), page["startIndex"].as_u64()), (Some(30), Some(11)));
    assert_eq!(page["Resources"][0]["userName"], "ada");
    assert_eq!(page["Resources"][0].get("meta"), None, "not asked for");
    let posted = bench.engine.asked();
    let path = "/altr/scim/v2/Users?filter=userName%20pr&sortBy=userName&sortOrder=descending\
                &startIndex=11&count=5&attributes=userName";
    assert_eq!(bench.scim("GET", path, "").await.json(), page);
    assert_eq!(bench.engine.asked(), posted);
}

#[tokio::test]
async fn a_search_from_the_root_asks_every_type_for_its_part() {
    let bench = Bench::start().await;
    for (method, body) in [("POST", r#"{"count": 10}"#), ("GET", "")] {
        let tail = if method == "GET" { "?count=10" } else { ".search" };
        let found = bench.scim(method, &format!("/full/scim/v2/{tail}"), body).await;
        assert_eq!(found.status, 200, "{found:?}");
        let page = found.json();
        assert_eq!(
            (page["totalResults"].as_u64(), page["itemsPerPage"].as_u64()),
            (Some(60), Some(2))
        );
        let kinds = [0, 1].map(|n| page["Resources"][n]["meta"]["location"].clone());
        assert!(kinds[0].as_str().unwrap().contains("/Users/"), "{kinds:?}");
        assert!(kinds[1].as_str().unwrap().contains("/Groups/"), "{kinds:?}");
        assert_eq!(bench.engine.asked().len(), 2);
    }
    // Only users have a userName; nobody has the other.
    let users = r#"{"filter": "userName eq \"ada\""}"#;
    assert_eq!(bench.scim("POST", "/full/scim/v2/.search", users).await.json()["totalResults"], 30);
    assert_eq!(bench.engine.asked().len(), 1);
    let nobody = r#"{"filter": "nosuch eq \"ada\""}"#;
    bench.scim("POST", "/full/scim/v2/.search", nobody).await.scim_error(400);
    bench.scim("POST", "/full/scim/v2/.search", r#"{"cursor": ""}"#).await.scim_error(501);
    bench.scim("POST", "/full/scim/v2/.search", "[]").await.scim_error(400);
}

#[tokio::test]
async fn a_cursor_replaces_the_start_index() {
    let bench = Bench::start().await;
    let page = bench.scim("GET", "/altr/scim/v2/Users?cursor=&count=1", "").await.json();
    assert_eq!((page["nextCursor"].as_str(), page.get("startIndex")), (Some("next"), None));
    let asked = bench.engine.asked().remove(0);
    assert!(asked.contains("page: Cursor(\"\")"), "{asked}");
    let bad = bench.scim("GET", "/altr/scim/v2/Users?cursor=&count=x", "").await;
    bad.scim_error(400);
    assert_eq!(bad.json()["scimType"], "invalidCount");
}

#[tokio::test]
async fn what_the_client_knows_already_is_304() {
    let bench = Bench::start().await;
    let path = "/altr/scim/v2/Users/1";
    for tags in ["If-None-Match: W/\"3\"", "If-None-Match: \"1\", \"3\"", "If-None-Match: *"] {
        let got = bench.scim_with("GET", path, &[tags], "").await;
        assert_eq!((got.status, got.body.as_str()), (304, ""), "{tags}");
        assert_eq!(got.header("etag"), Some("W/\"3\""));
    }
    assert_eq!(bench.scim_with("GET", path, &["If-None-Match: W/\"2\""], "").await.status, 200);
}

#[tokio::test]
async fn a_write_on_another_version_is_412() {
    let bench = Bench::start().await;
    let path = "/full/scim/v2/Groups/1";
    let patch = r#"{"Operations":[{"op":"replace","value":{"displayName":"x"}}]}"#;
    for (method, body) in [("PUT", r#"{"displayName":"x"}"#), ("PATCH", patch), ("DELETE", "")] {
        let stale = bench.scim_with(method, path, &["If-Match: W/\"2\""], body).await;
        stale.scim_error(412);
        let fresh = bench.scim_with(method, path, &["If-Match: W/\"3\""], body).await;
        assert!([200, 204].contains(&fresh.status), "{fresh:?}");
        bench.scim_with(method, path, &["If-None-Match: *"], body).await.scim_error(412);
    }
    bench.scim_with("DELETE", path, &["If-Match: "], "").await.scim_error(400);
}

/// Entra asks for groups without members; a PATCH of a group is answered without a body.
#[tokio::test]
async fn members_that_are_not_shown_are_not_read() {
    let bench = Bench::start().await;
    let spared = [
        ("GET", "Groups/1?excludedAttributes=members", ""),
        ("GET", "Groups/1?attributes=displayName", ""),
        ("PATCH", "Groups/1", r#"{"Operations":[{"op":"replace","value":{"displayName":"x"}}]}"#),
        ("PUT", "Groups/1?excludedAttributes=members", r#"{"displayName":"x"}"#),
    ];
    for (method, path, body) in spared {
        bench.scim(method, &format!("/full/scim/v2/{path}"), body).await;
        let asked = bench.engine.asked().remove(0);
        assert!(asked.ends_with("without members"), "{method} {path}: {asked}");
    }
    for path in ["Groups/1", "Groups/1?attributes=members.value", "Users/1"] {
        bench.scim("GET", &format!("/full/scim/v2/{path}"), "").await;
        let asked = bench.engine.asked().remove(0);
        assert!(!asked.ends_with("without members"), "{path}: {asked}");
    }
}

#[tokio::test]
async fn members_say_where_they_are() {
    let bench = Bench::start().await;
    let group = bench.scim("GET", "/full/scim/v2/Groups/crowd", "").await.json();
    let member = &group["members"][7];
    assert_eq!(member["$ref"], "http://bridge.example/full/scim/v2/Users/7");
}
