//! What goes wrong during a history, and when: faults of the application, its falling over, kills
//! of the bridge. All from the seed, by how far the history is.

use fastrand::Rng;
use okta::Okta;
use tokio::sync::watch;

use crate::app::{App, Done};
use crate::bridge::Bridge;
use crate::history::Size;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Fault,
    FallOver,
    Kill,
}

/// What happens after how many actions.
#[derive(Debug)]
pub struct Schedule(Vec<(usize, Trouble)>);

/// What did go wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Happened {
    /// Faults that were ordered.
    pub faults: usize,
    /// How often the application fell over.
    pub restarts: usize,
}

impl Schedule {
    /// Drawn from a seed.
    pub fn draw(rng: &mut Rng, size: &Size) -> Self {
        let faults = std::iter::repeat_n(Trouble::Fault, size.actions * size.faults / 100);
        let falls = std::iter::repeat_n(Trouble::FallOver, size.restarts);
        let kills = std::iter::repeat_n(Trouble::Kill, size.kills);
        let all = faults.chain(falls).chain(kills);
        let mut all: Vec<_> = all.map(|one| (rng.usize(1..size.actions.max(2)), one)).collect();
        all.sort_by_key(|(at, _)| *at);
        Self(all)
    }

    /// Lets it happen while the history goes on.
    pub async fn happen(
        self,
        rng: &mut Rng,
        app: &mut impl App,
        bridge: &mut Bridge,
        okta: &Okta,
        mut progress: watch::Receiver<usize>,
    ) -> Done<Happened> {
        let mut happened = Happened::default();
        for (at, trouble) in self.0 {
            if progress.wait_for(|ended| *ended >= at).await.is_err() {
                return Err("the history ended before its troubles".to_owned());
            }
            match trouble {
                Trouble::Fault => happened.faults += usize::from(app.fail(rng)),
                Trouble::FallOver => {
                    app.fall_over().await?;
                    happened.restarts += 1;
                }
                Trouble::Kill => {
                    bridge.kill().await?;
                    bridge.go().await?;
                    okta.move_to(&bridge.base_url()?);
                }
            }
        }
        Ok(happened)
    }
}
