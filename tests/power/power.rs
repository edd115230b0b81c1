//! The power is cut at every write, flush and acknowledgement.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use disk::{Event, Image, Keep, Policy, Replay, Watch};

use super::check::{Checker, Left, States};
use super::workload::{BACKUP, FILE, Player};
use super::{number, runtime};

/// Images with a random mix of what was not flushed, per cut point.
const MIXES: u64 = 1;

/// A workload that was played once, with all that was written.
struct Recording {
    events: Vec<Event>,
    states: States,
}

/// What came of looking at images.
#[derive(Debug, Default, Clone)]
struct Figures {
    acknowledged: usize,
    cut_points: usize,
    images: usize,
    lost: usize,
    corrupt: usize,
    half: usize,
    /// The first that was not right.
    first: Option<String>,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.cut_points += other.cut_points;
        self.images += other.images;
        self.lost += other.lost;
        self.corrupt += other.corrupt;
        self.half += other.half;
        self.first = self.first.take().or_else(|| other.first.clone());
    }

    fn count(&mut self, left: &Left, place: &str) {
        match left {
            Left::Right => return,
            Left::Lost => self.lost += 1,
            Left::Half(_) => self.half += 1,
            Left::Corrupt(_) => self.corrupt += 1,
        }
        self.first.get_or_insert_with(|| format!("{place}: {left:?}"));
    }

    fn wrong(&self) -> usize {
        self.lost + self.corrupt + self.half
    }

    fn line(&self) -> String {
        format!(
            "acknowledged {}, cut points {}, images {}, lost {}, corrupt {}, half {}",
            self.acknowledged, self.cut_points, self.images, self.lost, self.corrupt, self.half
        )
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "acknowledged": self.acknowledged,
            "cut_points": self.cut_points,
            "images": self.images,
            "lost": self.lost,
            "corrupt": self.corrupt,
            "half": self.half,
        })
    }
}

/// Plays a workload and keeps what was written.
fn record(seed: u64, pieces: usize) -> Recording {
    let folder = tempfile::tempdir().unwrap();
    let watch = Watch::over(folder.path()).unwrap();
    watch.record();
    let mut player = Player::new(&watch, folder.path(), seed);
    let (events, told) = runtime().block_on(async {
        player
            .play(pieces, seed.is_multiple_of(2))
            .await
            .unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
        let events = watch.events();
        player.abandon();
        (events, std::mem::take(&mut player.told))
    });
    let mut recording = Recording { events, states: States { told, stages: HashMap::new() } };
    recording.find_stages();
    recording
}

/// The marks of a recording up to an event.
#[derive(Debug, Default, Clone, Copy)]
struct Progress {
    acked: usize,
    begun: usize,
}

impl Progress {
    fn play(&mut self, event: &Event) {
        if let Event::Mark(mark) = event {
            let piece = (mark / 2 + 1) as usize;
            if mark.is_multiple_of(2) { self.begun = piece } else { self.acked = piece }
        }
    }
}

/// Whether the event is about the journal's file, its log or its rollback journal.
fn is_of(event: &Event, name: &str) -> bool {
    match event {
        Event::Write { file, .. }
        | Event::Truncate { file, .. }
        | Event::Flush { file }
        | Event::Delete { file } => {
            file.strip_prefix(name).is_some_and(|rest| matches!(rest, "" | "-wal" | "-journal"))
        }
        Event::FlushFolder | Event::Mark(_) => true,
    }
}

impl Recording {
    /// What is right between the transactions of one piece of work.
    fn find_stages(&mut self) {
        let checker = Checker::new();
        let mut replay = Replay::new(Policy::Honest, Image::default(), 0);
        let mut progress = Progress::default();
        for (at, event) in self.events.iter().enumerate().filter(|(_, e)| is_of(e, FILE)) {
            progress.play(event);
            replay.play(event, &self.events[at + 1..]);
            let piece = progress.begun.saturating_sub(1);
            let told = self.states.told.get(piece);
            let under_way = progress.begun > progress.acked;
            if under_way
                && matches!(event, Event::Flush { .. })
                && told.is_some_and(|told| told.work.has_stages())
                && let Ok(digest) = checker.digest(&replay.cut(Keep::All))
            {
                self.states.stages.entry(digest).or_default().push(piece);
            }
        }
    }

