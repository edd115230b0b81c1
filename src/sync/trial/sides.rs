//! The order of a trial: probe, people, groups; each by the plans that production uses.

use serde_json::{Value, json};

use super::page::{TriedPage, plural};
use super::reader::{Carried, Reader};
use super::trouble::Trouble;
use super::{TriedFind, TriedOne, TriedSide};
use crate::mapping::{
    FindEntry, FindPlan, Found, GetPlan, Kind, ListPlan, ListedRow, MembersPlan, ProbePlan,
    ScimRequest, ScimVerb, id_text,
};

/// Rows that are completed one by one are completed up to this number.
const COMPLETED: usize = 5;
/// Pages of one look-up, and of the members of one group.
const PAGES: usize = 10;
/// Groups that are read to find one with members.
const GROUPS: usize = 3;
/// Rows of a recorded list: for more, production begins a walk over everybody.
const RECORDED: usize = 10;

/// Looks at everything.
pub(super) async fn look(reader: &mut Reader, user: Option<&str>) -> Vec<TriedSide> {
    let mut sides = vec![people(reader, user).await];
    if reader.goes_on() && reader.mapping.side(Kind::Group).is_some() {
        sides.push(groups(reader).await);
    }
    sides
}

async fn people(reader: &mut Reader, user: Option<&str>) -> TriedSide {
    let mut side = TriedSide { kind: Kind::User, page: None, found: None, one: None };
    let since = reader.calls();
    if let Some(probe) = ProbePlan::new(&reader.mapping)
        && reader.carry(Kind::User, probe, 2).await.is_none()
        && !reader.goes_on()
    {
        return side;
    }
    let rows = page(reader, &mut side, since).await;
    if !reader.goes_on() {
        return side;
    }
    let mut known = rows.into_iter().find(|row| {
        let side = reader.mapping.side(Kind::User);
        side.is_some_and(|side| side.is_shown(&row.current, &row.id))
    });
    let wanted = match (user, &known) {
        (Some(user), _) => lookup_for(reader, Some(user), None),
        (None, Some(row)) => lookup_for(reader, None, Some(row)),
        (None, None) => None,
    };
    if let Some((at, value)) = wanted {
        let expected = known.as_ref().filter(|_| user.is_none()).map(|row| id_text(&row.id));
        let found = find(reader, at, &value, expected.as_deref(), &mut side).await;
        known = match user {
            Some(_) => found,
            None => known,
        };
    }
    if let (Some(row), true) = (known, reader.goes_on()) {
        side.one = one(reader, Kind::User, &row.id).await;
        if let Some(read) = &side.one {
            compare(reader, &row, read);
        }
    }
    side
}

/// The first page of a list.
async fn page(reader: &mut Reader, side: &mut TriedSide, since: usize) -> Vec<ListedRow> {
    let kind = side.kind;
    let mapping = reader.mapping.clone();
    let Some(of) = mapping.side(kind).filter(|of| !of.list.is_empty()) else { return Vec::new() };
    let mut plan = ListPlan::new(&mapping, kind);
    let mut rows: Vec<ListedRow> = Vec::new();
    let completed = of.complete_by.is_some();
    let mut complete = false;
    while !complete && (rows.is_empty() || (completed && rows.len() < COMPLETED)) {
        match reader.step(kind, &mut plan).await {
            Some(done) => complete = done,
            None => return rows,
        }
        rows.extend(plan.drain());
        if !completed {
            break;
        }
    }
    let mut seen = TriedPage::of(of, &rows);
    (seen.total, seen.complete) = (plan.total(), complete);
    let redactor = reader.redactor();
    for (_, resource) in &mut seen.resources {
        *resource = redactor.tree(resource);
    }
    reader.troubles.extend(seen.troubles(of));
    let count = rows.len().clamp(1, RECORDED).to_string();
    let query = vec![("startIndex".to_owned(), "1".to_owned()), ("count".to_owned(), count)];
    let name = format!("recorded: a page of {}", plural(of));
    reader.scene(&name, ScimRequest { verb: ScimVerb::List(query), kind }, since);
    side.page = Some(seen);
    rows
}

