//! People: assigning the app, changing attributes, taking the app away.
//!
//! The order of requests is Okta's: a filter before each assignment, a GET before each PUT, the
//! whole answer of the GET echoed in the PUT.

use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::action::{Action, Change, PersonNumber};
use crate::client::{Dialect, TaskError};
use crate::org::{Okta, Told};
use crate::profile::{PATCH, Profile};

/// What Okta leaves as it is in a query.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

type Done = Result<Option<Vec<Action>>, TaskError>;

/// `attribute eq "value"`, as it stands in a query.
pub(crate) fn filter(attribute: &str, value: &str) -> String {
    let text = format!("{attribute} eq {}", Value::from(value));
    utf8_percent_encode(&text, KEPT).to_string()
}

impl Okta {
    /// The app is assigned: look, then create, or link and push. If any step fails, Okta keeps no
    /// link, so that a later unassignment sends nothing.
    pub(crate) async fn assign(&self, number: PersonNumber) -> Done {
        let before = self.person(number);
        if before.assigned && before.link.is_some() {
            return Ok(None);
        }
        self.with_person(number, |person| {
            person.assigned = true;
            person.imported = None;
            // Of an account that could not be switched off nothing is remembered any more.
            person.link = None;
            person.pushed = None;
        });
        let id = match self.find_person(&before.current.user_name).await? {
            None => self.create(number).await?,
            Some(found) => {
                let id = id_of(&found, "Verify user exists")?;
                if found["active"] == false {
                    let doing = "Push user reactivation";
                    self.set(doing, number, &id, "active", json!(true)).await?;
                }
                self.put_profile(number, &id, None).await?;
                id
            }
        };
        Ok(Some(self.linked(number, id)))
    }

    /// Okta remembers the id; the groups that are pushed get this member now.
    pub(crate) fn linked(&self, number: PersonNumber, id: String) -> Vec<Action> {
        let mut state = self.state();
        let person = &mut state.people[number];
        person.link = Some(id);
        person.pushed = Some(person.current.clone());
        person.trouble = None;
        let pushed = state.teams.iter().enumerate();
        pushed
            .filter(|(_, team)| team.is_pushed && team.members.contains(&number))
            .map(|(team, _)| Action::PushMember(team, number))
            .collect()
    }

