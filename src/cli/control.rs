//! Carrying a command out: by the server that runs on the journal, else on the journal itself.
//!
//! While a server runs, no second process opens its journal, not even to read: another user's
//! files beside a WAL database can stop the server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::alone::Alone;
use super::options::JournalArguments;
use super::{CliError, runtime, serve};
use crate::journal::{Holder, Journal, Keys, Open, read_lock};
use crate::sync::{Clock, Command, CommandError};

/// Carries a command out, and gives its result.
pub type Carry<'a> = dyn FnMut(Command) -> Result<Value, CliError> + 'a;

/// Carries the command out and gives its result.
pub fn carry(journal: &JournalArguments, command: Command) -> Result<Value, CliError> {
    carry_on(journal, |carry| carry(command))
}

/// Does some work that takes several commands; without a server the journal is opened once.
pub fn carry_on<T>(
    journal: &JournalArguments,
    work: impl FnOnce(&mut Carry<'_>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    match read_lock(&journal.db) {
        Some(Holder { control: Some(control), key: Some(key), .. }) => {
            work(&mut |command| by_server(&control, &key, &command))
        }
        Some(Holder { pid, .. }) => {
            let pid = pid.map_or("unknown".to_owned(), |pid| pid.to_string());
            Err(CliError::environment(format!(
                "{} is in use by process {pid}, which takes no commands (it is starting, or \
                 another command is running); try again",
                journal.db.display()
            )))
        }
        None => by_ourselves(journal, work),
    }
}

fn by_ourselves<T>(
    arguments: &JournalArguments,
    work: impl FnOnce(&mut Carry<'_>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    if !arguments.db.exists() {
        return Err(CliError::environment(format!(
            "there is no journal {}; name it with --db, or start `scim-bridge serve` first",
            arguments.db.display()
        )));
    }
    let runtime = runtime()?;
    let keys = serve::open_keys(arguments)?;
    let (journal, _) = Journal::open(open(arguments, keys)).map_err(CliError::environment)?;
    let mut alone = Alone::new(arguments, journal.clone());
    let result = work(&mut |command| runtime.block_on(alone.carry(command)));
    drop(alone);
    runtime.block_on(journal.close()).map_err(CliError::environment)?;
    result
}

/// How the arguments open the journal.
pub fn open(arguments: &JournalArguments, keys: Keys) -> Open {
    Open {
        path: arguments.db.clone(),
        keys,
        allow_network_filesystem: arguments.allow_network_filesystem,
        restored: false,
        now: Clock::System.now(),
    }
}

/// A small POST to a loopback address; not worth an HTTP client.
fn by_server(control: &str, key: &str, command: &Command) -> Result<Value, CliError> {
    let failed = |e: std::io::Error| {
        CliError::environment(format!("the running server ({control}) does not answer: {e}"))
    };
    let address = control.trim_start_matches("http://").trim_end_matches('/');
    let body = serde_json::to_vec(command).map_err(CliError::environment)?;
    let name = command_name(command);
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    let patience = match command {
        // A journal of some gigabytes.
        Command::Backup { .. } => Duration::from_secs(3_600),
        _ => Duration::from_secs(60),
    };
    stream.set_read_timeout(Some(patience)).map_err(failed)?;
    write!(
        stream,
        "POST /control/{name} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .and_then(|()| stream.write_all(&body))
    .map_err(failed)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(failed)?;
    parse_answer(&answer)
}

fn parse_answer(answer: &[u8]) -> Result<Value, CliError> {
    let broken = || CliError::environment("the running server's answer cannot be read");
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(broken)?;
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    let body = &answer[split + 4..];
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        return serde_json::from_slice(body).map_err(|_| broken());
    }
    match serde_json::from_slice::<CommandError>(body) {
        Ok(error) => Err(error.into()),
        Err(_) => Err(CliError::environment(format!("the running server answered {status}"))),
    }
}

fn command_name(command: &Command) -> String {
    let value = serde_json::to_value(command).unwrap_or_default();
    value["command"].as_str().unwrap_or_default().to_owned()
}
