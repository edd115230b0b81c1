//! Whether a list held still while its pages were read.
//!
//! Where pages are counted, a row that comes before the place that was reached moves the last row
//! of a page to the next one: it is there twice, and a row that went elsewhere at the same time is
//! not there at all. Some apps give rows twice always. Reading the list once more tells the two
//! apart. Knows ids only by their digests; says nothing about a list in which no row came twice.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What was met of the list that is read, and how often it was read by now.
#[derive(Debug, Default)]
pub(super) struct Steady {
    /// The ids on earlier pages of this list.
    met: Met,
    /// How many different ones came, in all lists.
    distinct: u64,
    twice: Twice,
    pass: Pass,
    /// The list moved: what was read of it cannot be believed.
    moved: bool,
}

/// The rows that came on two pages, whatever their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Twice {
    rows: u64,
    digest: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Pass {
    #[default]
    First,
    /// With what came twice in the first, if that was read to its end.
    Second(Option<Twice>),
}

impl Steady {
    /// Another list begins: who stands in both is no sign of anything.
    pub(super) fn next_list(&mut self) {
        self.met = Met::default();
    }

    /// Takes the ids of a page. `false`: all of them were there before, so that the walk would
    /// never end.
    pub(super) fn page(&mut self, ids: impl Iterator<Item = String>, counted: bool) -> bool {
        // A row that is twice on one page did not move.
        let page: HashSet<u64> = ids.map(|id| digest(&id)).collect();
        let mut known = 0;
        for id in &page {
            if self.met.contains(*id) {
                known += 1;
                if counted {
                    self.twice.rows += 1;
                    self.twice.digest = self.twice.digest.wrapping_add(*id);
                }
            }
        }
        self.distinct += (page.len() - known) as u64;
        let is_news = page.is_empty() || known < page.len();
        self.moved |= counted && !is_news;
        self.met.extend(page);
        is_news
    }

    /// The app itself says that the list is another one now.
    pub(super) fn moves(&mut self) {
        self.moved = true;
    }

    /// How many different ones came.
    pub(super) fn distinct(&self) -> u64 {
        self.distinct
    }

    /// After the last page: why the list cannot be believed.
    pub(super) fn settled(&mut self) -> Result<(), String> {
        let rows = self.twice.rows;
        if rows == 0 || self.pass == Pass::Second(Some(self.twice)) {
            return Ok(());
        }
        self.moved = true;
        let several = if rows == 1 { "1 record" } else { &format!("{rows} records") };
        Err(format!(
            "{several} came on two of its pages, as when the list changes while it is read, and \
             others may be missing"
        ))
    }

    /// The second and last pass begins, if the list moved in the first. `false`: it shall not be
    /// read again.
    pub(super) fn begin_again(&mut self) -> bool {
        if !self.moved || self.pass != Pass::First {
            return false;
        }
        let twice = (self.twice.rows > 0).then_some(self.twice);
        *self = Self { pass: Pass::Second(twice), ..Self::default() };
        true
    }
}

/// Digests, 8 bytes for each: of a million records 8 MB, where a hash set takes up to 28.
#[derive(Debug, Default)]
struct Met {
    sorted: Vec<u64>,
    /// Those that came since they were sorted.
    fresh: HashSet<u64>,
}

impl Met {
    /// So many are sorted in at once.
    const FRESH: usize = 1 << 16;

    fn contains(&self, digest: u64) -> bool {
        self.fresh.contains(&digest) || self.sorted.binary_search(&digest).is_ok()
    }

    fn extend(&mut self, digests: HashSet<u64>) {
        self.fresh
            .extend(digests.into_iter().filter(|new| self.sorted.binary_search(new).is_err()));
        if self.fresh.len() >= Self::FRESH {
            self.sorted.reserve_exact(self.fresh.len());
            self.sorted.extend(self.fresh.drain());
            self.sorted.sort_unstable();
        }
    }
}

fn digest(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn page(steady: &mut Steady, ids: &[u32]) -> bool {
        steady.page(ids.iter().map(u32::to_string), true)
    }

    #[test]
    fn a_list_in_which_nobody_comes_twice_is_believed() {
        let mut steady = Steady::default();
        assert!(page(&mut steady, &[1, 2, 2]) && page(&mut steady, &[]) && page(&mut steady, &[3]));
        assert_eq!(steady.settled(), Ok(()));
        assert!(!steady.begin_again());
    }

    #[test]
    fn who_came_long_ago_is_remembered() {
        let mut steady = Steady::default();
        let many = u32::try_from(3 * Met::FRESH).unwrap();
        for first in (0..many).step_by(1_000) {
            assert!(steady.page((first..first + 1_000).map(|id| id.to_string()), true));
        }
        assert!(steady.met.sorted.len() >= 2 * Met::FRESH);
        assert_eq!(steady.settled(), Ok(()));
        for known in [0, 70_000, many - 1] {
            assert!(!page(&mut steady, &[known]), "{known}");
        }
    }

    #[test]
    fn who_comes_twice_in_both_passes_is_there_twice() {
        let mut steady = Steady::default();
        for pass in [1, 2] {
            assert!(page(&mut steady, &[1, 2]) && page(&mut steady, &[2, 3]));
            assert_eq!(steady.settled().is_ok(), pass == 2);
            assert_eq!(steady.begin_again(), pass == 1);
        }
    }

    #[test]
    fn another_one_who_comes_twice_then_is_not_believed() {
        let mut steady = Steady::default();
        assert!(page(&mut steady, &[1, 2]) && page(&mut steady, &[2, 3]));
        assert!(steady.settled().is_err() && steady.begin_again());
        assert!(page(&mut steady, &[1, 2]) && page(&mut steady, &[1, 3]));
        assert!(steady.settled().unwrap_err().starts_with("1 record came"));
        assert!(!steady.begin_again());
    }

    #[test]
    fn a_page_without_anybody_new_ends_the_walk() {
        let mut steady = Steady::default();
        assert!(page(&mut steady, &[1, 2]) && page(&mut steady, &[3]) && !page(&mut steady, &[1]));
        assert!(steady.begin_again(), "the list may have moved by one");
        // A cursor says itself where it goes on: who comes twice tells nothing.
        let mut steady = Steady::default();
        assert!(steady.page(["1", "2"].map(str::to_owned).into_iter(), false));
        assert!(steady.page(["2", "3"].map(str::to_owned).into_iter(), false));
        assert_eq!(steady.settled(), Ok(()));
        assert!(!steady.page(["2"].map(str::to_owned).into_iter(), false));
        assert!(!steady.begin_again());
    }
}
