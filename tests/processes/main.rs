//! The program as a process, killed at every named point and at random moments, under load.
//!
//! Clients ask over TCP for accounts, memberships, passwords; the app listens in this process and
//! lives on. After each kill the program is started again, lost requests are repeated, and the app,
//! the journal and every answer are compared. Needs the feature `crash-points`; run it by
//! `.ci/suites/processes`. The last line is `figures: {json}`.
//!
//! `PROCESSES_ROUNDS`: rounds at each point (3), and ten times as many kills at random moments;
//! `PROCESSES_SEED`: where the numbers begin (1). Moments are real ones: a seed repeats what is
//! asked for, not when the kill comes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod app;
#[allow(dead_code)]
#[path = "../it/support/http.rs"]
mod http;
mod model;
#[allow(dead_code)]
#[path = "../it/support/people.rs"]
mod people;
#[allow(dead_code)]
#[path = "../it/support/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../it/support/text.rs"]
mod text;
mod upgrade;
mod world;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use scim_bridge::observe::CRASH_POINTS;
use serde_json::{Value, json};

use self::model::Dice;
use self::world::{Kill, Tally, World, Wrong};

/// Worlds at the same time: most of a round is waiting.
const WORLDS: u64 = 3;
/// How often a round whose point was not reached is done again, at the first passing.
const TRIES: u32 = 4;

type Jobs = Arc<Mutex<VecDeque<(Kill, u32)>>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> ExitCode {
    let number = |name: &str, other: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(other)
    };
    let (rounds, seed) = (number("PROCESSES_ROUNDS", 3), number("PROCESSES_SEED", 1));
    let began = Instant::now();
    let jobs: Jobs = Arc::new(Mutex::new(kills(rounds, seed)));
    let mut worlds = tokio::task::JoinSet::new();
    for world in 0..WORLDS {
        worlds.spawn(live(World::new(seed.wrapping_mul(1_000) + world).await, jobs.clone()));
    }
    let mut sum = Tally::default();
    for (at, point) in CRASH_POINTS.iter().filter(|point| is_upgrade(point)).enumerate() {
        for round in 0..rounds {
            let passing = if point.starts_with("migration") { 1 + round % 3 } else { 1 };
            tracing_line(&format!("{at} {point}:{passing}"));
            sum.add(upgrade::round(point, passing).await);
        }
    }
    while let Some(ended) = worlds.join_next().await {
        match ended {
            Ok(tally) => sum.add(tally),
            Err(error) => sum.wrongs.push(Wrong::Stuck(format!("a world broke off: {error}"))),
        }
    }
    tell(&sum, rounds, seed, began)
}

/// What is to be done, mixed, so that each start recovers on top of other ends.
fn kills(rounds: u64, seed: u64) -> VecDeque<(Kill, u32)> {
    let mut dice = Dice(seed);
    let mut kills = Vec::new();
    let apart = |point: &&&str| point.starts_with("migration") || point.starts_with("backup");
    for point in CRASH_POINTS.iter().filter(|point| !apart(point)) {
        for _ in 0..rounds {
            let passing = 1 + dice.below(passings(point));
            kills.push(match *point {
                "recovery-before-commit" | "recovery-after-commit" => Kill::Starting(point),
                "shutdown-begun" | "checkpoint-before" | "checkpoint-after" => Kill::Ending(point),
                _ => Kill::At(point, passing),
            });
        }
    }
    let backup = CRASH_POINTS.iter().filter(|point| point.starts_with("backup"));
    kills.extend(backup.flat_map(|point| (0..rounds).map(|_| Kill::BackingUp(point))));
    kills.extend((0..10 * rounds).map(|_| Kill::After(dice.below(300_000))));
    for at in (1..kills.len()).rev() {
        kills.swap(at, usize::try_from(dice.below(at as u64 + 1)).unwrap_or(0));
    }
    kills.into_iter().map(|kill| (kill, 0)).collect()
}

/// Whether an old journal comes to that point when it is brought up to date.
fn is_upgrade(point: &str) -> bool {
    point.starts_with("migration") || ["backup-copied", "backup-before-rename"].contains(&point)
}

