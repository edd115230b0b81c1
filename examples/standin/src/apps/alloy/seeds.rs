//! Records of before the bridge: a few for a demonstration, and many for tests.

use serde_json::{Value, json};

use super::Alloy;

/// Four roles and 60 agents for an import, to be seeded in this order: collection and record. Every fifth agent has no role, the
/// others one of four; every third has a phone.
pub fn import_of_60() -> Vec<(&'static str, Value)> {
    let names = ["Fraud Analysts", "Reviewers", "Auditors", "Managers"];
    let roles = names.iter().map(|name| ("roles", json!({ "name": name })));
    let agents = (1..=60u32).map(|n| {
        let role = match n % 5 {
            0 => "R-EMPTY".to_owned(),
            rest => format!("R-{rest:06}"),
        };
        let phone = (n % 3 == 0).then(|| format!("212-555-{n:04}"));
        let record = json!({
            "name_first": format!("Given{n}"),
            "name_last": format!("Family{n:02}"),
            "email_address": format!("agent{n:02}@corp.example"),
            "phone_number": phone,
            "role": role,
        });
        ("agents", record)
    });
    roles.chain(agents).collect()
}

impl Alloy {
    pub(super) fn seed_a_few(&mut self) {
        let people = [
            ("Mia", "Lund", "R-000001"),
            ("Omar", "Reyes", "R-000001"),
            ("Zoe", "Hart", "R-EMPTY"),
        ];
        // The records are right; a test puts them in.
        let _ =
            self.put_role(&json!({ "name": "Reviewers", "permissions": ["applications:read"] }));
        for (given, family, role) in people {
            let mail = format!("{}@corp.example", given.to_lowercase());
            let _ = self.put_agent(&json!({
                "name_first": given, "name_last": family, "email_address": mail, "role": role,
            }));
        }
    }
}
