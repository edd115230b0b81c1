//! The journal is lost, and Okta goes on calling people by the ids that it gave: a new one is built
//! from the app, and in the end nobody has two accounts and no membership is gone.

use std::collections::BTreeMap;

use scim_bridge::cli::ids_file;
use scim_bridge::sync::Command;
use serde_json::{Value, json};

use super::support::World;
use super::support::people::{group, user};
use super::support::text::mapping_text;
use super::support::world::id_of;

/// What Okta remembers of an application: whom it assigned, and by which SCIM id it calls them.
#[derive(Default)]
struct Okta {
    people: BTreeMap<String, Option<String>>,
    groups: BTreeMap<String, (Option<String>, Vec<String>)>,
}

impl Okta {
    /// Assigns somebody: looked for by name, made if nobody is found, else linked and pushed.
    async fn assign(&mut self, world: &World, login: &str) {
        let found = world.named(login).await;
        let id = match found.as_slice() {
            [] => world.create(&person(login)).await,
            [one] => {
                let id = id_of(one);
                let profile =
                    json!({ "active": true, "displayName": person(login)["displayName"] });
                world.echo_put(&format!("/Users/{id}"), profile).await.expect(200);
                id
            }
            several => panic!("{several:?}"),
        };
        self.people.insert(login.to_owned(), Some(id));
    }

    /// A changed attribute: GET and PUT by the id that Okta remembers. The status that ends it.
    async fn update(&self, world: &World, login: &str, changes: Value) -> u16 {
        let path = format!("/Users/{}", self.people[login].as_ref().expect("assigned"));
        let read = world.get(&path).await;
        if read.status != 200 {
            return read.status;
        }
        world.echo_put(&path, changes).await.status
    }

    /// Everybody's title is pushed; who could not be.
    async fn update_all(&self, world: &World, title: &str) -> Vec<String> {
        let mut failed = Vec::new();
        for login in self.people.keys() {
            let status = self.update(world, login, json!({ "title": title })).await;
            assert!([200, 404].contains(&status), "{login}: {status}");
            if status == 404 {
                failed.push(login.clone());
            }
        }
        failed
    }

    /// Takes the assignment back; the id is forgotten, and found again by name.
    async fn unassign(&mut self, world: &World, login: &str) -> u16 {
        let status = self.update(world, login, json!({ "active": false })).await;
        self.people.insert(login.to_owned(), None);
        status
    }

    /// Pushes a group: by its id if it has one, else found by name or made. The status that ends it.
    async fn push(&mut self, world: &World, name: &str) -> u16 {
        let (known, logins) = self.groups.get(name).cloned().expect("a group to be pushed");
        let members: Vec<&str> =
            logins.iter().filter_map(|login| self.people[login].as_deref()).collect();
        let body = group(name, &members);
        let id = match known {
            Some(id) => id,
            None => {
                let filter = format!("displayName eq {}", json!(name));
                let found = world.filtered("/Groups", &filter).await.expect(200);
                match found["Resources"].as_array().and_then(|found| found.first()) {
                    Some(found) => id_of(found),
                    None => id_of(&world.post("/Groups", &body).await.expect(201)),
                }
            }
        };
        let path = format!("/Groups/{id}");
        let read = world.get(&path).await;
        if read.status != 200 {
            return read.status;
        }
        let mut whole = read.json();
        whole["displayName"] = json!(name);
        whole["members"] = body["members"].clone();
        let status = world.put(&path, &whole).await.status;
        self.groups.insert(name.to_owned(), (Some(id), logins));
        status
    }

    /// An administrator unlinks a pushed group (and leaves it in the app): the next push finds it.
    fn unlink(&mut self, name: &str) {
        self.groups.get_mut(name).expect("a group").0 = None;
    }

    /// `GET /api/v1/apps/{appId}/users`: one list.
    fn application_users(&self) -> String {
        let one = |(login, id): (&String, &Option<String>)| {
            json!({ "id": format!("00u{login}"), "externalId": id, "scope": "USER",
                    "credentials": { "userName": login } })
        };
        self.people.iter().map(one).collect::<Value>().to_string()
    }
}

