//! The program `standin`: one app on one address until SIGTERM.

use std::{env, error::Error, net::SocketAddr, path::PathBuf, process::ExitCode};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str =
    "usage: standin --app NAME --listen ADDR --ready-file FILE [--data FILE] [--populate]";

struct Arguments {
    app: String,
    listen: SocketAddr,
    ready_file: PathBuf,
    data: Option<PathBuf>,
    populate: bool,
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut app, mut listen, mut ready_file, mut data) = (None, None, None, None);
    let mut populate = false;
    while let Some(option) = words.next() {
        if option == "--populate" {
            populate = true;
            continue;
        }
        let mut value = || words.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--app" => app = Some(value()?),
            "--listen" => {
                let text = value()?;
                listen = Some(text.parse().map_err(|_| {
                    format!("--listen: '{text}' is not ADDRESS:PORT, such as 127.0.0.1:0")
                })?);
            }
            "--ready-file" => ready_file = Some(PathBuf::from(value()?)),
            "--data" => data = Some(PathBuf::from(value()?)),
            _ => return Err(format!("unknown option '{option}'")),
        }
    }
    Ok(Arguments {
        app: app.ok_or("--app is missing")?,
        listen: listen.ok_or("--listen is missing")?,
        ready_file: ready_file.ok_or("--ready-file is missing")?,
        data,
        populate,
    })
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let mut app = standin::apps::by_name(&arguments.app).ok_or_else(|| {
        format!("no app '{}'; there are: {}", arguments.app, standin::apps::names().join(", "))
    })?;
    // Populated first: what the data file holds replaces it.
    if arguments.populate {
        app = app.populated();
    }
    if let Some(file) = &arguments.data {
        app = app.kept_in(file)?;
    }
    // Before the ready file, so that a SIGTERM right after it ends the program in order.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = standin::start(app, arguments.listen).await?;
    standin::write_whole(&arguments.ready_file, &json!({ "app_url": running.url }))?;
    eprintln!("{} listens at {}", arguments.app, running.url);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("standin: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standin: {error}");
            ExitCode::FAILURE
        }
    }
}
