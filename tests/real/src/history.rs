//! A random history of Okta against the bridge and an application, with everything that goes wrong
//! meanwhile; then application, bridge and Okta are compared.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use okta::Dialect;
use okta::history::{Plan, Tally, draw, run};
use okta::settle::Settled;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::app::{App, Done};
use crate::secrets;
use crate::stage::{Compared, Stage};
use crate::trouble::{Happened, Schedule};

/// Nobody in Okta has this name.
const NOBODY: &str = "nobody.asked@corp.example";

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

/// What came of the actions.
struct Lived {
    tally: Tally,
    happened: Happened,
}

/// What was found at the end.
struct End {
    settled: Settled,
    compared: Compared,
    planted: usize,
    caught: usize,
}

impl End {
    fn is_fine(&self) -> bool {
        self.compared.differences().is_empty()
            && self.settled.left == 0
            && self.planted == self.caught
    }
}

/// Lives through a history; whether everything agrees afterwards.
///
/// # Errors
/// When it could not be tried.
pub async fn lived<A: App>(
    app: A,
    program: &Path,
    folder: &Path,
    plan: &HistoryPlan,
) -> Done<bool> {
    let HistoryPlan { seed, size } = plan;
    let (people, teams, abilities) = (size.people, size.groups, app.abilities());
    let drawn = draw(&Plan { seed: *seed, actions: size.actions, people, teams, abilities });
    // A quarter of the people have an account of before the bridge.
    for person in &drawn.people[..people / 4] {
        app.make_account(&person.user_name, "Of-before-1-canary").await?;
    }
    let mut stage =
        Stage::start(app, program, folder, (drawn.people, drawn.teams), size.dialect).await?;
    let lived = live(&mut stage, drawn.actions, plan).await?;
    let end = ended(&stage, size.planted).await?;
    println!("figures: {}", figures(plan, &stage, &lived, &end).await?);
    if !end.is_fine() {
        println!("{} planted differences, {} found", end.planted, end.caught);
        for words in stage.okta.failures() {
            println!("task: {words}");
        }
        for words in end.compared.differences() {
            println!("difference: {words}");
        }
        stage.show().await?;
    }
    stage.bridge.stop().await?;
    Ok(end.is_fine())
}

async fn live<A: App>(
    stage: &mut Stage<A>,
    actions: Vec<okta::Action>,
    plan: &HistoryPlan,
) -> Done<Lived> {
    let mut rng = fastrand::Rng::with_seed(plan.seed);
    let schedule = Schedule::draw(&mut rng, &plan.size);
    let (progress, seen) = watch::channel(0);
    let Stage { app, bridge, okta, .. } = stage;
    let living = run(okta, actions, plan.size.workers, &progress);
    let happening = schedule.happen(&mut rng, app, bridge, okta, seen);
    let (tally, happened) = tokio::join!(living, happening);
    Ok(Lived { tally, happened: happened? })
}

/// The administrator repeats what failed; then everything is compared.
async fn ended<A: App>(stage: &Stage<A>, planted: bool) -> Done<End> {
    stage.app.stop_failing();
    let settled = stage.okta.settle().await;
    let mut compared = stage.compare().await?;
    let lost = stage.bridge.lost().await?;
    if lost > 0 {
        let words = format!("{lost} accepted changes were refused in the end");
        compared.agreement.differences.push(words);
    }
    compared.agreement.differences.extend(secrets::nowhere(&stage.bridge).err());
    let mut end = End { settled, compared, planted: 0, caught: 0 };
    if planted && end.is_fine() {
        (end.planted, end.caught) = plant(stage).await?;
    }
    Ok(end)
}

/// Changes the application by hand: each change must be found.
async fn plant<A: App>(stage: &Stage<A>) -> Done<(usize, usize)> {
    let app = &stage.app;
    let mut active = stage.okta.people().into_iter().filter_map(|person| {
        let told = person.told.filter(|told| told.active)?;
        told.values.get("userName")?.as_str().map(str::to_owned)
    });
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
    app.make_account(NOBODY, "Of-nobody-1-canary").await?;
    let compared = stage.compare().await?;
    let names = [first.as_str(), second.as_str(), NOBODY];
    let is_found = |name: &&&str| compared.differences().iter().any(|words| words.contains(**name));
    Ok((names.len(), names.iter().filter(is_found).count()))
}

async fn figures<A: App>(
    plan: &HistoryPlan,
    stage: &Stage<A>,
    lived: &Lived,
    end: &End,
) -> Done<Value> {
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    let counters = stage.okta.counters();
    let agreement = &end.compared.agreement;
    let calls = match stage.app.calls() {
        Some(calls) => calls,
        None => stage.bridge.calls().await?,
    };
    Ok(json!({
        "suite": "history",
        "app": stage.app.name(),
        "dialect": match plan.size.dialect { Dialect::Aiw => "aiw", Dialect::Oin => "oin" },
        "seed": plan.seed,
        "actions": plan.size.actions,
        "people": agreement.people,
        "groups": agreement.groups,
        "requests": count(&counters.requests),
        "answers_429": count(&counters.slowed),
        "answers_5xx": count(&counters.failed),
        "answers_lost": count(&counters.lost),
        "tasks_failed": lived.tally.failed,
        "repeated_tasks": end.settled.repeated,
        "tasks_left": end.settled.left,
        "calls": calls,
        "faults": lived.happened.faults,
        "restarts": lived.happened.restarts,
        "kills": stage.bridge.kills,
        "compared": agreement.compared,
        "passwords": end.compared.passwords,
        "okta_lost_sight_of": agreement.lost_sight,
        "differences": agreement.differences.len(),
        "planted": end.planted,
        "caught": end.caught,
    }))
}
