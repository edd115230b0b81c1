//! A played app that has people in a list and the habits of bad lists; each is a switch that a
//! test turns on.
//!
//! `GET /people` gives pages by `offset`, `page` or `cursor`, with a total, a next cursor and how
//! many calls came by now; which of them is believed is for the mapping to say.

use serde_json::{Value, json};
use standin::{Application, Reply, Request};

/// How the list is given.
#[derive(Debug, Clone, Default)]
pub struct Habits {
    /// No page has more rows, however many are asked for.
    pub cap: Option<usize>,
    /// No page leads further than to this row of the list.
    pub ends_after: Option<usize>,
    /// Whatever page is asked for, the first one comes.
    pub ignores_page: bool,
    /// Each row shows how many calls came by now.
    pub chatty: bool,
    /// What is said to be the number of all.
    pub totals: Vec<u64>,
    /// Rows have only id and name.
    pub poor: bool,
    /// Who has this family is taken out of pages, not out of the list.
    pub cuts: Option<&'static str>,
    /// Rows that are put in front of each page.
    pub in_front: Vec<Value>,
    /// The cursors of the pages, in turns.
    pub cursors: Vec<&'static str>,
    /// What happens before a page is given: the number of the page, counted from the last time
    /// habits were given, and what.
    pub meanwhile: Vec<(usize, Meanwhile)>,
}

/// What others do while a list is read.
#[derive(Debug, Clone)]
pub enum Meanwhile {
    /// Somebody comes, in that place of the list.
    Comes(usize, Value),
    /// The person of that id goes.
    Goes(u64),
    /// A field of a person gets this value.
    Becomes(u64, &'static str, Value),
}

/// The app.
pub struct Crowd {
    people: Vec<Value>,
    habits: Habits,
    pages: usize,
    last_id: u64,
}

/// A person; ids are given in the order of the list.
pub fn person(id: u64) -> Value {
    json!({
        "id": id, "name": name(id), "family": format!("Family {id}"),
        "mail": format!("{}@corp.example", name(id)), "active": true,
    })
}

/// The name of the person of that id.
pub fn name(id: u64) -> String {
    format!("person{id:05}")
}

impl Crowd {
    /// People with the ids 1 to `count`.
    pub fn of(count: u64, habits: Habits) -> standin::App {
        standin::App::new(Self {
            people: (1..=count).map(person).collect(),
            habits,
            pages: 0,
            last_id: 1_000_000,
        })
    }

    fn at(&self, id: u64) -> Option<usize> {
        self.people.iter().position(|person| person["id"] == id)
    }

    fn passes(&mut self) {
        let now = self.pages;
        for (_, what) in self.habits.meanwhile.clone().iter().filter(|(at, _)| *at == now) {
            match what {
                Meanwhile::Comes(at, person) => self.people.insert(*at, person.clone()),
                Meanwhile::Goes(id) => self.people.retain(|person| person["id"] != *id),
                Meanwhile::Becomes(id, field, value) => {
                    if let Some(at) = self.at(*id) {
                        self.people[at][field] = value.clone();
                    }
                }
            }
        }
    }

    fn page(&mut self, request: &Request) -> Reply {
        self.pages += 1;
        self.passes();
        let number = |key: &str| request.query(key).and_then(|text| text.parse::<usize>().ok());
        let asked = number("limit").unwrap_or(usize::MAX);
        let limit = asked.min(self.habits.cap.unwrap_or(usize::MAX));
        let cursor = request.query("cursor").map(str::to_owned);
        let known = |cursor: &str| self.habits.cursors.iter().position(|known| *known == cursor);
        let from = match (self.habits.ignores_page, number("page"), &cursor) {
            (true, ..) => 0,
            (_, Some(page), _) => (page - 1) * limit,
            (_, _, Some(cursor)) => match known(cursor) {
                Some(at) => at * limit,
                None => cursor.parse().unwrap_or_default(),
            },
            _ => number("offset").unwrap_or_default(),
        };
        let of = request.query("of").map(|of| of == "active");
        let listed = self.people.iter().filter(|one| of.is_none_or(|of| one["active"] == of));
        let listed: Vec<&Value> = listed.collect();
        let end = listed.len().min(self.habits.ends_after.unwrap_or(usize::MAX));
        let to = from.saturating_add(limit).min(end);
        let mut rows = self.habits.in_front.clone();
        for person in listed.get(from.min(to)..to).unwrap_or_default() {
            if self.habits.cuts.is_some_and(|cut| person["family"] == *cut) {
                continue;
            }
            let mut row = (*person).clone();
            if self.habits.poor {
                row = json!({ "id": row["id"], "name": row["name"] });
            }
            if self.habits.chatty {
                row["call"] = self.pages.into();
            }
            rows.push(row);
        }
        let totals = &self.habits.totals;
        let total = totals.get((self.pages - 1) % totals.len().max(1));
        let next = match self.habits.cursors.as_slice() {
            [] => (to < end).then(|| to.to_string()),
            cursors => Some(cursors[self.pages % cursors.len()].to_owned()),
        };
        Reply::json(
            200,
            json!({
                "items": rows, "total": total.copied().unwrap_or(listed.len() as u64),
                "next": next, "calls": self.pages,
            }),
        )
    }

    fn one(&mut self, request: &Request, id: &str) -> Reply {
        let Some(at) = id.parse().ok().and_then(|id| self.at(id)) else {
            return Reply::json(404, json!({ "error": "nobody" }));
        };
        match request.method.as_str() {
            "GET" => Reply::json(200, self.people[at].clone()),
            "PATCH" => {
                for (key, value) in request.object().cloned().unwrap_or_default() {
                    self.people[at][key] = value;
                }
                Reply::json(200, self.people[at].clone())
            }
            _ => {
                self.people.remove(at);
                Reply::empty(204)
            }
        }
    }
}

impl Application for Crowd {
    fn name(&self) -> &'static str {
        "crowd"
    }

