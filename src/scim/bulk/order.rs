//! In which order the operations of a Bulk are carried out.
//!
//! Knows them as numbers only: which one needs the resource of which other.

use std::collections::BTreeSet;

/// An order in which every operation comes after those it needs, unless they need each other
/// in a circle; else the order sent: of those that could come next, the first. `needs[n]` are
/// the operations whose resources operation `n` refers to; numbers that are none are ignored.
pub fn order(needs: &[Vec<usize>]) -> Vec<usize> {
    let needs = without_circles(needs);
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut needed_by = vec![Vec::new(); needs.len()];
    for (one, others) in needs.iter().enumerate() {
        for &other in others {
            needed_by[other].push(one);
        }
    }
    let mut ready: BTreeSet<usize> = (0..needs.len()).filter(|&one| open[one] == 0).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for &one in &needed_by[next] {
            open[one] -= 1;
            if open[one] == 0 {
                ready.insert(one);
            }
        }
    }
    order
}

/// How far the walk has come with an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Never,
    /// It is on the way from where the walk began to where it is.
    OnTheWay,
    Whole,
}

/// The needs without those that lead back to where one comes from: each of these closes a
/// circle, and without them there is none. By a stack of its own, since a client chooses how
/// long the ways are.
fn without_circles(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut seen = vec![Seen::Never; needs.len()];
    let mut kept = vec![Vec::new(); needs.len()];
    for first in 0..needs.len() {
        if seen[first] != Seen::Never {
            continue;
        }
        seen[first] = Seen::OnTheWay;
        let mut way = vec![(first, 0)];
        while let Some((one, looked_at)) = way.last_mut() {
            let one = *one;
            let Some(&other) = needs[one].get(*looked_at) else {
                seen[one] = Seen::Whole;
                way.pop();
                continue;
            };
            *looked_at += 1;
            match seen.get(other) {
                None | Some(Seen::OnTheWay) => continue,
                Some(Seen::Never) => {
                    seen[other] = Seen::OnTheWay;
                    way.push((other, 0));
                }
                Some(Seen::Whole) => {}
            }
            kept[one].push(other);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_needs_nothing_stays_where_it_is() {
        assert_eq!(order(&[]), [0; 0]);
        assert_eq!(order(&[vec![], vec![], vec![0]]), [0, 1, 2]);
        assert_eq!(order(&[vec![9], vec![]]), [0, 1]);
    }

    #[test]
    fn who_needs_a_later_one_waits_for_it_and_nobody_else_does() {
        assert_eq!(order(&[vec![2], vec![], vec![], vec![]]), [1, 2, 0, 3]);
        assert_eq!(order(&[vec![1], vec![2], vec![]]), [2, 1, 0]);
    }

    #[test]
    fn a_circle_is_cut_and_what_hangs_on_it_comes_after_it() {
        assert_eq!(order(&[vec![0]]), [0]);
        assert_eq!(order(&[vec![1], vec![0]]), [1, 0]);
        assert_eq!(order(&[vec![1], vec![2], vec![1], vec![]]), [2, 1, 0, 3]);
    }

    #[test]
    fn a_long_way_needs_no_deep_stack() {
        let chain: Vec<Vec<usize>> = (0..100_000).map(|one| vec![one + 1]).collect();
        assert_eq!(order(&chain).first(), Some(&99_999));
    }

    /// Whether one leads to the other, by at least one need.
    fn leads_to(needs: &[Vec<usize>], from: usize, to: usize) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), needs[from].clone());
        while let Some(next) = open.pop() {
            if next == to {
                return true;
            }
            if seen.insert(next) {
                open.extend(&needs[next]);
            }
        }
        false
    }

    /// Operations that need others, with and without circles.
    fn some_needs() -> impl Strategy<Value = Vec<Vec<usize>>> {
        (1_usize..12)
            .prop_flat_map(|n| prop::collection::vec(prop::collection::vec(0..n, 0..3), n..=n))
    }

    proptest! {
        #[test]
        fn every_operation_comes_once_and_after_those_it_needs(needs in some_needs()) {
            let order = order(&needs);
            let mut all = order.clone();
            all.sort_unstable();
            prop_assert_eq!(all, (0..needs.len()).collect::<Vec<_>>());
            let place = |one: usize| order.iter().position(|other| *other == one);
            for (one, others) in needs.iter().enumerate() {
                for &other in others {
                    let is_circle = leads_to(&needs, other, one);
                    prop_assert!(place(other) < place(one) || is_circle, "{other} before {one}");
                }
            }
        }

        #[test]
        fn a_request_in_a_good_order_is_kept(needs in some_needs()) {
            let backward = needs.iter().enumerate();
            let backward: Vec<Vec<usize>> = backward
                .map(|(one, others)| others.iter().copied().filter(|other| *other < one).collect())
                .collect();
            prop_assert_eq!(order(&backward), (0..needs.len()).collect::<Vec<_>>());
        }
    }
}
