//! Step by step what an administrator does, with everything compared after each step.
//!
//! The same steps for every application; what one cannot do must be refused in words.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use okta::action::Change;
use okta::agree::Account;
use okta::{Action, Dialect, Outcome, Profile};
use serde_json::{Value, json};

use crate::app::{App, Done};
use crate::secrets;
use crate::stage::Stage;

/// Somebody new.
const MAYA: usize = 0;
/// Has an account of before the bridge.
const IRIS: usize = 1;
/// Others.
const TOMAS: usize = 2;
const WEI: usize = 3;
/// Called as an account that nobody may touch.
const OWN: usize = 4;
/// Pushed from Okta.
const DESK: usize = 0;
/// Made by hand in the application, then linked.
const NIGHT: usize = 1;
/// How many accounts of before an import meets; more than a page.
const CROWD: usize = 230;
/// How long the application is away.
const OUTAGE: Duration = Duration::from_secs(2);
/// The password of accounts of before.
const BEFORE: &str = "Of-before-1-canary";

/// Plays all steps; whether all went well.
///
/// # Errors
/// When they could not be tried.
pub async fn all<A: App>(app: A, program: &Path, folder: &Path) -> Done<bool> {
    let people = people(&app);
    app.make_account(&people[IRIS].user_name, BEFORE).await?;
    let teams = vec!["desk".to_owned(), "night shift".to_owned()];
    let mut stage = Stage::start(app, program, folder, (people, teams), Dialect::Aiw).await?;
    let (mut passed, mut failed) = (0, 0);
    macro_rules! step {
        ($words:literal, $step:ident) => {
            let done = match stage.$step().await {
                Ok(()) => stage.agree().await,
                Err(why) => Err(why),
            };
            match done {
                Ok(()) => {
                    passed += 1;
                    println!("ok      {}", $words);
                }
                Err(why) => {
                    failed += 1;
                    println!("FAILED  {}: {why}", $words);
                }
            }
        };
    }
    step!("`try` finds nothing to correct", tried);
    step!("the connection test passes", probed);
    step!("somebody new gets an account", assigned);
    step!("an account of before is taken over, with its password", adopted);
    step!("an account that nobody may touch is refused and not shown", spared);
    step!("each value of each attribute arrives", attributes);
    step!("a value that the application does not know is refused in words", unknown_value);
    step!("a password arrives", password);
    step!("a pushed group has its members", pushed);
    step!("taken away and given back: password and memberships as before", back_again);
    step!("an account that somebody deleted is not shown, and comes back when assigned", removed);
    step!("a linked group keeps its id, and has Okta's members", linked);
    step!("another group name: taken, or refused in words", renamed_group);
    step!("another user name: taken, or refused in words", renamed_user);
    step!("an import gives everybody once", imported);
    step!("what is asked while the application is away is done afterwards", outage);
    step!("what somebody changed by hand is told, and put right", drift);
    step!("a deleted group has no members left", deleted_group);
    step!("the audit chain is whole, and no password was written down", audited);
    let figures = json!({
        "suite": "scenarios", "app": stage.app.name(), "passed": passed, "failed": failed,
    });
    println!("figures: {figures}");
    if failed > 0 {
        stage.show().await?;
    }
    stage.bridge.stop().await?;
    Ok(failed == 0)
}

/// What must be, or why not.
fn ensure(is_so: bool, why: impl FnOnce() -> String) -> Done<()> {
    if is_so { Ok(()) } else { Err(why()) }
}

/// Who is in Okta.
fn people(app: &impl App) -> Vec<Profile> {
    let choices = app.abilities().choices;
    let names = [
        "maya.lindqvist@corp.example",
        "iris.okafor@corp.example",
        "tomas.o'neil@corp.example",
        "wei.ng@corp.example",
        app.own_account().unwrap_or("nobody.special@corp.example"),
    ];
    let people = names.into_iter().map(|name| Profile {
        user_name: name.to_owned(),
        given: "Chloé".to_owned(),
        family: "O'Brien".to_owned(),
        extra: choices
            .iter()
            .filter_map(|choice| Some((choice.path.clone(), choice.values.first()?.clone())))
            .collect(),
    });
    people.collect()
}

impl<A: App> Stage<A> {
    /// Nothing differs.
    async fn agree(&self) -> Done<()> {
        let compared = self.compare().await?;
        ensure(compared.differences().is_empty(), || compared.differences().join("; "))
    }

    async fn act(&self, action: Action) -> Done<()> {
        match self.okta.act_with_what_follows(action).await {
            Outcome::Failed(error) => Err(error.words),
            Outcome::Nothing => Err("Okta sent nothing".to_owned()),
            Outcome::Done(_) => Ok(()),
        }
    }

    /// What must be refused: the words.
    async fn refused(&self, action: Action) -> Done<String> {
        match self.okta.act_with_what_follows(action).await {
            Outcome::Failed(error) if error.status.is_some_and(|status| status < 500) => {
                Ok(error.words)
            }
            other => Err(format!("it was not refused: {other:?}")),
        }
    }

