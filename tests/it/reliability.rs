//! docs/reliability.md and docs/proof.md are what their commands wrote, and nothing else.

use super::support::text::repository;

fn sum(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the page is whole and as it was written.
fn is_as_written(page: &str, command: &str) -> bool {
    let Some((text, end)) = page.rsplit_once("<!-- sum ") else { return false };
    page.starts_with(&format!("<!-- Written by {command}."))
        && end == format!("{} -->\n", sum(text))
}

#[test]
fn the_figures_are_not_made_by_hand() {
    let pages = [
        ("docs/reliability.md", ".ci/reliability", "## Kills of the process", "Real power cuts"),
        ("docs/proof.md", ".ci/proof", "## Random histories", "Okta itself"),
    ];
    for (file, command, heading, not_tried) in pages {
        let page = std::fs::read_to_string(repository().join(file)).unwrap();
        assert!(is_as_written(&page, command), "run {command}; do not edit {file}");
        // The test of the test: a better figure is seen, and so is a line more.
        assert!(!is_as_written(&page.replacen("Commit ", "commit ", 1), command));
        assert!(!is_as_written(&format!("{page}0 in 1,000,000 lost\n"), command));
        for words in [heading, "## What was not", not_tried] {
            assert!(page.contains(words), "{file}: {words}");
        }
    }
}
