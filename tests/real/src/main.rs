//! The program `real`: scenarios and random histories of Okta against the built scim-bridge, with an
//! application behind it that nobody here wrote (or the stand-in `directory`, which can be made
//! to fail). `tests/real/run` calls it.
//!
//! What it prints last is `figures: {json}`; it exits with 1 when anything differs, and keeps journal and logs then.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use real::app::App;
use real::apps::{Directory, JupyterHub, RabbitMq};
use real::history::{self, HistoryPlan, Size};
use real::scenarios;
use tokio::signal::unix::{SignalKind, signal};

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Step by step, as an administrator would
    Scenarios,
    /// Random actions, then everything is compared
    History,
}

/// Which application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The stand-in, with faults
    Directory,
    /// RabbitMQ
    Rabbitmq,
    /// JupyterHub
    Jupyterhub,
}

/// Tries the built scim-bridge with an application.
#[derive(Debug, Parser)]
struct Arguments {
    /// What is tried
    #[arg(value_enum)]
    part: Part,
    /// The application
    #[arg(value_enum)]
    app: Name,
    /// The scim-bridge that is tried
    #[arg(long)]
    bridge: PathBuf,
    /// The number that everything follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    size: Size,
    /// Where data, journal and logs are; without it a temporary folder
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Where everything lies, and whether it goes at the end.
struct Place {
    folder: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn new(given: Option<PathBuf>) -> Result<Self, String> {
        if let Some(folder) = given {
            std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            return Ok(Self { folder, temporary: None });
        }
        let temporary = tempfile::tempdir().map_err(|e| format!("a temporary folder: {e}"))?;
        Ok(Self { folder: temporary.path().to_owned(), temporary: Some(temporary) })
    }

    /// After a failure it stays, so that somebody can look.
    fn keep(self) {
        if let Some(temporary) = self.temporary {
            let _ = temporary.keep();
        }
    }
}

async fn tried<A: App>(arguments: &Arguments, place: &Place, app: A) -> Result<bool, String> {
    match arguments.part {
        Part::Scenarios => scenarios::all(app, &arguments.bridge, &place.folder).await,
        Part::History => {
            let plan = HistoryPlan { seed: arguments.seed, size: arguments.size.clone() };
            history::lived(app, &arguments.bridge, &place.folder, &plan).await
        }
    }
}

async fn run(arguments: &Arguments, place: &Place) -> Result<bool, String> {
    let data = place.folder.join("app");
    match arguments.app {
        Name::Directory => tried(arguments, place, Directory::start().await?).await,
        Name::Rabbitmq => tried(arguments, place, RabbitMq::start(&data).await?).await,
        Name::Jupyterhub => tried(arguments, place, JupyterHub::start(&data).await?).await,
    }
}

/// Waits until somebody ends this program.
async fn interrupted() -> String {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(error) => return format!("no signal can be waited for: {error}"),
    }
    "interrupted".to_owned()
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let place = match Place::new(arguments.folder.clone()) {
        Ok(place) => place,
        Err(why) => {
            eprintln!("real: {why}");
            return ExitCode::from(3);
        }
    };
    // Whoever ends this ends what it started too: both are dropped.
    let ended = tokio::select! {
        ended = run(&arguments, &place) => ended,
        why = interrupted() => Err(why),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("real: journal and logs are in {}", place.folder.display());
            place.keep();
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("real: {why}");
            eprintln!("real: journal and logs are in {}", place.folder.display());
            place.keep();
            ExitCode::from(3)
        }
    }
}