    fn name(&self, person: usize) -> String {
        self.okta.people()[person].current.user_name.clone()
    }

    async fn accounts(&self, login: &str) -> Done<Vec<Account>> {
        let all = self.app.truth().await?.accounts;
        Ok(all.into_iter().filter(|account| account.login == login).collect())
    }

    async fn members(&self, group: &str) -> Done<BTreeSet<String>> {
        let truth = self.app.truth().await?;
        truth.groups.get(group).cloned().ok_or_else(|| format!("there is no group {group}"))
    }

    async fn tried(&mut self) -> Done<()> {
        let mapping = self.bridge.mapping();
        let file = mapping.to_str().ok_or("the folder's name is not UTF-8")?;
        let ran = self.bridge.run_plain(&["try", file]).await?;
        ensure(ran.code == Some(0), || format!("{:?} {} {}", ran.code, ran.out, ran.err))
    }

    async fn probed(&mut self) -> Done<()> {
        self.act(Action::Probe).await
    }

    async fn assigned(&mut self) -> Done<()> {
        for person in [MAYA, TOMAS, WEI] {
            self.act(Action::Assign(person)).await?;
        }
        let found = self.accounts(&self.name(MAYA)).await?.len();
        ensure(found == 1, || format!("{found} accounts"))
    }

    async fn adopted(&mut self) -> Done<()> {
        self.act(Action::Assign(IRIS)).await?;
        let name = self.name(IRIS);
        let found = self.accounts(&name).await?.len();
        ensure(found == 1, || format!("{found} accounts"))?;
        let kept = self.app.is_password(&name, BEFORE).await?;
        ensure(kept != Some(false), || "the password is another one".to_owned())
    }

    async fn spared(&mut self) -> Done<()> {
        let Some(own) = self.app.own_account() else { return Ok(()) };
        self.refused(Action::Assign(OWN)).await?;
        self.okta.act(&Action::Unassign(OWN)).await;
        let shown = self.okta.import().await.map_err(|error| error.words)?;
        let is_shown = shown.iter().any(|user| user["userName"] == own);
        ensure(!is_shown, || format!("{own} is shown to Okta"))
    }

    async fn attributes(&mut self) -> Done<()> {
        for choice in self.app.abilities().choices {
            for value in choice.values.iter().rev() {
                let change = Change::Extra(choice.path.clone(), value.clone());
                self.act(Action::Change(MAYA, change)).await?;
                self.agree().await.map_err(|why| format!("{} {value}: {why}", choice.path))?;
            }
        }
        self.act(Action::Change(MAYA, Change::Given("Ω' OR 1=1 --".to_owned()))).await
    }

    async fn unknown_value(&mut self) -> Done<()> {
        let Some((path, value)) = self.app.unknown_value() else { return Ok(()) };
        let old = self.okta.people()[TOMAS].current.extra.get(&path).cloned();
        let words = self.refused(Action::Change(TOMAS, Change::Extra(path.clone(), value))).await?;
        ensure(words.contains("emperor"), || format!("the words are: {words}"))?;
        let back = Change::Extra(path, old.unwrap_or(Value::Null));
        self.okta.act(&Action::Change(TOMAS, back)).await;
        self.act(Action::Retry(TOMAS)).await
    }

    async fn password(&mut self) -> Done<()> {
        if !self.app.abilities().passwords {
            return Ok(());
        }
        self.act(Action::Password(MAYA, "Pw-new-1-canary".to_owned())).await
    }

    async fn pushed(&mut self) -> Done<()> {
        for person in [MAYA, IRIS, TOMAS] {
            self.okta.act(&Action::Join(DESK, person)).await;
        }
        self.act(Action::Push(DESK)).await?;
        self.act(Action::Join(DESK, WEI)).await?;
        self.act(Action::Leave(DESK, TOMAS)).await?;
        let wanted = BTreeSet::from([MAYA, IRIS, WEI].map(|person| self.name(person)));
        let found = self.members("desk").await?;
        ensure(found == wanted, || format!("{found:?}"))
    }

    async fn back_again(&mut self) -> Done<()> {
        let name = self.name(MAYA);
        self.act(Action::Unassign(MAYA)).await?;
        self.agree().await?;
        let active = self.accounts(&name).await?.iter().any(|account| account.active);
        ensure(!active, || format!("{name} can still come in"))?;
        // Without the push of the membership that Okta sends afterwards: the bridge remembers.
        self.okta.act(&Action::Assign(MAYA)).await;
        self.bridge.rest().await?;
        let found = self.members("desk").await?;
        ensure(found.contains(&name), || format!("{name} is not in the group: {found:?}"))
    }

