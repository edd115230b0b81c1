//! What an import of everybody costs: calls, memory, and time against a bare walk of the same
//! pages in the same run.
//!
//! `cargo bench --bench imports -- 100000` takes another number than a million. The bridge runs in a
//! process of its own for each size, so that its peak memory is that of the bridge alone: the
//! played app is in the process that is started. Judges nothing.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // shared with the bench `million`
#[path = "million/app.rs"]
mod app;
#[allow(dead_code)]
mod measure;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use measure::shown;
use scim_bridge::change::Kind;
use scim_bridge::journal::{Journal, Keys, Open};
use scim_bridge::mapping::Source;
use scim_bridge::scim::ScimError;
use scim_bridge::sync::{BaseUrls, Bridge, BridgeConfig, Caller, ListQuery, Listing, Page, load};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FEW: u64 = 10_000;
/// Rows of a page of the app, as mappings/directory asks for them.
const APP_PAGE: u64 = 100;
/// Rows of a page of the client.
const CLIENT_PAGE: u64 = 1_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, address, users] = arguments.as_slice()
        && word == "bridge"
    {
        return bridge(address, users.parse().unwrap()).await;
    }
    let number = arguments.iter().find_map(|argument| argument.parse().ok());
    let many: u64 = number.unwrap_or(1_000_000);
    let mut peaks = Vec::new();
    for users in [FEW, many] {
        let app = app::App::start(users).await;
        let stages = tokio::task::spawn_blocking(move || run(&app)).await.unwrap();
        println!("\n{users} users, {} pages of {APP_PAGE}", users.div_ceil(APP_PAGE));
        println!("{:<44} {:>9} {:>10} {:>12}", "", "calls", "time", "peak memory");
        let bare = stages.last().unwrap().seconds;
        for stage in &stages {
            let ratio = stage.seconds / bare;
            println!(
                "{:<44} {:>9} {:>10} {:>9.1} MB   {ratio:.1} of a bare walk",
                stage.name,
                stage.calls,
                shown(stage.seconds),
                stage.peak as f64 / 1024.0,
            );
        }
        peaks.push([stages[1].peak, stages[3].peak]);
    }
    for (name, at) in [("the first import", 0), ("both imports", 1)] {
        let ratio = peaks[1][at] as f64 / peaks[0][at] as f64;
        println!("\npeak memory after {name}, {many} to {FEW} users: {ratio:.2}");
    }
}

/// What a stage of the other process cost.
struct Stage {
    name: String,
    calls: u64,
    seconds: f64,
    /// The highest resident memory by then, in KiB.
    peak: u64,
}

/// Starts the bridge in a process of its own and notes what it tells after each stage.
fn run(app: &Arc<app::App>) -> Vec<Stage> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["bridge", &app.address.to_string(), &app.users.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut go_on, told) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut stages = Vec::new();
    let mut before = 0;
    for line in BufReader::new(told).lines() {
        let told: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let calls = app.calls();
        stages.push(Stage {
            name: told["name"].as_str().unwrap().to_owned(),
            calls: calls - before,
            seconds: told["seconds"].as_f64().unwrap(),
            peak: told["peak"].as_u64().unwrap(),
        });
        before = calls;
        go_on.write_all(b"\n").unwrap();
    }
    assert!(child.wait().unwrap().success());
    stages
}

/// The other process.
async fn bridge(address: &str, users: u64) {
    let folder = TempDir::new().unwrap();
    let open = Open {
        path: folder.path().join("bridge.db"),
        keys: Keys::from_bytes(&[7; 32]).unwrap(),
        allow_network_filesystem: true,
        restored: false,
        now: Timestamp::UNIX_EPOCH,
    };
    let begun = Instant::now();
    let (journal, _) = Journal::open(open).unwrap();
    let base = format!("http://{address}");
    let environment = move |name: &str| match name {
        "DIRECTORY_URL" => Some(base.clone()),
        _ => Some("bench".to_owned()),
    };
    let text = include_str!("../mappings/directory/directory.yaml").to_owned();
    let source = Source { file: "directory.yaml".into(), text };
    let mappings = load(&[source], &environment, &BaseUrls::default()).unwrap();
    let keys = Keys::from_bytes(&[7; 32]).unwrap();
    let bridge = Bridge::start(BridgeConfig::new(journal, keys, mappings)).await.unwrap();
    tell("start", begun.elapsed());
    let mut known = Vec::new();
    for (name, round) in [("the first import: everybody is new", 1), ("", 2)] {
        let begun = Instant::now();
        let first = page(&bridge, 1).await;
        let ids: Vec<Value> = first.resources.iter().map(|row| row["id"].clone()).collect();
        assert_eq!((first.total, ids.len() as u64), (users, CLIENT_PAGE));
        match round {
            1 => {
                known = ids;
                tell(name, begun.elapsed());
                let begun = Instant::now();
                let mut rows = CLIENT_PAGE;
                while rows < users {
                    rows += page(&bridge, rows + 1).await.resources.len() as u64;
                }
                tell("its other pages, to the client", begun.elapsed());
            }
            _ => {
                assert_eq!(ids, known, "the same ids");
                tell("the second import: nothing has changed", begun.elapsed());
            }
        }
    }
    let begun = Instant::now();
    assert_eq!(bare_walk(address).await, users);
    tell("a bare walk: pages read and parsed", begun.elapsed());
    bridge.shutdown().await;
}

/// Tells the process that counts the calls, and waits until it has.
fn tell(name: &str, time: Duration) {
    let told = json!({ "name": name, "seconds": time.as_secs_f64(), "peak": peak() });
    println!("{told}");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

/// The highest resident memory of this process by now, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

/// A page; asked for again while the list is being read, as clients do.
async fn page(bridge: &Bridge, start: u64) -> Listing {
    let query =
        ListQuery { page: Page::Index(start), count: Some(CLIENT_PAGE), ..ListQuery::default() };
    loop {
        let caller = Caller { app: "directory".into(), token: "bench".into() };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(45);
        match bridge.list(&caller, Kind::User, query.clone(), deadline).await {
            Ok(listing) => return listing,
            Err(ScimError { status: 429, detail, .. }) if detail.contains("still being") => {}
            Err(error) => panic!("{start}: {error}"),
        }
    }
}

/// The same pages over one connection, parsed and dropped; how many rows they have.
async fn bare_walk(address: &str) -> u64 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    let mut rows = 0;
    loop {
        let request = format!(
            "GET /users?limit={APP_PAGE}&offset={rows} HTTP/1.1\r\nHost: {address}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let body = loop {
            if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
                let end = head + 4 + length.unwrap().parse::<usize>().unwrap();
                if bytes.len() >= end {
                    let body = bytes[head + 4..end].to_vec();
                    bytes.drain(..end);
                    break body;
                }
            }
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
        };
        let page: Value = serde_json::from_slice(&body).unwrap();
        rows += page["items"].as_array().unwrap().len() as u64;
        if rows >= page["total"].as_u64().unwrap() {
            return rows;
        }
    }
}
