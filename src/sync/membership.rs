//! What a request says about the members of a group.

use std::collections::{BTreeMap, HashSet};

use crate::change::ResourceId;
use crate::journal::{MemberEdge, MemberOps};
use crate::scim::MemberOp;

/// The wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MemberWish {
    /// Nothing was said: PUT without `members` leaves them.
    Untouched,
    /// The complete list, by SCIM id.
    Whole(Vec<String>),
    /// Some come, some go.
    Edges(BTreeMap<String, bool>),
}

impl MemberWish {
    /// Several operations of one PATCH, in their order.
    pub(super) fn from_operations(operations: Vec<MemberOp>) -> Self {
        let mut wish = Self::Untouched;
        for operation in operations {
            wish = match operation {
                MemberOp::RemoveAll => Self::Whole(Vec::new()),
                MemberOp::Replace(ids) => Self::Whole(ids),
                MemberOp::Add(ids) => wish.with(ids, true),
                MemberOp::Remove(ids) => wish.with(ids, false),
            };
        }
        wish
    }

    fn with(self, ids: Vec<String>, wanted: bool) -> Self {
        match self {
            Self::Whole(mut all) => {
                let named: HashSet<&String> = ids.iter().collect();
                all.retain(|id| !named.contains(id));
                if wanted {
                    all.extend(ids);
                }
                Self::Whole(all)
            }
            Self::Untouched => Self::Edges(ids.into_iter().map(|id| (id, wanted)).collect()),
            Self::Edges(mut edges) => {
                edges.extend(ids.into_iter().map(|id| (id, wanted)));
                Self::Edges(edges)
            }
        }
    }

    /// Everybody who is named as (still) being in.
    pub(super) fn named(&self) -> Vec<&String> {
        match self {
            Self::Untouched => Vec::new(),
            Self::Whole(ids) => ids.iter().collect(),
            Self::Edges(edges) => edges.keys().collect(),
        }
    }

    /// The wish without people the bridge does not know.
    pub(super) fn without(mut self, unknown: &HashSet<&str>) -> Self {
        match &mut self {
            Self::Untouched => {}
            Self::Whole(ids) => ids.retain(|id| !unknown.contains(id.as_str())),
            Self::Edges(edges) => edges.retain(|id, _| !unknown.contains(id.as_str())),
        }
        self
    }

    /// For the journal.
    pub(super) fn into_ops(self) -> MemberOps {
        match self {
            Self::Untouched => MemberOps::default(),
            Self::Whole(ids) => MemberOps::Replace(ids.into_iter().map(ResourceId).collect()),
            Self::Edges(edges) => {
                let edge = |(id, wanted)| MemberEdge { user: ResourceId(id), wanted };
                MemberOps::Edges(edges.into_iter().map(edge).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_later_operation_wins_over_an_earlier_one() {
        let wish = MemberWish::from_operations(vec![
            MemberOp::Remove(ids(&["a"])),
            MemberOp::Add(ids(&["b", "a"])),
        ]);
        let edges = [("a".to_owned(), true), ("b".to_owned(), true)].into();
        assert_eq!(wish, MemberWish::Edges(edges));
    }

    #[test]
    fn replacing_forgets_what_came_before_and_takes_what_comes_after() {
        let wish = MemberWish::from_operations(vec![
            MemberOp::Add(ids(&["x"])),
            MemberOp::Replace(ids(&["a", "b"])),
            MemberOp::Add(ids(&["b", "c"])),
            MemberOp::Remove(ids(&["a"])),
        ]);
        assert_eq!(wish, MemberWish::Whole(ids(&["b", "c"])));
    }
}
