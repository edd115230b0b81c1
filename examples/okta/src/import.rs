//! Import: the connection test, all users and groups page by page, and confirming a match.
//!
//! Okta is strict here: counters must be whole numbers, a row needs an id, nobody comes twice.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::Value;

use crate::action::{Action, PersonNumber};
use crate::client::TaskError;
use crate::org::Okta;

/// Rows that Okta asks for at a time.
const PAGE: u64 = 100;

impl Okta {
    /// *Test API Credentials*.
    pub(crate) async fn probe(&self) -> Result<(), TaskError> {
        let doing = "Test connection";
        for path in ["/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"] {
            let answer = self.client.send(doing, Method::GET, path, None).await?;
            if !answer.is_success() {
                return Err(TaskError::of(doing, &answer));
            }
            let body = answer.body.unwrap_or(Value::Null);
            counter(doing, &body, "totalResults")?;
        }
        Ok(())
    }

    /// *Import now*: everybody. Accounts that have the name of somebody in Okta wait to be
    /// confirmed.
    ///
    /// # Errors
    /// The words for the task; nothing is changed by half an import.
    pub async fn import(&self) -> Result<Vec<Value>, TaskError> {
        let before = self.state().people.clone();
        let users = self.list("/Users").await?;
        let identifier = self.client.settings.identifier.clone();
        for (person, before) in self.state().people.iter_mut().zip(&before) {
            // What came of somebody meanwhile is newer than the list.
            let is_as_before = person.assigned == before.assigned
                && person.link == before.link
                && person.told == before.told;
            person.imported = users
                .iter()
                .find(|user| user[identifier.as_str()] == *person.current.user_name)
                .filter(|user| is_as_before && user["active"] == true)
                .and_then(|user| user["id"].as_str())
                .map(str::to_owned);
        }
        self.import_groups().await?;
        Ok(users)
    }

    /// All groups of the app.
    ///
    /// # Errors
    /// The words for the task.
    pub async fn import_groups(&self) -> Result<Vec<Value>, TaskError> {
        self.list("/Groups").await
    }

    /// Everything of a list, page by page.
    pub(crate) async fn list(&self, of: &str) -> Result<Vec<Value>, TaskError> {
        let doing = "Import";
        let mut rows = Vec::new();
        let mut seen = BTreeSet::new();
        let mut start = 1;
        loop {
            let path = format!("{of}?startIndex={start}&count={PAGE}");
            let answer = self.client.send(doing, Method::GET, &path, None).await?;
            if !answer.is_success() {
                return Err(TaskError::of(doing, &answer));
            }
            let body = answer.body.unwrap_or(Value::Null);
            let total = counter(doing, &body, "totalResults")?;
            let page = body["Resources"].as_array().cloned().unwrap_or_default();
            if total > 0 && counter(doing, &body, "itemsPerPage")? != page.len() as u64 {
                return Err(TaskError::wrong(doing, "itemsPerPage is not the number of rows"));
            }
            for row in page {
                let id = row["id"].as_str().filter(|id| !id.is_empty());
                let id = id.ok_or_else(|| TaskError::wrong(doing, "a row has no id"))?;
                if !seen.insert(id.to_owned()) {
                    return Err(TaskError::wrong(doing, format!("{id} came twice")));
                }
                rows.push(row);
            }
            start += PAGE;
            if start > total {
                if rows.len() as u64 != total {
                    let words = format!("{} rows of {total} came", rows.len());
                    return Err(TaskError::wrong(doing, words));
                }
                return Ok(rows);
            }
        }
    }

    /// The account that an import found is this person's: the app is assigned, and the profile
    /// pushed.
    pub(crate) async fn confirm(
        &self,
        number: PersonNumber,
    ) -> Result<Option<Vec<Action>>, TaskError> {
        let person = self.person(number);
        let Some(id) = person.imported.filter(|_| !person.assigned && person.link.is_none()) else {
            return Ok(None);
        };
        self.with_person(number, |person| person.assigned = true);
        self.put_profile(number, &id, None).await?;
        Ok(Some(self.linked(number, id)))
    }
}

/// A counter that is a whole number; Okta stops at one that is a text.
fn counter(doing: &str, body: &Value, name: &str) -> Result<u64, TaskError> {
    body[name].as_u64().ok_or_else(|| {
        TaskError::wrong(doing, format!("{name} is no whole number: {}", body[name]))
    })
}
