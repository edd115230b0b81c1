//! The smallest plan that leads an app to a goal: look, then write what differs.

use super::world::{Account, App, Effect};

/// What a plan wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Read,
    Write(Effect),
    Done(Reached),
}

/// Where a plan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reached {
    /// The app is as wanted.
    Applied,
    /// Nobody was found, and it is too early to make anybody.
    NotYet,
    /// There are several.
    Several,
    /// The member has no account yet.
    NeedsMember,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    Look,
    Write(Effect),
    Done(Reached),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    what: What,
    stage: Stage,
    /// The account, once it is known.
    pub account: Option<usize>,
    /// It was made by this very plan.
    pub made: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    User { goal: Account, may_create: bool },
    Member,
}

impl Plan {
    pub fn of_user(goal: Account, link: Option<usize>, may_create: bool) -> Self {
        let what = What::User { goal, may_create };
        Self { what, stage: Stage::Look, account: link, made: false }
    }

    pub fn of_member(member: Option<usize>, dependency_ignored: bool) -> Self {
        let stage = match member {
            Some(_) => Stage::Look,
            None if dependency_ignored => Stage::Done(Reached::Applied),
            None => Stage::Done(Reached::NeedsMember),
        };
        Self { what: What::Member, stage, account: member, made: false }
    }

    pub fn next(&self) -> Want {
        match self.stage {
            Stage::Look => Want::Read,
            Stage::Write(effect) => Want::Write(effect),
            Stage::Done(reached) => Want::Done(reached),
        }
    }

    /// The app was read.
    pub fn read(&mut self, app: &App) {
        self.stage = match (&self.what, self.account) {
            (What::Member, Some(at)) if app.members.contains(&at) => Stage::Done(Reached::Applied),
            (What::Member, Some(at)) => Stage::Write(Effect::Add(at)),
            (What::Member, None) => Stage::Done(Reached::NeedsMember),
            (What::User { goal, .. }, Some(at)) => towards(*goal, app.accounts[at], at),
            (What::User { goal, may_create }, None) => match app.accounts.len() {
                0 if !may_create => Stage::Done(Reached::NotYet),
                0 if goal.active => Stage::Write(Effect::Make(*goal)),
                // Who is switched off before there is an account gets none.
                0 => Stage::Done(Reached::Applied),
                1 => {
                    self.account = Some(0);
                    towards(*goal, app.accounts[0], 0)
                }
                _ => Stage::Done(Reached::Several),
            },
        };
    }

    /// The write worked.
    pub fn wrote(&mut self, app: &App) {
        self.stage = match (&self.what, self.stage) {
            (What::User { .. }, Stage::Write(Effect::Make(_))) => {
                self.account = Some(app.accounts.len() - 1);
                self.made = true;
                Stage::Done(Reached::Applied)
            }
            (What::User { goal, .. }, Stage::Write(Effect::Put(at, now))) => {
                towards(*goal, now, at)
            }
            _ => Stage::Done(Reached::Applied),
        };
    }
}

/// Access is ended first; what else differs follows.
fn towards(goal: Account, now: Account, at: usize) -> Stage {
    if now == goal {
        Stage::Done(Reached::Applied)
    } else if now.active && !goal.active {
        Stage::Write(Effect::Put(at, Account { active: false, ..now }))
    } else {
        Stage::Write(Effect::Put(at, goal))
    }
}
