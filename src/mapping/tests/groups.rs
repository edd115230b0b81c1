//! Groups and tables: what loading says, and what tables give.

use super::*;

/// [`SMALL`] with a block `groups`, further rows of users, tables and calls.
fn with_groups(rows: &str, groups: &str, calls: &str) -> String {
    let small = small_with("calls:\n", &format!("{groups}\ncalls:\n{calls}"));
    small.replace(
        "    active: { scim: active }\n",
        &format!("    active: {{ scim: active }}\n{rows}"),
    )
}

const LEVELS: &str = "tables:\n  levels:\n    - { app: 9, group: Top }\n    - { app: 5, scim: mid, group: Mid }\n    - { app: 1, scim: low }\n";
const LEVEL: &str = "    level: { scim: nickName, table: levels, default: 1 }\n";
const FIXED: &str = "groups:\n  fixed: [ { id: 1, displayName: A, area: x }, { id: 2, displayName: B, area: x } ]\n  one_per: area\n  add_members: [ give ]\n  remove_members: [ take ]\n";
const GRANT: &str = "  give: { call: \"PUT /{{group.area}}/{{member.id}}\" }\n  take: { call: \"DELETE /{{group.area}}/{{member.id}}\", errors: [ { status: 404, is: already_done } ] }\n";
const REAL: &str =
    "groups:\n  id: id\n  attributes: { name: displayName }\n  list: [ rooms ]\n  get: [ room ]\n";
const ROOMS: &str = "  rooms: { call: GET /rooms, records: \"$.body[*]\" }\n  room: { call: \"GET /rooms/{{id}}\", record: $.body }\n  give: { call: \"PUT /users/{{member.id}}/role\", body: { role: $.group.id } }\n";
const ROLES: &str = "    \"roles[].name\": { scim: groups.display, pick: all }\n";
const ON_USER: &str = "  on_user: { field: roles }\n";
const ONE: &str = "  on_user: { field: role.id, one_at_a_time: true, empty: none, fall_back: latest }\n  add_members: [ give ]\n";

#[test]
fn every_model_of_groups_loads() {
    let table = format!("{LEVELS}groups: {{ from_table: levels }}");
    assert_eq!(codes(&with_groups(LEVEL, &table, "")), Vec::<&str>::new());
    assert_eq!(codes(&with_groups("", FIXED, GRANT)), Vec::<&str>::new());
    let rooms = ROOMS.replace("  give", "  unused");
    let on_user = codes(&with_groups(ROLES, &format!("{REAL}{ON_USER}"), &rooms));
    assert_eq!(on_user, ["M0512"], "only the unused call");
    assert_eq!(codes(&with_groups("", &format!("{REAL}{ONE}"), ROOMS)), Vec::<&str>::new());
}

#[test]
fn what_does_not_fit_together_is_said() {
    let table = |more: &str| format!("{LEVELS}groups:\n  from_table: levels\n{more}");
    let fixed = |part: &str, instead: &str| {
        assert!(FIXED.contains(part), "{part}");
        FIXED.replace(part, instead)
    };
    let on_user = |block: &str| format!("{REAL}{block}");
    for (rows, groups, calls, code) in [
        (LEVEL, table("  fixed: []\n"), "", "M0620"),
        (LEVEL, table("  one_per: x\n"), "", "M0620"),
        (LEVEL, table("  list: [ page ]\n"), "", "M0620"),
        (LEVEL, table("  policy: { create: allowed }\n"), "", "M0620"),
        (LEVEL, table("  policy: { delete: remove }\n"), "", "M0620"),
        ("", table(""), "", "M0621"),
        (LEVEL, table("").replace("from_table: levels", "from_table: level"), "", "M0302"),
        (
            LEVEL,
            table("").replace(", group: Top", ", scim: t").replace(", group: Mid", ""),
            "",
            "M0621",
        ),
        ("", fixed("displayName: B", "displayName: a"), GRANT, "M0621"),
        ("", fixed("id: 2", "id: 1"), GRANT, "M0621"),
        ("", fixed("id: 2, ", ""), GRANT, "M0202"),
        ("", fixed("displayName: B, area: x", "displayName: B"), GRANT, "M0621"),
        ("", fixed("  remove_members: [ take ]\n", ""), GRANT, "M0611"),
        (
            "",
            FIXED.to_owned(),
            &GRANT.replace("{{group.area}}/{{member.id}}\" }", "{{group.aria}}\" }"),
            "M0407",
        ),
        (ROLES, on_user("  on_user: { field: roles, empty: none }\n"), ROOMS, "M0622"),
        (ROLES, on_user("  on_user: { field: roles }\n  add_members: [ give ]\n"), ROOMS, "M0622"),
        (ROLES, on_user("  on_user: { field: roles, one_at_a_time: true }\n"), ROOMS, "M0622"),
        (ROLES, on_user("  on_user: { field: roles, fall_back: latest }\n"), ROOMS, "M0622"),
        ("", on_user("  on_user: { field: given }\n"), ROOMS, "M0622"),
        ("", on_user("  on_user: { field: role }\n"), ROOMS, "M0622"),
        (
            "",
            on_user("  on_user: { field: role, empty: x }\n  add_members: [ give ]\n"),
            ROOMS,
            "M0622",
        ),
        (
            "",
            on_user("  on_user: { field: role, one_at_a_time: true }\n  add_members: [ give ]\n"),
            ROOMS,
            "M0622",
        ),
        ("", on_user(&format!("{ONE}  remove_members: [ give ]\n")), ROOMS, "M0622"),
        ("", on_user(&format!("{ONE}  member_ids: {{ use: rooms, id: id }}\n")), ROOMS, "M0620"),
        (ROLES, String::new(), "", "M0623"),
        (LEVEL, LEVELS.to_owned(), "", "M0623"),
        ("    r: { scim: groups.type, pick: all }\n", on_user(ON_USER), ROOMS, "M0607"),
        (
            "    r: { scim: groups.display, pick: all, required: true }\n",
            on_user(ON_USER),
            ROOMS,
            "M0607",
        ),
        ("", "groups: { list: [ page ] }".to_owned(), "", "M0202"),
    ] {
        let found = codes(&with_groups(rows, &groups, calls));
        assert!(found.contains(&code), "{code} for {rows}{groups}{calls}: {found:?}");
    }
    let find = GRANT.replace("{{member.id}}\" }", "{{member.id}}\", if_in_doubt: find }");
    assert!(codes(&with_groups("", FIXED, &find)).contains(&"M0623"));
}

