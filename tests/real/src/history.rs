//! A random history of Okta against the bridge and an application, with everything that goes wrong
//! meanwhile; then application, bridge and Okta are compared.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use okta::agree::Truth;
use okta::history::{Plan, Tally, draw, run};
use okta::{Credential, Dialect, Okta, Settings};
use serde_json::json;
use tokio::sync::watch;

use crate::app::{App, Done};
use crate::bridge::Bridge;
use crate::passwords;
use crate::secrets;
use crate::trouble::{Happened, Schedule};

/// How much happens in a history.
#[derive(Debug, Clone, clap::Args)]
pub struct Size {
    /// Actions of administrators
    #[arg(long, default_value_t = 300)]
    pub actions: usize,
    /// People in Okta
    #[arg(long, default_value_t = 40)]
    pub people: usize,
    /// Groups in Okta
    #[arg(long, default_value_t = 5)]
    pub groups: usize,
    /// Requests of Okta at the same time
    #[arg(long, default_value_t = 5)]
    pub workers: usize,
    /// Faults of each hundred actions (of an application that can be told to fail)
    #[arg(long, default_value_t = 0)]
    pub faults: usize,
    /// How often the application falls over and comes again
    #[arg(long, default_value_t = 1)]
    pub restarts: usize,
    /// How often the bridge is killed with SIGKILL
    #[arg(long, default_value_t = 1)]
    pub kills: usize,
    /// A difference is planted afterwards, which must be found
    #[arg(long, default_value_t = false)]
    pub planted: bool,
    /// How the app was made in Okta: aiw (PUT) or oin (PATCH)
    #[arg(long, value_parser = dialect, default_value = "aiw")]
    pub dialect: Dialect,
}

fn dialect(text: &str) -> Result<Dialect, String> {
    match text {
        "aiw" => Ok(Dialect::Aiw),
        "oin" => Ok(Dialect::Oin),
        _ => Err("write aiw or oin".to_owned()),
    }
}

/// Seed and size.
pub struct HistoryPlan {
    /// The number that everything follows from.
    pub seed: u64,
    /// How much happens.
    pub size: Size,
}

struct Lived {
    tally: Tally,
    happened: Happened,
    before: Truth,
}

/// Lives through a history; whether everything agrees afterwards.
///
/// # Errors
/// When it could not be tried.
pub async fn lived<A: App>(
    mut app: A,
    program: &Path,
    folder: &Path,
    plan: &HistoryPlan,
) -> Done<bool> {
    let mut bridge = Bridge::start(program, &app, folder).await?;
    let abilities = app.abilities();
    let paths = abilities.choices.iter().map(|choice| choice.path.clone()).collect();
    let size = &plan.size;
    let (people, teams) = (size.people, size.groups);
    let drawn = draw(&Plan { seed: plan.seed, actions: size.actions, people, teams, abilities });
    let credential = Credential::Bearer(bridge.token.clone());
    let mut settings = Settings::new(bridge.base_url()?, credential, size.dialect);
    // Okta waits whole seconds; a test need not.
    settings.second = Duration::from_millis(100);
    let okta = Arc::new(Okta::new(settings, drawn.people, drawn.teams, paths));
    let lived = live(&mut app, &mut bridge, &okta, drawn.actions, plan).await?;
    app.stop_failing();
    let settled = okta.settle().await;
    bridge.rest().await?;
    let mut differences = compare(&okta, &app, &bridge, &lived.before).await?;
    let is_fine = differences.words.is_empty() && settled.left == 0;
    for words in okta.failures().iter().filter(|_| !is_fine) {
        println!("task: {words}");
    }
    differences.words.extend(secrets::nowhere(&bridge).err());
    let (planted, caught) = if size.planted && is_fine {
        plant(&okta, &app, &bridge, &lived.before).await?
    } else {
        (0, 0)
    };
    let calls = match app.calls() {
        Some(calls) => calls,
        None => bridge.calls().await?,
    };
    if planted != caught {
        differences.words.push(format!("{planted} planted differences, {caught} found"));
    }
    tell(
        plan,
        &app,
        &bridge,
        &okta,
        &lived,
        &differences,
        &json!({
            "calls": calls,
            "repeated_tasks": settled.repeated, "tasks_left": settled.left,
            "planted": planted, "caught": caught,
        }),
    );
    if !differences.words.is_empty() || settled.left > 0 {
        for words in &differences.words {
            println!("difference: {words}");
        }
        println!("--- the application's log\n{}\n--- the bridge's log", app.log());
        println!("{}", bridge.log());
        println!("{}", bridge.run(&["changes", "list", "--limit", "30"]).await?.out);
    }
    bridge.stop().await?;
    Ok(differences.words.is_empty() && settled.left == 0)
}

