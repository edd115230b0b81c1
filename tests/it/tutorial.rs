//! docs/first-mapping.md, done line by line as a reader would: its files are written and changed,
//! its commands run, and what they print must be what the page shows. Only ports, and `curl`, are
//! replaced; `...` on the page stands for anything.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::http::send;
use crate::support::program::{Server, program};
use crate::support::text::repository;

/// One block of the page that is to be done.
enum Block {
    /// The file gets this text.
    Write { file: String, text: String },
    /// In the file, what stands with `-` becomes what stands with `+`.
    Change { file: String, lines: Vec<String> },
    /// Commands, and what they print; `stays` is the one that does not end.
    Commands { lines: Vec<String>, shown: Option<String>, stays: bool },
}

/// The page's blocks in their order.
fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut note = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("<!-- ") {
            note = words.trim_end_matches(" -->").to_owned();
            continue;
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let text: Vec<String> =
            lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
        let file = || note.split(' ').nth(1).expect("the note names a file").to_owned();
        match language {
            "yaml" => found.push(Block::Write { file: file(), text: text.join("\n") + "\n" }),
            "diff" => found.push(Block::Change { file: file(), lines: text }),
            "sh" => {
                found.push(Block::Commands { lines: text, shown: None, stays: note == "stays" });
            }
            "text" => match found.last_mut() {
                Some(Block::Commands { shown: shown @ None, .. }) => *shown = Some(text.join("\n")),
                _ => panic!("this is shown by no command: {text:?}"),
            },
            other => panic!("a block of '{other}' is not known"),
        }
        note.clear();
    }
    found
}

/// Changes a text as a diff without positions says; it must fit in exactly one place.
fn changed(text: &str, lines: &[String]) -> String {
    let side = |left_out: char| -> String {
        let kept = lines.iter().filter(|line| !line.starts_with(left_out));
        kept.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect()
    };
    let (old, new) = (side('+'), side('-'));
    assert_eq!(text.matches(&old).count(), 1, "this stands there once:\n{old}\nin\n{text}");
    text.replace(&old, &new)
}

