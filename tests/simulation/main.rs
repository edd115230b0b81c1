//! The simulation: the real engine with its journal in memory and virtual time, between a
//! simulated Okta and a simulated app that fails in every way we know, ended at any transaction.
//!
//! `cargo test --test simulation` runs seeds, every single fault of small worlds, and the controls
//! that must be caught. After `--`: `--seed N` shows one world; `--seeds N`, `--from N` run others;
//! `--systematic` only small worlds, `--pairs N` pairs of faults at most N calls apart.
//! ARCHITECTURE.md says more.

#![allow(clippy::unwrap_used)]

mod app;
mod check;
mod controls;
mod fault;
mod history;
mod ledger;
mod line;
mod mappings;
mod okta;
mod random;
mod run;
mod systematic;
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use run::{Plant, Report, live, world_of};
use systematic::Case;

/// Worlds of a run that says nothing else.
const SEEDS: u64 = 40;
/// Within so many worlds each control must be caught.
const CONTROL_SEEDS: u64 = 120;

/// What was asked for.
struct Asked {
    seed: Option<u64>,
    seeds: Option<u64>,
    from: u64,
    case: Option<usize>,
    systematic: bool,
    pairs: Option<u64>,
}

impl Asked {
    fn read() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let value = |name: &str| {
            let at = args.iter().position(|arg| arg == name)?;
            args.get(at + 1)?.parse::<u64>().ok()
        };
        let has = |name: &str| args.iter().any(|arg| arg == name);
        Self {
            seed: value("--seed"),
            seeds: value("--seeds"),
            from: value("--from").unwrap_or(1),
            case: value("--case").and_then(|n| usize::try_from(n).ok()),
            systematic: has("--systematic"),
            pairs: value("--pairs"),
        }
    }
}

/// What many worlds came to.
#[derive(Default)]
struct Sum {
    worlds: u64,
    seconds: u64,
    counts: BTreeMap<String, u64>,
    failed: Vec<String>,
}

impl Sum {
    fn take(&mut self, name: &str, report: &Report) {
        self.worlds += 1;
        self.seconds += report.seconds;
        for (what, count) in &report.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
        if let Some(first) = report.wrongs.first() {
            if self.failed.is_empty() {
                report.lines.iter().for_each(|line| println!("{line}"));
            }
            println!("FAILED  {name}: {first} ({} in all)", report.wrongs.len());
            self.failed.push(name.to_owned());
        }
    }
}

/// Lives through many worlds, as many at once as there are cores.
fn many(names: &[String], live: impl Fn(usize) -> Report + Sync) -> Sum {
    let sum = Mutex::new(Sum::default());
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(name) = names.get(at) else { return };
                    let report = live(at);
                    sum.lock().unwrap().take(name, &report);
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

fn show(report: &Report) -> ExitCode {
    report.lines.iter().for_each(|line| println!("{line}"));
    if report.wrongs.is_empty() {
        println!("nothing wrong");
        return ExitCode::SUCCESS;
    }
    report.wrongs.iter().for_each(|wrong| println!("WRONG {wrong}"));
    ExitCode::FAILURE
}

fn seeds(asked: &Asked) -> Sum {
    let plant = Plant::default();
    let count = asked.seeds.unwrap_or(SEEDS);
    let names: Vec<String> =
        (asked.from..asked.from + count).map(|seed| format!("--seed {seed}")).collect();
    many(&names, |at| live(world_of(asked.from + at as u64, plant)))
}

fn cases(name: &str, cases: &[Case]) -> Sum {
    let named = |(at, case): (usize, &Case)| format!("{name} --case {at}: {case:?}");
    let names: Vec<String> = cases.iter().enumerate().map(named).collect();
    many(&names, |at| systematic::judge(&cases[at]))
}

/// Prints what a part came to; adds it to the figures.
fn tell(name: &str, sum: &Sum, figures: &mut serde_json::Map<String, serde_json::Value>) {
    println!("{name}: {} worlds, {} virtual hours", sum.worlds, sum.seconds / 3_600);
    for (what, count) in &sum.counts {
        println!("{count:>10}  {what}");
    }
    let failed = sum.failed.len();
    println!("{failed} failed");
    figures.insert(
        name.to_owned(),
        serde_json::json!({
            "worlds": sum.worlds, "virtual_hours": sum.seconds / 3_600,
            "failed": failed, "counts": sum.counts,
        }),
    );
}

fn main() -> ExitCode {
    let asked = Asked::read();
    if let Some(seed) = asked.seed {
        return show(&live(world_of(seed, Plant::default())));
    }
    let list = match asked.pairs {
        Some(distance) => Some(("--pairs", systematic::pairs(distance))),
        None if asked.systematic || asked.seeds.is_none() => {
            Some(("--systematic", systematic::singles(!asked.systematic)))
        }
        None => None,
    };
    if let (Some(case), Some((_, list))) = (asked.case, &list) {
        return match list.get(case) {
            Some(case) => show(&systematic::judge(case)),
            None => ExitCode::FAILURE,
        };
    }
    let mut figures = serde_json::Map::new();
    let mut failed = 0;
    if let Some((name, list)) = &list {
        let sum = cases(name, list);
        tell(name.trim_start_matches('-'), &sum, &mut figures);
        failed += sum.failed.len();
    }
    if !asked.systematic && asked.pairs.is_none() {
        let sum = seeds(&asked);
        tell("seeds", &sum, &mut figures);
        failed += sum.failed.len();
    }
    if list.is_some() && asked.pairs.is_none() && !asked.systematic {
        let mut caught = 0_u64;
        for control in controls::all() {
            match controls::caught(&control, CONTROL_SEEDS) {
                Some((seed, wrong)) => {
                    caught += 1;
                    println!("control '{}': caught by seed {seed}: {wrong}", control.name);
                }
                None => {
                    failed += 1;
                    println!("control '{}': NOT CAUGHT", control.name);
                }
            }
        }
        figures.insert("controls_caught".to_owned(), caught.into());
    }
    println!("figures: {}", serde_json::Value::Object(figures));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
