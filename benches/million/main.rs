//! What look-ups and pages cost with a thousand users and with a million, in turns in one run.
//!
//! `cargo bench --bench million -- 100000` takes another number than a million.
#![allow(clippy::unwrap_used)]

mod app;
#[path = "../measure.rs"]
mod measure;
mod world;

use std::time::{Duration, Instant};

use measure::{Pair, shown};
use scim_bridge::sync::{ListQuery, Page};
use world::{World, user_id};

const FEW: u64 = 1_000;
const ROUNDS: u64 = 301;
/// Rows of a page.
const COUNT: u64 = 100;
/// PATCHes of each group.
const JOINS: u64 = 15;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // cargo adds `--bench`.
    let number = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let many: u64 = number.unwrap_or(1_000_000);
    let few = World::of(FEW).await;
    let begun = Instant::now();
    let lot = World::of(many).await;
    println!("{many} users imported into a journal: {}", shown(begun.elapsed().as_secs_f64()));
    println!("\n{:<54} {:>10} {:>10} {:>7} {:>6}", "operation", FEW, many, "ratio", "calls");
    look_ups(&few, &lot).await;
    pages(&few, &lot).await;
    if many > app::GROUPS[1] + JOINS {
        joins(&lot).await;
    }
    lot.bridge.shutdown().await;
    drop(lot);
    // More than 200,000 are not sorted, and a client needs long to get to the end of a million.
    let some = many / 10;
    let lot = World::of(some).await;
    println!("\n{:<54} {:>10} {:>10} {:>7} {:>6}", "operation", FEW, some, "ratio", "calls");
    sorted(&few, &lot).await;
    cursors(&few, &lot).await;
    few.bridge.shutdown().await;
    lot.bridge.shutdown().await;
}

/// Asks both in turns; `query` is given the number of users and that of the round. Each page must
/// have so many rows.
async fn compare(
    name: &str,
    worlds: [&World; 2],
    rows: u64,
    query: impl Fn(u64, u64) -> ListQuery,
) {
    let mut rounds = Vec::new();
    let before = worlds[1].app.calls();
    for round in 0..ROUNDS {
        let mut times = [Duration::ZERO; 2];
        // Who is first takes turns too.
        for at in [round % 2, 1 - round % 2].map(|at| usize::from(at == 1)) {
            let asked = query(worlds[at].app.users, round);
            let begun = Instant::now();
            let listing = worlds[at].list(asked).await;
            times[at] = begun.elapsed();
            assert_eq!(listing.resources.len() as u64, rows, "{name}");
        }
        rounds.push((times[0], times[1]));
    }
    let calls = (worlds[1].app.calls() - before) as f64 / ROUNDS as f64;
    row(name, Pair::of(&rounds), calls);
}

fn row(name: &str, pair: Pair, calls: f64) {
    let (first, second) = (shown(pair.first), shown(pair.second));
    println!("{name:<54} {first:>10} {second:>10} {:>7.2} {calls:>6.0}", pair.ratio);
}

/// Somebody else in each round, all over the place.
fn somebody(users: u64, round: u64) -> u64 {
    round.wrapping_mul(0x9E37_79B9_7F4A_7C15) % users
}

fn filter(text: String) -> ListQuery {
    ListQuery { filter: Some(text), ..ListQuery::default() }
}

fn from(start: u64) -> ListQuery {
    ListQuery { page: Page::Index(start), count: Some(COUNT), ..ListQuery::default() }
}

async fn look_ups(few: &World, lot: &World) {
    let both = [few, lot];
    compare("userName eq", both, 1, |users, round| {
        filter(format!("userName eq \"{}\"", app::login(somebody(users, round))))
    })
    .await;
    compare("externalId eq", both, 1, |users, round| {
        filter(format!("externalId eq \"00u{:09}\"", somebody(users, round)))
    })
    .await;
    compare("emails.value eq", both, 1, |users, round| {
        filter(format!("emails.value eq \"mail{:07}@corp.example\"", somebody(users, round)))
    })
    .await;
    compare("displayName eq", both, 1, |users, round| {
        filter(format!("displayName eq \"Given Family {}\"", somebody(users, round)))
    })
    .await;
    compare("id eq", both, 1, |users, round| {
        filter(format!("id eq \"{}\"", user_id(somebody(users, round))))
    })
    .await;
    compare("externalId eq and userName eq", both, 1, |users, round| {
        let number = somebody(users, round);
        let name = app::login(number);
        filter(format!("externalId eq \"00u{number:09}\" and userName eq \"{name}\""))
    })
    .await;
    compare("active eq true and userName eq", both, 1, |users, round| {
        let name = app::login(somebody(users, round));
        filter(format!("active eq true and userName eq \"{name}\""))
    })
    .await;
    compare("userName eq, nobody has it (the app is asked)", both, 0, |_, round| {
        filter(format!("userName eq \"nobody{round}@corp.example\""))
    })
    .await;
    compare("startIndex=1&count=2 (a credential test)", both, 2, |_, _| ListQuery {
        count: Some(2),
        ..from(1)
    })
    .await;
}

