//! What the app only took: reads until it is done, or until that takes too long.

use std::time::Duration;

use tokio::time::Instant;

use super::calls::{facts_of, read_of, redactor_said, seen, session_of};
use super::converge::Walk;
use super::engine::Engine;
use super::exchange::{Cause, outcome_words};
use super::round::{ROUND_LIMIT, Round};
use crate::app::Exchange;
use crate::change::{AnswerClass, Decision, Event, Seen, after_write};
use crate::journal::ReadStep;
use crate::mapping::{Awaited, PlannedRequest, Taken};

impl Engine {
    /// Repeats what a call waits for until it is done, or until that takes too long: then nobody
    /// knows whether it worked.
    pub(super) async fn until_done(
        &self,
        round: &Round<'_>,
        walk: &mut Walk,
        request: &PlannedRequest,
    ) -> Event {
        let since = Instant::now();
        let mut logged_in_again = false;
        loop {
            match walk.plan.awaited(&round.app.mapping) {
                Err(error) => {
                    walk.words = error.to_string();
                    return Event::Followed(Seen::InDoubt);
                }
                Ok(Awaited::Nothing) => {
                    return Event::Followed(Seen::Answered(AnswerClass::Ok, None));
                }
                Ok(Awaited::Rest { pause, longest }) => {
                    if since.elapsed() + pause > longest || !self.rested(pause).await {
                        let seconds = longest.as_secs();
                        walk.words = format!("call '{}': not done after {seconds} s", request.call);
                        return Event::Followed(Seen::InDoubt);
                    }
                }
                Ok(Awaited::Read(look)) => {
                    let Some(seen) = self.look_step(round, walk, request, &look).await else {
                        continue;
                    };
                    let decision = after_write(&facts_of(round, request), seen);
                    if decision == Decision::LoginAgain
                        && round.app.log_in_again(walk.session)
                        && !logged_in_again
                    {
                        logged_in_again = true;
                        continue;
                    }
                    return Event::Followed(seen);
                }
            }
        }
    }

    /// One look whether a call is done. `None`: it was taken, or nobody answered; ask on.
    async fn look_step(
        &self,
        round: &Round<'_>,
        walk: &mut Walk,
        request: &PlannedRequest,
        look: &PlannedRequest,
    ) -> Option<Seen> {
        let app = round.app;
        let started_at = self.clock.now();
        let change = round.changes.last().map(|c| c.change);
        let cause = Cause { record: &round.work.resource.id.0, change };
        let exchange = self.exchange(app, look, cause, Instant::now() + ROUND_LIMIT).await;
        walk.session = session_of(&exchange);
        walk.words = outcome_words(&exchange).1;
        let seen = match &exchange {
            Exchange::Answered(answer) => match walk.plan.take_awaited(&app.mapping, answer) {
                Taken::Went => None,
                Taken::Stopped(said) => {
                    walk.words = redactor_said(app, request, &said);
                    Some(seen(&said))
                }
                Taken::Unreadable(why) => {
                    walk.words = format!("call '{}': {why}", look.call);
                    Some(Seen::InDoubt)
                }
            },
            Exchange::NotSent(_) | Exchange::InDoubt(_) => {
                walk.plan.not_answered();
                None
            }
        };
        if let Some(change) = change {
            let read = read_of(round, change, look, &exchange, AnswerClass::Ok, started_at);
            let read = ReadStep { ended_at: self.clock.now(), ..read };
            if let Err(error) = self.journal.record_read(read).await {
                tracing::warn!(app = app.name(), "a read could not be recorded: {error}");
            }
        }
        seen
    }

    /// A pause. `false`: the process ends meanwhile.
    async fn rested(&self, pause: Duration) -> bool {
        let mut ending = self.ending.subscribe();
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            _ = ending.wait_for(|ending| *ending) => false,
        }
    }
}
