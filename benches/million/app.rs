//! An app with as many users as wanted, which keeps none of them: a record is made from its number
//! when it is asked for. Speaks what mappings/directory expects, on loopback; counts its calls.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Members of group 1 and of group 2: the users with the first numbers.
pub const GROUPS: [u64; 2] = [1_000, 100_000];

/// The played app.
#[derive(Debug)]
pub struct App {
    /// Users have the numbers from 0 to below this.
    pub users: u64,
    /// Where it listens.
    pub address: SocketAddr,
    calls: AtomicU64,
    /// Who came into a group later: group, user.
    joined: Mutex<Vec<(u64, u64)>>,
}

impl App {
    /// Starts one; it ends with the runtime.
    pub async fn start(users: u64) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (calls, joined) = (AtomicU64::new(0), Mutex::default());
        let app = Arc::new(Self { users, address, calls, joined });
        let shared = app.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(stream));
            }
        });
        app
    }

    /// Calls answered so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let Some(head) = find(&bytes, b"\r\n\r\n") else {
                match stream.read_buf(&mut bytes).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => continue,
                }
            };
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let length = header(&text, "content-length").map_or(0, |n| n.parse().unwrap());
            while bytes.len() < head + 4 + length {
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            bytes.drain(..head + 4 + length);
            let answer = self.answer(text.lines().next().unwrap_or_default());
            let (status, body) = match answer {
                Some(Value::Null) => ("204 No Content", String::new()),
                Some(body) => ("200 OK", body.to_string()),
                None => ("404 Not Found", json!({"error": "nothing there"}).to_string()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            if stream.write_all((head + &body).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// The answer to a request line; null for one without body.
    fn answer(&self, line: &str) -> Option<Value> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut words = line.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
        let number = |name: &str| given(name).and_then(|text| text.parse::<u64>().ok());
        let page = |count: u64, row: &dyn Fn(u64) -> Value| {
            let from = number("offset").unwrap_or(0).min(count);
            let to = from.saturating_add(number("limit").unwrap_or(100)).min(count);
            Some(json!({"items": (from..to).map(row).collect::<Vec<_>>(), "total": count}))
        };
        let segments: Vec<_> = path.split('/').skip(1).collect();
        match (method, segments.as_slice()) {
            ("GET", ["users"]) => match given("login") {
                Some(login) => {
                    let found = number_of(login).filter(|number| *number < self.users);
                    page(u64::from(found.is_some()), &|_| user(found.unwrap_or(0)))
                }
                None => page(self.users, &user),
            },
            ("GET", ["users", id]) => id.parse().ok().filter(|id| *id < self.users).map(user),
            ("GET", ["groups"]) => page(2, &|at| group(at + 1)),
            ("GET", ["groups", id]) => id.parse().ok().map(group),
            ("GET", ["groups", id, "members"]) => {
                let id: u64 = id.parse().ok()?;
                let first = GROUPS[usize::try_from(id - 1).ok()?];
                let joined = self.joined.lock().unwrap();
                let joined: Vec<_> = joined.iter().filter(|one| one.0 == id).collect();
                page(first + joined.len() as u64, &|at| {
                    let later = at.checked_sub(first).and_then(|at| usize::try_from(at).ok());
                    json!({"user_id": later.map_or(at, |at| joined[at].1)})
                })
            }
            ("PUT", ["groups", id, "members", user]) => {
                let joined = (id.parse().ok()?, user.parse().ok()?);
                self.joined.lock().unwrap().push(joined);
                Some(Value::Null)
            }
            _ => None,
        }
    }
}

/// The login of a user; its number can be read from it.
pub fn login(number: u64) -> String {
    format!("user{number:07}@corp.example")
}

fn number_of(login: &str) -> Option<u64> {
    login.strip_prefix("user")?.strip_suffix("@corp.example")?.parse().ok()
}

fn user(number: u64) -> Value {
    json!({
        "id": number, "login": login(number), "active": true,
        "given": format!("Given{}", number % 4_001), "family": format!("Family{}", number % 7_001),
        "display": format!("Given Family {number}"), "title": title(number),
        "mail": format!("mail{number:07}@corp.example"), "mail_type": "work",
        "mobile": format!("+49 30 {number:07}"), "department": format!("Department {}", number % 97),
        "employee_no": number.to_string(), "manager": "17", "locale": "en-US",
        "external": format!("00u{number:09}"),
    })
}

/// One user of ten has each title.
fn title(number: u64) -> String {
    format!("Title {}", number * 7 % 10)
}

fn group(number: u64) -> Value {
    json!({"id": number, "name": format!("Group {number}")})
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn header<'t>(head: &'t str, name: &str) -> Option<&'t str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