    fn base(&self) -> &'static str {
        "/api"
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("CROWD_URL", url.to_owned()), ("CROWD_TOKEN", "crowd-only-a-placeholder".to_owned())]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        match (request.method.as_str(), request.segments().as_slice()) {
            ("GET", ["people"]) => match request.query("name") {
                None => self.page(request),
                Some(wanted) => {
                    // As many apps do: case does not matter to it.
                    let fits = |person: &&Value| {
                        person["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(wanted))
                    };
                    let found: Vec<&Value> = self.people.iter().filter(fits).collect();
                    Reply::json(200, json!({ "items": found, "total": found.len() }))
                }
            },
            ("POST", ["people"]) => {
                let mut made = request.body.clone();
                self.last_id += 1;
                made["id"] = self.last_id.into();
                made["active"] = true.into();
                self.people.push(made.clone());
                Reply::json(201, made)
            }
            (_, ["people", id]) => {
                let id = (*id).to_owned();
                self.one(request, &id)
            }
            _ => Reply::json(404, json!({ "error": "no such thing" })),
        }
    }

    fn state(&self) -> Value {
        json!({ "people": self.people })
    }

    fn restore(&mut self, _: &Value) -> Result<(), String> {
        Err("it is never kept".to_owned())
    }

    /// A person, in the order of coming; one of that id is changed.
    fn put(&mut self, _: &str, record: &Value) -> Result<Value, String> {
        let id = record["id"].as_u64().ok_or("a person has an id")?;
        match self.at(id) {
            Some(at) => self.people[at] = record.clone(),
            None => self.people.push(record.clone()),
        }
        Ok(id.into())
    }

    fn remove(&mut self, _: &str, id: &Value) -> Result<(), String> {
        let at = id.as_u64().and_then(|id| self.at(id)).ok_or("nobody has that id")?;
        self.people.remove(at);
        Ok(())
    }

    fn populate(&mut self) {}
}

/// The mapping of the app; `paging` of its list, further keys of `users`, and calls.
pub fn mapping(paging: &str, users: &str, calls: &str) -> String {
    let list = if users.contains("list:") { "" } else { "  list: [ all ]\n" };
    let row = if users.contains("not_in_list") { ", not_in_list: true" } else { "" };
    let users = users.replace("not_in_list", "");
    let exists = if users.contains("if_exists") { "" } else { "  if_exists: adopt\n" };
    format!(
        r#"mapping: 1
app: crowd
vars: {{ url: {{ env: CROWD_URL }} }}
secrets: {{ token: {{ env: CROWD_TOKEN }} }}
connect:
  base_url: "{{{{vars.url}}}}"
  auth: {{ bearer: {{ secret: token }} }}
  error_text: [ $.body.error ]
  timeout: 2s
  retries: {{ first_wait: 10ms, longest_wait: 50ms }}
sync:
  unique: [name]
users:
  id: id
  never_touch: user.userName eq "root"
{exists}  attributes:
    name: {{ scim: userName, required: true }}
    family: name.familyName
    mail: {{ scim: emails.value, pick: primary{row} }}
    active: {{ scim: active, send: never }}
  find: [ {{ by: userName, use: by_name }} ]
  create: [ add ]
  update: [ change ]
  deactivate: [ switch_off ]
  reactivate: [ switch_on ]
  delete: [ drop ]
  get: [ read ]
{list}{users}
calls:
  by_name: {{ call: GET /people, query: {{ name: $.wanted }}, records: "$.body.items[*]" }}
  all:
    call: GET /people
    query: {paging}
    records: "$.body.items[*]"
  read: {{ call: "GET /people/{{{{id}}}}", record: $.body }}
  add: {{ call: POST /people, send: [name, family, mail], save: {{ id: $.body.id }}, record: $.body, if_in_doubt: find }}
  change: {{ call: "PATCH /people/{{{{id}}}}", send: [name, family, mail], only: changed, if_in_doubt: resend }}
  switch_off: {{ call: "PATCH /people/{{{{id}}}}", body: {{ active: false }}, if_in_doubt: resend }}
  switch_on: {{ call: "PATCH /people/{{{{id}}}}", body: {{ active: true }}, if_in_doubt: resend }}
  drop: {{ call: "DELETE /people/{{{{id}}}}", errors: [ {{ status: 404, is: already_done }} ] }}
{calls}
"#
    )
}

/// Pages by offset and nothing that says which is the last.
pub const BLIND: &str =
    "{ offset: $.page.offset, limit: $.page.size }\n    paging: { by: offset, size: 100 }";
/// The same by number.
pub const NUMBERED: &str =
    "{ page: $.page.number, limit: $.page.size }\n    paging: { by: page, size: 100 }";
/// Pages by offset, with the number of all.
pub const COUNTED: &str = "{ offset: $.page.offset, limit: $.page.size }\n    paging: { by: offset, size: 100, total: $.body.total }";
/// Pages by number, with the number of all.
pub const NUMBERED_AND_COUNTED: &str = "{ page: $.page.number, limit: $.page.size }\n    paging: { by: page, size: 100, total: $.body.total }";
/// Pages by cursor.
pub const CURSOR: &str = "{ cursor: $.page.cursor, limit: $.page.size }\n    paging: { by: cursor, size: 100, next: $.body.next }";
