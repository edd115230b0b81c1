//! The text of a first mapping. What was guessed says so in a comment.

use serde_json::{Value, json};

use super::api::Known;
use super::fields::{Active, Fields};
use super::shape::Shape;
use super::{Draft, DraftAuth, DraftOrder, folded, line};
use crate::mapping::field::FieldPath;

/// Names of a query that place the pages.
const OFFSETS: &[&str] = &["offset", "skip", "start"];
const SIZES: &[&str] =
    &["limit", "pagesize", "perpage", "size", "count", "maxresults", "top", "take"];
const NUMBERS: &[&str] = &["page", "pagenumber", "pageno", "pageindex"];
const CURSORS: &[&str] = &["cursor", "after", "pagetoken", "nexttoken", "continuationtoken"];

struct Writer<'d> {
    out: String,
    order: &'d DraftOrder,
    known: Option<&'d Known>,
    shape: &'d Shape,
    fields: &'d Fields,
    guessed: Vec<String>,
}

pub(super) fn mapping(
    order: &DraftOrder,
    known: Option<&Known>,
    shape: &Shape,
    fields: &Fields,
    record: Option<Value>,
) -> Draft {
    let guessed = Vec::new();
    let mut writer = Writer { out: String::new(), order, known, shape, fields, guessed };
    writer.head();
    writer.connect();
    let switches = writer.users();
    writer.calls(switches);
    writer.tail();
    Draft { text: writer.out, record, guessed: writer.guessed, switches: switches.is_some() }
}

/// How somebody is switched off and on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Switch {
    /// A call of its own for each.
    Calls,
    /// PATCH of the field.
    Patch,
}