    /// Somebody of that name, if there is exactly one.
    pub(crate) async fn find_person(&self, user_name: &str) -> Result<Option<Value>, TaskError> {
        let doing = "Verify user exists";
        let filter = filter(&self.client.settings.identifier, user_name);
        let path = format!("/Users?filter={filter}&startIndex=1&count=100");
        let answer = self.client.send(doing, Method::GET, &path, None).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(TaskError::of(doing, &answer));
        }
        let body = answer.body.unwrap_or(Value::Null);
        let Some(total) = body["totalResults"].as_u64() else {
            return Err(TaskError::wrong(doing, "totalResults is no number"));
        };
        match (total, body["Resources"].as_array().and_then(|rows| rows.first())) {
            (0, _) => Ok(None),
            (1, Some(row)) => Ok(Some(row.clone())),
            (more, _) => Err(TaskError::wrong(doing, format!("{more} users match {user_name}"))),
        }
    }

    async fn create(&self, number: PersonNumber) -> Result<String, TaskError> {
        let doing = "Create user";
        let person = self.person(number);
        // Okta sends one even where passwords are not synchronised.
        let password = format!("Zq7#{}", person.okta_id);
        let body = person.current.created(&person.okta_id, &password);
        let answer = self.client.send(doing, Method::POST, "/Users", Some(&body)).await;
        let answer = answer.inspect_err(|error| {
            if error.unknown {
                let name = person.current.user_name.clone();
                self.with_person(number, |person| person.maybe_created.insert(name));
            }
        })?;
        if !answer.is_success() {
            return Err(TaskError::of(doing, &answer));
        }
        let id = id_of(answer.body.as_ref().unwrap_or(&Value::Null), doing)?;
        self.told(number, &id, &body, Some(password));
        Ok(id)
    }

    /// The server has taken this body.
    fn told(&self, number: PersonNumber, id: &str, body: &Value, password: Option<String>) {
        let mut state = self.state();
        let values = state.values(body);
        let person = &mut state.people[number];
        if let Some(other) = person.told.take_if(|told| told.id != id) {
            person.former.push(other);
        }
        let told = person.told.get_or_insert_with(Told::default);
        told.id = id.to_owned();
        if let Some(active) = body["active"].as_bool() {
            told.active = active;
        }
        if let Some(name) = values.get("userName").and_then(Value::as_str) {
            person.maybe_created.remove(name);
        }
        told.values.extend(values);
        told.unsure = false;
        if password.is_some() {
            told.password = password;
            person.owed_password = None;
        }
    }

    /// GET, lay changes over all that came, PUT.
    async fn echo_put(
        &self,
        doing: &str,
        number: PersonNumber,
        id: &str,
        apply: impl FnOnce(&mut Value),
    ) -> Result<(), TaskError> {
        let path = format!("/Users/{id}");
        let answer = self.client.send(doing, Method::GET, &path, None).await?;
        let Some(mut body) = answer.body.clone().filter(|_| answer.status == 200) else {
            return Err(TaskError::of(doing, &answer));
        };
        body["externalId"] = json!(self.person(number).okta_id);
        apply(&mut body);
        let password = body["password"].as_str().map(str::to_owned);
        let put = self.client.send(doing, Method::PUT, &path, Some(&body)).await;
        let put = put.inspect_err(|error| self.unsure_after(error, number))?;
        if !put.is_success() {
            return Err(TaskError::of(doing, &put));
        }
        if put.body.is_none() {
            return Err(TaskError::wrong(doing, "the answer to a PUT has no user"));
        }
        self.told(number, id, &body, password);
        Ok(())
    }

    /// A write without an answer: what the server has taken is not known any more.
    fn unsure_after(&self, error: &TaskError, number: PersonNumber) {
        if error.unknown {
            self.with_person(number, |person| {
                person.told.iter_mut().for_each(|told| told.unsure = true);
            });
        }
    }

    /// One attribute that has a task of its own, in the dialect.
    async fn set(
        &self,
        doing: &str,
        number: PersonNumber,
        id: &str,
        attribute: &str,
        value: Value,
    ) -> Result<(), TaskError> {
        match self.client.settings.dialect {
            Dialect::Aiw => self.echo_put(doing, number, id, |body| body[attribute] = value).await,
            Dialect::Oin => self.patch_person(doing, number, id, json!({ attribute: value })).await,
        }
    }

    async fn patch_person(
        &self,
        doing: &str,
        number: PersonNumber,
        id: &str,
        value: Value,
    ) -> Result<(), TaskError> {
        let body =
            json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "value": value }] });
        let path = format!("/Users/{id}");
        let answer = self.client.send(doing, Method::PATCH, &path, Some(&body)).await;
        let answer = answer.inspect_err(|error| self.unsure_after(error, number))?;
        if !answer.is_success() {
            return Err(TaskError::of(doing, &answer));
        }
        self.with_person(number, |person| {
            let told = person.told.get_or_insert_with(Told::default);
            told.id = id.to_owned();
            if let Some(active) = value["active"].as_bool() {
                told.active = active;
            }
            if let Some(password) = value["password"].as_str() {
                told.password = Some(password.to_owned());
                person.owed_password = None;
            }
        });
        Ok(())
    }

    /// Pushes what differs from `before`; all of it without one.
    pub(crate) async fn put_profile(
        &self,
        number: PersonNumber,
        id: &str,
        before: Option<&Profile>,
    ) -> Result<(), TaskError> {
        let current = self.person(number).current;
        self.echo_put("Push user's profile", number, id, |body| current.lay_over(body, before))
            .await?;
        self.with_person(number, |person| person.pushed = Some(current));
        Ok(())
    }

    /// A mapped attribute changes. Nothing is sent for who is not linked, or for what equals the
    /// last push.
    pub(crate) async fn change(&self, number: PersonNumber, change: &Change) -> Done {
        let person = self.with_person(number, |person| {
            match change.clone() {
                Change::UserName(name) => person.current.user_name = name,
                Change::Given(name) => person.current.given = name,
                Change::Family(name) => person.current.family = name,
                Change::Extra(path, value) => {
                    person.current.extra.insert(path, value);
                }
            }
            person.clone()
        });
        let Some(id) = person.link.filter(|_| person.assigned) else { return Ok(None) };
        if person.pushed.as_ref() == Some(&person.current) {
            return Ok(None);
        }
        self.put_profile(number, &id, person.pushed.as_ref()).await?;
        Ok(Some(Vec::new()))
    }

    /// The app is taken away. The link is forgotten: the next assignment begins with the filter.
    pub(crate) async fn unassign(&self, number: PersonNumber) -> Done {
        let person = self.with_person(number, |person| {
            person.assigned = false;
            person.imported = None;
            person.clone()
        });
        let Some(id) = person.link else { return Ok(None) };
        self.set("Push user deactivation", number, &id, "active", json!(false)).await?;
        self.with_person(number, |person| {
            person.link = None;
            person.pushed = None;
            person.trouble = None;
            person.owed_password = None;
        });
        Ok(Some(Vec::new()))
    }

    /// Password synchronisation.
    pub(crate) async fn password(&self, number: PersonNumber, password: &str) -> Done {
        let person = self.person(number);
        let Some(id) = person.link.filter(|_| person.assigned) else { return Ok(None) };
        self.with_person(number, |person| {
            person.owed_password = Some(password.to_owned());
            // Until it is answered, it is this one or the other.
            person.told.iter_mut().for_each(|told| told.password = None);
        });
        self.set("Push user's password", number, &id, "password", json!(password)).await?;
        Ok(Some(Vec::new()))
    }
}

/// The id of an answer.
pub(crate) fn id_of(body: &Value, doing: &str) -> Result<String, TaskError> {
    match body["id"].as_str() {
        Some(id) if !id.is_empty() => Ok(id.to_owned()),
        _ => Err(TaskError::wrong(doing, "the answer has no id")),
    }
}
