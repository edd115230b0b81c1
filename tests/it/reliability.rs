//! docs/reliability.md is what its command wrote, and nothing else.

use super::support::text::repository;

fn sum(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the page is whole and as it was written.
fn is_as_written(page: &str) -> bool {
    let Some((text, end)) = page.rsplit_once("<!-- sum ") else { return false };
    page.starts_with("<!-- Written by .ci/reliability.") && end == format!("{} -->\n", sum(text))
}

#[test]
fn the_figures_are_not_made_by_hand() {
    let page = std::fs::read_to_string(repository().join("docs/reliability.md")).unwrap();
    assert!(is_as_written(&page), "run .ci/reliability; do not edit docs/reliability.md");
    // The test of the test: a better figure is seen, and so is a line more.
    assert!(!is_as_written(&page.replacen("Commit ", "commit ", 1)));
    assert!(!is_as_written(&format!("{page}0 in 1,000,000 lost\n")));
    for words in ["## Kills of the process", "## What was not tested", "Real power cuts"] {
        assert!(page.contains(words), "{words}");
    }
}