/// By which entry of `find` somebody can be looked up, and the value.
fn lookup_for(
    reader: &mut Reader,
    user: Option<&str>,
    row: Option<&ListedRow>,
) -> Option<(usize, String)> {
    let mapping = reader.mapping.clone();
    let side = mapping.side(Kind::User)?;
    let by_name = |entry: &FindEntry| entry.by.0 == ["userName"];
    let order = (0..side.find.len()).filter(|at| by_name(&side.find[*at]));
    let mut order = order.chain((0..side.find.len()).filter(|at| !by_name(&side.find[*at])));
    if let Some(user) = user {
        return order.next().map(|at| (at, user.to_owned())).or_else(|| {
            reader.troubles.push(Trouble::broken(
                "`--user` needs `users.find`, and the mapping has none",
                &["without `find` the bridge cannot look before it creates"],
            ));
            None
        });
    }
    let row = row?;
    let shown = side.read_back(&row.current, &row.id);
    order.find_map(|at| {
        let values = side.find[at].source.candidates(&shown, crate::mapping::PickValue::Primary);
        Some((at, values.first()?.as_str()?.to_owned()))
    })
}

async fn find(
    reader: &mut Reader,
    at: usize,
    wanted: &str,
    expected: Option<&str>,
    tried: &mut TriedSide,
) -> Option<ListedRow> {
    let mapping = reader.mapping.clone();
    let entry = mapping.side(tried.kind)?.find.get(at)?;
    let by = entry.source.text.clone();
    let plan = FindPlan::by_slot(&mapping, tried.kind, &entry.by, wanted)?;
    let since = reader.calls();
    let found = match reader.carry(tried.kind, plan, PAGES).await? {
        Carried::Done(found) => found,
        Carried::TooMany => {
            reader.troubles.push(Trouble::broken(
                format!("looking for {by} '{wanted}' takes more than {PAGES} pages"),
                &["the call of `find` should ask the app for one person: place `$.wanted` in its `query`"],
            ));
            return None;
        }
    };
    let (row, id) = match found {
        Found::One { id, current, .. } => {
            let text = id_text(&id);
            (Some(ListedRow { id, current }), Some(text))
        }
        Found::Nobody => (None, None),
        Found::Several { ids, .. } => {
            let who = ids.join(", ");
            reader.troubles.push(Trouble::broken(
                format!("looking for {by} '{wanted}' found several and cannot choose: {who}"),
                &["look whether the app really has that name twice"],
            ));
            (None, None)
        }
    };
    match (&id, expected) {
        (Some(id), Some(expected)) if id != expected => reader.troubles.push(Trouble::broken(
            format!("looking for {by} '{wanted}' found {id}, and the list says {expected}"),
            &["is `id` the same field in the answers of both calls?"],
        )),
        (None, Some(expected)) => reader.troubles.push(Trouble::broken(
            format!("looking for {by} '{wanted}' found nobody, and the list has {expected}"),
            &[
                "a create would make a second account: look at the call of `find`",
                "only rows whose value is equal to the one looked for count",
            ],
        )),
        (None, None) => reader.troubles.push(Trouble::broken(
            format!("nobody has {by} '{wanted}'"),
            &["try the name as the app itself shows it"],
        )),
        _ => {}
    }
    tried.found = Some(TriedFind { by: by.clone(), wanted: wanted.to_owned(), id });
    let filter = format!("{by} eq {}", json!(wanted));
    let verb = ScimVerb::List(vec![("filter".to_owned(), filter)]);
    reader.scene(
        &format!("recorded: looked up by {by}"),
        ScimRequest { verb, kind: tried.kind },
        since,
    );
    row
}

