//! `scim:` and `sync:` (docs/mapping.md sections 8 and 16).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Cx;
use super::attributes::{self, expand};
use super::catalogues;
use crate::mapping::model::{
    ClientAuth, Late, Missing, Reconcile, Regenerate, Repair, ScimSettings, SyncSettings,
};
use crate::mapping::names;
use crate::mapping::raw::{
    RawAnswer, RawClientAuth, RawLate, RawMapping, RawMissing, RawRecreate, RawRegenerate,
    RawRepair, RawScimSettings, Spanned,
};
use crate::mapping::wire::Kind;
use crate::scim::{AttrPath, ResourceType, Slot, core};

/// Short names of namespaces and what is written for them; `enterprise` is always there.
pub(super) fn shorts(raw: &RawMapping) -> BTreeMap<String, String> {
    let mut shorts = BTreeMap::from([("enterprise".to_owned(), core::ENTERPRISE_USER.to_owned())]);
    let given =
        raw.scim.iter().filter_map(|scim| scim.extensions.as_ref()).flat_map(|e| e.0.iter());
    for (short, namespaces) in given {
        if let Some(written) = namespaces.0.first() {
            shorts.insert(short.value.clone(), written.value.clone());
        }
    }
    shorts
}

/// `scim:`.
pub(super) fn scim(
    cx: &mut Cx<'_, '_>,
    app: &str,
    full: &BTreeMap<Kind, ResourceType>,
) -> ScimSettings {
    let raw = cx.raw.scim.clone().unwrap_or_default();
    let rt = &full[&Kind::User];
    let identifier = raw.identifier.as_ref().and_then(|text| attr_path(cx, text, rt));
    let keep: Vec<Slot> = raw
        .keep
        .iter()
        .flatten()
        .filter_map(|text| attr_path(cx, text, rt))
        .map(|path| path.slot())
        .collect();
    let tokens = raw.tokens.clone().unwrap_or_default();
    let catalogues = catalogues::catalogues(cx).into();
    ScimSettings {
        path: path(cx, &raw, app),
        auth: client_auth(cx, &raw),
        identifier: identifier.unwrap_or_else(user_name),
        regenerate: match tokens.regenerate {
            Some(RawRegenerate::Refused) => Regenerate::Refused,
            Some(RawRegenerate::Allowed) | None => Regenerate::Allowed,
        },
        supplied: None,
        keep,
        shorts: cx.shorts.clone(),
        catalogues,
    }
}

fn user_name() -> AttrPath {
    AttrPath {
        schema: None,
        attribute: "userName".to_owned(),
        filter: None,
        sub: None,
        multi_valued: false,
    }
}

fn path(cx: &mut Cx<'_, '_>, raw: &RawScimSettings, app: &str) -> String {
    let Some(path) = &raw.path else {
        return format!("/{app}/scim/v2");
    };
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.~/".contains(c);
    let steps = path.split('/').any(|segment| segment == "." || segment == "..");
    if !path.starts_with('/') || !path.chars().all(good) || path.contains("//") || steps {
        let message = "a path begins with `/` and has letters, digits, `-`, `_`, `.` and `/` only";
        cx.report.error("M0205", path.span.clone(), message);
    }
    path.trim_end_matches('/').to_owned()
}

fn client_auth(cx: &mut Cx<'_, '_>, raw: &RawScimSettings) -> Vec<ClientAuth> {
    let Some(kinds) = &raw.auth else {
        return vec![ClientAuth::Bearer];
    };
    if kinds.is_empty() {
        let help = "write auth: [bearer]";
        cx.report.error_help("M0205", raw.span.clone(), "`scim.auth` accepts nobody", help);
    }
    kinds
        .iter()
        .map(|kind| match &kind.value {
            RawClientAuth::Bearer => ClientAuth::Bearer,
            RawClientAuth::Basic => ClientAuth::Basic,
            RawClientAuth::BearerPair => ClientAuth::BearerPair,
            RawClientAuth::Header(name) => ClientAuth::Header(name.to_lowercase()),
        })
        .collect()
}