async fn live<A: App>(
    app: &mut A,
    bridge: &mut Bridge,
    okta: &Arc<Okta>,
    actions: Vec<okta::Action>,
    plan: &HistoryPlan,
) -> Done<Lived> {
    // A quarter of the people have an account of before the bridge.
    for person in okta.people().iter().take(plan.size.people / 4) {
        app.make_account(&person.current.user_name, "Of-before-1").await?;
    }
    let before = app.truth().await?;
    let mut rng = fastrand::Rng::with_seed(plan.seed);
    let schedule = Schedule::draw(&mut rng, &plan.size);
    let (progress, seen) = watch::channel(0);
    let living = run(okta, actions, plan.size.workers, &progress);
    let happening = schedule.happen(&mut rng, app, bridge, okta, seen);
    let (tally, happened) = tokio::join!(living, happening);
    Ok(Lived { tally, happened: happened?, before })
}

/// What was compared.
struct Differences {
    compared: usize,
    people: usize,
    groups: usize,
    passwords: usize,
    lost_sight: usize,
    words: Vec<String>,
}

async fn compare(
    okta: &Okta,
    app: &impl App,
    bridge: &Bridge,
    before: &Truth,
) -> Done<Differences> {
    let truth = app.truth().await?;
    let agreement = okta.agree(before, Some(&truth)).await.map_err(|error| error.words)?;
    let (asked, wrong) = passwords::compare(okta, app).await?;
    let mut words = agreement.differences;
    words.extend(wrong);
    let lost = bridge.lost().await?;
    if lost > 0 {
        words.push(format!("{lost} accepted changes were refused in the end"));
    }
    Ok(Differences {
        compared: agreement.compared + asked,
        people: agreement.people,
        groups: agreement.groups,
        passwords: asked,
        lost_sight: agreement.lost_sight,
        words,
    })
}

/// Changes the application by hand: each change must be found.
async fn plant(
    okta: &Okta,
    app: &impl App,
    bridge: &Bridge,
    before: &Truth,
) -> Done<(usize, usize)> {
    let active = okta.people().into_iter().filter_map(|person| {
        let told = person.told.filter(|told| told.active)?;
        told.values.get("userName")?.as_str().map(str::to_owned)
    });
    let mut active = active;
    let first = active.next().ok_or("nobody is active at the end; take more actions")?;
    app.cut_access(&first).await?;
    let mut second = None;
    for name in active {
        let before_it = app.truth().await?;
        app.give_more(&name).await?;
        // Somebody may have had all of it already.
        if app.truth().await? != before_it {
            second = Some(name);
            break;
        }
    }
    let second = second.ok_or("nobody can be given more; take more actions")?;
    app.make_account("nobody.asked@corp.example", "Of-nobody-1").await?;
    let found = compare(okta, app, bridge, before).await?.words;
    let names = [first.as_str(), second.as_str(), "nobody.asked@corp.example"];
    let caught = names.iter().filter(|name| found.iter().any(|words| words.contains(*name)));
    Ok((names.len(), caught.count()))
}

fn tell(
    plan: &HistoryPlan,
    app: &impl App,
    bridge: &Bridge,
    okta: &Okta,
    lived: &Lived,
    differences: &Differences,
    more: &serde_json::Value,
) {
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    let counters = okta.counters();
    let mut figures = json!({
        "suite": "history",
        "app": app.name(),
        "dialect": match plan.size.dialect { Dialect::Aiw => "aiw", Dialect::Oin => "oin" },
        "seed": plan.seed,
        "actions": plan.size.actions,
        "people": differences.people,
        "groups": differences.groups,
        "requests": count(&counters.requests),
        "answers_429": count(&counters.slowed),
        "answers_5xx": count(&counters.failed),
        "answers_lost": count(&counters.lost),
        "tasks_failed": lived.tally.failed,
        "faults": lived.happened.faults,
        "restarts": lived.happened.restarts,
        "kills": bridge.kills,
        "compared": differences.compared,
        "passwords": differences.passwords,
        "okta_lost_sight_of": differences.lost_sight,
        "differences": differences.words.len(),
    });
    if let (Some(figures), Some(more)) = (figures.as_object_mut(), more.as_object()) {
        figures.extend(more.clone());
    }
    println!("figures: {figures}");
}
