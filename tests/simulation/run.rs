//! One world from its seed to its verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use scim_bridge::sync::virtual_runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::app::{Habits, Records};
use super::check::Scene;
use super::fault::{Fate, Menu, Nemesis};
use super::history::History;
use super::ledger::Ledger;
use super::line::{Lie, Line};
use super::mappings::{SETTLE, Shape, loaded};
use super::okta::{Job, Lies, Okta};
use super::random::Random;
use super::world::World;

/// Everything that makes a world.
pub struct Setup {
    pub shape: Shape,
    pub habits: Habits,
    pub people: usize,
    pub teams: usize,
    /// What is done, when, and whether nobody else works on the same meanwhile.
    pub jobs: Vec<(Duration, Job, bool)>,
    pub nemesis: Nemesis,
    pub menu: Menu,
    /// When the process ends, after how many more transactions, and for how long.
    pub kills: Vec<(Duration, u64, Duration)>,
    pub settle: Duration,
    pub impatience: u64,
    pub lies: Lies,
    pub lie: Lie,
    /// How long a kill waits for its transaction.
    pub patience: Duration,
    pub rng: Random,
    /// Every call needs so long, and one that a kill cuts off becomes this.
    pub steady: Option<(Duration, Fate)>,
    /// One job after the other.
    pub in_turn: bool,
}

/// What came of a world.
pub struct Report {
    pub wrongs: Vec<String>,
    pub lines: Vec<String>,
    pub counts: BTreeMap<String, u64>,
    pub kinds: Vec<(super::fault::Kind, String)>,
    pub seconds: u64,
    /// About how many transactions the journal made, from the first one on.
    pub transactions: u64,
}

/// What a control breaks from outside.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plant {
    pub no_settle: bool,
    pub lies: Lies,
    pub lie: Lie,
    /// So many kills more than the seed has, for what is only seen at a kill.
    pub more_kills: u64,
}

/// The world of a seed.
pub fn world_of(seed: u64, plant: Plant) -> Setup {
    let mut rng = Random::new(seed);
    let shape = Shape::ALL[usize::try_from(seed % 4).unwrap_or(0)];
    let people = 6 + usize::try_from(rng.below(7)).unwrap_or(0);
    let teams = 1 + usize::try_from(rng.below(3)).unwrap_or(0);
    let habits = Habits {
        unique: shape.is_unique(),
        folds: rng.chance(30),
        reuses_ids: rng.chance(30),
        search_lag: if shape.is_unique() || rng.chance(60) { 0 } else { rng.below(40) },
    };
    let hours = 1 + rng.below(3);
    let span = hours * 3_600;
    let mut jobs = Vec::new();
    for group in 0..teams {
        jobs.push((Duration::from_secs(rng.below(300)), Job::Push(group), true));
    }
    for person in 0..people {
        jobs.push((Duration::from_secs(rng.below(600)), Job::Assign(person), true));
    }
    for _ in 0..14 + rng.below(20) {
        let person = usize::try_from(rng.below(people as u64)).unwrap_or(0);
        let group = usize::try_from(rng.below(teams as u64)).unwrap_or(0);
        let job = match rng.below(28) {
            0..=6 => Job::Update(person),
            7..=9 => Job::Unassign(person, rng.chance(50)),
            10..=12 => Job::Assign(person),
            13 => Job::Password(person),
            14 if shape.deletes() => Job::Delete(person),
            15 => Job::Push(group),
            16..=19 => Job::Join(group, person),
            20..=21 => Job::Leave(group, person),
            22 => Job::PutGroup(group),
            23 if shape != Shape::OnUsers => Job::Rename(group),
            24 if rng.chance(30) => Job::Drop(group),
            25 => Job::Double(person),
            26 => Job::Flap(person),
            _ => Job::Update(person),
        };
        // Half of them come close upon others: that is where order matters.
        let at = if rng.chance(50) {
            600 + rng.below(12) * span / 13 + rng.below(40)
        } else {
            rng.below(span)
        };
        jobs.push((Duration::from_secs(at), job, rng.chance(80)));
    }
    jobs.sort_by_key(|(at, _, _)| *at);
    let down = if rng.chance(25) {
        let from = rng.below(span);
        vec![(from, from + 600 + rng.below(3 * 3_600))]
    } else {
        Vec::new()
    };
    let menu = Menu {
        latest: SETTLE - Duration::from_secs(habits.search_lag + 1),
        unique: shape.is_unique(),
        read_back: shape == Shape::Patched,
    };
    let percent = *rng.pick(&[0, 3, 8, 15, 25]);
    let mut kills = Vec::new();
    for _ in 0..rng.below(4) + plant.more_kills {
        // Mostly when something goes on.
        let at = match rng.chance(70) {
            true => rng.pick(&jobs).0,
            false => Duration::from_secs(rng.below(span)),
        };
        kills.push((at, rng.below(9), rng.millis(1, 30_000)));
    }
    kills.sort_by_key(|(at, _, _)| *at);
    Setup {
        shape,
        habits,
        people,
        teams,
        jobs,
        menu,
        nemesis: Nemesis::Chance { rng: rng.fork(), percent, menu, down },
        kills,
        settle: if plant.no_settle { Duration::ZERO } else { SETTLE },
        impatience: *rng.pick(&[0, 5, 15]),
        lies: plant.lies,
        lie: plant.lie,
        patience: Duration::from_secs(60),
        rng,
        steady: None,
        in_turn: false,
    }
}

