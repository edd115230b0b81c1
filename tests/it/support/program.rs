//! The built program as a process of its own: commands to their end, servers until killed.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program that cargo built for the tests, without the caller's environment.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
    command.env_clear();
    command
}

/// A command run to its end.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// What it printed as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

/// Runs a command with arguments.
pub fn run(arguments: &[&str]) -> Ran {
    run_with(arguments, &[])
}

/// Runs a command with arguments and environment.
pub fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = program();
    command.args(arguments).envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    Ran {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A server in a process of its own. Dropping it kills it, by its process id.
pub struct Server {
    child: Child,
    /// What the ready file says.
    pub ready: Value,
    said: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts `serve` with a mapping on a journal, at free ports.
    pub fn serve(mapping: &Path, db: &Path, environment: &[(String, String)]) -> Self {
        Self::start(Self::serving(mapping, db, environment), &db.with_extension("ready"))
    }

    /// The command of [`Server::serve`].
    pub fn serving(mapping: &Path, db: &Path, environment: &[(String, String)]) -> Command {
        let mut command = program();
        command.arg("serve").arg(mapping).arg("--db").arg(db);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(["--drain-delay", "0", "--drain", "1"]);
        command.arg("--allow-network-filesystem");
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        command.env("RUST_LOG", "scim_bridge=trace");
        command
    }

    /// Starts a command that serves, and waits until it says so in its ready file.
    pub fn start(command: Command, ready_file: &Path) -> Self {
        Self::try_start(command, ready_file)
            .unwrap_or_else(|said| panic!("it ended before it was ready: {said}"))
    }

    /// The same; what it wrote, if it ends before it is ready.
    ///
    /// # Errors
    /// Its words.
    pub fn try_start(mut command: Command, ready_file: &Path) -> Result<Self, String> {
        let _ = std::fs::remove_file(ready_file);
        command.arg("--ready-file").arg(ready_file);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let said = Arc::new(Mutex::new(String::new()));
        let out = child.stdout.take().map(|pipe| keep(pipe, said.clone()));
        let err = child.stderr.take().map(|pipe| keep(pipe, said.clone()));
        let readers = out.into_iter().chain(err).collect();
        let mut server = Self { child, ready: Value::Null, said, readers };
        server.ready = server.wait_until_ready(ready_file)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, file: &Path) -> Result<Value, String> {
        // A guard against hanging for ever, not a limit that is tested.
        let give_up = Instant::now() + Duration::from_secs(60);
        while Instant::now() < give_up {
            if let Ok(text) = std::fs::read_to_string(file) {
                return Ok(serde_json::from_str(&text).expect("the ready file is written whole"));
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("({status}) {}", self.end()));
            }
            std::thread::yield_now();
        }
        panic!("it does not get ready: {}", self.said());
    }

    /// The SCIM base URL of an app.
    pub fn scim(&self, app: &str) -> String {
        self.ready["scim"][app].as_str().expect("the app is served").to_owned()
    }

    /// The admin listener: `127.0.0.1:40001`.
    pub fn admin(&self) -> String {
        let url = self.ready["admin"].as_str().expect("there is an admin listener");
        url.trim_start_matches("http://").to_owned()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it wrote so far, logs too.
    pub fn said(&self) -> String {
        self.said.lock().expect("no reader panics").clone()
    }

    /// kill -9; gives what it wrote.
    #[allow(dead_code)] // the crash test has a binary of its own
    pub fn kill(mut self) -> String {
        self.child.kill().expect("it can be killed");
        self.end()
    }

    /// Waits until it ends by itself; gives its exit code and what it wrote.
    #[allow(dead_code)] // the crash test has a binary of its own
    pub fn ended(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("it ends");
        (status.code(), self.end())
    }

    /// Waits for its end, which may have to be made; whether it ended itself by SIGABRT, and what
    /// it wrote.
    #[allow(dead_code)] // the tests that kill have binaries of their own
    pub fn aborted(mut self, kill: bool) -> (bool, String) {
        if kill {
            // An error means that it has ended already.
            let _ = self.child.kill();
        }
        let status = self.child.wait().expect("it can be waited for");
        (status.signal() == Some(6), self.end())
    }

    /// Whether it has ended by itself.
    #[allow(dead_code)] // the tests that kill have binaries of their own
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGHUP.
    #[allow(dead_code)] // the crash test has a binary of its own
    pub fn hang_up(&self) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits until it has written that.
    #[allow(dead_code)] // the crash test has a binary of its own
    #[track_caller]
    pub fn says(&self, words: &str) {
        // A guard against hanging for ever, not a limit that is tested.
        let give_up = Instant::now() + Duration::from_secs(60);
        while !self.said().contains(words) {
            assert!(Instant::now() < give_up, "it does not say {words:?}: {}", self.said());
            std::thread::yield_now();
        }
    }

    /// SIGTERM; gives its exit code and what it wrote.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
        let status = self.child.wait().expect("it ends");
        (status.code(), self.end())
    }

    fn end(&mut self) -> String {
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panics");
        }
        self.said()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(mut pipe: impl Read + Send + 'static, said: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut chunk) {
            let text = String::from_utf8_lossy(&chunk[..length]);
            said.lock().expect("no reader panics").push_str(&text);
        }
    })
}