fn person(login: &str) -> Value {
    let mut person = user(login, login.split('@').next().unwrap(), "Example");
    person.as_object_mut().unwrap().shift_remove("password");
    person
}

const PEOPLE: [&str; 5] = [
    "ann@corp.example",
    "ben@corp.example",
    "cleo@corp.example",
    "dora@corp.example",
    "emil@corp.example",
];

/// An application that Okta has worked with for a while: five people, one of them gone again, three
/// groups, and somebody whom Okta does not know.
async fn worked_with(mapping: String) -> (World, Okta) {
    let world = World::with("directory", |_| mapping).await;
    world.seed("users", json!({ "login": "local@corp.example", "active": true }));
    let mut okta = Okta::default();
    for login in PEOPLE {
        okta.assign(&world, login).await;
    }
    assert_eq!(okta.unassign(&world, "emil@corp.example").await, 200);
    for (name, members) in [("Writers", &PEOPLE[..3]), ("Readers", &PEOPLE[1..4]), ("Empty", &[])] {
        let members = members.iter().map(|login| (*login).to_owned()).collect();
        okta.groups.insert(name.to_owned(), (None, members));
        assert_eq!(okta.push(&world, name).await, 200);
    }
    world.settled().await;
    (world, okta)
}

/// The app's own ids by login, and the logins in each group.
type Picture = (BTreeMap<String, u64>, BTreeMap<String, Vec<String>>);

fn picture(world: &World) -> Picture {
    let users = world.records("users");
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().expect("a number");
    let accounts = users.iter().map(|user| (text(user, "login"), number(&user["id"])));
    let accounts: BTreeMap<String, u64> = accounts.collect();
    assert_eq!(accounts.len(), users.len(), "one account for each login");
    let login_of = |id: &Value| {
        let found = accounts.iter().find(|(_, known)| **known == number(id));
        found.expect("a member is somebody").0.clone()
    };
    let groups = world.records("groups");
    let members = groups.iter().map(|group| {
        let members = group["members"].as_array().into_iter().flatten().map(login_of);
        let mut members: Vec<String> = members.collect();
        members.sort();
        (text(group, "name"), members)
    });
    let members: BTreeMap<String, Vec<String>> = members.collect();
    assert_eq!(members.len(), groups.len(), "one group for each name");
    (accounts, members)
}

/// Reads everybody and every group, as an import does; the SCIM ids of the people by name.
async fn import(world: &World) -> BTreeMap<String, String> {
    world.get("/Groups?startIndex=1&count=100").await.expect(200);
    let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
    let rows = list["Resources"].as_array().cloned().unwrap_or_default();
    rows.iter()
        .map(|row| (row["userName"].as_str().unwrap_or_default().to_owned(), id_of(row)))
        .collect()
}

/// The directory with its field `external` as the place for the SCIM id of users.
fn with_marker() -> String {
    let text = mapping_text("directory");
    text.replacen("    external:     externalId\n", "    external: { scim: id }\n", 1).replacen(
        "  unique: [login]",
        "  marker: external\n  unique: [login]",
        1,
    )
}

/// Who leaves, comes back, is changed and is put into groups after the loss: the whole life goes on.
async fn life_goes_on(world: &World, okta: &mut Okta, before: &Picture) {
    assert_eq!(okta.update_all_assigned(world, "After").await, Vec::<String>::new());
    for login in &PEOPLE[..4] {
        assert_eq!(world.record("users", "login", login)["title"], "After", "{login}");
    }
    assert_eq!(&picture(world), before);
    assert_eq!(okta.unassign(world, "dora@corp.example").await, 200);
    assert_eq!(world.record("users", "login", "dora@corp.example")["active"], false);
    for login in ["dora@corp.example", "emil@corp.example"] {
        okta.assign(world, login).await;
        assert_eq!(world.record("users", "login", login)["active"], true, "{login}");
    }
    okta.groups.get_mut("Empty").unwrap().1.push("emil@corp.example".into());
    okta.groups.get_mut("Readers").unwrap().1.retain(|login| login != "ben@corp.example");
    for name in ["Writers", "Readers", "Empty"] {
        assert_eq!(okta.push(world, name).await, 200, "{name}");
    }
    world.settled().await;
    let (accounts, groups) = picture(world);
    assert_eq!(accounts, before.0, "the same accounts, and no other");
    let mut expected = before.1.clone();
    expected.get_mut("Empty").unwrap().push("emil@corp.example".into());
    expected.get_mut("Readers").unwrap().retain(|login| login != "ben@corp.example");
    assert_eq!(groups, expected);
}

