//! Operations about users.

use serde_json::{Value, json};

use super::{
    AlphaSense, Outcome, own_company,
    records::{Company, Fields, User},
    rules::{Kind, Variables, connection, error, field_error},
};

fn done(data: Value) -> Outcome {
    Ok((data, Vec::new()))
}

impl AlphaSense {
    /// A user of the key's company.
    pub(super) fn own_user(&self, id: &str) -> Option<&User> {
        self.users.get(&User::number(id)?).filter(|user| user.company.is_own())
    }

    fn own_user_mut(&mut self, id: &str) -> Result<&mut User, Value> {
        User::number(id)
            .and_then(|number| self.users.get_mut(&number))
            .filter(|user| user.company.is_own())
            .ok_or_else(|| error("NOT_FOUND", "User not found"))
    }

    pub(super) fn user_by_username(&self, given: &Value) -> Outcome {
        let required = [("companyId", Kind::Text), ("username", Kind::Text)];
        let variables = Variables::of(given, &required, &[])?;
        own_company(&variables)?;
        let wanted = variables.text("username").unwrap_or_default().to_lowercase();
        let mut own = self.users.values().filter(|user| user.company.is_own());
        let found = own.find(|user| user.fields.username.to_lowercase() == wanted);
        done(json!({ "userByUsername": found.map(User::shown) }))
    }

    pub(super) fn user_by_id(&self, given: &Value) -> Outcome {
        let variables = Variables::of(given, &[("id", Kind::Text)], &[])?;
        let found = self.own_user(variables.text("id").unwrap_or_default());
        done(json!({ "user": found.map(User::shown) }))
    }

    pub(super) fn list_users(&self, given: &Value) -> Outcome {
        let required = [("companyId", Kind::Text)];
        let optional = [("first", Kind::First), ("after", Kind::Cursor)];
        let variables = Variables::of(given, &required, &optional)?;
        own_company(&variables)?;
        let own = self.users.values().filter(|user| user.company.is_own());
        let rows = own.map(|user| (user.number, user.shown())).collect();
        done(json!({ "users": connection(&variables, rows)? }))
    }

    /// Refuses a user name or an e-mail address that another user of the company has.
    fn free(&self, wanted: &Fields, but: Option<u64>) -> Result<(), Value> {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        let others = || {
            let own = self.users.values().filter(|user| user.company.is_own());
            own.filter(|user| Some(user.number) != but)
        };
        let taken = |field: &str| {
            let message = format!("A user with this {field} already exists");
            Err(field_error("ALREADY_EXISTS", message, field))
        };
        if others().any(|user| same(&user.fields.username, &wanted.username)) {
            return taken("username");
        }
        if others().any(|user| same(&user.fields.email, &wanted.email)) {
            return taken("email");
        }
        Ok(())
    }

    pub(super) fn create_user(&mut self, given: &Value) -> Outcome {
        // One variable, `input`.
        let input = only_input(given, &[])?;
        let required = [
            ("companyId", Kind::Text),
            ("username", Kind::Text),
            ("email", Kind::Mail),
            ("firstName", Kind::Text),
            ("lastName", Kind::Text),
        ];
        let input = Variables::of(input, &required, &[])?;
        own_company(&input)?;
        let mut fields = Fields::default();
        fields.take(input.fields());
        self.free(&fields, None)?;
        self.last_number += 1;
        let number = self.last_number;
        let user = User { number, fields, is_active: true, company: Company::own() };
        let shown = user.shown();
        self.users.insert(number, user);
        done(json!({ "createUser": { "user": shown } }))
    }

    pub(super) fn update_user(&mut self, given: &Value) -> Outcome {
        let input = only_input(given, &["id"])?;
        let optional = [
            ("username", Kind::Text),
            ("email", Kind::Mail),
            ("firstName", Kind::Text),
            ("lastName", Kind::Text),
        ];
        let input = Variables::of(input, &[], &optional)?;
        let id = given["id"].as_str().unwrap_or_default();
        let user = self.own_user_mut(id)?;
        let (number, mut fields) = (user.number, user.fields.clone());
        fields.take(input.fields());
        self.free(&fields, Some(number))?;
        let user = self.own_user_mut(id)?;
        user.fields = fields;
        done(json!({ "updateUser": { "user": user.shown() } }))
    }

    pub(super) fn set_user_status(&mut self, given: &Value) -> Outcome {
        let required = [("id", Kind::Text), ("status", Kind::Status)];
        let variables = Variables::of(given, &required, &[])?;
        let user = self.own_user_mut(variables.text("id").unwrap_or_default())?;
        user.is_active = variables.text("status") == Some("ACTIVE");
        done(json!({ "setUserStatus": { "user": user.shown() } }))
    }
}

/// The variable `input`; beside it only those of `others`, which are texts.
fn only_input<'a>(given: &'a Value, others: &[&str]) -> Result<&'a Value, Value> {
    let bad = |message: String| error("BAD_USER_INPUT", message);
    let variables =
        given.as_object().ok_or_else(|| bad("The variables are not an object".into()))?;
    for key in variables.keys().filter(|key| *key != "input") {
        if !others.contains(&key.as_str()) || !variables[key].is_string() {
            return Err(bad(format!("'{key}' is not defined, or not of its type")));
        }
    }
    if let Some(missing) = others.iter().find(|name| !variables.contains_key(**name)) {
        return Err(bad(format!("'{missing}' is missing")));
    }
    variables.get("input").ok_or_else(|| bad("'input' is missing".into()))
}
