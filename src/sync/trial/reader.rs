//! Carries the plans of a trial out, one call after the other, and tells what goes wrong.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::record::Scene;
use super::tape::Tape;
use super::trouble::{self, Trouble};
use crate::app::{AppClient, Exchange, Redactor};
use crate::mapping::{
    Answer, Ask, Classified, Kind, ListPlan, Mapping, PlannedRequest, ScimRequest, Taken,
};
use crate::sync::read::ReadPlan;
use crate::sync::secrets::Secrets;

/// Longest time of one call, whatever its own timeout says.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads from an app.
pub(super) struct Reader {
    pub(super) mapping: Arc<Mapping>,
    client: AppClient,
    secrets: Arc<Secrets>,
    tape: Arc<Tape>,
    /// What went wrong by now.
    pub(super) troubles: Vec<Trouble>,
    /// What can be played again.
    pub(super) scenes: Vec<Scene>,
    /// Whether it was logged in again since the last answer that was taken.
    again: bool,
}

/// A plan came to its end, or was given up because it takes too many calls.
pub(super) enum Carried<T> {
    Done(T),
    TooMany,
}

impl Reader {
    pub(super) fn new(
        mapping: Arc<Mapping>,
        client: AppClient,
        secrets: Arc<Secrets>,
        tape: Arc<Tape>,
    ) -> Self {
        let (troubles, scenes) = (Vec::new(), Vec::new());
        Self { mapping, client, secrets, tape, troubles, scenes, again: false }
    }

    /// What shows secrets by their names.
    pub(super) fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::default();
        for (name, value) in self.secrets.named() {
            redactor.add_as(&value, &format!("<secret {name}>"));
        }
        self.client.hide_session(&mut redactor);
        redactor
    }

    pub(super) async fn log_out(&self) {
        self.client.log_out().await;
        self.tape.ended();
    }

    /// Whether another call makes sense.
    pub(super) fn goes_on(&self) -> bool {
        !self.troubles.iter().any(Trouble::ends_it)
    }

    /// How many calls were made by now.
    pub(super) fn calls(&self) -> usize {
        self.tape.len()
    }

    /// The calls since then are what a request of a client would cause.
    pub(super) fn scene(&mut self, name: &str, request: ScimRequest, since: usize) -> &mut Scene {
        let calls = since..self.tape.len();
        self.scenes.push(Scene::new(name, request, calls));
        let last = self.scenes.len() - 1;
        &mut self.scenes[last]
    }

    /// Carries a plan to its end, with at most so many calls. What goes wrong is noted.
    pub(super) async fn carry<P: ReadPlan>(
        &mut self,
        kind: Kind,
        mut plan: P,
        most: usize,
    ) -> Option<Carried<P::Out>> {
        for _ in 0..=most {
            let mapping = self.mapping.clone();
            let request = match plan.next(&mapping) {
                Ok(Ask::Done(out)) => return Some(Carried::Done(out)),
                Ok(Ask::Read(request)) => request,
                Err(error) => {
                    let call = error.call.clone();
                    self.troubles.push(Trouble::broken(error.to_string(), &[]).of_call(&call));
                    return None;
                }
            };
            let answer = self.answer(&request).await?;
            let taken = plan.take(&mapping, &answer);
            self.took(kind, &request, &answer, taken).await?;
        }
        Some(Carried::TooMany)
    }

    /// One step of a walk; `true`: the walk is complete.
    pub(super) async fn step(&mut self, kind: Kind, plan: &mut ListPlan) -> Option<bool> {
        let mapping = self.mapping.clone();
        loop {
            let request = match plan.next(&mapping) {
                Ok(Ask::Done(())) => return Some(true),
                Ok(Ask::Read(request)) => request,
                Err(error) => {
                    self.troubles.push(Trouble::broken(error.to_string(), &[]));
                    return None;
                }
            };
            let answer = self.answer(&request).await?;
            let taken = plan.take(&mapping, &answer);
            let went = taken == Taken::Went;
            self.took(kind, &request, &answer, taken).await?;
            if went {
                return Some(plan.is_complete(&mapping));
            }
        }
    }

    async fn answer(&mut self, request: &PlannedRequest) -> Option<Answer> {
        let deadline = Instant::now() + request.timeout.min(PATIENCE) + PATIENCE;
        let exchange = self.client.exchange(request, deadline).await;
        self.tape.ended();
        let connect = self.mapping.connect();
        let trouble = match exchange {
            Exchange::Answered(answer) => return Some(answer),
            Exchange::NotSent(why) => trouble::not_sent(connect, &why),
            Exchange::InDoubt(doubt) => trouble::no_answer(connect, &doubt, request.timeout),
        };
        let mut trouble = trouble.of_call(&request.call);
        if trouble.weight == super::Weight::Refused {
            trouble.help.extend(trouble::origins(&self.mapping));
        }
        self.troubles.push(trouble);
        None
    }

    /// What a plan made of an answer; `None`: it cannot go on, and why is noted.
    async fn took(
        &mut self,
        kind: Kind,
        request: &PlannedRequest,
        answer: &Answer,
        taken: Taken,
    ) -> Option<()> {
        let trouble = match taken {
            Taken::Went => {
                self.again = false;
                return Some(());
            }
            Taken::Stopped(said) if self.logs_in_again(&said, answer) => return Some(()),
            Taken::Stopped(said) => {
                let sent = self.sent_proof();
                let mut trouble = trouble::refused(&self.mapping, &said, answer, &sent);
                if trouble.weight == super::Weight::Refused {
                    trouble.help.extend(trouble::origins(&self.mapping));
                }
                trouble
            }
            Taken::Unreadable(why) => {
                let call = self.mapping.call_named(&request.call);
                let side = self.mapping.side(kind);
                let missed = call.and_then(|call| self.mapping.call(call).missed(answer, side));
                let incoming = self.tape.last_answer();
                let connect = self.mapping.connect();
                trouble::unreadable(&why, answer, incoming.as_ref(), missed.as_ref(), connect)
            }
        };
        self.troubles.push(trouble.of_call(&request.call));
        None
    }

    /// As production does it: a new session or a new credential, once.
    fn logs_in_again(&mut self, said: &Classified, answer: &Answer) -> bool {
        if said.class != crate::change::AnswerClass::LoginAgain || self.again {
            return false;
        }
        let renewed = self.secrets.reread();
        self.again = self.client.session_over(answer.session) || renewed;
        self.again
    }

    /// The headers of the last message that carried a secret, shown by its name.
    fn sent_proof(&self) -> Vec<String> {
        let redactor = self.redactor();
        let Some(last) = self.tape.all().pop() else { return Vec::new() };
        let headers = super::tape::telling(&last.message, &redactor).into_iter();
        headers
            .filter(|(_, value)| value.contains("<secret "))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    }
}