async fn made(world: &World, query: &ListQuery) -> (scim_bridge::sync::Listing, Duration) {
    let begun = Instant::now();
    let listing = world.list(query.clone()).await;
    (listing, begun.elapsed())
}

fn per_user(name: &str, few: &World, first: Duration, lot: &World, second: Duration) {
    let each = |time: Duration, world: &World| time.div_f64(world.app.users as f64);
    row(name, Pair::of(&[(each(first, few), each(second, lot))]), f64::NAN);
}

/// The pages of a list of everybody; the first request has it made.
async fn pages(few: &World, lot: &World) {
    let (_, first) = made(few, &from(1)).await;
    let (_, second) = made(lot, &from(1)).await;
    per_user("making the list (once), per user", few, first, lot, second);
    let both = [few, lot];
    compare("page 2 of 100 rows", both, COUNT, |_, _| from(COUNT + 1)).await;
    compare("a page in the middle", both, COUNT, |users, _| from(users / 2)).await;
    compare("the last page", both, COUNT, |users, _| from(users - COUNT + 1)).await;
}

fn cursor(text: &str, count: u64) -> ListQuery {
    let page = Page::Cursor(text.to_owned());
    ListQuery { page, count: Some(count), ..ListQuery::default() }
}

/// The same by cursors: a client follows them through the whole list.
async fn cursors(few: &World, lot: &World) {
    let (small, first) = made(few, &cursor("", COUNT)).await;
    let (big, second) = made(lot, &cursor("", COUNT)).await;
    per_user("making the list (once), per user", few, first, lot, second);
    let [small, big] = [small, big].map(|listing| listing.next_cursor.unwrap());
    compare("page 2 of 100 rows, by cursor", [few, lot], COUNT, |users, _| {
        cursor(if users == FEW { &small } else { &big }, COUNT)
    })
    .await;
    let (near, far) = (last_cursor(few, &small).await, last_cursor(lot, &big).await);
    compare("the last page, by cursor", [few, lot], COUNT, |users, _| {
        cursor(if users == FEW { &near } else { &far }, COUNT)
    })
    .await;
}

/// Follows the cursors to that of the last page.
async fn last_cursor(world: &World, second: &str) -> String {
    const LONGEST: u64 = 1_000;
    let users = world.app.users;
    let (mut next, mut at) = (second.to_owned(), COUNT);
    while at < users - COUNT {
        let count = LONGEST.min(users - COUNT - at);
        next = world.list(cursor(&next, count)).await.next_cursor.unwrap();
        at += count;
    }
    next
}

/// Everybody in the order of their family names.
async fn sorted(few: &World, lot: &World) {
    let query = |start| ListQuery { sort_by: Some("name.familyName".into()), ..from(start) };
    let (_, first) = made(few, &query(1)).await;
    let (_, second) = made(lot, &query(1)).await;
    per_user("making a sorted list (once), per user", few, first, lot, second);
    let both = [few, lot];
    compare("sorted: the last page", both, COUNT, |users, _| query(users - COUNT + 1)).await;
}

/// One member more in the group of 1,000 and in that of 100,000, of the same journal.
async fn joins(world: &World) {
    let [small, large] = app::GROUPS;
    println!(
        "\n{:<54} {small:>10} {large:>10} {:>7} {:>6}",
        "members of the group", "ratio", "calls"
    );
    let mut rounds = Vec::new();
    let mut calls = 0;
    for round in 0..JOINS {
        let mut times = [Duration::ZERO; 2];
        for at in [0, 1] {
            let before = world.app.calls();
            let begun = Instant::now();
            world.join(at, large + round).await;
            times[at] = begun.elapsed();
            calls += (world.app.calls() - before) * at as u64;
        }
        rounds.push((times[0], times[1]));
    }
    row("PATCH of one member", Pair::of(&rounds), calls as f64 / JOINS as f64);
}
