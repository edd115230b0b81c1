//! `new`: a first mapping from a few questions, an example record or an OpenAPI file.
//!
//! Nothing is written before everything was answered, the mapping loads and its tests pass.

use std::io::{BufRead, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::CliError;
use super::output::{out, outln};
use crate::mapping::{DraftAuth, DraftOrder, Source, draft, read_api};
use crate::observe::escape_control;
use crate::sync::tests_for;

/// Arguments of `new`. What is not given is asked for.
#[derive(Debug, Args)]
pub struct NewArguments {
    /// A name for the app: a-z, 0-9, - and _
    #[arg(long)]
    app: Option<String>,
    /// Where its API begins: https://app.example/api
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// How it wants to be shown who calls: bearer, basic, header:NAME, oauth2, oauth2:TOKEN_URL,
    /// session, session:/LOGIN/PATH, none
    #[arg(long, value_name = "KIND", value_parser = auth_of)]
    auth: Option<DraftAuth>,
    /// The path that lists people, such as /users
    #[arg(long, value_name = "PATH")]
    list: Option<String>,
    /// A record of a person, or the answer to the list, as JSON
    #[arg(long, value_name = "FILE")]
    example: Option<PathBuf>,
    /// The app's OpenAPI 3 file, JSON or YAML
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
    /// The folder to write to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

/// Runs it. Exit code 1 when nothing can be made of what was given, 2 when the answers end.
pub fn run(arguments: &NewArguments) -> Result<ExitCode, CliError> {
    let mut order = DraftOrder {
        base_url: arguments.base_url.clone().unwrap_or_default(),
        auth: arguments.auth.clone(),
        list: arguments.list.clone(),
        example: arguments.example.as_deref().map(example_in).transpose()?,
        api: arguments.openapi.as_deref().map(api_in).transpose()?,
        ..DraftOrder::default()
    };
    ask_for_the_rest(arguments, &mut order)?;
    let files = Files::of(&arguments.out, &order.app);
    files.check(arguments.force)?;
    let made = draft(&order).map_err(CliError::finding)?;
    let source = Source { file: files.mapping.display().to_string(), text: made.text };
    let mut requests = vec!["create user", "update user", "GET /Users/ID"];
    if made.switches {
        requests.extend(["deactivate user", "reactivate user"]);
    }
    let tests = tests_for(&source, &requests, made.record.as_ref()).map_err(|why| {
        CliError::finding(format!(
            "what was given makes no mapping that loads; nothing is written\n{why}"
        ))
    })?;
    files.check(arguments.force)?;
    files.write(&source.text, &tests)?;
    let name = files.mapping.display();
    outln!("{name} and {} are written: the mapping loads, its tests pass.", files.tests.display());
    if !made.guessed.is_empty() {
        outln!("\nGuessed, and marked GUESS in the file:");
        made.guessed.iter().for_each(|guess| outln!("  - {}", escape_control(guess)));
    }
    outln!("\nNext: compare it with the app's manual, then");
    for line in ["scim-bridge check", "scim-bridge test", "scim-bridge try"] {
        outln!("  {line} {name}");
    }
    outln!(
        "`try` needs the app's secrets; the names of their variables stand in the file under `secrets:`."
    );
    if order.example.is_some() {
        outln!("The test file holds your example: replace it if it is a real person.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for what no option gave. With name, address and kind of credential given nothing is asked.
fn ask_for_the_rest(arguments: &NewArguments, order: &mut DraftOrder) -> Result<(), CliError> {
    let known_auth = order.auth.is_some() || order.api.is_some();
    let asks = arguments.app.is_none() || arguments.base_url.is_none() || !known_auth;
    order.app = match &arguments.app {
        Some(app) => checked_app(app).map_err(CliError::usage)?,
        None => ask(
            "Name of the app (a-z, 0-9, - and _), as it shall stand in Okta's URL",
            None,
            checked_app,
        )?,
    };
    if arguments.base_url.is_none() {
        order.base_url =
            ask("Where does its API begin? (such as https://app.example/api)", None, checked_url)?;
    } else {
        order.base_url = checked_url(&order.base_url).map_err(CliError::usage)?;
    }
    if !asks {
        return Ok(());
    }
    if !known_auth {
        let question = "How does it want to be shown who calls?\n  bearer (a token), basic (user and \
                        password), header:NAME (a token in a header),\n  oauth2 (client credentials), \
                        session (a login call), none";
        order.auth = Some(ask(question, Some("bearer"), auth_of)?);
    }
    if order.example.is_none() && order.api.is_none() {
        let question = "An example: the name of a file with a record or a list answer as JSON, or of an \
                        OpenAPI file; or paste the JSON;\nor nothing, then the usual fields are guessed";
        let given = ask(question, Some(""), |text| Ok(text.to_owned()))?;
        take_example(&given, order)?;
    }
    if order.list.is_none() {
        let list = ask("The path that lists people (nothing: guess)", Some(""), |text| {
            Ok(text.to_owned())
        })?;
        order.list = Some(list).filter(|list| !list.is_empty());
    }
    Ok(())
}

/// A file, or JSON that goes on until it is complete.
fn take_example(given: &str, order: &mut DraftOrder) -> Result<(), CliError> {
    if given.is_empty() {
        return Ok(());
    }
    if !given.starts_with(['{', '[']) {
        let file = Path::new(given);
        let text = text_of(file)?;
        match read_api(&text) {
            Ok(api) => order.api = Some(api),
            Err(_) => order.example = Some(example_in(file)?),
        }
        return Ok(());
    }
    let mut text = given.to_owned();
    loop {
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => {
                order.example = Some(value);
                return Ok(());
            }
            Err(error) if error.is_eof() => {
                text.push('\n');
                text.push_str(&line()?);
            }
            Err(error) => return Err(CliError::finding(format!("that is not JSON: {error}"))),
        }
    }
}

/// Asks until the answer will do. An empty answer is the default, if there is one.
fn ask<T>(
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, CliError> {
    loop {
        let shown = default.filter(|default| !default.is_empty());
        let shown = shown.map(|default| format!(" [{default}]")).unwrap_or_default();
        out!("{question}{shown}: ");
        let _ = std::io::stdout().flush();
        let answer = line()?;
        let answer = answer.trim();
        let answer = if answer.is_empty() { default.unwrap_or_default() } else { answer };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(why) => outln!("{}", escape_control(&why)),
        }
    }
}

/// A line of stdin.
fn line() -> Result<String, CliError> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    match read.map_err(|e| CliError::environment(format!("stdin cannot be read: {e}")))? {
        0 => {
            if std::io::stdout().is_terminal() {
                outln!("");
            }
            let message = "the answers ended; nothing is written. Every question has an option too: see \
                           `scim-bridge new --help`";
            Err(CliError::usage(message))
        }
        _ => Ok(line),
    }
}

fn checked_app(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    match !text.is_empty() && text.len() <= 60 && text.chars().all(good) {
        true => Ok(text.to_owned()),
        false => Err(format!("'{text}' is no name of an app: a-z, 0-9, - and _, such as wiki")),
    }
}

fn checked_url(text: &str) -> Result<String, String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let is_url = !rest.is_empty() && !text.contains([' ', '\'', '"', '@', '?', '#', '{', '}', '$']);
    match is_url && !text.chars().any(char::is_control) {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err(format!("'{text}' is no address: write it as https://app.example/api")),
    }
}

fn auth_of(text: &str) -> Result<DraftAuth, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let rest = Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty());
    let is_token =
        |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    Ok(match (kind.trim().to_lowercase().as_str(), rest) {
        ("none", None) => DraftAuth::None,
        ("basic", None) => DraftAuth::Basic,
        ("bearer", None) => DraftAuth::Bearer,
        ("header", Some(name)) if is_token(&name) => DraftAuth::Header(name),
        ("oauth2", url) => DraftAuth::OAuth2(url),
        ("session", path) if path.as_ref().is_none_or(|p| p.starts_with('/')) => {
            DraftAuth::Session(path)
        }
        _ => {
            return Err("write bearer, basic, header:NAME, oauth2, oauth2:URL, session, \
                        session:/PATH or none"
                .to_owned());
        }
    })
}

