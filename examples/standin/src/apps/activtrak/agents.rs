//! Agents: listed, deleted, restored. None can be made or uninstalled by the API.

use serde_json::{Value, json};

use super::{
    Activtrak,
    records::Client,
    rules::{self, Batch, error},
};
use crate::wire::{Reply, Request};

impl Activtrak {
    pub(super) fn on_clients(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                rules::only(request, &["page", "pageSize", "userid"])?;
                let userid = request.query("userid").map(|text| rules::number(text, "userid"));
                let userid: Option<u64> = userid.transpose()?;
                let fits = |client: &&Client| userid.is_none_or(|userid| client.userid == userid);
                let rows = self.clients.values().filter(fits).map(|client| json!(client));
                rules::paged(request, "clients", rows.collect())
            }
            ("DELETE", []) => {
                let mut batch = Batch::default();
                for id in rules::ids(rules::body(request, &["clientIds"])?, "clientIds")? {
                    match self.drop_client(id) {
                        Some(client) => {
                            self.history.insert(id, client);
                            batch.worked(json!({ "id": id }));
                        }
                        None => batch.refused(json!({ "id": id }), "Client not found"),
                    }
                }
                Ok(batch.reply())
            }
            ("POST", ["restore"]) => {
                let body = rules::body(request, &["userid"])?;
                let userid = body.get("userid").and_then(Value::as_u64);
                let userid = userid.ok_or_else(|| error(400, "'userid' must be a whole number"))?;
                Ok(self.restore_agents(userid))
            }
            _ => Err(error(404, "Not found")),
        }
    }

    /// The agents come back with their history, but not into their groups.
    fn restore_agents(&mut self, userid: u64) -> Reply {
        let mut batch = Batch::default();
        if !self.users.contains_key(&userid) {
            batch.refused(json!({ "id": userid }), "User not found");
            return batch.reply();
        }
        let gone: Vec<u64> =
            self.history.values().filter(|client| client.userid == userid).map(|c| c.id).collect();
        for id in gone {
            if let Some(client) = self.history.remove(&id) {
                self.clients.insert(id, client);
                batch.worked(json!({ "id": id }));
            }
        }
        batch.reply()
    }

    /// An agent leaves, all groups too.
    pub(super) fn drop_client(&mut self, id: u64) -> Option<Client> {
        let client = self.clients.remove(&id)?;
        for group in self.groups.values_mut() {
            group.members.remove(&id);
        }
        Some(client)
    }
}