    async fn removed(&mut self) -> Done<()> {
        let name = self.name(IRIS);
        self.app.remove_account(&name).await?;
        let shown = self.okta.import().await.map_err(|error| error.words)?;
        let is_shown =
            shown.iter().any(|user| user["userName"] == name.as_str() && user["active"] == true);
        ensure(!is_shown, || format!("{name} is shown to Okta"))?;
        // Whatever comes of it; Okta looks for the name when the app is assigned again.
        self.okta.act(&Action::Unassign(IRIS)).await;
        self.act(Action::Assign(IRIS)).await?;
        self.bridge.rest().await?;
        let found = self.members("desk").await?;
        ensure(found.contains(&name), || format!("{name} is not in the group: {found:?}"))
    }

    async fn linked(&mut self) -> Done<()> {
        self.app.make_group("night shift", &[self.name(IRIS)]).await?;
        let ids = async || {
            let groups = self.okta.import_groups().await.map_err(|error| error.words)?;
            let ids = groups.iter().filter(|group| group["displayName"] == "night shift");
            Done::Ok(ids.map(|group| group["id"].clone()).collect::<Vec<_>>())
        };
        let before = ids().await?;
        ensure(before.len() == 1, || format!("the import shows it {} times", before.len()))?;
        self.okta.act(&Action::Join(NIGHT, MAYA)).await;
        self.act(Action::LinkGroup(NIGHT)).await?;
        let after = ids().await?;
        ensure(before == after, || format!("{before:?} became {after:?}"))?;
        let found = self.members("night shift").await?;
        let wanted = BTreeSet::from([self.name(MAYA)]);
        ensure(found == wanted, || format!("{found:?}"))
    }

    async fn renamed_group(&mut self) -> Done<()> {
        if self.app.abilities().renames_groups {
            return self.act(Action::Rename(NIGHT, "late shift".to_owned())).await;
        }
        self.refused(Action::Rename(NIGHT, "late shift".to_owned())).await?;
        self.act(Action::Rename(NIGHT, "night shift".to_owned())).await
    }

    async fn renamed_user(&mut self) -> Done<()> {
        let name = "wei.ng-smith@corp.example".to_owned();
        let old = self.name(WEI);
        if self.app.abilities().renames_users {
            return self.act(Action::Change(WEI, Change::UserName(name))).await;
        }
        self.refused(Action::Change(WEI, Change::UserName(name))).await?;
        // The administrator takes it back; Okta has nothing new to push then.
        self.okta.act(&Action::Change(WEI, Change::UserName(old))).await;
        self.act(Action::Retry(WEI)).await
    }

    async fn imported(&mut self) -> Done<()> {
        for number in 0..CROWD {
            self.app.make_account(&format!("crowd.{number}@corp.example"), BEFORE).await?;
        }
        self.before = self.app.truth().await?;
        let shown = self.okta.import().await.map_err(|error| error.words)?;
        let active = shown.iter().filter(|user| user["active"] == true).count();
        let real = self.before.accounts.iter().filter(|account| account.active).count();
        ensure(active == real, || format!("{active} of {real}"))
    }

    async fn outage(&mut self) -> Done<()> {
        self.app.go_down().await?;
        let asked = async {
            let changed = Action::Change(WEI, Change::Given("Kim".to_owned()));
            let first = self.okta.act_with_what_follows(changed).await;
            let second = self.okta.act_with_what_follows(Action::Unassign(TOMAS)).await;
            (first, second)
        };
        let back = async {
            tokio::time::sleep(OUTAGE).await;
            self.app.come_up().await
        };
        let ((first, second), back) = tokio::join!(asked, back);
        back?;
        for outcome in [first, second] {
            ensure(matches!(outcome, Outcome::Done(_)), || format!("{outcome:?}"))?;
        }
        Ok(())
    }

    async fn drift(&mut self) -> Done<()> {
        let name = self.name(IRIS);
        self.app.give_more(&name).await?;
        let app = self.app.name();
        let told = self.bridge.run(&["reconcile", app]).await?;
        ensure(told.code == Some(1) && told.out.contains(&name), || {
            format!("it tells nothing: {:?} {} {}", told.code, told.out, told.err)
        })?;
        let done = self.bridge.run(&["reconcile", app, "--apply"]).await?;
        ensure(matches!(done.code, Some(0 | 1)), || format!("{} {}", done.out, done.err))?;
        self.bridge.rest().await?;
        let after = self.bridge.run(&["reconcile", app]).await?;
        ensure(after.code == Some(0), || format!("it still differs: {} {}", after.out, after.err))
    }

    async fn deleted_group(&mut self) -> Done<()> {
        self.act(Action::UnlinkDelete(DESK)).await?;
        self.bridge.rest().await?;
        let groups = self.app.truth().await?.groups;
        let left = groups.get("desk").cloned().unwrap_or_default();
        ensure(left.is_empty(), || format!("{left:?}"))
    }

    async fn audited(&mut self) -> Done<()> {
        let ran = self.bridge.run(&["audit", "verify"]).await?;
        ensure(ran.code == Some(0), || format!("{} {}", ran.out, ran.err))?;
        let lost = self.bridge.lost().await?;
        ensure(lost == 0, || format!("{lost} accepted changes were refused in the end"))?;
        secrets::nowhere(&self.bridge)
    }
}