fn text_of(file: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(file)
        .map_err(|e| CliError::environment(format!("{} cannot be read: {e}", file.display())))
}

fn example_in(file: &Path) -> Result<Value, CliError> {
    let text = text_of(file)?;
    serde_json::from_str(&text)
        .map_err(|e| CliError::finding(format!("{} is not JSON: {e}", file.display())))
}

fn api_in(file: &Path) -> Result<Value, CliError> {
    read_api(&text_of(file)?)
        .map_err(|why| CliError::finding(format!("{} cannot be read: {why}", file.display())))
}

/// The two files.
struct Files {
    mapping: PathBuf,
    tests: PathBuf,
}

impl Files {
    fn of(folder: &Path, app: &str) -> Self {
        let place = |name: String| match folder == Path::new(".") {
            true => PathBuf::from(name),
            false => folder.join(name),
        };
        Self { mapping: place(format!("{app}.yaml")), tests: place(format!("{app}.test.yaml")) }
    }

    fn both(&self) -> [&Path; 2] {
        [&self.mapping, &self.tests]
    }

    fn check(&self, force: bool) -> Result<(), CliError> {
        match self.both().into_iter().find(|file| file.exists()).filter(|_| !force) {
            Some(file) => {
                let message = format!("{} exists; --force writes over it", file.display());
                Err(CliError::usage(message))
            }
            None => Ok(()),
        }
    }

    /// Writes both whole beside their places, and then puts them there.
    fn write(&self, mapping: &str, tests: &str) -> Result<(), CliError> {
        let temporary = |file: &Path| file.with_extension("new");
        let texts = [(self.mapping.as_path(), mapping), (self.tests.as_path(), tests)];
        let mut done = Ok(());
        for (file, text) in texts {
            done = done.and_then(|()| std::fs::write(temporary(file), text));
        }
        for (file, _) in texts {
            done = done.and_then(|()| std::fs::rename(temporary(file), file));
        }
        done.map_err(|e| {
            for (file, _) in texts {
                // Where there is none, nothing was left.
                let _ = std::fs::remove_file(temporary(file));
            }
            CliError::environment(format!("{} cannot be written: {e}", self.mapping.display()))
        })
    }
}
