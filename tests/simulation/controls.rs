//! The test of the tests: something is broken on purpose, and the same checks must say so.

use super::line::Lie;
use super::okta::Lies;
use super::run::{Plant, live, world_of};

/// A thing that is broken, and the invariants by which it may be found.
pub struct Control {
    pub name: &'static str,
    pub plant: Plant,
    pub found_by: &'static [&'static str],
}

/// All of them.
pub fn all() -> Vec<Control> {
    let broken = |name, found_by, change: fn(&mut Plant)| {
        let mut plant = Plant::default();
        change(&mut plant);
        Control { name, plant, found_by }
    };
    vec![
        broken("no settle time, and calls land late", &["I3"], |plant| plant.no_settle = true),
        broken("acknowledged before it is on disk", &["I1", "I4", "I7"], |plant| {
            plant.lies = Lies { acknowledged_early: true, ..Lies::default() };
            plant.more_kills = 24;
        }),
        broken("a call without its intent", &["I9"], |plant| plant.lie = Lie::NoIntent),
        broken("a membership before both ends exist", &["I6"], |plant| plant.lie = Lie::TooEarly),
        broken("a repeat is not known as one", &["I8"], |plant| {
            plant.lies = Lies { repeats_differ: true, ..Lies::default() };
        }),
        broken("a deactivation is folded away", &["I7"], |plant| {
            plant.lies = Lies { loses_deactivations: true, ..Lies::default() };
        }),
        broken("an attribute of a leaver is lost without a warning", &["I4"], |plant| {
            plant.lies = Lies { loses_titles: true, ..Lies::default() };
        }),
        broken("an older title after a newer one", &["I5"], |plant| {
            plant.lies = Lies { returns_to_titles: true, ..Lies::default() };
        }),
        broken("an account of a refused create is forgotten", &["I4"], |plant| {
            plant.lie = Lie::MadeAndRefused;
        }),
        broken("an echo is written", &["echo"], |plant| {
            plant.lies = Lies { echoes_differ: true, ..Lies::default() };
        }),
    ]
}

/// The seed that caught it, among the first so many.
pub fn caught(control: &Control, seeds: u64) -> Option<(u64, String)> {
    (1..=seeds).find_map(|seed| {
        let report = live(world_of(seed, control.plant));
        let found = report
            .wrongs
            .into_iter()
            .find(|wrong| control.found_by.iter().any(|id| wrong.starts_with(id)));
        found.map(|wrong| (seed, wrong))
    })
}
