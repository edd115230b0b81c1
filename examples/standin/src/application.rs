//! What an app has to bring to be a stand-in.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    store,
    wire::{Reply, Request},
};

/// An application with an admin REST API: its records and its rules.
pub trait Application: Send + 'static {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Where its API begins, without a trailing slash: `/api`.
    fn base(&self) -> &'static str;

    /// The environment that its mapping needs to connect to it at `url`.
    fn env(&self, url: &str) -> Vec<(&'static str, String)>;

    /// Answers one request. Nothing is applied by a request that is answered with an error.
    fn handle(&mut self, request: &Request) -> Reply;

    /// Everything the app holds, as plain JSON (no passwords); [`Application::restore`]
    /// reads it again.
    fn state(&self) -> Value;

    /// Goes back to a state that [`Application::state`] gave.
    ///
    /// # Errors
    /// In words, when it is not such a state.
    fn restore(&mut self, state: &Value) -> Result<(), String>;

    /// Puts a record in by hand, past the rules of the API; the values of one that is already
    /// there (same `id`) are laid over. Returns its id.
    ///
    /// # Errors
    /// In words, when the app has no such collection or the record no such field.
    fn put(&mut self, collection: &str, record: &Value) -> Result<Value, String>;

    /// Takes a record out by hand.
    ///
    /// # Errors
    /// In words, when it is not there.
    fn remove(&mut self, collection: &str, id: &Value) -> Result<(), String>;

    /// Puts in a few records of before the bridge, for a demonstration.
    fn populate(&mut self);

    /// Whether a request only opens a session; such calls do not count as writes.
    fn is_login(&self, _request: &Request) -> bool {
        false
    }

    /// Whether a request only reads. An app that reads by POST says so here, or its reads count
    /// as writes.
    fn is_read(&self, request: &Request) -> bool {
        !request.is_write()
    }
}

/// An application that is ready to start.
pub struct App {
    pub(crate) application: Box<dyn Application>,
    pub(crate) data: Option<PathBuf>,
}

impl App {
    /// An app that lives in memory.
    pub fn new(application: impl Application) -> Self {
        Self { application: Box::new(application), data: None }
    }

    /// The app's name.
    pub fn name(&self) -> &'static str {
        self.application.name()
    }

    /// Keeps the state in `file`: it is read now, if there is one, and written whole after
    /// each write, before the answer.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn kept_in(mut self, file: &Path) -> io::Result<Self> {
        if let Some(state) = store::read(file)? {
            self.application.restore(&state).map_err(|why| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", file.display()))
            })?;
        }
        self.data = Some(file.to_owned());
        Ok(self)
    }

    /// With a few records of before the bridge.
    pub fn populated(mut self) -> Self {
        self.application.populate();
        self
    }
}
