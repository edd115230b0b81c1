//! Connecting: the SCIM root, the identifier, the connection test and how it fails.

use serde_json::Value;

use super::apps::{ADA, ada};
use super::shipped::each;
use crate::support::World;
use crate::support::http::{encoded, send, split_url};
use crate::support::text::{replaced, repository, with_key};
use crate::support::world::authorization;

/// The roots of the guides.
const ROOTS: [&str; 4] = ["/scim/v2", "/scim/v1", "/services/scim/v2", "/api/service/scim/"];

/// What Okta asks in "Test Connector Configuration".
const PROBES: [&str; 3] = [
    "/Users?startIndex=1&count=2",
    "/Users?startIndex=1&count=1",
    "/Groups?startIndex=1&count=100",
];

/// COM-1: any root that the mapping says; a slash too many, at the end or doubled, does no harm.
#[tokio::test]
async fn any_root_is_served_with_slashes_too_many() {
    for (number, app) in each().enumerate() {
        let own = app.world().await;
        assert_eq!(split_url(&own.base).1.trim_end_matches('/'), app.root.trim_end_matches('/'));
        let other = ROOTS[number % ROOTS.len()];
        let moved = World::with(app.name, |text| with_key(text, "scim", "path", other)).await;
        for (world, root) in [(&own, app.root), (&moved, other)] {
            let id = world.create(&ada()).await;
            let header = format!("Authorization: {}", authorization(&world.token));
            let origin = world.base.replace(&split_url(&world.base).1, "");
            let root = root.trim_end_matches('/');
            for path in ["/Users/ID", "//Users/ID", "/Users/ID/", "//Users//ID"] {
                let path = format!("{root}{}", path.replace("ID", &id));
                let answer = send(&origin, "GET", &path, &[&header], b"").await.unwrap();
                assert_eq!(answer.expect(200)["id"], id.as_str(), "{path}");
            }
        }
        let elsewhere = moved.base.replace(&split_url(&moved.base).1, "/elsewhere");
        let answer = send(&elsewhere, "GET", "/Users", &[], b"").await.unwrap();
        assert_eq!(answer.status, 404, "the control: another root is none");
    }
}

/// COM-2: the identifier of Okta's field finds somebody, in whatever case it is written.
#[tokio::test]
async fn the_identifier_finds_whom_the_app_has() {
    for app in each() {
        let world = app.world().await;
        app.seed(&world, ADA, "Ada", "Byron");
        app.seed(&world, "bob@corp.example", "Bob", "Byron");
        let upper = app.identifier.to_uppercase();
        for name in [app.identifier, &app.identifier.to_lowercase(), &upper, "userName"] {
            for operator in ["eq", "Eq"] {
                let filter = format!("{name} {operator} \"{ADA}\"");
                let list = world.filtered("/Users", &filter).await.expect(200);
                assert_eq!(list["totalResults"], 1, "{filter}: {list}");
                let found = &list["Resources"][0];
                assert_eq!(found["userName"], ADA, "{filter}");
                assert_eq!(found["emails"][0]["value"], ADA, "{filter}");
            }
        }
        let nobody = world.filtered("/Users", &app.filter("nobody@corp.example")).await.expect(200);
        assert_eq!(nobody["totalResults"], 0, "{nobody}");
        assert!(world.writes().is_empty());
    }
}

