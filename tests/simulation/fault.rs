//! What can go wrong between bridge and app, and who decides when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::random::Random;

/// What becomes of a write whose answer says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is never carried out.
    Lost,
    /// It was carried out.
    Done,
    /// It is carried out so long after the bridge stopped to wait for it.
    Late(Duration),
}

/// One fault of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No connection: certainly not sent.
    Unreachable,
    /// No answer, until the call's own time is over.
    Hang(Fate),
    /// The connection breaks instead of an answer.
    Reset(Fate),
    /// 500.
    Error(Fate),
    /// 502 with a page in HTML.
    Html(Fate),
    /// 200, and the connection breaks in the middle of the body.
    Half(Fate),
    /// Refused with this status, not carried out.
    Refused(u16),
    /// 429 with whole seconds.
    RateSeconds(u64),
    /// 429 with a date.
    RateDate,
    /// 429 without saying when.
    RateBare,
    /// 503 with whole seconds.
    Unavailable(u64),
    /// 200 whose body says that it failed; not carried out.
    Lie,
    /// Carried out, answered without the new id.
    NoId,
    /// 401, not carried out.
    Stranger,
    /// Carried out twice.
    Twice,
    /// The title is accepted and not changed.
    Ignored,
}

impl Fault {
    /// The word for the figures.
    pub fn word(self) -> String {
        let with = |word: &str, fate: Fate| match fate {
            Fate::Lost => format!("{word}, lost"),
            Fate::Done => format!("{word}, done"),
            Fate::Late(_) => format!("{word}, done late"),
        };
        match self {
            Self::Unreachable => "unreachable".into(),
            Self::Hang(fate) => with("no answer", fate),
            Self::Reset(fate) => with("reset", fate),
            Self::Error(fate) => with("500", fate),
            Self::Html(fate) => with("502 in HTML", fate),
            Self::Half(fate) => with("half an answer", fate),
            Self::Refused(status) => format!("{status}, refused"),
            Self::RateSeconds(s) if s > 3600 => "429 with a huge wait".into(),
            Self::RateSeconds(_) => "429 with seconds".into(),
            Self::RateDate => "429 with a date".into(),
            Self::RateBare => "429 without a wait".into(),
            Self::Unavailable(_) => "503 with seconds".into(),
            Self::Lie => "200 that failed".into(),
            Self::NoId => "201 without id".into(),
            Self::Stranger => "401".into(),
            Self::Twice => "done twice".into(),
            Self::Ignored => "attribute ignored".into(),
        }
    }
}

/// What a call is, as far as faults are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Read,
    Create,
    Change,
    Member,
}

/// The faults that a world knows.
#[derive(Debug, Clone, Copy)]
pub struct Menu {
    /// Calls may be carried out late, at most so long after the bridge stopped waiting.
    pub latest: Duration,
    /// The app refuses a second account of one name: it may do things twice.
    pub unique: bool,
    /// The mapping has every update read back.
    pub read_back: bool,
}

impl Menu {
    /// What may become of a call whose answer says nothing.
    pub fn fate(&self, kind: Kind, rng: &mut Random) -> Fate {
        match rng.below(3) {
            _ if kind == Kind::Read => Fate::Lost,
            0 => Fate::Lost,
            1 => Fate::Done,
            _ => Fate::Late(rng.millis(1, self.latest.as_millis().try_into().unwrap_or(1))),
        }
    }

    /// Any fault that can happen to such a call.
    fn draw(&self, kind: Kind, rng: &mut Random) -> Fault {
        let fate = self.fate(kind, rng);
        match rng.below(20) {
            0 | 1 => Fault::Unreachable,
            2..=4 => Fault::Hang(fate),
            5 | 6 => Fault::Reset(fate),
            7 | 8 => Fault::Error(fate),
            9 => Fault::Html(fate),
            10 => Fault::Half(fate),
            11 => Fault::RateSeconds(1 + rng.below(90)),
            12 => *rng.pick(&[Fault::RateDate, Fault::RateBare, Fault::RateSeconds(900_000)]),
            13 => Fault::Unavailable(1 + rng.below(60)),
            14 if kind != Kind::Read && kind != Kind::Member => {
                Fault::Refused(*rng.pick(&[400, 403]))
            }
            15 if matches!(kind, Kind::Create | Kind::Change) => Fault::Lie,
            16 if kind == Kind::Create => Fault::NoId,
            17 if kind != Kind::Read && (kind != Kind::Create || self.unique) => Fault::Twice,
            18 if kind == Kind::Change && self.read_back => Fault::Ignored,
            19 if rng.chance(20) => Fault::Stranger,
            _ => Fault::Hang(fate),
        }
    }

    /// Every fault that can happen to such a call, once.
    pub fn all(&self, kind: Kind) -> Vec<Fault> {
        let mut all = vec![
            Fault::Unreachable,
            Fault::RateSeconds(7),
            Fault::RateSeconds(900_000),
            Fault::RateDate,
            Fault::RateBare,
            Fault::Unavailable(5),
            Fault::Stranger,
        ];
        let fates: &[Fate] = match kind {
            Kind::Read => &[Fate::Lost],
            _ => &[Fate::Lost, Fate::Done, Fate::Late(self.latest)],
        };
        for fate in fates.iter().copied() {
            all.extend([
                Fault::Hang(fate),
                Fault::Reset(fate),
                Fault::Error(fate),
                Fault::Html(fate),
                Fault::Half(fate),
            ]);
        }
        if matches!(kind, Kind::Create | Kind::Change) {
            all.extend([Fault::Refused(400), Fault::Refused(403), Fault::Lie]);
        }
        if kind == Kind::Create {
            all.push(Fault::NoId);
        }
        if kind != Kind::Read && (kind != Kind::Create || self.unique) {
            all.push(Fault::Twice);
        }
        if kind == Kind::Change && self.read_back {
            all.push(Fault::Ignored);
        }
        all
    }
}

/// Who decides which exchange fails.
pub enum Nemesis {
    /// Nobody: the app is well.
    None,
    /// Chance, in so many of a hundred exchanges; and in these hours of virtual seconds nothing
    /// is reachable.
    Chance { rng: Random, percent: u64, menu: Menu, down: Vec<(u64, u64)> },
    /// Exactly these exchanges.
    Plan(BTreeMap<u64, Fault>),
}

impl Nemesis {
    pub fn strike(&mut self, exchange: u64, second: u64, kind: Kind) -> Option<Fault> {
        match self {
            Self::None => None,
            Self::Chance { rng, percent, menu, down } => {
                if down.iter().any(|(from, to)| (*from..*to).contains(&second)) {
                    return Some(Fault::Unreachable);
                }
                let percent = *percent;
                rng.chance(percent).then(|| menu.draw(kind, rng))
            }
            Self::Plan(plan) => plan.get(&exchange).copied(),
        }
    }
}
