//! What the clients may expect of the app: for each person every state that is true to the answers
//! they had. An answer leaves one; a request whose answer was lost leaves what was, and what it
//! asked for.

use serde_json::{Value, json};

/// In every password, so that one search finds them all.
pub const CANARY: &str = "cAnArY-of-a-password-";

/// The schema of PATCH.
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What the app is to hold of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    pub title: String,
    pub active: bool,
    pub password: String,
    pub member: bool,
}

/// A person of one client.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub first_password: String,
    /// The SCIM id, once it is known.
    pub id: Option<String>,
    /// What the app may hold: `None` is no account.
    pub could: Vec<Option<Fields>>,
    /// A request without an answer.
    pub open: Option<Op>,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Create,
    Title(String),
    Active(bool),
    Password(String),
    Join,
    Leave,
    Delete,
}

impl Person {
    pub fn new(name: String, number: u64) -> Self {
        let first_password = format!("{CANARY}{number}");
        Self { name, first_password, id: None, could: vec![None], open: None }
    }

    /// Whether an account is there for sure.
    pub fn is_there(&self) -> bool {
        self.id.is_some() && self.open.is_none() && self.could.iter().all(Option::is_some)
    }

    /// It was answered with success.
    pub fn done(&mut self, op: &Op) {
        let mut could: Vec<_> = self.could.iter().map(|one| self.after(one, op)).collect();
        could.dedup();
        self.could = could;
        self.open = None;
    }

    /// Nobody knows: it may take effect, and before what comes later.
    pub fn lost(&mut self, op: &Op) {
        let after: Vec<_> = self.could.iter().map(|one| self.after(one, op)).collect();
        for one in after {
            if !self.could.contains(&one) {
                self.could.push(one);
            }
        }
        self.open = Some(op.clone());
    }

    fn after(&self, one: &Option<Fields>, op: &Op) -> Option<Fields> {
        if *op == Op::Create {
            let password = self.first_password.clone();
            let title = "new".to_owned();
            return Some(Fields { title, active: true, password, member: false });
        }
        let mut fields = one.clone()?;
        match op {
            Op::Create => {}
            Op::Title(title) => fields.title = title.clone(),
            Op::Active(active) => fields.active = *active,
            Op::Password(password) => fields.password = password.clone(),
            Op::Join => fields.member = true,
            Op::Leave => fields.member = false,
            Op::Delete => return None,
        }
        Some(fields)
    }

    /// Method, path and body of the request.
    pub fn request(&self, op: &Op, group: &str) -> (&'static str, String, Value) {
        let id = self.id.clone().unwrap_or_default();
        let user = format!("/Users/{id}");
        let set = |path: &str, value: Value| {
            let operation = json!({ "op": "replace", "path": path, "value": value });
            json!({ "schemas": [PATCH], "Operations": [operation] })
        };
        match op {
            Op::Create => {
                let mut body = super::people::user(&self.name, "Kay", "Nine");
                body["title"] = "new".into();
                body["password"] = self.first_password.clone().into();
                ("POST", "/Users".to_owned(), body)
            }
            Op::Title(title) => ("PATCH", user, set("title", json!(title))),
            Op::Active(active) => ("PATCH", user, set("active", json!(active))),
            Op::Password(password) => ("PATCH", user, set("password", json!(password))),
            Op::Delete => ("DELETE", user, Value::Null),
            Op::Join => {
                let add = json!({ "op": "add", "path": "members", "value": [{ "value": id }] });
                let body = json!({ "schemas": [PATCH], "Operations": [add] });
                ("PATCH", format!("/Groups/{group}"), body)
            }
            Op::Leave => {
                let path = format!("members[value eq \"{id}\"]");
                let body =
                    json!({ "schemas": [PATCH], "Operations": [{ "op": "remove", "path": path }] });
                ("PATCH", format!("/Groups/{group}"), body)
            }
        }
    }
}

/// A small generator of numbers, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// Below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