/// Lives through it.
pub fn live(setup: Setup) -> Report {
    let runtime = virtual_runtime().unwrap();
    runtime.block_on(within(setup))
}

async fn within(mut setup: Setup) -> Report {
    let history = Arc::new(History::new());
    let ledger = Arc::new(Ledger::default());
    let records = Records::new(setup.habits);
    let line = Line::new(
        records,
        setup.nemesis,
        setup.menu,
        setup.rng.fork(),
        history.clone(),
        ledger.clone(),
    );
    if let Some((pace, cut)) = setup.steady {
        line.steady(pace, cut);
    }
    history.note(format!(
        "world   {:?}, {:?}, {} people, {} groups, impatience {}",
        setup.shape, setup.habits, setup.people, setup.teams, setup.impatience
    ));
    let world = World::new(loaded(setup.shape, setup.settle), line.clone(), setup.lie);
    let mut okta = Okta::new(world.clone(), ledger.clone(), setup.people, setup.teams);
    okta.lies = setup.lies;
    okta.impatience = setup.impatience;
    okta.keeps_accounts = setup.shape.keeps_accounts();
    let okta = Arc::new(okta);
    let mut clients = JoinSet::new();
    let (jobs, mut rng) = (setup.jobs, setup.rng.fork());
    let deletes = jobs.iter().any(|(_, job, _)| matches!(job, Job::Delete(_)));
    if setup.in_turn {
        let okta = okta.clone();
        clients.spawn(async move {
            for (pause, job, alone) in jobs {
                sleep(pause).await;
                Box::pin(okta.work(&job, alone, rng.fork())).await;
            }
        });
    } else {
        for (at, job, alone) in jobs {
            let (okta, rng) = (okta.clone(), rng.fork());
            clients.spawn(async move {
                sleep(at).await;
                Box::pin(okta.work(&job, alone, rng)).await;
            });
        }
    }
    let killer = {
        let (world, kills) = (world.clone(), setup.kills);
        tokio::spawn(async move {
            // A kill at the very beginning ends the process while it starts.
            for (at, transactions, pause) in kills {
                let at = at.as_secs();
                let gone = world.history.seconds();
                sleep(Duration::from_secs(at.saturating_sub(gone))).await;
                world.kill(transactions, setup.patience, pause).await;
            }
        })
    };
    world.start().await;
    while clients.join_next().await.is_some() {}
    let _ = killer.await;
    line.heal();
    let scene = Scene {
        world: &world,
        ledger: &ledger,
        shape: setup.shape,
        people: setup.people,
        teams: setup.teams,
    };
    if world.rest().await {
        scene.at_rest().await;
        // Told 201, refused later: the app has nothing of it, and the next write makes it good.
        okta.echo(scene.refused().await).await;
        world.rest().await;
        let before = line.writes();
        okta.echo_all().await;
        world.rest().await;
        let made = line.writes() - before;
        // Known: who was deleted and keeps an account is still in the app's groups.
        let deleted = setup.shape.keeps_accounts() && deletes;
        history.check("echo", made == 0 || deleted, || {
            format!("{made} writes for echoes of what is there")
        });
    }
    Report {
        wrongs: history.wrongs(),
        lines: history.lines(),
        counts: history.counts(),
        kinds: line.kinds(),
        seconds: history.seconds(),
        transactions: line.kinds().len() as u64 * 4 + 20,
    }
}