/// Up to which passing a point is tried: later ones come seldom in one round.
fn passings(point: &str) -> u64 {
    match point {
        "batch-before-commit" | "batch-after-commit" => 40,
        "call-half-sent" | "call-sent" | "call-head-received" | "call-answered" => 12,
        "call-before-connect" | "call-after-connect" => 2,
        "doubt-kept" | "doubt-look-up" => 1,
        _ => 5,
    }
}

async fn live(mut world: World, jobs: Jobs) -> Tally {
    loop {
        let next = jobs.lock().unwrap().pop_front();
        let Some((kill, tries)) = next else { return world.finish().await };
        let missed = world.tally.missed.values().sum::<u64>();
        tracing_line(&format!("{kill:?}"));
        world.round(&kill).await;
        if world.tally.missed.values().sum::<u64>() > missed && tries < TRIES {
            let again = match kill {
                Kill::At(point, _) => Kill::At(point, 1),
                other => other,
            };
            jobs.lock().unwrap().push_back((again, tries + 1));
        }
    }
}

/// What is being done, for who looks on.
fn tracing_line(words: &str) {
    if std::env::var_os("PROCESSES_TELL").is_some() {
        println!("  {words}");
    }
}

/// Prints everything, the figures last.
fn tell(sum: &Tally, rounds: u64, seed: u64, began: Instant) -> ExitCode {
    let of = |kind: fn(&Wrong) -> bool| sum.wrongs.iter().filter(|wrong| kind(wrong)).count();
    let counts = [
        ("lost", of(|wrong| matches!(wrong, Wrong::Lost(_)))),
        ("duplicates", of(|wrong| matches!(wrong, Wrong::Duplicate(_)))),
        ("active_leavers", of(|wrong| matches!(wrong, Wrong::ActiveLeaver(_)))),
        ("untrue_answers", of(|wrong| matches!(wrong, Wrong::Untrue(_)))),
        ("secrets_found", of(|wrong| matches!(wrong, Wrong::Secret(_)))),
        ("stuck", of(|wrong| matches!(wrong, Wrong::Stuck(_)))),
    ];
    let at_points: u64 = sum.at_points.values().sum();
    let kills = at_points + sum.random;
    for point in CRASH_POINTS {
        let killed = sum.at_points.get(point).copied().unwrap_or(0);
        let missed = sum.missed.get(point).copied().unwrap_or(0);
        println!("{killed:>6} kills at {point}, {missed} rounds that did not come there");
    }
    println!("{:>6} kills at random moments", sum.random);
    println!(
        "{} acknowledged, {} answers lost, {} requests repeated, {} changes in the journals",
        sum.acknowledged, sum.lost_answers, sum.repeated, sum.changes
    );
    for (what, count) in counts {
        println!("{what}: {count} in {kills} kills and {} acknowledged changes", sum.acknowledged);
    }
    println!("parked for a person, and told: {}", sum.parked);
    println!("controls: {} of {} planted lies counted", sum.caught, sum.planted);
    sum.wrongs.iter().for_each(|wrong| println!("WRONG {wrong:?}"));
    let unreached: Vec<&&str> =
        CRASH_POINTS.iter().filter(|point| !sum.at_points.contains_key(**point)).collect();
    unreached.iter().for_each(|point| println!("NEVER REACHED {point}"));
    let passed = sum.wrongs.is_empty()
        && unreached.is_empty()
        && sum.planted > 0
        && sum.caught == sum.planted;
    let mut figures = json!({
        "suite": "processes", "passed": passed, "optimised": !cfg!(debug_assertions), "seed": seed, "rounds": rounds,
        "seconds": began.elapsed().as_secs(), "kills": kills, "kills_at_points": at_points,
        "kills_at_random": sum.random, "points": CRASH_POINTS.len(),
        "points_reached": CRASH_POINTS.len() - unreached.len(), "by_point": sum.at_points,
        "acknowledged": sum.acknowledged, "answers_lost": sum.lost_answers,
        "repeated": sum.repeated, "conflicts": sum.conflicts, "restarts": sum.restarts, "changes": sum.changes,
        "audits": sum.audits, "parked": sum.parked, "controls": sum.planted, "controls_caught": sum.caught,
    });
    counts.iter().for_each(|(what, count)| figures[*what] = Value::from(*count));
    println!("figures: {figures}");
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
