//! What the promises cost: durable acceptance against a bare group commit, a change through the bridge
//! against its calls alone, how near a backlog drains to the app's limit, and the pick of the next work
//! with a thousand and a million changes waiting. Ratios of one run; judges nothing.
//!
//! `cargo bench --bench engine -- 100000` takes another number than a million.
#![allow(clippy::unwrap_used)]

mod measure;

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use measure::{Pair, shown};
use rusqlite::Connection;
use scim_bridge::change::{Kind, ResourceId, Verb};
use scim_bridge::journal::{Accept, Journal, Keys, MemberOps, Open, ResourceKeys, Target};
use scim_bridge::mapping::Source;
use scim_bridge::scim::Patch;
use scim_bridge::sync::{BaseUrls, Bridge, BridgeConfig, Caller, Write, Written, load};
use serde_json::{Value, json};
use standin::Running;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

const ROUNDS: usize = 11;
/// Changes of a round.
const CHANGES: u64 = 2_000;
/// Changes through the bridge in a round, one after the other.
const WRITES: usize = 100;
/// What the app allows per second while a backlog drains.
const PER_SECOND: u32 = 200;
/// Changes of that backlog.
const BACKLOG: usize = 500;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // cargo adds `--bench`.
    let number = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    println!("{:<58} {:>10} {:>10} {:>7}", "operation", "first", "second", "ratio");
    for at_once in [1, 8, 32, 128] {
        acceptance(at_once).await;
    }
    calls().await;
    drain().await;
    picks(number.unwrap_or(1_000_000)).await;
}

fn row(name: &str, pair: Pair) {
    let (first, second) = (shown(pair.first), shown(pair.second));
    println!("{name:<58} {first:>10} {second:>10} {:>7.2}", pair.ratio);
}

fn journal(folder: &TempDir) -> Journal {
    let open = Open {
        path: folder.path().join("bridge.db"),
        keys: Keys::from_bytes(&[7; 32]).unwrap(),
        allow_network_filesystem: true,
        restored: false,
        now: Timestamp::UNIX_EPOCH,
    };
    Journal::open(open).unwrap().0
}

/// A create as the engine hands it over.
fn create(number: u64) -> Accept {
    let name = format!("user{number:07}@corp.example");
    let desired = json!({
        "userName": name, "externalId": format!("00u{number:09}"), "active": true,
        "displayName": format!("Given Family {number}"),
        "emails": [{"value": name, "type": "work", "primary": true}],
    });
    Accept {
        app: "directory".into(),
        kind: Kind::User,
        target: Target::New { id: ResourceId(format!("01234567-89ab-7def-8123-{number:012x}")) },
        verb: Verb::Create,
        keys: ResourceKeys { natural: Some(name), active: Some(true), ..ResourceKeys::default() },
        request: Some(desired.clone()),
        desired: Some(desired),
        asserted: json!({}),
        members: MemberOps::default(),
        secret: None,
        fingerprint: number.to_be_bytes().to_vec(),
        actor: "bench".into(),
        ends_access: false,
        milestone: true,
        warning: None,
        mapping_digest: "0".repeat(64),
        now: Timestamp::UNIX_EPOCH,
    }
}

/// Carries numbers out, so many at the same time.
async fn at_once<F, W>(count: usize, numbers: std::ops::Range<u64>, work: F)
where
    F: Fn(u64) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for number in numbers {
        if under_way.len() >= count {
            under_way.join_next().await.unwrap().unwrap();
        }
        under_way.spawn(work(number));
    }
    under_way.join_all().await;
}

/// Acknowledged changes against rows of the same length in the same settings: no index but the keys,
/// no check, nothing joined.
async fn acceptance(width: usize) {
    let (ours, bare) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let journal = journal(&ours);
    let bare = Bare::start(&bare.path().join("bare.db"));
    let mut rounds = Vec::new();
    for round in 0..ROUNDS as u64 {
        let numbers = || round * CHANGES..(round + 1) * CHANGES;
        let begun = Instant::now();
        at_once(width, numbers(), |number| bare.clone().write(create(number))).await;
        let first = begun.elapsed();
        let begun = Instant::now();
        at_once(width, numbers(), |number| {
            let journal = journal.clone();
            async move { drop(journal.accept(create(number)).await.unwrap()) }
        })
        .await;
        rounds.push((first, begun.elapsed()));
    }
    let pair = Pair::of(&rounds);
    row(&format!("{CHANGES} acknowledged, {width} at once: bare rows, changes"), pair);
    println!("{:>58} {:>10.0} {:>10.0}", "per second", per(pair.first), per(pair.second));
    journal.close().await.unwrap();
}

