//! The program `okta`: a walk through one person's life, or a random history, against a SCIM
//! server in clear text. It writes: point it at a server whose people are made up.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};
use okta::agree::Truth;
use okta::history::{Abilities, Plan, draw, run};
use okta::{Action, Credential, Dialect, Exchange, Okta, Outcome, Profile, Settings};
use tokio::sync::watch;

/// Sends what Okta would send.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The SCIM base URL, as Okta's form wants it: http://127.0.0.1:8080/altr/scim/v2
    #[arg(long, env = "OKTA_BASE_URL")]
    base_url: String,
    /// The token that `scim-bridge token create` printed
    #[arg(long, env = "OKTA_TOKEN", hide_env_values = true)]
    token: String,
    /// How the app was made in Okta
    #[arg(long, value_enum, default_value = "aiw")]
    dialect: Kind,
    /// Okta's "Unique identifier field for users"
    #[arg(long, default_value = "userName")]
    identifier: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// With the App Integration Wizard: GET and PUT
    Aiw,
    /// From the catalogue: PATCH
    Oin,
}

#[derive(Subcommand)]
enum Command {
    /// One person: connection test, assign, change, group, unassign, assign again, unassign;
    /// every request and answer is shown
    Walk {
        /// The person's user name
        #[arg(long, default_value = "maya.lindqvist@corp.example")]
        user: String,
        /// A group that is pushed and deleted again; without it none
        #[arg(long)]
        group: Option<String>,
    },
    /// Random actions of administrators; then what the server shows is compared with what it was told
    History {
        /// The number that everything follows from
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many actions
        #[arg(long, default_value_t = 500)]
        actions: usize,
        /// How many people
        #[arg(long, default_value_t = 50)]
        people: usize,
        /// How many groups
        #[arg(long, default_value_t = 5)]
        groups: usize,
        /// Requests that are under way at the same time
        #[arg(long, default_value_t = 5)]
        workers: usize,
    },
}

fn show(exchange: &Exchange) {
    println!("{} {}", exchange.method, exchange.path);
    if let Some(sent) = &exchange.sent {
        println!("  <- {sent}");
    }
    match &exchange.got {
        Ok((status, Some(body))) => println!("  -> {status} {body}"),
        Ok((status, None)) => println!("  -> {status}"),
        Err(words) => println!("  -> no answer: {words}"),
    }
}

fn walk_of(group: bool) -> Vec<(&'static str, Action)> {
    let mut walk = vec![
        ("Test API credentials", Action::Probe),
        ("Import", Action::Import),
        ("Assign the app", Action::Assign(0)),
        ("The given name changes", Action::Change(0, okta::action::Change::Given("Mia".into()))),
    ];
    if group {
        walk.push(("Push the group", Action::Push(0)));
        walk.push(("The person comes into it", Action::Join(0, 0)));
    }
    walk.extend([
        ("Unassign the app", Action::Unassign(0)),
        ("Assign it again", Action::Assign(0)),
    ]);
    if group {
        walk.push(("Unlink the group, delete it in the app", Action::UnlinkDelete(0)));
    }
    walk.push(("Unassign the app", Action::Unassign(0)));
    walk
}

async fn walk(settings: Settings, user: String, group: Option<String>) -> bool {
    let person = Profile {
        user_name: user,
        given: "Maya".to_owned(),
        family: "Lindqvist".to_owned(),
        ..Profile::default()
    };
    let steps = walk_of(group.is_some());
    let okta =
        Okta::new(settings, vec![person], group.into_iter().collect(), Vec::new()).watched(show);
    let mut is_fine = true;
    for (words, action) in steps {
        println!("\n# {words}");
        if let Outcome::Failed(error) = okta.act_with_what_follows(action).await {
            is_fine = false;
            println!("  Okta's list of tasks: {}", error.words);
        }
    }
    is_fine
}

async fn history(settings: Settings, plan: &Plan, workers: usize) -> bool {
    let drawn = draw(plan);
    let okta = Arc::new(Okta::new(settings, drawn.people, drawn.teams, Vec::new()));
    let (progress, _) = watch::channel(0);
    let tally = run(&okta, drawn.actions, workers, &progress).await;
    let settled = okta.settle().await;
    println!("seed {}: {tally:?}, {settled:?}", plan.seed);
    for words in okta.failures() {
        println!("  task: {words}");
    }
    match okta.agree(&Truth::default(), None).await {
        Ok(agreement) => {
            println!(
                "{} people, {} groups, {} things compared, {} differences",
                agreement.people,
                agreement.groups,
                agreement.compared,
                agreement.differences.len()
            );
            agreement.differences.iter().for_each(|words| println!("  {words}"));
            agreement.differences.is_empty() && settled.left == 0
        }
        Err(error) => {
            println!("{}", error.words);
            false
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let dialect = match arguments.dialect {
        Kind::Aiw => Dialect::Aiw,
        Kind::Oin => Dialect::Oin,
    };
    let credential = Credential::Bearer(arguments.token);
    let mut settings = Settings::new(arguments.base_url, credential, dialect);
    settings.identifier = arguments.identifier;
    let is_fine = match arguments.command {
        Command::Walk { user, group } => walk(settings, user, group).await,
        Command::History { seed, actions, people, groups, workers } => {
            let abilities = Abilities {
                renames_users: false,
                renames_groups: false,
                deletes_groups: false,
                passwords: false,
                choices: Vec::new(),
            };
            let plan = Plan { seed, actions, people, teams: groups, abilities };
            history(settings, &plan, workers).await
        }
    };
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