#[test]
fn a_table_has_its_rows_in_the_file_or_from_the_app() {
    let with = |table: &str| {
        codes(&with_groups(
            "    dept: { scim: nickName, table: depts }\n",
            &format!("tables:\n  depts: {table}"),
            "  depts: { call: GET /depts, records: \"$.body[*]\" }\n",
        ))
    };
    assert_eq!(with("{ from: depts, key: name, gives: num, keep_for: 5m }"), Vec::<&str>::new());
    for (table, code) in [
        ("{ from: dept, key: name, gives: num }", "M0301"),
        ("{ from: depts, gives: num }", "M0202"),
        ("{ from: depts, key: name, gives: num, rows: [ { scim: a, app: b } ] }", "M0608"),
        ("{ key: name, rows: [ { scim: a, app: b } ] }", "M0608"),
        ("{ unknown: ignore }", "M0202"),
        ("{ from: add, key: name, gives: num }", "M0517"),
    ] {
        let found = with(table);
        assert!(found.contains(&code), "{table}: {found:?}");
    }
}

#[test]
fn refused_members_need_an_answer_that_counts_as_done() {
    let row = |row: &str| codes(&small_with("calls:\n", &format!("errors: [ {row} ]\ncalls:\n")));
    let good = "{ status: 200, when: body.refused pr, is: ok, members: \"$.body.refused[*]\" }";
    assert_eq!(row(good), Vec::<&str>::new());
    assert_eq!(row(&good.replace("is: ok", "is: rejected")), ["M0518"]);
    assert_eq!(row(&good.replace("$.body.refused[*]", "$.status")), ["M0518"]);
}

#[test]
fn the_topmost_row_that_fits_wins_by_value_or_by_group() {
    let table = format!("{LEVELS}groups: {{ from_table: levels }}");
    let mapping = mapping(&text(&with_groups(LEVEL, &table, "")));
    let side = mapping.side(Kind::User).unwrap();
    let level = |user: Value| {
        let roots = Roots::new().with("user", user);
        let record = side.app_record(&roots, true, &Carried::everything(false)).unwrap();
        record.tree()["level"].clone()
    };
    let groups = |names: &[&str]| -> Value {
        names.iter().map(|name| json!({ "display": name, "value": name })).collect()
    };
    assert_eq!(level(json!({ "userName": "a" })), 1, "the default");
    assert_eq!(level(json!({ "nickName": "mid" })), 5);
    assert_eq!(level(json!({ "groups": groups(&["MID"]) })), 5, "names of groups ignore case");
    assert_eq!(level(json!({ "nickName": "low", "groups": groups(&["Mid"]) })), 5);
    assert_eq!(level(json!({ "nickName": "mid", "groups": groups(&["Mid", "Top"]) })), 9);
    assert_eq!(level(json!({ "nickName": "low", "groups": groups(&["Other"]) })), 1);
    // The way back is by the value alone.
    assert_eq!(side.read_back(&json!({ "level": 5 }), &json!(1))["nickName"], "mid");
    assert_eq!(side.read_back(&json!({ "level": 9 }), &json!(1)).get("nickName"), None);
    let rt = mapping.resource_type(Kind::User).unwrap();
    assert_eq!(rt.attribute("nickName").unwrap().name, "nickName");
    let listed = mapping.side(Kind::Group).unwrap().records.clone().unwrap();
    assert_eq!(
        *listed,
        [
            json!({ "id": "Top", "displayName": "Top" }),
            json!({ "id": "Mid", "displayName": "Mid" })
        ]
    );
}