fn per(seconds: f64) -> f64 {
    CHANGES as f64 / seconds
}

/// Rows in, one commit for all that wait, a word for each.
#[derive(Clone)]
struct Bare(mpsc::Sender<(Accept, oneshot::Sender<()>)>);

impl Bare {
    fn start(path: &Path) -> Self {
        let conn = Connection::open(path).unwrap();
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        conn.pragma_update(None, "synchronous", "FULL").unwrap();
        conn.execute_batch(
            "CREATE TABLE resources (id TEXT PRIMARY KEY, name TEXT, desired TEXT);
             CREATE TABLE changes (seq INTEGER PRIMARY KEY, id TEXT, request TEXT, desired TEXT,
               asserted TEXT, fingerprint BLOB, actor TEXT, digest TEXT);
             CREATE TABLE lanes (id TEXT PRIMARY KEY, state TEXT);",
        )
        .unwrap();
        let (rows, mut waiting) = mpsc::channel::<(Accept, oneshot::Sender<()>)>(1024);
        std::thread::spawn(move || {
            while let Some(first) = waiting.blocking_recv() {
                conn.execute_batch("BEGIN IMMEDIATE").unwrap();
                let mut told = Vec::new();
                let mut next = Some(first);
                while let Some((accept, tell)) = next {
                    insert(&conn, &accept);
                    told.push(tell);
                    next = if told.len() < 128 { waiting.try_recv().ok() } else { None };
                }
                conn.execute_batch("COMMIT").unwrap();
                told.into_iter().for_each(|tell| tell.send(()).unwrap());
            }
        });
        Self(rows)
    }

    async fn write(self, accept: Accept) {
        let (tell, told) = oneshot::channel();
        self.0.send((accept, tell)).await.unwrap();
        told.await.unwrap();
    }
}

fn insert(conn: &Connection, accept: &Accept) {
    let id = &accept.target.id().0;
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        conn.prepare_cached(sql).unwrap().execute(values).unwrap();
    };
    run(
        "INSERT INTO resources VALUES (?1, ?2, ?3)",
        &[id, &accept.keys.natural, &text(&accept.desired)],
    );
    run(
        "INSERT INTO changes VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            id,
            &text(&accept.request),
            &text(&accept.desired),
            &accept.asserted.to_string(),
            &accept.fingerprint,
            &accept.actor,
            &accept.mapping_digest,
        ],
    );
    run("INSERT INTO lanes VALUES (?1, 'ready')", &[id]);
}

/// The engine before a stand-in that listens on loopback.
struct World {
    app: Running,
    bridge: Bridge,
    _folder: TempDir,
}

impl World {
    async fn new(edit: impl Fn(String) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        let app = standin::apps::by_name("directory").unwrap();
        let app = standin::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let environment: Vec<_> = app.env();
        let find = move |name: &str| {
            let pair = environment.iter().find(|(key, _)| *key == name);
            pair.map(|(_, value)| value.clone())
        };
        let text = edit(include_str!("../mappings/directory/directory.yaml").to_owned());
        let source = Source { file: "directory.yaml".into(), text };
        let mappings = load(&[source], &find, &BaseUrls::default()).unwrap();
        let keys = Keys::from_bytes(&[7; 32]).unwrap();
        let config = BridgeConfig::new(journal(&folder), keys, mappings);
        Self { app, bridge: Bridge::start(config).await.unwrap(), _folder: folder }
    }

    /// Gives the SCIM id of what was written.
    async fn submit(&self, write: Write) -> String {
        let caller = Caller { app: "directory".into(), token: "bench".into() };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(45);
        match self.bridge.submit(&caller, write, deadline).await.unwrap() {
            Written::Created(shown) | Written::Updated(shown) => shown.id,
            Written::Deleted(_) => String::new(),
        }
    }

    /// Makes somebody; gives the SCIM id.
    async fn make(&self, number: usize) -> String {
        let name = format!("user{number}");
        let body = json!({ "userName": name, "active": true, "title": "new" });
        self.submit(Write::Create { kind: Kind::User, body }).await
    }