/// Whether a text is what the page shows, where `...` is anything.
fn is_shown(shown: &str, printed: &str) -> bool {
    const ANYTHING: &str = "\0";
    let lines = shown.lines().map(|line| line.replace("...", ANYTHING));
    let whole = lines.collect::<Vec<_>>().join("\n");
    let whole = whole.replace("\n\0", ANYTHING).replace("\0\n", ANYTHING);
    let printed = printed.trim_end();
    let Some((first, others)) = whole.split_once(ANYTHING) else { return whole == printed };
    let (middle, last) = others.rsplit_once(ANYTHING).unwrap_or(("", others));
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    for part in middle.split(ANYTHING) {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Splits a command as a shell does: blanks, both kinds of quotes, `$NAME` outside single ones.
fn words(line: &str, variables: &HashMap<String, String>) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (end, Some(begun)) if end == begun => quote = None,
            (' ', None) => words.extend(word.take()),
            ('$', None | Some('"')) => {
                let mut name = String::new();
                while let Some(next) = letters.next_if(|c| c.is_ascii_uppercase() || *c == '_') {
                    name.push(next);
                }
                let value = variables.get(&name).unwrap_or_else(|| panic!("${name} is not set"));
                word.get_or_insert_default().push_str(value);
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// A reader at work.
struct Reader {
    folder: TempDir,
    variables: HashMap<String, String>,
    /// An address on the page, and the one it really is.
    addresses: Vec<(&'static str, String)>,
    servers: Vec<Server>,
}

impl Reader {
    fn real(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (on_page, real) in &self.addresses {
            text = text.replace(on_page, real);
        }
        text
    }

    fn on_page(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (on_page, real) in &self.addresses {
            text = text.replace(real.as_str(), on_page);
        }
        text
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Runs a command to its end; gives what it printed.
    async fn runs(&mut self, line: &str) -> String {
        let line = self.real(line);
        if let Some(settings) = line.strip_prefix("export ") {
            self.set(settings);
            return String::new();
        }
        let words = words(&line, &self.variables);
        match words.first().map(String::as_str) {
            Some("curl") => self.fetched(&words[1..]).await,
            Some("cp") => {
                std::fs::copy(self.path(&words[1]), self.path(&words[2])).expect("a copy");
                String::new()
            }
            Some("scim-bridge") => self.printed(&words[1..]),
            other => panic!("the page runs {other:?}"),
        }
    }

    fn set(&mut self, settings: &str) {
        if let Some((name, command)) = settings.split_once("=$(") {
            let words = words(command.trim_end_matches(')'), &self.variables);
            let value = self.printed(&words[1..]).trim().to_owned();
            self.variables.insert(name.to_owned(), value);
            return;
        }
        for word in words(settings, &self.variables) {
            let (name, value) = word.split_once('=').expect("NAME=VALUE");
            self.variables.insert(name.to_owned(), value.to_owned());
        }
    }

    fn printed(&self, arguments: &[String]) -> String {
        let mut command = program();
        command.args(arguments).envs(&self.variables).current_dir(self.folder.path());
        let output = command.output().expect("the program starts");
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).expect("it prints text")
    }

    /// What `curl` would print.
    async fn fetched(&self, arguments: &[String]) -> String {
        let (mut method, mut headers, mut body, mut url) = ("GET", Vec::new(), "", "");
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("the option has a value");
            match argument {
                "-s" => {}
                "-X" => method = value(),
                "-H" => headers.push(value()),
                "-d" => body = value(),
                other => url = other,
            }
        }
        let (address, path) = url["http://".len()..].split_once('/').expect("a path");
        let base = format!("http://{address}");
        let path = format!("/{path}");
        send(&base, method, &path, &headers, body.as_bytes()).await.expect("an answer").body
    }

    /// Starts what does not end; its real address is known from now on. Gives what it says, as
    /// soon as that is what is shown.
    fn stays(&mut self, line: &str, shown: &str) -> String {
        let words = words(&line.replace("127.0.0.1:9001", "127.0.0.1:0"), &self.variables);
        let mut command = program();
        command.args(&words[1..]).envs(&self.variables).current_dir(self.folder.path());
        let is_app = words.contains(&"demo".to_owned());
        if !is_app {
            command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        }
        let server = Server::start(command, &self.path(&format!("{}.ready", words[1])));
        let authority = |url: &str| {
            let rest = url.trim_start_matches("http://");
            rest.split('/').next().unwrap_or_default().to_owned()
        };
        if is_app {
            let url = server.ready["app_url"].as_str().expect("the app's address");
            self.addresses.push(("127.0.0.1:9001", authority(url)));
        } else {
            self.addresses.push(("127.0.0.1:8080", authority(&server.scim("team"))));
        }
        // A guard against hanging for ever: it says what it says in several pieces.
        let give_up = Instant::now() + Duration::from_secs(30);
        let mut said = server.said();
        while !is_shown(shown, &self.on_page(&said)) && Instant::now() < give_up {
            std::thread::yield_now();
            said = server.said();
        }
        self.servers.push(server);
        said
    }
}

#[tokio::test]
async fn the_first_mapping_is_made_as_its_page_says() {
    let page = std::fs::read_to_string(repository().join("docs/first-mapping.md")).unwrap();
    let mut reader = Reader {
        folder: TempDir::new().unwrap(),
        variables: HashMap::new(),
        addresses: Vec::new(),
        servers: Vec::new(),
    };
    for block in blocks(&page) {
        match block {
            Block::Write { file, text } => std::fs::write(reader.path(&file), text).unwrap(),
            Block::Change { file, lines } => {
                let path = reader.path(&file);
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::write(&path, changed(&text, &lines)).unwrap();
            }
            Block::Commands { lines, shown, stays } => {
                let shown = shown.unwrap_or_default();
                let mut printed = String::new();
                for line in &lines {
                    match stays {
                        true => printed += &reader.stays(line, &shown),
                        false => printed += &reader.runs(line).await,
                    }
                }
                let printed = reader.on_page(&printed);
                let fits = shown.is_empty() || is_shown(&shown, &printed);
                assert!(fits, "{lines:?}\n--- on the page\n{shown}\n--- really\n{printed}");
            }
        }
    }
}

/// The control: what the page shows is compared.
#[test]
fn another_text_is_not_what_the_page_shows() {
    assert!(is_shown("a\n...\nc", "a\nb\nc\n"));
    assert!(is_shown("a ... c", "a b c"));
    assert!(is_shown("a...", "a and more\nlines"));
    for (shown, printed) in
        [("a\n...\nc", "a\nb\nd"), ("a", "a b"), ("...x", "abc"), ("b ...", "a b c")]
    {
        assert!(!is_shown(shown, printed), "{shown} is not {printed}");
    }
    let lines = ["-old".to_owned(), "+new".to_owned()];
    assert_eq!(changed("1\nold\n2\n", &lines), "1\nnew\n2\n");
}
