//! The whole bridge with a played app behind it, all in the caller's thread: one connection's
//! bytes go in, what comes back comes out.
//!
//! Must not judge answers (`request` does). Waits are short, so that a request that is cut off
//! ends soon; none of them decides whether a check fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scim_bridge::journal::{Journal, Keys};
use scim_bridge::mapping::Source;
use scim_bridge::observe::{Feed, Metrics};
use scim_bridge::server::{self, ServerConfig};
use scim_bridge::sync::{BaseUrls, Bridge, BridgeConfig, Command, load};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

const MAPPING: &str = include_str!("../../../mappings/directory/directory.yaml");

/// A request without a token: its answer ends the connection. Whatever the bytes before it
/// leave open, a head or a body, is at an end after some of these.
const FAREWELL: &[u8] = b"GET / HTTP/1.1\r\nHost: bridge.example\r\n\r\n";

/// How long to wait for more of an answer before another farewell.
const SILENCE: Duration = Duration::from_secs(1);

/// So many farewells without an end are a hang; more than every wait of the bridge together.
const PATIENCE: u32 = 30;

/// The bridge, the app, a user and a group that are in it.
pub struct Bench {
    runtime: Runtime,
    inside: Inside,
}

struct Inside {
    bridge: Bridge,
    _server: server::Running,
    _app: standin::Running,
    address: SocketAddr,
    token: String,
    user: String,
    group: String,
}

impl Bench {
    /// Starts everything anew.
    pub fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let inside = runtime.block_on(Inside::start());
        Self { runtime, inside }
    }

    /// The bytes of an input as they are sent: `{token}`, `{user}` and `{group}` stand for what
    /// this bridge made, `{length}` for the number of bytes behind the head it stands in.
    pub fn filled(&self, input: &[u8]) -> Vec<u8> {
        let Inside { token, user, group, .. } = &self.inside;
        let mut bytes = input.to_vec();
        for (name, value) in [("{token}", token), ("{user}", user), ("{group}", group)] {
            bytes = replaced(&bytes, name.as_bytes(), value.as_bytes());
        }
        while let Some(at) = find(&bytes, b"{length}") {
            let body = find(&bytes[at..], b"\r\n\r\n").map_or(0, |end| bytes.len() - at - end - 4);
            bytes.splice(at..at + b"{length}".len(), body.to_string().into_bytes());
        }
        bytes
    }

    /// Sends the bytes on a connection of their own; gives all that comes back until the server
    /// closes, and whether it did so in order.
    pub fn converse(&self, bytes: &[u8]) -> (Vec<u8>, bool) {
        self.runtime.block_on(self.inside.converse(bytes))
    }

    /// Whether the bridge has accepted no write so far: then it is as good as new.
    pub fn is_unwritten(&self) -> bool {
        let list =
            Command::ChangesList { app: None, state: None, user: None, since: None, limit: 1 };
        let changes = self.runtime.block_on(self.inside.bridge.command(list));
        changes.is_ok_and(|changes| changes.as_array().is_some_and(Vec::is_empty))
    }
}

impl Inside {
    async fn start() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let app = standin::apps::by_name("directory").expect("a stand-in of that name");
        let app = standin::start(app.populated(), any).await.expect("a free port");
        let environment = app.env();
        let environment = move |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
        };
        let text = MAPPING.replacen("sync:\n", "sync:\n  wait: 100ms\n", 1).replacen(
            "connect:\n",
            "connect:\n  retries: { first_wait: 10ms }\n",
            1,
        );
        let source = Source { file: "directory.yaml".into(), text };
        let mappings = load(&[source], &environment, &BaseUrls::default());
        let metrics = Arc::new(Metrics::new());
        let feed = Feed::new();
        let journal = Journal::in_memory().expect("a journal in memory");
        let keys = Keys::from_bytes(&[7; 32]).expect("a key");
        let mappings = mappings.unwrap_or_else(|error| panic!("{error}"));
        let bridge = Bridge::start(BridgeConfig {
            metrics: metrics.clone(),
            feed: feed.clone(),
            ..BridgeConfig::new(journal, keys, mappings)
        });
        let bridge = bridge.await.unwrap_or_else(|error| panic!("{error}"));
        let mut config = ServerConfig::new("control-key".into());
        (config.listen, config.admin_listen) = (any, any);
        config.limits.header_timeout = Duration::from_millis(100);
        config.limits.body_timeout = Duration::from_millis(100);
        let server = server::start(config, bridge.clone(), metrics, feed);
        let server = server.await.unwrap_or_else(|error| panic!("{error}"));
        let token =
            Command::TokenCreate { app: "directory".into(), label: "f".into(), expires: None };
        let token = bridge.command(token).await.unwrap_or_else(|error| panic!("{error}"));
        let token = token["token"].as_str().expect("a token").to_owned();
        let mut inside = Self {
            bridge,
            address: server.scim_addr(),
            _server: server,
            _app: app,
            token,
            user: String::new(),
            group: String::new(),
        };
        inside.user = Box::pin(inside.first("Users")).await;
        inside.group = Box::pin(inside.first("Groups")).await;
        inside
    }

    /// The id of the first resource that a list shows.
    async fn first(&self, endpoint: &str) -> String {
        let request = format!(
            "GET /directory/scim/v2/{endpoint}?count=1 HTTP/1.1\r\nHost: bridge.example\r\n\
             Authorization: Bearer {}\r\nConnection: close\r\n\r\n",
            self.token
        );
        let (answer, _) = Box::pin(self.converse(request.as_bytes())).await;
        let body = find(&answer, b"\r\n\r\n").map_or(&[][..], |end| &answer[end + 4..]);
        let mut list = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
        let id = list
            .next()
            .and_then(Result::ok)
            .and_then(|list| list["Resources"][0]["id"].as_str().map(str::to_owned));
        id.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&answer)))
    }

    async fn converse(&self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        let (mut read, mut write) = stream.split();
        let mut answer = Vec::new();
        let mut closed = None;
        let speak = async {
            // The server may close before it has taken everything.
            let _ = write.write_all(bytes).await;
            for _ in 0..PATIENCE {
                let _ = write.write_all(FAREWELL).await;
                tokio::time::sleep(SILENCE).await;
            }
        };
        let listen = async {
            let mut space = vec![0; 16 << 10];
            loop {
                match read.read(&mut space).await {
                    Ok(0) => return closed = Some(true),
                    Ok(length) => answer.extend_from_slice(&space[..length]),
                    Err(_) => return closed = Some(false),
                }
            }
        };
        tokio::select! {
            () = listen => {}
            () = speak => {}
        }
        let in_order = closed.unwrap_or_else(|| panic!("the connection does not end"));
        (answer, in_order)
    }
}

/// Where `what` begins first.
pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn replaced(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut done = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = find(rest, what) {
        done.extend_from_slice(&rest[..at]);
        done.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    done.extend_from_slice(rest);
    done
}