    async fn title(&self, id: &str, title: &str) {
        let operation = json!({ "op": "replace", "path": "title", "value": title });
        let patch = Patch::parse(&json!({ "Operations": [operation] })).unwrap();
        self.submit(Write::Patch { kind: Kind::User, id: id.to_owned(), patch }).await;
    }
}

/// A change of one attribute through the engine, against the calls that it makes, alone.
async fn calls() {
    let world = World::new(|text| text).await;
    let id = world.make(0).await;
    let before = world.app.calls().len();
    world.title(&id, "first").await;
    let made: Vec<_> = world.app.calls()[before..].to_vec();
    let names: Vec<String> = made.iter().map(|call| call.method.clone()).collect();
    println!("one change of a title makes {}", names.join(", "));
    let mut plain = TcpStream::connect(world.app.address).await.unwrap();
    plain.set_nodelay(true).unwrap();
    let (mut times, mut work) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (begun, busy) = (Instant::now(), cpu());
        for write in 0..WRITES {
            for call in &made {
                let body = if call.method == "GET" {
                    String::new()
                } else {
                    json!({ "title": format!("plain {round} {write}") }).to_string()
                };
                plain_call(&mut plain, &call.method, &format!("/v1{}", call.target), &body).await;
            }
        }
        let (first, first_busy) = (begun.elapsed(), cpu().saturating_sub(busy));
        let (begun, busy) = (Instant::now(), cpu());
        for write in 0..WRITES {
            world.title(&id, &format!("bridge {round} {write}")).await;
        }
        times.push((first, begun.elapsed()));
        work.push((first_busy, cpu().saturating_sub(busy)));
    }
    let each = format!("{} calls", WRITES * made.len());
    row(&format!("{each}, one after the other: alone, by the bridge"), Pair::of(&times));
    row(&format!("{each}: processor time, with the app's own"), Pair::of(&work));
    world.bridge.shutdown().await;
}

async fn plain_call(stream: &mut TcpStream, method: &str, target: &str, body: &str) {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer directory-demo-token\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        if rest.len() >= length.unwrap_or(0usize) {
            assert!(head.contains(" 200 "), "{head}");
            return;
        }
    }
}

/// Processor time of this process. Linux: hundredths of a second.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit_once(") ").map_or("", |(_, after)| after);
    let ticks: u64 = after.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// A backlog against the limit that the mapping gives.
async fn drain() {
    let limited = |text: String| {
        let text = text.replacen(
            "connect:\n",
            &format!("connect:\n  limits: {{ per_second: {PER_SECOND}, at_once: 8 }}\n"),
            1,
        );
        text.replacen("sync:\n", "sync:\n  answer: accept\n", 1)
    };
    let world = World::new(limited).await;
    let begun = Instant::now();
    for number in 0..BACKLOG {
        world.make(number).await;
    }
    let is_create = |call: &&standin::Call| call.method == "POST";
    world.app.wait_for(|calls| calls.iter().filter(is_create).count() >= BACKLOG).await;
    let rate = world.app.calls().len() as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{BACKLOG} creates drain with {rate:.0} calls/s of {PER_SECOND} allowed: {:.2}",
        rate / f64::from(PER_SECOND)
    );
    world.bridge.shutdown().await;
}

/// The next lane to work on, with few and with many changes waiting.
async fn picks(many: u64) {
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let (few, lot) = (journal(&folders[0]), journal(&folders[1]));
    for (journal, count) in [(&few, 1_000), (&lot, many)] {
        at_once(128, 0..count, |number| {
            let journal = journal.clone();
            async move { drop(journal.accept(create(number)).await.unwrap()) }
        })
        .await;
    }
    let mut rounds = Vec::new();
    for _ in 0..301 {
        let mut times = [Duration::ZERO; 2];
        for (journal, time) in [&few, &lot].into_iter().zip(&mut times) {
            let begun = Instant::now();
            let work = journal.claim("directory", 1, Timestamp::UNIX_EPOCH).await.unwrap();
            *time = begun.elapsed();
            assert_eq!(work.len(), 1);
        }
        rounds.push((times[0], times[1]));
    }
    row(&format!("the next work picked: 1000 waiting, {many}"), Pair::of(&rounds));
    few.close().await.unwrap();
    lot.close().await.unwrap();
}