    /// Looks at the images of every cut point under a policy.
    fn cut_everywhere(&self, policy: Policy, seed: u64, every: usize) -> Figures {
        let events: Vec<Event> =
            self.events.iter().filter(|event| is_of(event, FILE)).cloned().collect();
        let mut figures = Figures { acknowledged: self.states.told.len(), ..Default::default() };
        let mut replay = Replay::new(policy, Image::default(), seed);
        let mut progress = Progress::default();
        let mut images = Vec::new();
        let mut seen = HashSet::new();
        for (at, event) in events.iter().enumerate() {
            progress.play(event);
            replay.play(event, &events[at + 1..]);
            // The controls are about what an open journal loses, not about its making.
            if policy != Policy::Honest && progress.acked == 0 {
                replay.settle_all();
                continue;
            }
            figures.cut_points += 1;
            if at % every != 0 {
                continue;
            }
            let mixes = (0..MIXES).map(|n| Keep::Some { seed: seed ^ (at as u64 * 31 + n) });
            for keep in [Keep::Nothing, Keep::All].into_iter().chain(mixes) {
                let image = replay.cut(keep);
                // The same bytes after the same acknowledgements were looked at already.
                if seen.insert((image.fingerprint(), progress.acked, progress.begun)) {
                    images.push((image, progress, format!("event {at}, {keep:?}")));
                }
            }
            if images.len() >= 64 {
                self.look_at(&mut images, &mut figures);
            }
        }
        self.look_at(&mut images, &mut figures);
        figures
    }

    fn look_at(&self, images: &mut Vec<(Image, Progress, String)>, figures: &mut Figures) {
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let checker = Checker::new();
                    while let Some((image, progress, place)) =
                        images.get(next.fetch_add(1, Ordering::SeqCst))
                    {
                        let left =
                            checker.look(image, &self.states, progress.acked, progress.begun);
                        let place = format!("{place}, {} acknowledged", progress.acked);
                        found.lock().unwrap().push((left, place));
                    }
                });
            }
        });
        for (left, place) in found.into_inner().unwrap() {
            figures.images += 1;
            figures.count(&left, &place);
        }
        images.clear();
    }

    /// A backup that was acknowledged is flushed, whole, and holds what was acknowledged before.
    fn backups(&self) -> Figures {
        let partial = format!("{BACKUP}.partial");
        let checker = Checker::new();
        let mut figures = Figures::default();
        let mut replay = Replay::new(Policy::Honest, Image::default(), 0);
        let mut progress = Progress::default();
        for (at, event) in self.events.iter().enumerate().filter(|(_, e)| is_of(e, &partial)) {
            progress.play(event);
            replay.play(event, &self.events[at + 1..]);
            let told = progress.acked.checked_sub(1).map(|last| &self.states.told[last]);
            let acked = matches!(event, Event::Mark(mark) if mark % 2 == 1);
            let Some(told) =
                told.filter(|told| acked && told.work == super::workload::Work::Backup)
            else {
                continue;
            };
            figures.acknowledged += 1;
            figures.images += 1;
            let mut image = replay.cut(Keep::Nothing);
            let file = image.files.remove(partial.as_str()).unwrap_or_default();
            let image = Image { files: [(FILE.into(), file)].into() };
            let left = match checker.digest(&image) {
                Ok(digest) if digest == told.digest => Left::Right,
                Ok(_) => Left::Half("a backup with another content".into()),
                Err(words) => Left::Corrupt(words),
            };
            figures.count(&left, &format!("backup, {} acknowledged", progress.acked));
        }
        figures
    }
}

#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    let workloads = number("POWER_WORKLOADS", 1);
    let first = number("POWER_SEED", 1);
    let pieces = number("POWER_PIECES", 14) as usize;
    let mut full = Figures::default();
    let mut backups = Figures::default();
    let mut controls = [
        (Policy::Normal, "NORMAL", Figures::default()),
        (Policy::Off, "OFF", Figures::default()),
        (Policy::Lying, "lying disk", Figures::default()),
    ];
    for seed in first..first + workloads {
        let recording = record(seed, pieces);
        full.add(&recording.cut_everywhere(Policy::Honest, seed, 1));
        backups.add(&recording.backups());
        for (policy, _, figures) in &mut controls {
            figures.add(&recording.cut_everywhere(*policy, seed, 7));
        }
    }
    println!("power, seeds {first} to {}", first + workloads - 1);
    println!("  FULL: {}", full.line());
    println!("  backups: acknowledged {}, wrong {}", backups.acknowledged, backups.wrong());
    for (_, name, figures) in &controls {
        println!("  control {name}: {}", figures.line());
    }
    let named = |n: usize| controls[n].2.json();
    let json = serde_json::json!({
        "seed": first,
        "workloads": workloads,
        "full": full.json(),
        "backups": backups.json(),
        "controls": {"normal": named(0), "off": named(1), "lying_disk": named(2)},
    });
    println!("figures-power: {json}");
    assert_eq!(full.wrong(), 0, "{:?}", full.first);
    assert_eq!(backups.wrong(), 0, "{:?}", backups.first);
    for (_, name, figures) in &controls {
        assert!(figures.lost > 0, "the control {name} loses nothing: the test is blind");
    }
}
