//! Records for tests that need many.

use serde_json::{Value, json};

/// The 120 administrators of an import: 70 active, 30 pending, 20 disabled, among them the
/// look-alikes `Alice` and `alice2`; to be seeded one by one.
pub fn import_of_120() -> Vec<Value> {
    (1..=120u32)
        .map(|n| {
            let username = match n {
                1 => "Alice".to_owned(),
                2 => "alice2".to_owned(),
                n if n % 3 == 0 => format!("Admin.{n:03}@corp.example"),
                n => format!("admin{n:03}"),
            };
            let status = match n {
                1..=70 => "active",
                71..=100 => "pending",
                _ => "disabled",
            };
            let role = match n % 10 {
                0 => "SUPERADMINISTRATOR",
                5 => "DATA_CONSUMER",
                _ => "ADMINISTRATOR",
            };
            json!({
                "id": n,
                "username": username,
                "firstName": format!("Given{n}"),
                "lastName": format!("Family{:03}", 121 - n),
                "email": format!("admin{n:03}@altr.example"),
                "role": role,
                "userStatus": status,
            })
        })
        .collect()
}
