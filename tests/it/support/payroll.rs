//! A played app of the old school: XML both ways, a login page with a cookie and a token
//! against forgery, HTML with status 200 for whoever is not logged in. OAuth2 beside it.

use std::collections::BTreeMap;

use quick_xml::events::Event;
use quick_xml::{Reader, escape::escape, escape::unescape};
use serde_json::{Value, json};
use standin::{Application, Reply, Request};

pub const PASSWORD: &str = "pay-hunter2";

/// The app; `uses` is how many requests a session is good for.
pub struct Payroll {
    uses: u32,
    /// Uses that are left of the session of that number.
    left: u32,
    session: u32,
    /// Logins although the session before was still good.
    early: u32,
    refused: u32,
    logouts: u32,
    employees: BTreeMap<u64, BTreeMap<String, String>>,
    last_id: u64,
}

impl Payroll {
    pub fn with_uses(uses: u32) -> standin::App {
        standin::App::new(Self {
            uses,
            left: 0,
            session: 0,
            early: 0,
            refused: 0,
            logouts: 0,
            employees: BTreeMap::new(),
            last_id: 0,
        })
    }

    fn csrf(&self) -> String {
        format!("csrf-{}-only-for-the-bridge", self.session)
    }

    fn cookie(&self) -> String {
        format!("cookie-{}-only-for-the-bridge", self.session)
    }

    fn open(&mut self) {
        self.early += u32::from(self.left > 0);
        self.session += 1;
        self.left = self.uses;
    }

    fn login(&mut self, request: &Request) -> Reply {
        let form: BTreeMap<String, String> =
            form_urlencoded::parse(request.text.as_bytes()).into_owned().collect();
        let named = |name: &str| form.get(name).map(String::as_str);
        if request.path == "/oauth/token" {
            if named("client_secret") != Some(PASSWORD) || named("grant_type").is_none() {
                self.refused += 1;
                let words = format!("wrong: {}", named("client_secret").unwrap_or_default());
                return Reply::json(
                    400,
                    json!({ "error": "invalid_client", "error_description": words }),
                );
            }
            self.open();
            return Reply::json(200, json!({ "access_token": self.csrf(), "expires_in": 3600 }));
        }
        if (named("j_username"), named("j_password")) != (Some("bridge"), Some(PASSWORD)) {
            self.refused += 1;
            return page();
        }
        self.open();
        let mut reply = xml(200, format!("<session><csrf>{}</csrf></session>", self.csrf()));
        reply
            .headers
            .push(("set-cookie", format!("PDSESSION={}; Path=/; HttpOnly", self.cookie())));
        reply
    }

    fn is_logged_in(&self, request: &Request) -> bool {
        let header = |name: &str| {
            request.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
        };
        let by_cookie = header("cookie") == Some(format!("PDSESSION={}", self.cookie()))
            && header("x-csrf") == Some(self.csrf());
        self.left > 0 && (by_cookie || request.bearer() == Some(&self.csrf()))
    }

    fn shown(&self, id: u64) -> String {
        let fields = self.employees[&id].iter();
        let fields: String = fields
            .map(|(key, value)| format!("<{key}>{}</{key}>", escape(value.as_str())))
            .collect();
        format!("<employee id=\"{id}\">{fields}</employee>")
    }

    fn employees(&mut self, request: &Request) -> Reply {
        let segments = request.segments();
        let id = segments.get(1).and_then(|id| id.parse::<u64>().ok());
        match (request.method.as_str(), id) {
            ("GET", None) => {
                let login = request.query("login");
                let fits = |fields: &BTreeMap<String, String>| {
                    login.is_none_or(|login| fields.get("login").is_some_and(|l| l == login))
                };
                let found: Vec<u64> =
                    self.employees.iter().filter(|(_, f)| fits(f)).map(|(id, _)| *id).collect();
                let rows: String = found.iter().map(|id| self.shown(*id)).collect();
                xml(200, format!("<employees total=\"{}\">{rows}</employees>", found.len()))
            }
            ("POST", None) => match parsed(&request.text) {
                Some(fields) => {
                    self.last_id += 1;
                    self.employees.insert(self.last_id, fields);
                    xml(201, self.shown(self.last_id))
                }
                None => xml(400, "<errors><error>not XML</error></errors>".to_owned()),
            },
            (_, Some(id)) if !self.employees.contains_key(&id) => {
                xml(404, "<errors><error>nobody</error></errors>".to_owned())
            }
            ("GET", Some(id)) => xml(200, self.shown(id)),
            ("PUT", Some(id)) => {
                let Some(fields) = parsed(&request.text) else {
                    return xml(400, "<errors><error>not XML</error></errors>".to_owned());
                };
                if fields.get("title").is_some_and(|title| title == "refuse") {
                    // Careless: it quotes what nobody should see.
                    let words = format!("title is bad for {}", self.csrf());
                    return xml(422, format!("<errors><error>{words}</error></errors>"));
                }
                if let Some(employee) = self.employees.get_mut(&id) {
                    employee.extend(fields);
                }
                xml(200, self.shown(id))
            }
            _ => xml(405, "<errors/>".to_owned()),
        }
    }
}

