//! A played app and the whole bridge before it, in this process, on free loopback ports.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use scim_bridge::cli::options::JournalArguments;
use scim_bridge::cli::serve::{ListenerArguments, Service, ServicePlan};
use scim_bridge::journal::{Gauge, Reserve, Room};
use scim_bridge::sync::{BaseUrls, Command, Retention, Sources};
use serde_json::{Value, json};
use standin::Running;
use tempfile::TempDir;

use super::http::{self, Answer, encoded, guarded};
use super::text::{impatient, mapping_text};

/// A played app, the bridge, and one token for it.
pub struct World {
    pub name: &'static str,
    /// The mapping's text, which a restart takes.
    pub mapping: String,
    /// The token that requests bring; a pair `user:secret` is sent as Basic.
    pub token: String,
    /// The SCIM base URL.
    pub base: String,
    app: Option<Running>,
    stopped: Option<standin::Down>,
    /// The next start is `serve --restored`.
    pub restored: bool,
    environment: Vec<(String, String)>,
    /// Where the app is, if its mapping does not take that from the environment: `--base-url`.
    base_urls: Vec<String>,
    service: Option<Service>,
    folder: TempDir,
    /// `--public-url` of the next start.
    pub public_url: Option<String>,
    /// Free bytes on the journal's volume.
    pub free: Arc<AtomicU64>,
}

impl World {
    /// An empty app and a bridge with the app's own mapping.
    pub async fn of(name: &'static str) -> Self {
        Self::with(name, str::to_owned).await
    }

    /// The same with short waits.
    pub async fn impatient(name: &'static str) -> Self {
        Self::with(name, impatient).await
    }

    /// The same with an edited mapping.
    pub async fn with(name: &'static str, edit: impl FnOnce(&str) -> String) -> Self {
        let mut world = Self::not_started(name, edit(&mapping_text(name))).await;
        world.start_bridge().await;
        world
    }

    /// The populated stand-in `teams` and a bridge with this mapping of it.
    pub async fn teams(mapping: &str) -> Self {
        let app = standin::apps::by_name("teams").expect("a stand-in of that name");
        let mut world = Self::of_app("teams", app.populated(), mapping.to_owned()).await;
        world.start_bridge().await;
        world
    }

    /// The bridge is given another value of an environment variable than the app's.
    pub async fn misconfigured(name: &'static str, variable: &str, value: &str) -> Self {
        let mut world = Self::not_started(name, impatient(&mapping_text(name))).await;
        world.set_environment(variable, value);
        world.start_bridge().await;
        world
    }

    /// The app has the people that `demo` shows.
    pub async fn populated(name: &'static str) -> Self {
        let app = standin::apps::by_name(name).expect("a stand-in of that name");
        let mut world = Self::of_app(name, app.populated(), mapping_text(name)).await;
        world.start_bridge().await;
        world
    }

    async fn not_started(name: &'static str, mapping: String) -> Self {
        let app = standin::apps::by_name(name).expect("a stand-in of that name");
        Self::of_app(name, app, mapping).await
    }

    /// An app that a test brings, with its mapping.
    pub async fn played(name: &'static str, app: standin::App, mapping: &str) -> Self {
        let mut world = Self::of_app(name, app, mapping.to_owned()).await;
        world.start_bridge().await;
        world
    }

    /// An app that a test brings, whose mapping itself says where it is.
    pub async fn told(
        name: &'static str,
        app: standin::App,
        mapping: impl FnOnce(&Running) -> String,
    ) -> Self {
        let mut world = Self::of_app(name, app, String::new()).await;
        world.mapping = mapping(world.app());
        world.base_urls.clear();
        world.start_bridge().await;
        world
    }

    async fn of_app(name: &'static str, app: standin::App, mapping: String) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let app = standin::start(app, address).await.expect("a free port");
        let environment = app.env().into_iter().map(|(key, value)| (key.to_owned(), value));
        let environment: Vec<(String, String)> = environment.collect();
        let is_told = environment.iter().any(|(_, value)| *value == app.url);
        let base_urls = (!is_told).then(|| format!("{name}={}", app.url));
        Self {
            name,
            mapping,
            token: String::new(),
            base: String::new(),
            environment,
            base_urls: base_urls.into_iter().collect(),
            app: Some(app),
            stopped: None,
            restored: false,
            service: None,
            public_url: None,
            folder: TempDir::new().expect("a temporary folder"),
            free: Arc::new(AtomicU64::new(1 << 40)),
        }
    }

    /// What the mapping reads from the environment at the next start.
    pub fn set_environment(&mut self, variable: &str, value: &str) {
        let entry = self.environment.iter_mut().find(|(key, _)| key == variable);
        entry.expect("the app's mapping has that variable").1 = value.to_owned();
    }

