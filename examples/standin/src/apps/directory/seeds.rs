//! Who is in the directory of a demonstration. Data only.

use serde_json::{Value, json};

/// Collections and records, in the order in which they are put in.
pub(super) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("users", plain(1, "Ada", "Byron")),
        ("users", plain(2, "Grace", "Hopper")),
        ("groups", json!({ "id": 3, "name": "Engineers", "members": [1, 2] })),
        ("users", complete()),
        ("users", with_lists()),
        ("users", left()),
        ("groups", json!({ "id": 7, "name": "Analysts", "members": [4, 5] })),
    ]
}

fn plain(id: u64, given: &str, family: &str) -> Value {
    let login = format!("{}@corp.example", given.to_lowercase());
    json!({
        "id": id, "login": login, "given": given, "family": family,
        "emails": [{ "address": login, "type": "work", "main": true }],
    })
}

/// A value in every field.
fn complete() -> Value {
    json!({
        "id": 4, "login": "katherine@corp.example", "active": true, "has_password": true,
        "formatted": "Ms. Katherine C. Johnson, PhD", "given": "Katherine", "middle": "Coleman",
        "family": "Johnson", "prefix": "Ms.", "suffix": "PhD", "display": "Katherine Johnson",
        "nick": "Kat", "profile_url": "https://corp.example/people/katherine",
        "title": "Lead Analyst", "user_type": "Employee", "language": "en-US,en;q=0.8",
        "locale": "en-US", "timezone": "America/New_York", "employee_no": "1953-0004",
        "cost_center": "4130", "organization": "Example Corp", "division": "Flight",
        "department": "Guidance", "manager": "grace@corp.example",
        "manager_ref": "https://corp.example/people/grace", "external": "hr-0004",
        "emails": [
            { "address": "katherine@corp.example", "label": "Office", "type": "work", "main": true },
            { "address": "kat@home.example", "type": "home" },
        ],
        "phones": [
            { "number": "+1 202 555 0104", "label": "Desk", "type": "work", "main": true },
            { "number": "+1 202 555 0105", "type": "mobile" },
        ],
        "ims": [{ "handle": "katherine@chat.example", "type": "xmpp" }],
        "photos": [{ "url": "https://corp.example/photos/4.jpg", "type": "photo", "main": true }],
        "addresses": [{
            "formatted": "1 Langley Way\nHampton, VA 23666", "street": "1 Langley Way",
            "city": "Hampton", "region": "VA", "postal_code": "23666", "country": "US",
            "type": "work", "main": true,
        }],
        "entitlements": [{ "code": "lic-7", "label": "Simulator", "type": "License" }],
        "roles": [{ "code": "reviewer", "label": "Reviewer", "main": true }],
        "certificates": [{ "der": "MIIBszCCAVmgAwIBAgIUKat=", "label": "Mail" }],
    })
}

/// Lists with several elements of one type, and of none.
fn with_lists() -> Value {
    json!({
        "id": 5, "login": "alan@corp.example", "given": "Alan", "family": "Turing",
        "display": "Alan Turing", "manager": "katherine@corp.example",
        "emails": [
            { "address": "alan@corp.example", "type": "work", "main": true },
            { "address": "turing@corp.example", "type": "work" },
            { "address": "alan@lists.example", "label": "Mailing lists" },
        ],
        "phones": [
            { "number": "+44 1632 960101", "type": "work" },
            { "number": "+44 1632 960102", "type": "work" },
            { "number": "+44 1632 960103", "type": "fax" },
        ],
        "addresses": [
            { "city": "Bletchley", "country": "GB", "type": "work" },
            { "city": "Wilmslow", "country": "GB", "type": "home" },
        ],
        "roles": [{ "code": "analyst" }, { "code": "reviewer", "label": "Reviewer" }],
    })
}

/// Somebody whose access was taken away.
fn left() -> Value {
    json!({
        "id": 6, "login": "charles@corp.example", "active": false, "given": "Charles",
        "family": "Babbage", "title": "Engineer emeritus",
        "emails": [{ "address": "charles@corp.example", "type": "work", "main": true }],
    })
}
