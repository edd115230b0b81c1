//! Rooms: groups whose members are people or their seats, written one by one, in batches with
//! some refused, or by a difference.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Teams, body, error, items, name, number, only_queries};
use crate::wire::{Reply, Request};

/// A seat of a person; a person has none, one or several.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Seat {
    pub seat: u64,
    pub person: u64,
}

/// A room.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Room {
    pub id: u64,
    pub name: String,
    /// Ids of people, or of seats: the calls decide.
    pub members: BTreeSet<u64>,
}

impl Teams {
    pub(super) fn on_rooms(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                only_queries(request, &["name"])?;
                let name = request.query("name");
                // As a search does: without case.
                let folded = name.map(str::to_lowercase);
                let fits = |room: &&Room| {
                    folded.as_ref().is_none_or(|name| room.name.to_lowercase() == *name)
                };
                let shown = |room: &Room| json!({ "id": room.id, "name": room.name });
                items(self.rooms.values().filter(fits).map(shown))
            }
            ("POST", []) => {
                let name = name(request)?;
                if self.rooms.values().any(|room| room.name == name) {
                    return Err(error(409, "the name is taken"));
                }
                self.last_id += 1;
                let made = Room { id: self.last_id, name, members: BTreeSet::new() };
                let shown = json!({ "id": made.id, "name": made.name });
                self.rooms.insert(made.id, made);
                Ok(Reply::json(201, shown))
            }
            ("GET", [id]) => {
                let room = self.room(id)?.clone();
                let seat = |id: &u64| match self.seats.get(id) {
                    Some(seat) => json!({ "seat": id, "person": seat.person }),
                    None => json!({ "person": id }),
                };
                let members: Vec<Value> = room.members.iter().map(seat).collect();
                let shown = json!({ "id": room.id, "name": room.name });
                Ok(Reply::json(200, json!({ "room": shown, "members": members })))
            }
            ("PATCH", [id]) => {
                let name = name(request)?;
                self.room(id)?.name = name;
                Ok(Reply::empty(204))
            }
            ("DELETE", [id]) => {
                let id = self.room(id)?.id;
                if !self.rooms[&id].members.is_empty() {
                    return Err(error(409, "somebody is in the room"));
                }
                self.rooms.remove(&id);
                Ok(Reply::empty(204))
            }
            (_, [id, "people", rest @ ..]) => self.on_members(request, id, rest),
            ("POST", [id, "seats"]) => self.change_seats(request, id),
            _ => Err(error(404, "no such resource")),
        }
    }

    /// `POST .../people { people }` lets in whom it can and names the others; `PUT .../people`
    /// sets all and refuses the whole for one; `PUT` and `DELETE .../people/ID` are for one.
    fn on_members(&mut self, request: &Request, id: &str, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("POST", []) => {
                let people = ids(body(request, &["people"])?.get("people"))?;
                let (out, fine): (Vec<u64>, Vec<u64>) =
                    people.into_iter().partition(|id| self.people.get(id).is_none_or(|p| p.frozen));
                self.room(id)?.members.extend(fine);
                Ok(Reply::json(200, json!({ "refused": out })))
            }
            ("PATCH", []) => {
                let people = ids(body(request, &["people"])?.get("people"))?;
                self.all_fine(&people)?;
                self.room(id)?.members.extend(people);
                Ok(Reply::empty(204))
            }
            ("PUT", []) => {
                let people = ids(body(request, &["people"])?.get("people"))?;
                self.all_fine(&people)?;
                self.room(id)?.members = people.into_iter().collect();
                Ok(Reply::empty(204))
            }
            ("DELETE", []) => {
                let people = ids(body(request, &["people"])?.get("people"))?;
                let room = self.room(id)?;
                room.members.retain(|member| !people.contains(member));
                Ok(Reply::empty(204))
            }
            ("PUT", [person]) => {
                let person = number(person)?;
                if !self.people.contains_key(&person) {
                    return Err(error(404, "no such person"));
                }
                self.all_fine(&[person])?;
                self.room(id)?.members.insert(person);
                Ok(Reply::empty(204))
            }
            ("DELETE", [person]) => {
                let person = number(person)?;
                match self.room(id)?.members.remove(&person) {
                    true => Ok(Reply::empty(204)),
                    false => Err(error(404, "not in the room")),
                }
            }
            _ => Err(error(404, "no such resource")),
        }
    }

    fn change_seats(&mut self, request: &Request, id: &str) -> Result<Reply, Reply> {
        let body = body(request, &["add", "remove"])?;
        let (add, remove) = (ids(body.get("add"))?, ids(body.get("remove"))?);
        if let Some(seat) = add.iter().find(|seat| !self.seats.contains_key(seat)) {
            return Err(error(400, format!("no seat {seat}")));
        }
        let room = self.room(id)?;
        room.members.extend(add);
        room.members.retain(|member| !remove.contains(member));
        Ok(Reply::empty(204))
    }

    fn all_fine(&self, people: &[u64]) -> Result<(), Reply> {
        let fine = |id: &&u64| self.people.get(id).is_some_and(|person| !person.frozen);
        match people.iter().find(|id| !fine(id)) {
            Some(id) => Err(error(400, format!("person {id} cannot come in"))),
            None => Ok(()),
        }
    }

    fn room(&mut self, id: &str) -> Result<&mut Room, Reply> {
        self.rooms.get_mut(&number(id)?).ok_or_else(|| error(404, "no such room"))
    }
}

/// A list of ids in a body; ids are numbers and no texts.
fn ids(value: Option<&Value>) -> Result<Vec<u64>, Reply> {
    let list = value.and_then(Value::as_array);
    let list = list.ok_or_else(|| error(400, "a list of ids is expected"))?;
    let ids: Option<Vec<u64>> = list.iter().map(Value::as_u64).collect();
    ids.ok_or_else(|| error(400, "ids are whole numbers"))
}