    /// The journal's file.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("bridge.db")
    }

    /// The mapping's file, which the bridge reads.
    pub fn mapping_file(&self) -> PathBuf {
        self.folder.path().join(format!("{}.yaml", self.name))
    }

    /// Gives the mapping another text and has the bridge look at it, as SIGHUP does.
    pub async fn reload(&mut self, mapping: &str) {
        self.mapping = mapping.to_owned();
        std::fs::write(self.mapping_file(), mapping).expect("the folder takes a file");
        self.service().reload().await;
    }

    /// What /metrics shows.
    pub async fn metrics(&self) -> String {
        http::send(&self.service().admin(), "GET", "/metrics", &[], b"").await.expect("200").body
    }

    fn plan(&self) -> ServicePlan {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let given = self.environment.clone();
        let environment = move |name: &str| {
            given.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        };
        let base_urls = BaseUrls::parse(&self.base_urls).unwrap_or_else(|e| panic!("{e}"));
        let file = self.mapping_file();
        std::fs::write(&file, &self.mapping).expect("the folder takes a file");
        let sources = Sources::new(vec![file], Arc::new(environment), base_urls);
        ServicePlan {
            journal: JournalArguments {
                db: self.journal(),
                key_file: None,
                allow_network_filesystem: true,
            },
            listeners: ListenerArguments {
                listen: any,
                admin_listen: any,
                tls_cert: None,
                tls_key: None,
                public_url: self.public_url.clone(),
                trust_proxy: Vec::new(),
                plain_http: false,
                drain_delay: 0,
                drain: 5,
            },
            mappings: sources.load().unwrap_or_else(|e| panic!("{e}")),
            sources: Some(Arc::new(sources)),
            retention: Retention::default(),
            wait_for_lock: Duration::ZERO,
            room: Room { reserve: Reserve::Usual, gauge: Gauge::Played(self.free.clone()) },
            restored: self.restored,
        }
    }

    /// Starts a bridge on the journal; the first one makes the token.
    pub async fn start_bridge(&mut self) {
        let service = Service::start(self.plan()).await.unwrap_or_else(|e| panic!("{e}"));
        self.base = service.scim()[self.name].clone();
        self.service = Some(service);
        if self.token.is_empty() {
            self.token = token_of(&self.command(self.token_create()).await);
        }
    }

    /// A second bridge on the same journal: why it does not start.
    pub async fn second_bridge(&self) -> String {
        match Service::start(self.plan()).await {
            Ok(_) => panic!("two bridges serve one journal"),
            Err(error) => error.to_string(),
        }
    }

    /// Starts a bridge that is to fail by itself: why it does not start, or ends.
    pub async fn fails(&self) -> String {
        match Service::start(self.plan()).await {
            Err(error) => error.to_string(),
            Ok(service) => {
                let why = guarded("it fails", service.bridge.failed()).await;
                service.stop().await;
                why
            }
        }
    }

    /// The command that makes a token for the app.
    pub fn token_create(&self) -> Command {
        Command::TokenCreate { app: self.name.to_owned(), label: "test".into(), expires: None }
    }

    /// Ends the bridge as SIGTERM does.
    pub async fn stop_bridge(&mut self) {
        if let Some(service) = self.service.take() {
            guarded("the bridge ends", service.stop()).await;
        }
    }

    /// Ends the bridge and starts it again on the same journal.
    pub async fn restart_bridge(&mut self) {
        self.stop_bridge().await;
        self.start_bridge().await;
    }

    /// The journal is gone, with its key, its mark and what was not folded into it; a bridge starts
    /// on nothing and makes another token.
    pub async fn lose_journal(&mut self) {
        self.stop_bridge().await;
        for file in std::fs::read_dir(self.folder.path()).expect("the folder").flatten() {
            if file.file_name().to_string_lossy().starts_with("bridge.db") {
                std::fs::remove_file(file.path()).expect("the file can go");
            }
        }
        self.token.clear();
        self.start_bridge().await;
    }

    /// The running bridge.
    pub fn service(&self) -> &Service {
        self.service.as_ref().expect("the bridge runs")
    }

    /// The app.
    pub fn app(&self) -> &Running {
        self.app.as_ref().expect("the app runs")
    }

    /// The app goes down: connections are refused from now on.
    pub async fn stop_app(&mut self) {
        let app = self.app.take().expect("the app runs");
        self.stopped = Some(app.go_down().await.expect("its port is still free"));
    }

    /// The app comes back at the same address with everything it had.
    pub async fn start_app(&mut self) {
        let down = self.stopped.take().expect("the app was stopped");
        self.app = Some(down.come_up().expect("its port was held"));
    }

    /// Puts a record in by hand; gives its id in the app.
    #[track_caller]
    pub fn seed(&self, collection: &str, record: Value) -> Value {
        self.app().seed(collection, &record).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The app's records of a collection.
    pub fn records(&self, collection: &str) -> Vec<Value> {
        self.app().state()[collection].as_array().cloned().unwrap_or_default()
    }

    /// The one record of the app with that value.
    #[track_caller]
    pub fn record(&self, collection: &str, field: &str, value: &str) -> Value {
        let mut found = self.records(collection);
        found.retain(|record| record[field] == value);
        assert_eq!(found.len(), 1, "{collection} with {field} {value}: {found:?}");
        found.remove(0)
    }

    /// The app's writes so far: `PATCH /administrators/7 {"lastName":"X"}`.
    pub fn writes(&self) -> Vec<String> {
        self.app().writes().iter().map(|call| format!("{} {}", call.line(), call.body)).collect()
    }

    /// A command of the operator.
    pub async fn command(&self, command: Command) -> Value {
        let done = self.service().bridge.command(command).await;
        done.unwrap_or_else(|e| panic!("{e}"))
    }

    /// The changes in the journal, newest first.
    pub async fn changes(&self) -> Vec<Value> {
        let list = Command::ChangesList {
            app: Some(self.name.to_owned()),
            state: None,
            user: None,
            since: None,
            limit: 1000,
        };
        self.command(list).await.as_array().cloned().unwrap_or_default()
    }

    /// One change with its calls.
    pub async fn change(&self, change: &Value) -> Value {
        let id = change["change"].as_i64().expect("a change has a number");
        self.command(Command::ChangesShow { id }).await
    }

    /// Waits until the newest change is as wanted, and gives it.
    #[track_caller]
    pub fn newest_change(&self, is_wanted: impl Fn(&Value) -> bool) -> impl Future<Output = Value> {
        guarded("the newest change gets into its state", async move {
            loop {
                let newest = self.changes().await.into_iter().next().unwrap_or_default();
                if is_wanted(&newest) {
                    return newest;
                }
                tokio::task::yield_now().await;
            }
        })
    }

    /// Waits until no change is open any more.
    #[track_caller]
    pub fn settled(&self) -> impl Future<Output = ()> {
        guarded("all changes are settled", async move {
            let open = |change: &Value| {
                let state = change["state"].as_str().unwrap_or_default();
                ["queued", "sending", "in_doubt", "waiting"].contains(&state)
            };
            while self.changes().await.iter().any(open) {
                tokio::task::yield_now().await;
            }
        })
    }

    /// Waits until the app is as wanted, by whatever calls the bridge still makes.
    #[track_caller]
    pub fn app_becomes(&self, is_wanted: impl Fn(&Self) -> bool) -> impl Future<Output = ()> {
        guarded("the app becomes as wanted", async move {
            while !is_wanted(self) {
                tokio::task::yield_now().await;
            }
        })
    }

    /// A request with exactly these headers, below the base URL.
    pub async fn raw(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let answer = http::send(&self.base, method, path, headers, body).await;
        answer.unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// A request of a client with the token.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let authorization = format!("Authorization: {}", authorization(&self.token));
        let mut headers = vec![
            authorization.as_str(),
            "Accept: application/scim+json",
            "User-Agent: Okta SCIM Client 1.0.0",
        ];
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            headers.push("Content-Type: application/scim+json; charset=utf-8");
        }
        self.raw(method, path, &headers, body.as_bytes()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.request("PUT", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.request("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, None).await
    }

    /// The list that a filter gives.
    pub async fn filtered(&self, endpoint: &str, filter: &str) -> Answer {
        self.get(&format!("{endpoint}?filter={}&startIndex=1&count=100", encoded(filter))).await
    }

    /// Who has that userName.
    pub async fn named(&self, user_name: &str) -> Vec<Value> {
        let filter = format!("userName eq {}", json!(user_name));
        let list = self.filtered("/Users", &filter).await.expect(200);
        list["Resources"].as_array().cloned().expect("a list has Resources")
    }

    /// Makes a user; gives its SCIM id.
    pub async fn create(&self, user: &Value) -> String {
        id_of(&self.post("/Users", user).await.expect(201))
    }

    /// GET, then PUT of all that came back with some keys changed: Okta's way to update.
    pub async fn echo_put(&self, path: &str, changes: Value) -> Answer {
        let mut body = self.get(path).await.expect(200);
        for (key, value) in changes.as_object().expect("changes are an object") {
            body[key] = value.clone();
        }
        self.put(path, &body).await
    }
}

/// The id of a resource.
#[track_caller]
pub fn id_of(resource: &Value) -> String {
    let id = resource["id"].as_str().unwrap_or_default();
    assert!(!id.is_empty(), "a resource has an id: {resource}");
    id.to_owned()
}

/// What `token create` made, as requests use it.
pub fn token_of(made: &Value) -> String {
    let token = made["token"].as_str().expect("a token");
    match made["user"].as_str() {
        Some(user) => format!("{user}:{token}"),
        None => token.to_owned(),
    }
}

/// The value of the Authorization header for a token or a pair.
pub fn authorization(token: &str) -> String {
    use base64::Engine as _;
    match token.contains(':') {
        true => format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(token)),
        false => format!("Bearer {token}"),
    }
}