/// COM-3: the connection test's questions are answered with lists; without groups with an empty one.
#[tokio::test]
async fn the_connection_test_succeeds() {
    for app in each() {
        let world = app.world().await;
        for number in 0..3 {
            let (login, family) = super::apps::numbered(number);
            app.seed(&world, &login, "User", &family);
        }
        for (probe, total, rows) in [(PROBES[0], 3, 2), (PROBES[1], 3, 1), (PROBES[2], 0, 0)] {
            let list = world.get(probe).await.expect(200);
            assert_eq!(list["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:ListResponse");
            assert_eq!(list["totalResults"], total, "{probe}: {list}");
            let resources = list["Resources"].as_array().map_or(0, Vec::len);
            assert_eq!(resources, rows, "{probe}: {list}");
        }
        assert!(world.writes().is_empty());
    }
}

/// COM-4: it fails with a wrong credential of Okta's, before the app is asked.
#[tokio::test]
async fn the_connection_test_fails_with_a_wrong_credential() {
    for app in each() {
        let world = app.world().await;
        world.get(PROBES[0]).await.expect(200);
        let calls = world.app().calls().len();
        let wrong = format!("Authorization: {}", authorization(&format!("{}x", world.token)));
        for headers in [&[][..], &[wrong.as_str()][..]] {
            for probe in PROBES {
                let refused = world.raw("GET", probe, headers, b"").await;
                refused.expect_error(401);
                let asked = refused.header("www-authenticate").unwrap_or_default();
                assert!(asked.starts_with(if app.basic { "Basic" } else { "Bearer" }), "{asked}");
            }
        }
        assert_eq!(world.app().calls().len(), calls, "the app heard nothing of it");
    }
}

/// COM-4: it fails when the app refuses the bridge's own credential, and says which side it is.
#[tokio::test]
async fn the_connection_test_fails_when_the_app_refuses_the_bridge() {
    for app in each() {
        let world = World::misconfigured(app.name, app.secret, "not-the-secret").await;
        let refused = world.get(PROBES[0]).await;
        let detail = refused.expect_error(502);
        assert!(detail.to_lowercase().contains(app.name), "{detail}");
        assert!(!refused.body.contains("not-the-secret"), "{detail}");
        assert!(!world.app().calls().is_empty(), "the app was asked");
    }
}

/// COM-19: user names are found in any case, unless the mapping compares them to the letter.
#[tokio::test]
async fn user_names_are_found_in_any_case() {
    for app in each() {
        let world = app.world().await;
        app.seed(&world, ADA, "Ada", "Byron");
        let asked = format!("userName eq \"{}\"", ADA.to_uppercase());
        let list = world.filtered("/Users", &asked).await.expect(200);
        assert_eq!(list["totalResults"], usize::from(!app.exact), "{list}");
        // The clients encode a blank as a plus sign too.
        let plus = encoded(&format!("userName eq \"{ADA}\"")).replace("%20", "+");
        assert_eq!(
            world.get(&format!("/Users?filter={plus}")).await.expect(200)["totalResults"],
            1
        );
    }
}

/// COM-19: `case: exact` in the mapping compares to the letter.
#[tokio::test]
async fn a_mapping_can_compare_user_names_to_the_letter() {
    let exact = |text: &str| {
        replaced(
            text,
            "login:        { scim: userName,",
            "login:        { scim: userName, case: exact,",
        )
    };
    let world = World::with("directory", exact).await;
    world.create(&ada()).await;
    assert_eq!(world.named(&ADA.to_uppercase()).await, Vec::<Value>::new());
    assert_eq!(world.named(ADA).await.len(), 1, "the control: as it is written");
}

/// COM-23: what is not provisioning is not called, and the documents say so.
#[test]
fn the_bridge_stops_at_provisioning() {
    for app in each() {
        let folder = repository().join("mappings").join(app.name);
        let mapping = std::fs::read_to_string(folder.join(format!("{}.yaml", app.name))).unwrap();
        let calls: Vec<_> =
            mapping.lines().filter_map(|line| line.split("call: ").nth(1)).collect();
        assert!(calls.len() > 3, "calls are found: {calls:?}");
        for call in calls {
            let path = call.to_lowercase();
            for strange in ["sso", "saml", "licen", "install", "password", "invoice"] {
                assert!(!path.contains(strange), "{}: {call}", app.name);
            }
        }
    }
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let text = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("**It stops at provisioning**"),
        "README.md says what is not its business"
    );
}
