//! Which of the waiting changes of one resource form the next goal.
//!
//! Converge works towards a state, not through commands: changes that wait together become
//! one. But some must be seen by the app each for itself (*milestones*), and a change that
//! ends access overtakes whatever waits before it.

/// What of a waiting change matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    fn leaving_overtakes_and_coming_back_is_a_send_of_its_own() {
        assert_eq!(next_goal(&[UPDATE, UPDATE, LEAVE, UPDATE]), 3);
        assert_eq!(next_goal(&[LEAVE, UPDATE]), 1);
        assert_eq!(next_goal(&[CREATE, LEAVE]), 2);
    }
}