impl Writer<'_> {
    fn say(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn guess(&mut self, text: impl Into<String>) {
        self.guessed.push(text.into());
    }

    fn env(&self, what: &str) -> String {
        let name: String = self.order.app.to_uppercase().replace('-', "_");
        // A variable's name must not begin with a digit.
        let joint = if name.starts_with(|c: char| c.is_ascii_digit()) { "APP_" } else { "" };
        format!("{joint}{name}_{what}")
    }

    fn auth(&self) -> DraftAuth {
        let said = self.known.and_then(|known| known.auth.clone());
        self.order.auth.clone().or(said).unwrap_or(DraftAuth::Bearer)
    }

    fn head(&mut self) {
        let app = &self.order.app;
        let text = format!(
            "# {app}: a first mapping, made by `scim-bridge new`. Comments that begin with GUESS say what to compare with\n\
             # the app's manual. Then, in this order:\n\
             #   scim-bridge check {app}.yaml     is it a mapping?\n\
             #   scim-bridge test {app}.yaml      does it do what its tests say? They were made from it: correct both\n\
             #   scim-bridge try {app}.yaml       does the app answer as it says? Only reads\n\
             #   scim-bridge explain {app}.yaml create user\n\
             mapping: 1\n\
             app: {}",
            line(&json!(app))
        );
        self.say(&text);
        let url = self.env("URL");
        let base = line(&json!(self.order.base_url));
        let text = format!(
            "\nvars:\n  url: {{ env: {url}, value: {base} }}     # {url} replaces it, for a test system"
        );
        self.say(&text);
        let secrets: Vec<(&str, &str)> = match self.auth() {
            DraftAuth::None => Vec::new(),
            DraftAuth::Basic | DraftAuth::Session(_) => {
                vec![("user", "USER"), ("password", "PASSWORD")]
            }
            DraftAuth::Bearer | DraftAuth::Header(_) => vec![("token", "TOKEN")],
            DraftAuth::OAuth2(_) => {
                vec![("client_id", "CLIENT_ID"), ("client_secret", "CLIENT_SECRET")]
            }
        };
        if !secrets.is_empty() {
            self.say("secrets:                                    # values come from the environment, or { file: PATH }");
        }
        for (name, env) in secrets {
            let text = format!("  {name}: {{ env: {} }}", self.env(env));
            self.say(&text);
        }
    }

    fn connect(&mut self) {
        self.say("\nconnect:\n  base_url: \"{{vars.url}}\"");
        match self.auth() {
            DraftAuth::None => {}
            DraftAuth::Basic => {
                self.say(
                    "  auth: { basic: { user: { secret: user }, password: { secret: password } } }",
                );
            }
            DraftAuth::Bearer => self.say("  auth: { bearer: { secret: token } }"),
            DraftAuth::Header(name) => {
                let text = format!(
                    "  auth: {{ header: {}, value: {{ secret: token }} }}",
                    line(&json!(name))
                );
                self.say(&text);
            }
            DraftAuth::OAuth2(url) => {
                let known = url.is_some();
                let url = url.unwrap_or_else(|| "{{vars.url}}/oauth/token".to_owned());
                let note = if known { "" } else { "   # GUESS: where tokens are given" };
                let text = format!(
                    "  auth:\n    oauth2:\n      token_url: {}{note}\n      client_id: {{ secret: client_id }}\n      client_secret: {{ secret: client_secret }}",
                    line(&json!(url))
                );
                self.say(&text);
                if !known {
                    self.guess("where tokens are given (token_url)");
                }
            }
            DraftAuth::Session(path) => {
                let path = path.unwrap_or_else(|| "/login".to_owned());
                let text = format!(
                    "  auth:\n    session:\n      login:                                # GUESS: the login call and what it gives\n        \
                     call: POST {path}\n        body: {{ username: {{ secret: user }}, password: {{ secret: password }} }}\n        \
                     save: {{ token: $.body.token }}\n      headers: {{ Authorization: \"Bearer {{{{session.token}}}}\" }}"
                );
                self.say(&text);
                self.guess("the login call, its body and where its answer has the token");
            }
        }
        self.say(
            "  # error_text: [ $.body.message ]          # where the app's errors have their words",
        );
    }

    /// The attribute table and the operations.
    fn users(&mut self) -> Option<Switch> {
        let fields = self.fields;
        let switch = self.switch();
        let seen = self.shape.record.is_some();
        let note = if seen { "" } else { "             # GUESS: nothing was given to look at" };
        let text = format!(
            "\nusers:\n  id: {:<39} # the field that is different for each, and for ever the same\n  attributes: {note}",
            line(&json!(fields.id))
        );
        self.say(text.trim_end());
        for row in &fields.rows {
            let field = line(&json!(row.field));
            let scim = if row.scim.contains("Numbers.") || row.scim.contains("emails.") {
                format!("{{ scim: {}, pick: primary{} }}", row.scim, integer(row.integer))
            } else if row.scim == "userName" {
                format!("{{ scim: userName, required: true{} }}", integer(row.integer))
            } else if row.integer {
                format!("{{ scim: {}, type: integer }}", row.scim)
            } else {
                row.scim.to_owned()
            };
            let text = format!("    {field}: {scim}");
            self.say(&text);
        }
        if let Some(active) = &fields.active {
            self.active(active, switch);
        }
        if !fields.left.is_empty() {
            let text = format!("    # not mapped: {}", fields.left.join(", "));
            self.say(&text);
        }
        if fields.named_by_mail
            && let Some(name) = &fields.user_name
        {
            let text = format!(
                "  shows:                                    # the app has no user name: people are named by their address\n    emails.value: {}",
                line(&json!(format!("{{{{current.{name}}}}}")))
            );
            if !name.contains('[') {
                self.say(&text);
            }
            self.guess("people are named by their e-mail address");
        }
        self.say(
            "  # never_touch: user.userName eq \"admin\"   # accounts the bridge must leave alone",
        );
        self.say("  find:       [ { by: userName, use: look_up } ]");
        self.say("  create:     [ add ]");
        self.say("  update:     [ change ]");
        match switch {
            Some(_) => {
                self.say("  deactivate: [ disable ]\n  reactivate: [ enable ]");
                self.say("  delete:     deactivate                    # or calls that remove the account, or refuse");
            }
            None if self.can("delete") => {
                self.say("  delete:     [ remove ]");
            }
            None => self.say("  delete:     refuse                        # GUESS: or [ remove ] with a call that removes"),
        }
        self.say("  get:        [ read ]\n  list:       [ page ]");
        switch
    }

    fn active(&mut self, active: &Active, switch: Option<Switch>) {
        let send = if switch.is_some() { ", send: never" } else { "" };
        let field = line(&json!(active.field));
        if active.rows.is_empty() {
            let text = format!("    {field}: {{ scim: active{send} }}");
            self.say(&text);
            return;
        }
        let note = match active.is_guess {
            true => {
                self.guess(format!("the values of `{}` for switched off and on", active.field));
                "   # GUESS: are these all values, and the right ones?"
            }
            false => "",
        };
        let rows: String = active
            .rows
            .iter()
            .map(|(on, value)| format!("\n        - {{ scim: {on}, app: {} }}", line(value)))
            .collect();
        let text = format!("    {field}:{note}\n      scim: active");
        self.say(&text);
        if switch.is_some() {
            self.say("      send: never                           # only `disable` and `enable` change it");
        }
        let text = format!("      table:{rows}");
        self.say(&text);
    }

    fn can(&self, method: &str) -> bool {
        self.known.is_some_and(|known| known.item_methods.iter().any(|known| known == method))
    }

    /// Whether PATCH changes somebody; without an API file it is what most have.
    fn patches(&self) -> bool {
        self.known.is_none_or(|known| known.item.is_none()) || self.can("patch")
    }

    fn switch(&self) -> Option<Switch> {
        if self.known.is_some_and(|known| known.off.is_some() && known.on.is_some()) {
            return Some(Switch::Calls);
        }
        (self.fields.active.is_some() && self.patches()).then_some(Switch::Patch)
    }

    fn list_path(&mut self) -> String {
        let known = self.known.and_then(|known| known.list.clone());
        let path = self.order.list.clone().or(known);
        if path.is_none() {
            self.guess("the path /users");
        }
        let path = path.unwrap_or_else(|| "/users".to_owned());
        format!("/{}", path.trim_matches('/'))
    }

    fn calls(&mut self, switch: Option<Switch>) {
        let list = self.list_path();
        let item = self.known.and_then(|known| known.item.clone());
        if item.is_none() {
            self.guess(format!("the path of one person: {list}/{{{{id}}}}"));
        }
        let item = item.unwrap_or_else(|| format!("{list}/{{{{id}}}}"));
        self.say("\ncalls:");
        self.lists(&list);
        let single = path_text(&self.shape.single);
        let note = if self.shape.single_seen {
            ""
        } else {
            self.guess(format!("where the answer about one person has the record: {single}"));
            "   # GUESS: where the record stands in the answer"
        };
        let text = format!("  read:\n    call: GET {item}\n    record: {single}{note}");
        self.say(&text);
        let send = self.send(switch);
        let form =
            if self.known.is_some_and(|known| known.form) { "    sends: form\n" } else { "" };
        let id = dotted(&self.fields.id);
        let text = format!(
            "  add:\n    call: POST {list}\n{form}    send: {send}\n    save: {{ id: \"{single}{id}\" }}{}\n    if_in_doubt: find                       # no answer? look the name up before trying again",
            if self.shape.single_seen {
                ""
            } else {
                "   # GUESS: where the answer has the new key"
            }
        );
        self.say(&text);
        if self.patches() {
            let text = format!(
                "  change:\n    call: PATCH {item}\n{form}    send: {send}\n    only: changed\n    if_in_doubt: resend                     # the same values again do no harm"
            );
            self.say(&text);
        } else {
            let text = format!(
                "  change:                                   # GUESS: does a PUT blank what is not sent? Then add: body: $.merged\n    call: PUT {item}\n{form}    send: {send}\n    if_in_doubt: resend"
            );
            self.say(&text);
            self.guess("what a PUT does with fields that are not sent");
        }
        self.switches(switch, &item, form);
        if switch.is_none() && self.can("delete") {
            let text = format!(
                "  remove:\n    call: DELETE {item}\n    errors: [ {{ status: 404, is: already_done }} ]"
            );
            self.say(&text);
        }
    }

    fn switches(&mut self, switch: Option<Switch>, item: &str, form: &str) {
        match switch {
            None => {}
            Some(Switch::Calls) => {
                let calls = self.known.and_then(|known| known.off.clone().zip(known.on.clone()));
                let Some((off, on)) = calls else { return };
                for (name, (method, path)) in [("disable", off), ("enable", on)] {
                    let text =
                        format!("  {name}:\n    call: {method} {path}\n    if_in_doubt: resend");
                    self.say(&text);
                }
            }
            Some(Switch::Patch) => {
                let Some(active) = &self.fields.active else { return };
                for (name, value) in [("disable", &active.off), ("enable", &active.on)] {
                    let mut body = Value::Null;
                    if let Ok(field) = FieldPath::compile(&active.field) {
                        field.put(&mut body, value.clone(), &Value::Null);
                    }
                    let body = line(&body);
                    let text = format!(
                        "  {name}:\n    call: PATCH {item}\n{form}    body: {body}\n    if_in_doubt: resend"
                    );
                    self.say(&text);
                }
            }
        }
    }

    /// The list, and the same as a look-up: rows whose name is another one do not count.
    fn lists(&mut self, path: &str) {
        let (query, paging) = self.paging();
        let records = format!("\"{}[*]\"", path_text(&self.shape.list));
        let name = self.fields.user_name.clone().unwrap_or_default();
        let top = name.split(['.', '[']).next().unwrap_or_default().to_owned();
        let filter = match self.known {
            Some(known) if known.list.is_some() => {
                let wanted = [folded(&top), "username".into(), "login".into(), "email".into()];
                let mut named = wanted.iter();
                named.find_map(|w| known.query.iter().find(|name| folded(name) == *w)).cloned()
            }
            _ => Some(top),
        };
        let note = match (&filter, self.known.is_some_and(|known| known.list.is_some())) {
            (None, _) => {
                self.guess("the app seems to have no search: every look-up reads all pages");
                "   # GUESS: is there a query that asks for one person? Place $.wanted in it"
            }
            (Some(_), true) => "",
            (Some(name), false) => {
                self.guess(format!("that {path} can be asked for one person by `{name}`"));
                "   # GUESS: how the app is asked for one person; rows with another name do not count"
            }
        };
        let mut wanted: Vec<String> =
            filter.iter().map(|f| format!("{}: $.wanted", line(&json!(f)))).collect();
        wanted.extend(query.iter().cloned());
        for (call, query, note) in [("look_up", wanted, note), ("page", query, "")] {
            let text = format!("  {call}:{note}\n    call: GET {path}");
            self.say(&text);
            if !query.is_empty() {
                let text = format!("    query: {{ {} }}", query.join(", "));
                self.say(&text);
            }
            match &paging {
                Some(paging) => {
                    let text = format!("    paging: {paging}");
                    self.say(&text);
                }
                None => self.say("    # GUESS: everybody in one answer? If the app gives pages, say how: paging: { by: offset, ... }"),
            }
            let seen = if self.shape.list_seen {
                ""
            } else {
                "   # GUESS: where the rows stand in the answer"
            };
            let text = format!("    records: {records}{seen}");
            self.say(&text);
        }
        if paging.is_none() {
            self.guess("that the list has no pages");
        }
        if !self.shape.list_seen {
            self.guess("where the rows of a list stand in the answer");
        }
    }

    /// Pairs of the query, and `paging`.
    fn paging(&self) -> (Vec<String>, Option<String>) {
        let total =
            self.shape.total.as_ref().map(|names| format!(", total: \"{}\"", path_text(names)));
        let total = total.unwrap_or_default();
        let query = self.known.map(|known| known.query.as_slice()).unwrap_or_default();
        let named = |wanted: &[&str]| query.iter().find(|n| wanted.contains(&folded(n).as_str()));
        let pair = |name: &str, what: &str| format!("{}: $.page.{what}", line(&json!(name)));
        let size = named(SIZES);
        let with = |name: &String, what: &str| {
            let mut pairs = vec![pair(name, what)];
            pairs.extend(size.map(|size| pair(size, "size")));
            pairs
        };
        let sized = if size.is_some() { ", size: 100" } else { "" };
        if let (Some(cursor), Some(next)) = (named(CURSORS), &self.shape.next) {
            let next = path_text(next);
            let rule = format!("{{ by: cursor{sized}, next: \"{next}\"{total} }}");
            return (with(cursor, "cursor"), Some(rule));
        }
        if let (Some(start), Some(_)) = (named(&["startindex"]), size) {
            return (
                with(start, "offset"),
                Some(format!("{{ by: offset, first: 1{sized}{total} }}")),
            );
        }
        if let (Some(offset), Some(_)) = (named(OFFSETS), size) {
            return (with(offset, "offset"), Some(format!("{{ by: offset{sized}{total} }}")));
        }
        if let (Some(number), Some(_)) = (named(NUMBERS), size) {
            return (with(number, "number"), Some(format!("{{ by: page{sized}{total} }}")));
        }
        // A total that one answer does not reach fails the list: nobody is lost unseen.
        let rule = (!total.is_empty()).then(|| format!("{{ by: none{total} }}"));
        (Vec::new(), rule)
    }

    fn send(&self, switch: Option<Switch>) -> String {
        let mut tops: Vec<String> = Vec::new();
        let active = self.fields.active.iter().filter(|_| switch.is_none()).map(|a| &a.field);
        for field in self.fields.rows.iter().map(|row| &row.field).chain(active) {
            let top = field.split(['.', '[']).next().unwrap_or_default().to_owned();
            if !tops.contains(&top) {
                tops.push(top);
            }
        }
        let tops: Vec<String> = tops.iter().map(|top| line(&json!(top))).collect();
        format!("[ {} ]", tops.join(", "))
    }

    fn tail(&mut self) {
        self.say(
            "\n# errors:                                   # 401, 403, 404, 409, 429 and 5xx are built in\n\
             #   - { status: 400, when: body.message co \"already exists\", is: conflict }",
        );
    }
}

fn integer(is: bool) -> &'static str {
    if is { ", type: integer" } else { "" }
}

/// `$.body.data.users`.
fn path_text(names: &[String]) -> String {
    let mut text = "$.body".to_owned();
    for name in names {
        text.push_str(&dotted(name));
    }
    text
}

fn dotted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { format!(".{name}") } else { format!("['{}']", name.replace(['\'', '\\'], "")) }
}