/// Reads one by its key.
async fn one(reader: &mut Reader, kind: Kind, id: &Value) -> Option<TriedOne> {
    let mapping = reader.mapping.clone();
    let side = mapping.side(kind)?;
    if side.get.is_empty() {
        return None;
    }
    let since = reader.calls();
    let record = match reader.carry(kind, GetPlan::new(kind, id.clone()), PAGES).await? {
        Carried::Done(Some(record)) => record,
        Carried::Done(None) => {
            let text = id_text(id);
            reader.troubles.push(Trouble::broken(
                format!(
                    "the list has {text}, and reading {text} by its key says that there is nobody"
                ),
                &["is `id` the field that the path of the `get` call wants?"],
            ));
            return None;
        }
        Carried::TooMany => return None,
    };
    let members = match kind {
        Kind::Group if reader.goes_on() => members(reader, id).await,
        _ => None,
    };
    let redactor = reader.redactor();
    let resource = side.read_back(&record, id);
    let what = match kind {
        Kind::User => "one person",
        Kind::Group => "a group and its members",
    };
    let request = ScimRequest { verb: ScimVerb::Get(id_text(id)), kind };
    let scene = reader.scene(&format!("recorded: {what}"), request, since);
    scene.remembers(kind, id, &resource, members.as_deref());
    let mut traced = side.trace(&record, id);
    for one in &mut traced {
        one.raw = one.raw.as_ref().map(|raw| redactor.tree(raw));
        one.value = one.value.as_ref().map(|value| redactor.tree(value));
    }
    Some(TriedOne {
        id: id.clone(),
        resource: redactor.tree(&resource),
        traced,
        unread: side.unread(&record),
        members: members.map(|members| members.iter().map(id_text).collect()),
    })
}

/// Keys of the members of a group.
async fn members(reader: &mut Reader, group: &Value) -> Option<Vec<Value>> {
    let plan = MembersPlan::new(&reader.mapping, group.clone());
    match reader.carry(Kind::User, plan, PAGES).await? {
        Carried::Done(people) => {
            people.map(|people| people.into_iter().map(|(key, _)| key).collect())
        }
        Carried::TooMany => {
            let what = format!("group {} has more than {PAGES} pages of members", id_text(group));
            reader.troubles.push(Trouble::note(what, Vec::new()));
            None
        }
    }
}

async fn groups(reader: &mut Reader) -> TriedSide {
    let mut side = TriedSide { kind: Kind::Group, page: None, found: None, one: None };
    let since = reader.calls();
    let rows = page(reader, &mut side, since).await;
    let mapping = reader.mapping.clone();
    let Some(of) = mapping.side(Kind::Group) else { return side };
    let reads_members = of.members.read.is_some();
    for row in rows.iter().filter(|row| of.is_shown(&row.current, &row.id)).take(GROUPS) {
        if !reader.goes_on() {
            break;
        }
        let before = reader.scenes.len();
        let Some(one) = one(reader, Kind::Group, &row.id).await else { break };
        let has_members = one.members.as_ref().is_some_and(|members| !members.is_empty());
        if side.one.is_some() && !has_members {
            // The first one without members tells as much.
            reader.scenes.truncate(before);
            continue;
        }
        if side.one.is_some() {
            reader.scenes.remove(before - 1);
        }
        side.one = Some(one);
        if has_members || !reads_members {
            break;
        }
    }
    side
}

/// What the single read has and the list has not.
fn compare(reader: &mut Reader, row: &ListedRow, read: &TriedOne) {
    let mapping = reader.mapping.clone();
    let Some(side) = mapping.side(Kind::User) else { return };
    let in_list = side.trace(&row.current, &row.id);
    let only_read: Vec<String> = read
        .traced
        .iter()
        .zip(&in_list)
        .filter(|(read, listed)| read.value.is_some() && listed.value.is_none())
        .map(|(read, _)| read.scim.clone())
        .collect();
    if only_read.is_empty() || side.complete_by.is_some() {
        return;
    }
    let call = side.get.first().map(|call| mapping.call(*call).name()).unwrap_or_default();
    reader.troubles.push(Trouble::note(
        format!("the single read has what the list leaves out: {}", only_read.join(", ")),
        vec![format!(
            "`users.complete_by` with a call that reads one `record` (as `{call}` does) completes each row, at the price of one call each"
        )],
    ));
}
