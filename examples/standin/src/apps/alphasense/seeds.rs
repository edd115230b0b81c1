//! Records of before the bridge. Data only.

use serde_json::{Value, json};

/// Those of a demonstration: collections and records, in the order in which they are put in.
pub(super) fn few() -> Vec<(&'static str, Value)> {
    let person = |id: &str, given: &str, family: &str| {
        let name = given.to_lowercase();
        json!({
            "id": id, "username": format!("{name}@idp.example"), "firstName": given,
            "lastName": family, "email": format!("{name}@corp.example"),
        })
    };
    let mut left = person("VXNlcjozNQ==", "Charles", "Babbage");
    left["status"] = "DEACTIVATED".into();
    vec![
        ("users", person("VXNlcjozMg==", "Ada", "Byron")),
        ("users", person("VXNlcjozMw==", "Grace", "Hopper")),
        ("users", person("VXNlcjozNA==", "Alan", "Turing")),
        ("users", left),
        ("groups", json!({ "name": "Analysts", "members": ["VXNlcjozMg==", "VXNlcjozNA=="] })),
    ]
}

/// 130 users of the key's company, every tenth deactivated, and 5 of another one; to be seeded
/// one by one.
pub fn two_companies() -> Vec<Value> {
    (1..=135u32)
        .map(|n| {
            let company = match n % 27 {
                0 => json!({ "id": "2", "externalId": "other-company" }),
                _ => json!({ "id": "1", "externalId": "your-company" }),
            };
            json!({
                "username": format!("person{n:03}@idp.example"),
                "email": format!("person.{n:03}@corp.example"),
                "firstName": format!("Given{n}"),
                "lastName": format!("Family{n}"),
                "status": if n % 10 == 0 { "DEACTIVATED" } else { "ACTIVE" },
                "company": company,
            })
        })
        .collect()
}
