//! Small worlds, one user and one group, in which every single fault comes at every call and the
//! process ends after every transaction; and pairs of them. No chance anywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use super::app::Habits;
use super::fault::{Fate, Fault, Menu, Nemesis};
use super::line::Lie;
use super::mappings::{SETTLE, Shape};
use super::okta::{Job, Lies};
use super::random::Random;
use super::run::{Report, Setup, live};

/// How long each call needs, one way.
const PACE: Duration = Duration::from_millis(50);
/// Longer than a small world lasts.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);

/// One case: a shape, faults by exchange, and the transaction after which the process ends.
#[derive(Debug, Clone)]
pub struct Case {
    pub shape: Shape,
    pub faults: BTreeMap<u64, Fault>,
    pub kill: Option<(u64, Fate)>,
}

fn menu(shape: Shape) -> Menu {
    Menu {
        latest: SETTLE - Duration::from_secs(1),
        unique: shape.is_unique(),
        read_back: shape == Shape::Patched,
    }
}

/// Create, membership, update, deactivate, reactivate: one after the other, with little rest.
pub fn world_of(case: &Case) -> Setup {
    let jobs = [
        Job::Push(0),
        Job::Assign(0),
        Job::Join(0, 0),
        Job::Update(0),
        Job::Unassign(0, false),
        Job::Assign(0),
        Job::Leave(0, 0),
    ];
    let fate = case.kill.map_or(Fate::Lost, |(_, fate)| fate);
    let kills = case.kill.iter().map(|(after, _)| (Duration::ZERO, *after, Duration::from_secs(1)));
    Setup {
        shape: case.shape,
        habits: Habits { unique: case.shape.is_unique(), ..Habits::default() },
        people: 1,
        teams: 1,
        jobs: jobs.map(|job| (Duration::from_secs(2), job, true)).to_vec(),
        menu: menu(case.shape),
        nemesis: Nemesis::Plan(case.faults.clone()),
        kills: kills.collect(),
        settle: SETTLE,
        impatience: 0,
        lies: Lies::default(),
        lie: Lie::None,
        patience: PATIENCE,
        rng: Random::new(1),
        steady: Some((PACE, fate)),
        in_turn: true,
    }
}

/// What a run that has little time leaves out: faults that differ from others in words only.
fn is_chosen(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Unreachable
            | Fault::RateBare
            | Fault::Hang(_)
            | Fault::Error(Fate::Done)
            | Fault::NoId
    )
}

/// Every single fault and every kill; `shortly`: chosen ones, in one shape.
pub fn singles(shortly: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let shapes = if shortly { &Shape::ALL[1..2] } else { &Shape::ALL[..] };
    for shape in shapes.iter().copied() {
        let well = Case { shape, faults: BTreeMap::new(), kill: None };
        let report = live(world_of(&well));
        cases.push(well);
        for (at, (kind, _)) in (1_u64..).zip(&report.kinds) {
            let all = menu(shape).all(*kind);
            for fault in all.into_iter().filter(|fault| !shortly || is_chosen(fault)) {
                cases.push(Case { shape, faults: [(at, fault)].into(), kill: None });
            }
        }
        let late = Fate::Late(SETTLE - Duration::from_secs(1));
        for fate in [Fate::Lost, Fate::Done, late] {
            if fate == Fate::Done || !shortly {
                let transactions = (0..report.transactions).map(|n| Some((n, fate)));
                cases.extend(transactions.map(|kill| Case {
                    shape,
                    faults: BTreeMap::new(),
                    kill,
                }));
            }
        }
    }
    cases
}

/// Pairs: a second fault at one of the next calls, or a kill soon after the first fault.
pub fn pairs(distance: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    // The doubtful ones and one that pauses: what they lead to differs.
    let chosen = |fault: &Fault| {
        matches!(fault, Fault::Hang(_) | Fault::Error(_) | Fault::Unreachable | Fault::RateBare)
    };
    for shape in Shape::ALL {
        let well = Case { shape, faults: BTreeMap::new(), kill: None };
        let kinds = live(world_of(&well)).kinds;
        for (at, (kind, _)) in (1_u64..).zip(&kinds) {
            for first in menu(shape).all(*kind).into_iter().filter(chosen) {
                let one = Case { shape, faults: [(at, first)].into(), kill: None };
                let after = live(world_of(&one)).kinds;
                for next in at + 1..=at + distance {
                    let Some((kind, _)) = usize::try_from(next - 1).ok().and_then(|n| after.get(n))
                    else {
                        continue;
                    };
                    for second in menu(shape).all(*kind).into_iter().filter(chosen) {
                        let faults = [(at, first), (next, second)].into();
                        cases.push(Case { shape, faults, kill: None });
                    }
                }
                for n in 0..distance {
                    let kill = Some((at * 4 + n * 3, Fate::Done));
                    cases.push(Case { shape, faults: [(at, first)].into(), kill });
                }
            }
        }
    }
    cases
}

/// Lives through a case.
pub fn judge(case: &Case) -> Report {
    live(world_of(case))
}
