//! User accounts and the Do-Not-Track list.

use serde_json::{Map, Value, json};

use super::{
    Activtrak,
    records::User,
    rules::{self, Batch, error},
};
use crate::wire::{Reply, Request};

const TAKEN: &str = "Identifier already in use";
const SAME_NAME: &str = "Display name already in use";
const NO_EMAIL: &str = "At least one email is required";
const NOBODY: &str = "User not found";

impl Activtrak {
    pub(super) fn on_users(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                rules::only(request, &["page", "pageSize", "identifier"])?;
                let wanted = request.query("identifier").map(str::to_lowercase);
                let fits = |user: &&User| {
                    wanted.as_ref().is_none_or(|wanted| user.identifiers().contains(wanted))
                };
                let rows = self.users.values().filter(fits).map(User::shown).collect();
                rules::paged(request, "users", rows)
            }
            ("GET", [id]) => {
                let found = self.users.get(&rules::number(id, "id")?);
                let shown = found.map(|user| Reply::json(200, json!({ "user": user.shown() })));
                shown.ok_or_else(|| error(404, NOBODY))
            }
            ("POST", []) => {
                let users = list(request, true)?;
                let mut batch = Batch::default();
                users.iter().for_each(|fields| self.create(fields, &mut batch));
                Ok(batch.reply())
            }
            ("PATCH", []) => {
                let users = list(request, false)?;
                let mut batch = Batch::default();
                users.iter().for_each(|fields| self.change(fields, &mut batch));
                Ok(batch.reply())
            }
            _ => Err(error(404, "Not found")),
        }
    }

    /// Whoever has one of the identifiers is updated.
    fn create(&mut self, fields: &Map<String, Value>, batch: &mut Batch) {
        let mut made = User::default();
        made.take(fields);
        let names = made.identifiers();
        let known = |user: &&User| !user.identifiers().is_disjoint(&names);
        let there: Vec<u64> = self.users.values().filter(known).map(|user| user.id).collect();
        let (id, exists) = match there.as_slice() {
            [] => (self.last.user + 1, false),
            [id] => (*id, true),
            _ => return batch.refused(json!({ "id": 0, "username": made.username() }), TAKEN),
        };
        let mut whole = match self.users.get(&id) {
            Some(there) => there.clone(),
            None => User { id, ..User::default() },
        };
        whole.take(fields);
        if let Some(refused) = self.refuses(&whole) {
            return batch.refused(json!({ "id": 0, "username": made.username() }), refused);
        }
        self.last.user = self.last.user.max(id);
        batch.worked(json!({ "id": id, "username": whole.username() }));
        if exists {
            batch.say("User already exists and was updated");
        }
        self.users.insert(id, whole);
    }

    fn change(&mut self, fields: &Map<String, Value>, batch: &mut Batch) {
        let id = fields.get("id").and_then(Value::as_u64).unwrap_or_default();
        let Some(there) = self.users.get(&id) else {
            return batch.refused(json!({ "id": id, "username": "" }), NOBODY);
        };
        let entry = json!({ "id": id, "username": there.username() });
        let mut whole = there.clone();
        whole.take(fields);
        match self.refuses(&whole) {
            Some(refused) => batch.refused(entry, refused),
            None => {
                batch.worked(json!({ "id": id, "username": whole.username() }));
                self.users.insert(id, whole);
            }
        }
    }

    /// Why a record cannot be so.
    fn refuses(&self, whole: &User) -> Option<&'static str> {
        if whole.emails.is_empty() {
            return Some(NO_EMAIL);
        }
        let names = whole.identifiers();
        let display = whole.display_name.to_lowercase();
        let mut others = self.users.values().filter(|user| user.id != whole.id);
        others.find_map(|user| {
            if user.display_name.to_lowercase() == display {
                return Some(SAME_NAME);
            }
            (!user.identifiers().is_disjoint(&names)).then_some(TAKEN)
        })
    }

    /// POST puts users on the list, DELETE (with a body) takes them off it.
    pub(super) fn on_do_not_track(&mut self, request: &Request) -> Result<Reply, Reply> {
        let listed = match request.method.as_str() {
            "POST" => true,
            "DELETE" => false,
            _ => return Err(error(404, "Not found")),
        };
        let mut batch = Batch::default();
        for id in rules::ids(rules::body(request, &["userIds"])?, "userIds")? {
            match self.users.get_mut(&id) {
                Some(user) => {
                    user.do_not_track = listed;
                    batch.worked(json!({ "id": id, "username": user.username() }));
                }
                None => batch.refused(json!({ "id": id, "username": "" }), NOBODY),
            }
        }
        Ok(batch.reply())
    }

    pub(super) fn drop_user(&mut self, id: u64) -> Option<()> {
        self.users.remove(&id)?;
        let agents: Vec<u64> =
            self.clients.values().filter(|client| client.userid == id).map(|c| c.id).collect();
        for agent in agents {
            self.drop_client(agent);
        }
        Some(())
    }
}

/// The checked entries of a body `{"users": [...]}`.
fn list(request: &Request, is_new: bool) -> Result<Vec<&Map<String, Value>>, Reply> {
    let users = rules::body(request, &["users"])?.get("users").and_then(Value::as_array);
    let users = users.ok_or_else(|| error(400, "'users' must be a list"))?;
    users.iter().map(|entry| rules::user(entry, is_new)).collect()
}
