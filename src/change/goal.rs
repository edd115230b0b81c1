//! Which of the waiting changes of one resource form the next goal.
//!
//! Converge works towards a state, not through commands: changes that wait together become
//! one. But some must be seen by the app each for itself (*milestones*), and a change that
//! ends access overtakes whatever waits before it.

/// What of a waiting change matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// It makes `active` false, or deletes.
    pub ends_access: bool,
    /// A create, a delete, a deactivation, a password: never folded away.
    pub milestone: bool,
}

/// How many of the oldest changes are carried out together next; at least one if any waits.
///
/// Up to the last one that ends access, so that a leaver never waits behind an attribute the
/// app refuses; else up to the first milestone; else all.
pub fn next_goal(waiting: &[Waiting]) -> usize {
    let position = waiting
        .iter()
        .rposition(|change| change.ends_access)
        .or_else(|| waiting.iter().position(|change| change.milestone));
    position.map_or(waiting.len(), |at| at + 1)
}

/// How many of those are carried out in one round, and by which mapping: `Some` is the one that
/// they began with, `None` the newest. `began` says it for each change, oldest first.
///
/// A change under way ends with the mapping it began with, and those that came after it wait
/// for its end: a goal of two mappings would belong to neither. Only a change that ends access
/// waits for nobody: it carries the others by its own mapping.
pub fn by_one_mapping<'d>(
    waiting: &[Waiting],
    began: &[Option<&'d str>],
) -> (usize, Option<&'d str>) {
    let goal = next_goal(waiting);
    let of = |at: usize| began.get(at).copied().flatten();
    match goal.checked_sub(1) {
        None => (0, None),
        Some(last) if waiting[last].ends_access => (goal, of(last)),
        Some(_) => {
            let first = of(0);
            ((1..goal).find(|at| of(*at) != first).unwrap_or(goal), first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: Waiting = Waiting { ends_access: false, milestone: false };
    const CREATE: Waiting = Waiting { ends_access: false, milestone: true };
    const LEAVE: Waiting = Waiting { ends_access: true, milestone: true };

    #[test]
    fn updates_fold_and_milestones_do_not() {
        assert_eq!(next_goal(&[]), 0);
        assert_eq!(next_goal(&[UPDATE, UPDATE, UPDATE]), 3);
        assert_eq!(next_goal(&[CREATE, UPDATE, UPDATE]), 1);
        assert_eq!(next_goal(&[UPDATE, CREATE, UPDATE]), 2);
    }

    #[test]
    fn a_goal_has_one_mapping_and_leaving_does_not_wait_for_it() {
        let updates = [UPDATE, UPDATE, UPDATE];
        let old = Some("old");
        assert_eq!(by_one_mapping(&[], &[]), (0, None));
        assert_eq!(by_one_mapping(&updates, &[None, None, None]), (3, None));
        assert_eq!(by_one_mapping(&updates, &[old, None, None]), (1, old));
        assert_eq!(by_one_mapping(&updates, &[old, old, None]), (2, old));
        assert_eq!(by_one_mapping(&updates, &[old, Some("new"), None]), (1, old));
        let leaver = [UPDATE, LEAVE, UPDATE];
        assert_eq!(by_one_mapping(&leaver, &[old, None, None]), (2, None));
        assert_eq!(by_one_mapping(&leaver, &[old, old, None]), (2, old));
    }

    #[test]
    fn leaving_overtakes_and_coming_back_is_a_send_of_its_own() {
        assert_eq!(next_goal(&[UPDATE, UPDATE, LEAVE, UPDATE]), 3);
        assert_eq!(next_goal(&[LEAVE, UPDATE]), 1);
        assert_eq!(next_goal(&[CREATE, LEAVE]), 2);
    }
}
