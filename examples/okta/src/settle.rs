//! The list of tasks: an administrator repeats what failed until nothing is left.

use crate::action::{Action, Outcome, PersonNumber, TeamNumber};
use crate::client::TaskError;
use crate::org::Okta;

/// Nobody presses *retry* more often.
const ROUNDS: usize = 20;

/// What the administrator did about failed tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Tasks repeated.
    pub repeated: usize,
    /// Tasks that failed to the end.
    pub left: usize,
}

impl Okta {
    /// Repeats all failed tasks.
    pub async fn settle(&self) -> Settled {
        let mut settled = Settled::default();
        for _ in 0..ROUNDS {
            let owed = self.owed();
            settled.left = owed.len();
            if owed.is_empty() {
                return settled;
            }
            for action in owed {
                settled.repeated += 1;
                self.act_with_what_follows(action).await;
            }
            // What is in doubt on the server is decided a little later.
            tokio::time::sleep(self.client.settings.second).await;
        }
        settled.left = self.owed().len();
        settled
    }

    /// Carries out an action and what Okta does next by itself.
    pub async fn act_with_what_follows(&self, action: Action) -> Outcome {
        let outcome = self.act(&action).await;
        if let Outcome::Done(next) = &outcome {
            for follows in next {
                self.act(follows).await;
            }
        }
        outcome
    }

    /// Everything that stands in the list of tasks.
    pub fn owed(&self) -> Vec<Action> {
        let state = self.state();
        let people = state.people.iter().enumerate();
        let people = people
            .filter(|(_, person)| person.trouble.is_some())
            .map(|(number, _)| Action::Retry(number));
        let teams = state.teams.iter().enumerate();
        let teams = teams
            .filter(|(_, team)| team.trouble.is_some())
            .map(|(number, _)| Action::RetryGroup(number));
        people.chain(teams).collect()
    }

    /// What failed for a person, again. Of somebody whose assignment failed and who was then
    /// unassigned, Okta remembers nothing: the app is assigned and taken away once more, as Okta's
    /// support advises.
    pub(crate) async fn retry(
        &self,
        number: PersonNumber,
    ) -> Result<Option<Vec<Action>>, TaskError> {
        let person = self.person(number);
        if person.trouble.is_none() {
            return Ok(None);
        }
        let mut next = Vec::new();
        match (person.assigned, person.link) {
            (true, None) => next = self.assign(number).await?.unwrap_or_default(),
            (true, Some(id)) => self.put_profile(number, &id, None).await?,
            (false, Some(_)) => {
                self.unassign(number).await?;
            }
            (false, None) => {
                let assigned = self.assign(number).await;
                self.with_person(number, |person| person.assigned = false);
                assigned?;
                self.unassign(number).await?;
            }
        }
        if let Some(password) = person.owed_password.filter(|_| person.assigned) {
            self.password(number, &password).await?;
        }
        self.with_person(number, |person| person.trouble = None);
        Ok(Some(next))
    }

    /// What failed for a group, again.
    pub(crate) async fn retry_group(
        &self,
        number: TeamNumber,
    ) -> Result<Option<Vec<Action>>, TaskError> {
        let team = self.team(number);
        if let Some(id) = &team.owed_deletion {
            self.delete_group(number, id).await?;
        }
        if team.is_pushed {
            // A group that is not there any more must be linked anew; retrying does not do that.
            let is_gone = team.trouble.is_some_and(|error| error.status == Some(404));
            if is_gone {
                self.with_team(number, |team| team.link = None);
            }
            self.push(number).await?;
        }
        self.with_team(number, |team| team.trouble = None);
        Ok(Some(Vec::new()))
    }
}
