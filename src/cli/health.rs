//! `health`: asks the admin listener of a running server, without any configuration.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::CliError;

/// Arguments of `health`.
#[derive(Debug, Args)]
pub struct HealthArguments {
    /// The admin listener of the server
    #[arg(long, default_value = "127.0.0.1:9090", env = "SCIM_BRIDGE_ADMIN_LISTEN")]
    admin: String,
    /// Ask /readyz (can it do its work?) instead of /healthz (does it live?)
    #[arg(long)]
    ready: bool,
}

const LIMIT: Duration = Duration::from_secs(3);

/// Runs it. Exit code 1 when the server says no.
pub fn run(arguments: &HealthArguments) -> Result<ExitCode, CliError> {
    let path = if arguments.ready { "/readyz" } else { "/healthz" };
    let answer = ask(&arguments.admin, path).map_err(|e| {
        CliError::environment(format!("no answer from http://{}{path}: {e}", arguments.admin))
    })?;
    let line = answer.lines().next().unwrap_or_default();
    if line.split(' ').nth(1) == Some("200") {
        return Ok(ExitCode::SUCCESS);
    }
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    Err(CliError::finding(format!("{path}: {line} {body}")))
}

fn ask(admin: &str, path: &str) -> std::io::Result<String> {
    let address = reachable(admin)?;
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    Ok(answer)
}

/// The address to connect to; a listener on all addresses is asked on the loopback.
fn reachable(admin: &str) -> std::io::Result<SocketAddr> {
    let mut address = admin
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| std::io::Error::other("the address means nothing"))?;
    if address.ip().is_unspecified() {
        let loopback = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    Ok(address)
}
