//! Bulk as it stands on the wire: what of it reaches the engine, and what is refused before.

use serde_json::json;

use super::*;

const BULK: &str = "/full/scim/v2/Bulk";

impl Bench {
    async fn bulk(&self, operations: Value) -> Got {
        let body = json!({ "Operations": operations });
        self.scim("POST", BULK, &body.to_string()).await
    }
}

fn statuses(got: &Got) -> Vec<String> {
    assert_eq!(got.status, 200, "{got:?}");
    let body = got.json();
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    let results = body["Operations"].as_array().unwrap();
    results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_operation_is_the_single_request_and_answered_so() {
    let bench = Bench::start().await;
    let patch = json!({"Operations": [{"op": "replace", "value": {"displayName": "x"}}]});
    let got = bench.bulk(json!([
        {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": "ada"}},
        {"method": "PUT", "path": "/Users/7", "version": "W/\"3\"", "data": {"userName": "ada"}},
        {"method": "PATCH", "path": "/Users/7", "data": patch},
        {"method": "PATCH", "path": "/Groups/9", "bulkId": "p", "data": patch},
        {"method": "DELETE", "path": "/Users/bulkId:u"},
        {"method": "PUT", "path": "/Users/7", "version": "W/\"2\"", "data": {"userName": "ada"}},
    ]));
    let got = got.await;
    assert_eq!(statuses(&got), ["201", "200", "200", "204", "204", "412"]);
    let results = got.json()["Operations"].clone();
    let place = "http://bridge.example/full/scim/v2/Users/a%2Fb";
    assert_eq!(
        results[0],
        json!({"location": place, "method": "POST", "bulkId": "u", "version": "W/\"3\"",
               "status": "201"})
    );
    assert_eq!((&results[3]["bulkId"], &results[4]["location"]), (&json!("p"), &json!(place)));
    let refusal = &results[5]["response"];
    assert_eq!(
        (&refusal["status"], &refusal["schemas"][0]),
        (&json!("412"), &json!(crate::scim::ERROR_SCHEMA))
    );
    let asked = bench.engine.asked();
    assert_eq!(asked.len(), 7, "{asked:?}");
    assert!(asked[4].contains("Delete") && asked[4].contains("\"a/b\""), "{asked:?}");
    assert!(asked[..6].iter().all(|line| line.ends_with("without members")), "{asked:?}");
    assert_eq!(asked[6], "heard", "all is told at the end, together");
}

#[tokio::test]
async fn what_is_no_write_of_a_resource_is_refused_alone() {
    let bench = Bench::start().await;
    let data = json!({});
    let got = bench.bulk(json!([
        {"method": "GET", "path": "/Users/7"},
        {"method": "POST", "path": "/Bulk", "bulkId": "b", "data": {"Operations": []}},
        {"method": "POST", "path": "/Users/.search", "bulkId": "s", "data": data},
        {"method": "PATCH", "path": "/Me", "data": data},
        {"method": "POST", "path": "/altr/scim/v2/Users", "bulkId": "o", "data": data},
        {"method": "DELETE", "path": "/Users/../Groups/1"},
        {"method": "PUT", "path": "/Users", "data": data},
        {"method": "POST", "path": "/Users", "data": data},
        {"method": "PATCH", "path": "/Users/7", "data": data},
        {"method": "PUT", "path": "/Users/7", "version": ",", "data": data},
        {"method": "DELETE", "path": "/Users/bulkId:nobody"},
        {"method": "DELETE", "path": "/Users/7"},
    ]));
    let got = got.await;
    let wanted =
        ["400", "400", "400", "400", "404", "404", "405", "400", "400", "400", "400", "204"];
    assert_eq!(statuses(&got), wanted);
    for result in &got.json()["Operations"].as_array().unwrap()[..11] {
        let detail = result["response"]["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "{result}");
    }
    assert_eq!(bench.engine.asked().len(), 2, "the delete, and that it is told");

    let body = json!({"Operations": [
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "x"}},
    ]});
    let got = bench.scim("POST", "/altr/scim/v2/Bulk", &body.to_string()).await;
    assert_eq!(statuses(&got), ["501"], "an app without groups");
}

#[tokio::test]
async fn limits_are_413_and_named() {
    let mut config = config();
    config.limits.max_operations = 2;
    config.limits.max_body = 1000;
    let bench = Bench::with(config).await;
    let delete = json!({"method": "DELETE", "path": "/Users/7"});
    let many = bench.bulk(json!([delete, delete, delete])).await.scim_error(413);
    assert!(many.contains("maxOperations (2)"), "{many}");
    let large = bench.bulk(json!([{"method": "x".repeat(1000)}])).await.scim_error(413);
    assert!(large.contains("maxPayloadSize (1000)"), "{large}");
    bench.bulk(json!([])).await.scim_error(400);
    let told = bench.scim("GET", "/full/scim/v2/ServiceProviderConfig", "").await.json();
    let bulk = json!({"supported": true, "maxOperations": 2, "maxPayloadSize": 1000});
    assert_eq!((&told["bulk"], bench.engine.asked()), (&bulk, Vec::new()));
}

#[tokio::test]
async fn what_does_not_begin_in_time_says_so_and_is_not_done() {
    let mut config = config();
    // All of it is the margin that an answer needs.
    config.limits.deadline = Duration::from_secs(1);
    let bench = Bench::with(config).await;
    let create = |name: &str| json!({"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name}});
    let manager = json!({"userName": "c", "manager": "bulkId:a"});
    let last = json!({"method": "POST", "path": "/Users", "bulkId": "c", "data": manager});
    let got = bench.bulk(json!([create("a"), create("b"), last])).await;
    assert_eq!(statuses(&got), ["503", "503", "409"]);
    assert_eq!(bench.engine.asked(), ["heard"]);
}

#[tokio::test]
async fn a_bulk_has_one_place_among_those_who_wait() {
    let mut config = config();
    config.limits.waiting_per_app = 1;
    let bench = Bench::with(config).await;
    let held = json!([{"method": "DELETE", "path": "/Users/held"},
                      {"method": "DELETE", "path": "/Users/7"}]);
    let (got, ()) = tokio::join!(bench.bulk(held), async {
        bench.engine.entered.acquire().await.unwrap().forget();
        bench.bulk(json!([{"method": "DELETE", "path": "/Users/7"}])).await.scim_error(429);
        bench.scim("DELETE", "/full/scim/v2/Users/7", "").await.scim_error(429);
        bench.engine.release();
    });
    assert_eq!(statuses(&got), ["204", "204"]);
}

#[tokio::test]
async fn what_is_accepted_only_is_said_to_be_pending() {
    let bench = Bench::start().await;
    let got = bench.bulk(json!([
        {"method": "POST", "path": "/Users", "bulkId": "p", "data": {"userName": "pending"}},
        {"method": "DELETE", "path": "/Users/pending"},
        {"method": "DELETE", "path": "/Users/7"},
    ]));
    let got = got.await;
    assert_eq!(statuses(&got), ["201", "204", "204"]);
    assert_eq!(got.header("scim-bridge-state"), Some("pending; change=7; operations=2"));
}
