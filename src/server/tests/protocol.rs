//! What SCIM clients see: statuses, headers, bodies.

use serde_json::json;

use super::*;
use crate::observe::Traffic;

#[tokio::test]
async fn a_create_is_201_with_location_and_version() {
    let bench = Bench::start().await;
    let made = bench.scim("POST", "/altr/scim/v2/Users", r#"{"userName":"ada"}"#).await;
    assert_eq!(made.status, 201);
    // The id is opaque: a slash in it must not make another path.
    let location = "http://bridge.example/altr/scim/v2/Users/a%2Fb";
    assert_eq!(made.header("location"), Some(location));
    assert_eq!(made.json()["meta"]["location"], location);
    assert_eq!(made.header("etag"), Some("W/\"3\""));
    assert_eq!(made.header("content-type"), Some("application/scim+json"));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    assert_eq!(made.header("scim-bridge-state"), None);
}

#[tokio::test]
async fn what_is_not_settled_says_so() {
    let bench = Bench::start().await;
    let users = "/altr/scim/v2/Users";
    let made = bench.scim("POST", users, r#"{"userName":"pending"}"#).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("scim-bridge-state"), Some("pending; change=7"));
    let gone = bench.scim("DELETE", &format!("{users}/pending"), "").await;
    assert_eq!(gone.status, 204);
    assert_eq!(gone.header("scim-bridge-state"), Some("pending; change=7"));
    let read = bench.scim("GET", &format!("{users}/mirror"), "").await;
    assert_eq!(read.status, 200);
    assert_eq!(read.header("scim-bridge-state"), Some("mirror"));
}

#[tokio::test]
async fn put_is_200_with_the_resource_and_delete_204_without() {
    let bench = Bench::start().await;
    let put = bench.scim("PUT", "/altr/scim/v2/Users/1", r#"{"userName":"eve"}"#).await;
    assert_eq!((put.status, put.json()["userName"].as_str()), (200, Some("eve")));
    let delete = bench.scim("DELETE", "/altr/scim/v2/Users/1", "").await;
    assert_eq!((delete.status, delete.body.as_str()), (204, ""));
    let missing = bench.scim("GET", "/altr/scim/v2/Users/missing", "").await;
    assert!(missing.scim_error(404).contains("missing"));
}

const PATCH: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations":[{"op":"replace","value":{"displayName":"x"}}]}"#;

#[tokio::test]
async fn patch_of_a_user_is_200_and_of_a_group_204_unless_attributes_are_asked_for() {
    let bench = Bench::start().await;
    let user = bench.scim("PATCH", "/full/scim/v2/Users/1", PATCH).await;
    assert_eq!((user.status, user.json()["id"].as_str()), (200, Some("1")));
    let group = bench.scim("PATCH", "/full/scim/v2/Groups/1", PATCH).await;
    assert_eq!((group.status, group.body.as_str()), (204, ""));
    assert_eq!(group.header("etag"), Some("W/\"3\""));
    let path = "/full/scim/v2/Groups/1?attributes=displayName";
    assert_eq!(bench.scim("PATCH", path, PATCH).await.status, 200);
}

#[tokio::test]
async fn the_answer_to_a_write_leaves_out_more_than_a_thousand_members() {
    let bench = Bench::start().await;
    let path = "/full/scim/v2/Groups/crowd";
    let put = bench.scim("PUT", path, r#"{"displayName":"x"}"#).await;
    assert_eq!((put.status, put.json().get("members")), (200, None));
    let get = bench.scim("GET", path, "").await;
    assert_eq!(get.json()["members"].as_array().unwrap().len(), 1001);
}

#[tokio::test]
async fn a_list_has_integer_counters_and_locations() {
    let bench = Bench::start().await;
    let path = "/altr/scim/v2/Users?filter=userName%20eq+%22a%2Bb%22&startIndex=11&count=5&x=y";
    let page = bench.scim("GET", path, "").await;
    assert_eq!(page.status, 200);
    let body = page.json();
    assert_eq!(body["totalResults"], 30);
    assert_eq!(body["startIndex"], 11);
    assert_eq!(body["itemsPerPage"], 1);
    let location = "http://bridge.example/altr/scim/v2/Users/1";
    assert_eq!(body["Resources"][0]["meta"]["location"], location);
    let asked = bench.engine.asked().remove(0);
    assert!(asked.contains(r#"filter: Some("userName eq \"a+b\"")"#), "{asked}");
    assert!(asked.contains("page: Index(11)"), "{asked}");
}

/// SPEC suite step 11; and discovery is no exception.
#[tokio::test]
async fn without_a_good_token_every_path_of_an_app_is_the_same_401() {
    let bench = Bench::start().await;
    for path in ["Users", "Users/1", "ServiceProviderConfig", "Schemas", "Nothing", ""] {
        for credential in [
            &["Authorization: non-token"] as &[_],
            &["Authorization: Bearer good", "Authorization: Bearer good"],
            &[],
        ] {
            let path = format!("/altr/scim/v2/{path}");
            let got = one(bench.running.scim_addr(), "GET", &path, credential, "").await;
            assert_eq!(got.scim_error(401), "The token is not valid.");
            assert_eq!(got.header("www-authenticate"), Some("Bearer realm=\"scim\""));
        }
    }
    assert_eq!(bench.engine.asked(), [""; 0]);
}

#[tokio::test]
async fn outside_of_every_app_is_404_without_a_hint() {
    let bench = Bench::start().await;
    let inside = bench.scim("GET", "/altr/scim/v2/Nothing", "").await;
    let words = inside.scim_error(404);
    for path in ["/", "/altr", "/none/scim/v2/Users", "/altr/scim/v2%2FUsers", "/altr/../x"] {
        let outside = one(bench.running.scim_addr(), "GET", path, &[], "").await;
        assert_eq!(outside.scim_error(404), words, "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_405_with_allow() {
    let bench = Bench::start().await;
    let got = bench.scim("DELETE", "/altr/scim/v2/Users", "").await;
    got.scim_error(405);
    assert_eq!(got.header("allow"), Some("GET, HEAD, POST"));
}

#[tokio::test]
async fn a_disabled_app_is_403_and_me_is_501() {
    let bench = Bench::start().await;
    let off = bench.scim("GET", "/off/scim/v2/Users", "").await;
    off.scim_error(403);
    let me = bench.scim("GET", "/altr/scim/v2/Me", "").await;
    me.scim_error(501);
}

/// ALTR-6.
#[tokio::test]
async fn an_app_without_groups_lists_none_and_never_asks_the_engine() {
    let bench = Bench::start().await;
    let list = bench.scim("GET", "/altr/scim/v2/Groups?startIndex=1&count=100", "").await;
    assert_eq!((list.status, &list.json()["totalResults"]), (200, &json!(0)));
    for (method, path) in [
        ("POST", "Groups"),
        ("GET", "Groups/1"),
        ("PUT", "Groups/1"),
        ("PATCH", "Groups/1"),
        ("DELETE", "Groups/1"),
    ] {
        let got = bench.scim(method, &format!("/altr/scim/v2/{path}"), "").await;
        got.scim_error(501);
    }
    assert_eq!(bench.engine.asked(), [""; 0]);
}

#[tokio::test]
async fn discovery_comes_from_the_apps_types_and_by_id() {
    let bench = Bench::start().await;
    let get = async |path: &str| bench.scim("GET", &format!("/full/scim/v2/{path}"), "").await;
    let config = get("ServiceProviderConfig").await.json();
    assert_eq!(config["patch"]["supported"], true);
    for works in ["sort", "etag", "filter"] {
        assert_eq!(config[works]["supported"], true, "{works}");
    }
    assert_eq!(config["pagination"]["cursor"], true);
    assert_eq!(config["changePassword"]["supported"], true, "the schema has a password");
    let bulk = json!({"supported": true, "maxOperations": 1000, "maxPayloadSize": 10 << 20});
    assert_eq!(config["bulk"], bulk);
    let types = get("ResourceTypes").await.json();
    assert_eq!(types["totalResults"], 2);
    assert_eq!(get("ResourceTypes/Group").await.json()["id"], "Group");
    get("ResourceTypes/Car").await.scim_error(404);
    let schemas = get("Schemas").await.json();
    assert_eq!(schemas["totalResults"], 2);
    let id = "urn:ietf:params:scim:schemas:core:2.0:User";
    assert_eq!(get(&format!("Schemas/{id}")).await.json()["id"], id);
    get("Schemas/urn:x").await.scim_error(404);
    let one = format!("Schemas/{id}");
    for path in ["ServiceProviderConfig", "ResourceTypes", "ResourceTypes/User", "Schemas", &one] {
        get(&format!("{path}?filter=id%20pr")).await.scim_error(403);
    }
    let encoded = id.replace(':', "%3A");
    assert_eq!(get(&format!("Schemas/{encoded}/")).await.json()["id"], id);
    assert_eq!(bench.engine.asked(), [""; 0]);
}

#[tokio::test]
async fn the_public_url_is_the_base_of_locations_and_of_what_is_printed() {
    let mut config = config();
    config.public_url = Some("https://scim.corp.example/".into());
    let bench = Bench::with(config).await;
    let base = "https://scim.corp.example/altr/scim/v2";
    assert_eq!(bench.running.base_url("altr").as_deref(), Some(base));
    assert_eq!(bench.running.base_url("none"), None);
    let got = bench.scim("GET", "/altr/scim/v2/Users/1", "").await;
    assert_eq!(got.json()["meta"]["location"], format!("{base}/Users/1"));
}

#[tokio::test]
async fn forwarded_headers_count_from_a_trusted_proxy_only_and_origin_never() {
    let headers = [
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: scim.corp.example",
        "Origin: https://evil.example",
    ];
    for (trusted, location) in [
        (vec![], "http://bridge.example/altr/scim/v2/Users/1"),
        (vec!["127.0.0.0/8".parse().unwrap()], "https://scim.corp.example/altr/scim/v2/Users/1"),
    ] {
        let mut config = config();
        config.trust_proxy = trusted;
        let bench = Bench::with(config).await;
        let got = bench.scim_with("GET", "/altr/scim/v2/Users/1", &headers, "").await;
        assert_eq!(got.json()["meta"]["location"], location);
    }
}

#[tokio::test]
async fn requests_are_counted_and_shown_on_the_feed_without_passwords() {
    let bench = Bench::start().await;
    let mut heard = bench.feed.listen();
    let body = r#"{"userName":"ada","password":"s3cret"}"#;
    bench.scim("POST", "/altr/scim/v2/Users", body).await;
    let heard = heard.try_recv().unwrap();
    assert!(!format!("{heard:?}").contains("s3cret"), "{heard:?}");
    let Traffic::Scim { app, status, request, response, .. } = &*heard else {
        unreachable!("{heard:?}");
    };
    assert_eq!((app.as_deref(), *status), (Some("altr"), 201));
    assert_eq!(request.as_ref().unwrap()["userName"], "ada");
    assert_eq!(response.as_ref().unwrap()["id"], "a/b");
    let text = bench.metrics.encode();
    let line =
        r#"scim_bridge_requests_total{app="altr",method="POST",resource="Users",status="201"} 1"#;
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn a_client_cannot_make_series_of_its_own() {
    let bench = Bench::start().await;
    bench.scim("BREW", "/altr/scim/v2/Coffee", "").await.scim_error(404);
    let text = bench.metrics.encode();
    assert!(!text.contains("BREW") && !text.contains("Coffee"), "{text}");
    assert!(text.contains(r#"method="other",resource="other",status="404""#), "{text}");
}

#[tokio::test]
async fn ipv6_works() {
    let mut config = config();
    config.listen = "[::1]:0".parse().unwrap();
    let bench = Bench::with(config).await;
    let got = bench.scim("GET", "/altr/scim/v2/Users/1", "").await;
    assert_eq!(got.status, 200);
    let base = bench.running.base_url("altr").unwrap();
    assert!(base.starts_with("http://[::1]:"), "{base}");
}

#[tokio::test]
async fn who_shows_no_token_holds_no_connection() {
    let bench = Bench::start().await;
    let wrong = request("GET", "/altr/scim/v2/Users", &["Authorization: Bearer x"], "");
    let nowhere = request("GET", "/", &[], "");
    for first in [wrong, nowhere] {
        // Without 'Connection: close' from the client.
        let got = raw(bench.running.scim_addr(), &format!("{first}{first}")).await;
        assert_eq!(got.len(), 1, "{got:?}");
        assert_eq!(got[0].header("connection"), Some("close"));
    }
}