/// A SCIM path in the file, with short names; reports what it does not name.
pub(super) fn attr_path(
    cx: &mut Cx<'_, '_>,
    text: &Spanned<String>,
    rt: &ResourceType,
) -> Option<AttrPath> {
    let expanded = expand(&cx.shorts, text);
    attr_path_as(cx, text, &expanded, rt)
}

/// The same for a path that stands in SCIM's own spelling already.
pub(super) fn attr_path_as(
    cx: &mut Cx<'_, '_>,
    text: &Spanned<String>,
    expanded: &str,
    rt: &ResourceType,
) -> Option<AttrPath> {
    match AttrPath::parse(expanded, rt) {
        Ok(path) => Some(path),
        Err(error) => {
            let attributes = rt.schema.attributes.iter();
            let known = attributes.flat_map(|attribute| {
                let subs = attribute.sub_attributes.iter();
                let subs = subs.map(|sub| format!("{}.{}", attribute.name, sub.name));
                std::iter::once(attribute.name.clone()).chain(subs).collect::<Vec<_>>()
            });
            let known: Vec<String> = known.collect();
            let near = names::nearest(text, known.iter().map(String::as_str)).or_else(|| {
                // `name.given`: the rest was left out.
                let begins = |path: &&str| text.contains('.') && path.starts_with(text.as_str());
                known.iter().map(String::as_str).find(begins)
            });
            let help = match near {
                Some(near) => names::did_you_mean(near),
                None => format!(
                    "write a SCIM path like userName or emails.value; extensions here: {}",
                    cx.shorts.keys().cloned().collect::<Vec<_>>().join(", ")
                ),
            };
            let message = format!("`{}` is no SCIM attribute: {}", text.value, error.detail);
            cx.report.error_help("M0306", text.span.clone(), message, help);
            None
        }
    }
}

/// `sync:`.
pub(super) fn sync(cx: &mut Cx<'_, '_>) -> SyncSettings {
    let raw = cx.raw.sync.clone().unwrap_or_default();
    let read = raw.read.clone().unwrap_or_default();
    let list = raw.list.clone().unwrap_or_default();
    let reconcile = raw.reconcile.clone().unwrap_or_default();
    let time = |given: &Option<Spanned<Duration>>, default: u64| {
        given.as_ref().map_or(Duration::from_secs(default), |time| time.value)
    };
    if let Some(wait) = &raw.wait
        && wait.value > Duration::from_secs(40)
    {
        let help = "Okta gives up after 60 s; the bridge needs some of it";
        cx.report.error_help("M0205", wait.span.clone(), "`wait` is at most 40s", help);
    }
    let tops = attributes::tops(cx, Some(Kind::User));
    let field = |cx: &mut Cx<'_, '_>, name: &Spanned<String>| {
        let known = tops.contains(&name.value);
        if !known {
            let help = names::help(name, tops.iter().map(String::as_str));
            let message = format!("there is no field in `attributes` `{}`", name.value);
            cx.report.error_help("M0407", name.span.clone(), message, help);
        }
        known.then(|| name.value.clone())
    };
    SyncSettings {
        confirm: raw.answer != Some(RawAnswer::Accept),
        wait: time(&raw.wait, 20),
        late: if raw.late == Some(RawLate::Retry) { Late::Retry } else { Late::Accept },
        settle: time(&raw.settle, 60),
        unique: raw.unique.iter().flatten().filter_map(|name| field(cx, name)).collect(),
        missing: match raw.missing {
            Some(RawMissing::Recreate) => Missing::Recreate,
            Some(RawMissing::Park) => Missing::Park,
            Some(RawMissing::NotFound) | None => Missing::NotFound,
        },
        restore: raw.on_recreate != Some(RawRecreate::Conflict),
        read_fresh_for: time(&read.fresh_for, 5),
        read_wait: time(&read.wait, 5),
        lag: time(&read.lag, 30),
        list_fresh_for: time(&list.fresh_for, 0),
        list_wait: time(&list.wait, 20),
        reconcile: Reconcile {
            every: time(&reconcile.every, 0),
            repair: match reconcile.repair {
                Some(RawRepair::Report) => Repair::Report,
                Some(RawRepair::All) => Repair::All,
                Some(RawRepair::Access) | None => Repair::Access,
            },
            max_gone: reconcile.max_gone.map_or(5, |percent| percent.0),
        },
    }
}