/// The login page.
fn page() -> Reply {
    Reply::json(200, "<html><body>Please log in<br></body></html>".into())
}

fn xml(status: u16, text: String) -> Reply {
    let mut reply = Reply::json(status, Value::from(text));
    reply.headers.push(("content-type", "application/xml".to_owned()));
    reply
}

/// `<employee><name>text</name>...</employee>` and nothing else.
fn parsed(text: &str) -> Option<BTreeMap<String, String>> {
    let mut reader = Reader::from_str(text);
    let (mut path, mut fields) = (Vec::new(), BTreeMap::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.name().into_inner().to_owned());
                if let [_, field] = path.as_slice() {
                    fields.insert(field.clone(), String::new());
                }
            }
            Event::Empty(start) => {
                fields.insert(start.name().into_inner().to_owned(), String::new());
            }
            Event::End(_) => {
                path.pop();
            }
            Event::Text(text) => fields.get_mut(path.get(1)?)?.push_str(&text.xml10_content()),
            Event::GeneralRef(name) => {
                let text = format!("&{};", &*name);
                fields.get_mut(path.get(1)?)?.push_str(&unescape(&text).ok()?);
            }
            Event::Decl(_) => {}
            Event::Eof => return (path.is_empty() && !fields.is_empty()).then_some(fields),
            _ => return None,
        }
        if path.len() > 2 || path.first().is_some_and(|root| root != "employee") {
            return None;
        }
    }
}

impl Application for Payroll {
    fn name(&self) -> &'static str {
        "payroll"
    }

    fn base(&self) -> &'static str {
        "/pd7"
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("PAYROLL_URL", url.to_owned()), ("PAYROLL_PASSWORD", PASSWORD.to_owned())]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        if self.is_login(request) {
            return self.login(request);
        }
        if !self.is_logged_in(request) {
            return match request.authorization {
                Some(_) => Reply::json(401, json!({})),
                None => page(),
            };
        }
        self.left -= 1;
        match request.segments().first() {
            Some(&"employees") => self.employees(request),
            Some(&"logout.do") => {
                self.logouts += 1;
                self.left = 0;
                Reply::empty(204)
            }
            _ => xml(404, "<errors/>".to_owned()),
        }
    }

    fn state(&self) -> Value {
        let employees = self.employees.iter().map(|(id, fields)| {
            let mut record = json!(fields);
            record["id"] = json!(id.to_string());
            record
        });
        json!({
            "employees": employees.collect::<Vec<_>>(),
            "logins": self.session, "early": self.early, "refused": self.refused,
            "logouts": self.logouts,
        })
    }

    fn restore(&mut self, _: &Value) -> Result<(), String> {
        Err("it is never kept".to_owned())
    }

    /// `sessions`: whatever is put in, the open session is over.
    fn put(&mut self, collection: &str, _: &Value) -> Result<Value, String> {
        match collection {
            "sessions" => self.left = 0,
            _ => return Err("only sessions".to_owned()),
        }
        Ok(Value::Null)
    }

    fn remove(&mut self, _: &str, _: &Value) -> Result<(), String> {
        Err("nothing can be removed".to_owned())
    }

    fn populate(&mut self) {}

    fn is_login(&self, request: &Request) -> bool {
        matches!(request.path.as_str(), "/login.do" | "/oauth/token")
    }
}