impl Okta {
    /// As [`Okta::update_all`], for those who are assigned.
    async fn update_all_assigned(&self, world: &World, title: &str) -> Vec<String> {
        let people = self.people.iter().filter(|(_, id)| id.is_some());
        let people = people.map(|(login, id)| (login.clone(), id.clone())).collect();
        Okta { people, groups: BTreeMap::new() }.update_all(world, title).await
    }
}

#[tokio::test]
async fn with_a_marker_the_app_gives_every_user_the_old_id_back() {
    let (mut world, mut okta) = worked_with(with_marker()).await;
    let before = picture(&world);
    let id = okta.people["ann@corp.example"].clone();
    assert_eq!(json!(id), world.record("users", "login", "ann@corp.example")["external"]);
    let writes = world.writes().len();
    world.lose_journal().await;
    let ids = import(&world).await;
    assert_eq!(ids.len(), PEOPLE.len() + 1);
    for (login, id) in okta.people.iter().filter_map(|(login, id)| Some((login, id.as_ref()?))) {
        assert_eq!(&ids[login], id, "{login}");
    }
    assert_eq!(world.writes().len(), writes, "an import writes nothing");
    // Groups have no marker: Okta's next push of one fails, and an administrator links it again.
    for name in ["Writers", "Readers", "Empty"] {
        assert_eq!(okta.push(&world, name).await, 404, "{name}");
        okta.unlink(name);
        assert_eq!(okta.push(&world, name).await, 200, "{name}");
    }
    life_goes_on(&world, &mut okta, &before).await;
    // Whom Okta never knew has no mark, and gets one when it is assigned.
    okta.assign(&world, "local@corp.example").await;
    let local = world.record("users", "login", "local@corp.example");
    assert_eq!(local["external"], json!(okta.people["local@corp.example"]));
    assert_eq!(picture(&world).0, before.0);
}

/// Tells the bridge of the ids in a text; what came of it.
async fn tell(world: &World, text: &str) -> ids_file::ToldIds {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("ids");
    std::fs::write(&file, text).unwrap();
    let mut commands = Vec::new();
    // The file is read here, and carried to the running bridge command by command.
    ids_file::tell(&file, "directory", |command| {
        commands.push(command);
        Ok(Value::Null)
    })
    .unwrap();
    let mut said = Vec::new();
    for command in commands {
        said.push(world.command(command).await);
    }
    let mut said = said.into_iter();
    ids_file::tell(&file, "directory", |_| Ok(said.next().unwrap())).unwrap()
}

