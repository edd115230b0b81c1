//! "Did you mean": the nearest of the names that would have been right.
//!
//! Knows also the words that older drafts of the language had, and what replaced them.

/// The nearest name, if one is near enough to be meant.
pub(crate) fn nearest<'n>(
    written: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let lower = written.to_lowercase();
    let furthest = match lower.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    names
        .into_iter()
        .map(|name| (distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= furthest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The help that offers another name in place of the one written.
pub(crate) fn did_you_mean(name: &str) -> String {
    format!("{MEANT}{name}`?")
}

/// The name that a help offers in place of what was written.
pub(crate) fn offered<'h>(help: &'h str, written: &str) -> Option<&'h str> {
    let (name, _) = help.strip_prefix(MEANT)?.split_once("`?")?;
    // A help may be about a part of a longer text, which the name must not replace.
    nearest(written, [name])
}

const MEANT: &str = "did you mean `";

/// A help line: the nearest name, what replaced an old word, or all names if they are few.
pub(crate) fn help<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if let Some((_, instead)) = REPLACED.iter().find(|(old, _)| *old == written) {
        return (*instead).to_owned();
    }
    if let Some(name) = nearest(written, names.iter().copied()) {
        return did_you_mean(name);
    }
    match names.len() {
        0 => "there is none to choose from".to_owned(),
        1..=30 => format!("known here: {}", names.join(", ")),
        _ => "see docs/mapping.md for the names known here".to_owned(),
    }
}

/// Words that authors try, and what to write instead.
const REPLACED: &[(&str, &str)] = &[
    ("from_app", "use `shows:` for what SCIM shows without a field of its own"),
    ("ok_when", "use a row in `errors:`; rows also fit answers with status 200"),
    ("as_role", "use `groups.on_user`"),
    ("param", "place `$.page.offset` (or `.number`, `.cursor`, `.size`) in `query` or `body`"),
    ("size_param", "place `$.page.size` in `query` or `body`"),
    ("into", "use `body:` with `$.send` where the picked fields belong"),
    ("adopt_if", "use `if_exists: { adopt_if_same: [FIELDS] }`"),
    ("on_absent", "the key is `absent:`"),
    ("on_doubt", "the key is `if_in_doubt:`"),
    ("member", "use `groups.members: { use, user, id }`"),
    ("undo", "there is no undo; a failed change is planned again from what the app holds"),
];

/// Edits (insert, remove, replace, swap of neighbours) between two words.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best =
                (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("recrods", ["record", "records", "call"]), Some("records"));
        assert_eq!(nearest("If_in_dout", ["if_in_doubt", "call"]), Some("if_in_doubt"));
        assert_eq!(nearest("zebra", ["record", "records", "call"]), None);
    }

    #[test]
    fn what_a_help_offers_replaces_the_word_and_nothing_longer() {
        assert_eq!(offered(&did_you_mean("title"), "titel"), Some("title"));
        assert_eq!(offered("did you mean `title`? Or keep it.", "titel"), Some("title"));
        assert_eq!(offered(&did_you_mean("title"), "$.user.titel"), None);
        assert_eq!(offered("known here: title", "titel"), None);
    }

    #[test]
    fn an_old_word_is_answered_with_what_replaced_it() {
        assert!(help("from_app", ["scim", "to_app"]).contains("shows"));
    }
}
