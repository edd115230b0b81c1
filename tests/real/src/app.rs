//! What a test must be able to do with an application, past the bridge.

use okta::agree::Truth;
use okta::history::Abilities;

/// Result of work on an application, errors in words.
pub type Done<T> = Result<T, String>;

/// An application that runs, seen and changed past the bridge.
///
/// Dropping it ends what was started.
#[allow(async_fn_in_trait)] // nothing of this crate is for others
pub trait App {
    /// Its name, which its mapping has too.
    fn name(&self) -> &'static str;

    /// The environment that its mapping needs.
    fn environment(&self) -> Vec<(String, String)>;

    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Changes the mapping's text for the test; most take it as it is.
    fn edited(&self, mapping: String) -> String {
        mapping
    }

    /// Everything it has.
    async fn truth(&self) -> Done<Truth>;

    /// It falls over, and comes again with its data.
    async fn fall_over(&mut self) -> Done<()> {
        self.go_down().await?;
        self.come_up().await
    }

    /// It is not there.
    async fn go_down(&mut self) -> Done<()>;

    /// It is there again, with its data, at the same address.
    async fn come_up(&mut self) -> Done<()>;

    /// The next call or calls go wrong; whether it can be told to fail.
    fn fail(&self, _rng: &mut fastrand::Rng) -> bool {
        false
    }

    /// No fault is to come any more.
    fn stop_failing(&self) {}

    /// Calls that it got, if it counts.
    fn calls(&self) -> Option<usize> {
        None
    }

    /// Whether that is somebody's password, if it can be asked.
    async fn is_password(&self, _login: &str, _password: &str) -> Done<Option<bool>> {
        Ok(None)
    }

    /// Somebody makes an account by hand.
    async fn make_account(&self, login: &str, password: &str) -> Done<()>;

    /// Somebody takes an account's access away by hand: switches it off, or deletes it.
    async fn cut_access(&self, login: &str) -> Done<()>;

    /// Somebody deletes an account by hand.
    async fn remove_account(&self, login: &str) -> Done<()>;

    /// Somebody gives an account more than was asked for, by hand.
    async fn give_more(&self, login: &str) -> Done<()>;

    /// Somebody makes a group by hand, with these people in it.
    async fn make_group(&self, name: &str, members: &[String]) -> Done<()>;

    /// A value that it does not know, and where it stands; `emperor` is in it.
    fn unknown_value(&self) -> Option<(String, serde_json::Value)> {
        None
    }

    /// The account that the bridge itself logs in with, or another one that nobody may touch.
    fn own_account(&self) -> Option<&'static str>;

    /// The end of its log, for whoever looks for a failure.
    fn log(&self) -> String;
}