/// The groups as an earlier `changes export` has them.
fn exported_groups(okta: &Okta) -> String {
    let one = |(name, (id, _)): (&String, &(Option<String>, Vec<String>))| {
        json!({ "app": "directory", "type": "Group", "resource": id, "subject": name,
                "verb": "replace", "state": "applied" })
        .to_string()
    };
    okta.groups.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn ids_from_okta_and_an_old_export_give_everybody_the_old_id_back_before_or_after_the_import()
{
    for import_first in [false, true] {
        let (mut world, mut okta) = worked_with(mapping_text("directory")).await;
        let before = picture(&world);
        let (users, groups) = (okta.application_users(), exported_groups(&okta));
        let writes = world.writes().len();
        world.lose_journal().await;
        if import_first {
            let ids = import(&world).await;
            assert_ne!(Some(&ids["ann@corp.example"]), okta.people["ann@corp.example"].as_ref());
        }
        let (told, of_groups) = (tell(&world, &users).await, tell(&world, &groups).await);
        // Emil is not assigned: Okta has no id for him.
        assert_eq!((told.left_out, told.refused.len(), of_groups.refused.len()), (1, 0, 0));
        let counts = |told: &ids_file::ToldIds| (told.remembered, told.given);
        let (four, three) = if import_first { ((0, 4), (0, 3)) } else { ((4, 0), (3, 0)) };
        assert_eq!((counts(&told), counts(&of_groups)), (four, three));
        let ids = import(&world).await;
        for (login, id) in okta.people.iter().filter_map(|(login, id)| Some((login, id.as_ref()?)))
        {
            assert_eq!(&ids[login], id, "{login}");
        }
        // Once more does no harm, and nothing waits any more.
        let again = tell(&world, &users).await;
        assert_eq!((again.known, again.waiting, again.refused.len()), (4, 0, 0));
        assert_eq!(world.writes().len(), writes);
        for name in ["Writers", "Readers", "Empty"] {
            assert_eq!(okta.push(&world, name).await, 200, "{name}");
        }
        assert_eq!(world.writes().len(), writes, "a push of what is there writes nothing");
        life_goes_on(&world, &mut okta, &before).await;
        // Whoever is written by now keeps the id, and it is said.
        let other = json!({ "id": "019ab2c3-0000-7abc-8def-0123456789ab", "userName": PEOPLE[0] });
        let refused = tell(&world, &other.to_string()).await.refused;
        assert!(refused.len() == 1 && refused[0].contains(":1: ann@corp.example: "), "{refused:?}");
    }
}

#[tokio::test]
async fn without_both_okta_hears_404_and_links_whom_an_administrator_assigns_again() {
    let (mut world, mut okta) = worked_with(mapping_text("directory")).await;
    let before = picture(&world);
    world.lose_journal().await;
    let ids = import(&world).await;
    assert_eq!(okta.update_all_assigned(&world, "Lost").await, &PEOPLE[..4]);
    for name in ["Writers", "Readers", "Empty"] {
        assert_eq!(okta.push(&world, name).await, 404, "no membership is touched by an old id");
    }
    assert_eq!(picture(&world), before);
    // People first: a group that is pushed with old ids of members would lose them.
    for login in &PEOPLE[..4] {
        assert_eq!(okta.unassign(&world, login).await, 404);
        okta.assign(&world, login).await;
        assert_eq!(okta.people[*login].as_ref(), Some(&ids[*login]));
    }
    for name in ["Writers", "Readers", "Empty"] {
        okta.unlink(name);
        assert_eq!(okta.push(&world, name).await, 200, "{name}");
    }
    assert_eq!(picture(&world), before);
    life_goes_on(&world, &mut okta, &before).await;
}

/// A record was copied in the app, with the SCIM id in it: neither of the two silently wins.
#[tokio::test]
async fn a_copied_marker_leads_nobody_to_the_copy() {
    let (mut world, okta) = worked_with(with_marker()).await;
    let ann = okta.people["ann@corp.example"].clone().unwrap();
    world.seed("users", json!({ "login": "copy@corp.example", "active": true, "external": ann }));
    world.lose_journal().await;
    let ids = import(&world).await;
    assert_eq!((ids.len(), &ids["ann@corp.example"]), (7, &ann));
    let alarms = world.metrics().await;
    assert!(alarms.contains("{code=\"mark-elsewhere\"} 1"), "{alarms}");
    let copy = format!("/Users/{}", ids["copy@corp.example"]);
    let refused = world.echo_put(&copy, json!({ "title": "Copied" })).await.expect_error(404);
    assert!(refused.contains(&ann), "it names the id that stands there: {refused}");
    assert_eq!(world.record("users", "login", "copy@corp.example")["title"], Value::Null);
    assert_eq!(okta.update(&world, "ann@corp.example", json!({ "title": "Ann's" })).await, 200);
    assert_eq!(world.record("users", "login", "ann@corp.example")["title"], "Ann's");
    // An administrator empties the field: then it is an account like any other.
    let mut record = world.record("users", "login", "copy@corp.example");
    record["external"] = Value::Null;
    world.seed("users", record);
    world.echo_put(&copy, json!({ "title": "Copied" })).await.expect(200);
    let copied = world.record("users", "login", "copy@corp.example");
    assert_eq!(
        (&copied["title"], &copied["external"]),
        (&json!("Copied"), &json!(ids["copy@corp.example"]))
    );
}

#[tokio::test]
async fn a_marker_tells_a_renamed_record_from_another_persons() {
    let (world, okta) = worked_with(with_marker()).await;
    let ann = okta.people["ann@corp.example"].clone().unwrap();
    let by_hand = |changes: Value| {
        let mut record = world.record("users", "external", &ann);
        for (name, value) in changes.as_object().unwrap() {
            record[name] = value.clone();
        }
        world.seed("users", record);
    };
    // Renamed by hand, and the app likes capitals: she is who she was, and gets her name back.
    by_hand(json!({ "login": "ann.smith@corp.example", "external": ann.to_uppercase() }));
    let put = world.put(&format!("/Users/{ann}"), &person("ann@corp.example")).await;
    put.expect(200);
    let back = world.record("users", "login", "ann@corp.example");
    assert_eq!(back["external"], ann.to_uppercase(), "the same id is not written again");
    // The app gave her number to somebody else: nothing is written to that record.
    let id = back["id"].clone();
    let ben = okta.people["ben@corp.example"].clone().unwrap();
    world.app().remove("users", &id).unwrap();
    world.seed(
        "users",
        json!({ "id": id, "login": "other@corp.example", "external": ben, "active": true }),
    );
    let refused = world.put(&format!("/Users/{ann}"), &person("ann@corp.example")).await;
    assert!(refused.expect_error(404).contains(&ben));
    assert_eq!(world.record("users", "login", "other@corp.example")["display"], Value::Null);
}

#[tokio::test]
async fn too_many_ids_at_once_and_ids_of_an_app_that_was_never_served_are_refused() {
    let world = World::of("directory").await;
    let tell = async |app: &str, rows: Value| {
        let command = json!({ "command": "tell-ids", "app": app, "rows": rows });
        let command: Command = serde_json::from_value(command).unwrap();
        world.service().bridge.command(command).await
    };
    let row = json!({ "line": 1, "group": false, "id": "x", "name": "ann", "app_id": null });
    let many: Value = std::iter::repeat_n(row.clone(), 501).collect();
    assert!(tell("directory", many).await.unwrap_err().message.contains("at most 500"));
    assert!(tell("nosuch", json!([row])).await.unwrap_err().message.contains("nosuch"));
    let said = tell("directory", json!([row])).await.unwrap();
    assert!(
        said["refused"][0]["why"].as_str().unwrap().contains("no id that a bridge gives"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_ids_from_a_file_and_imports() {
    let world = World::of("directory").await;
    world.seed("users", json!({ "login": "ada@corp.example", "given": "Ada" }));
    let folder = world.journal().parent().unwrap().to_owned();
    let old = "01a22836-7721-7740-9165-a5d62132566f";
    let ids = folder.join("okta.csv");
    std::fs::write(&ids, format!("id,userName\n{old},ada@corp.example\nnonsense,bob\n")).unwrap();
    let (db, file) = (world.journal(), ids);
    let ran = tokio::task::spawn_blocking(move || {
        let (db, file) = (db.to_str().unwrap(), file.to_str().unwrap());
        super::support::program::run(&[
            "import",
            "directory",
            "--ids",
            file,
            "--db",
            db,
            "--allow-network-filesystem",
        ])
    });
    let ran = ran.await.unwrap().exits(1);
    assert!(ran.err.contains("okta.csv:3:"), "{}", ran.err);
    assert!(ran.out.contains(old), "{}", ran.out);
    assert_eq!(id_of(&world.named("ada@corp.example").await[0]), old);
}
