//! Files full of mistakes, each marked where it stands: `# E: CODES` behind it, or in a line of its
//! own above it. A load finds exactly these.

use std::path::Path;

use super::*;

/// Line and code of every mark, in order.
fn marked(text: &str) -> Vec<(usize, String)> {
    let (mut marks, mut above) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let codes = line.split_once("# E: ").map_or("", |(_, codes)| codes);
        above.extend(codes.split_whitespace().map(str::to_owned));
        if !line.trim_start().starts_with('#') {
            marks.extend(above.drain(..).map(|code| (at + 1, code)));
        }
    }
    marks.sort();
    marks
}

#[test]
fn every_mistake_is_found_where_it_stands_and_nothing_else_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mappings/broken");
    let (mut files, mut mistakes) = (0, std::collections::BTreeSet::new());
    for file in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let name = file.file_name().into_string().unwrap();
        let source = Source { file: name, text: std::fs::read_to_string(file.path()).unwrap() };
        let loaded = loaded(&source);
        assert!(loaded.mapping.is_none(), "{} does not load", source.file);
        let diagnostics = &loaded.diagnostics;
        let mut found: Vec<(usize, String)> =
            diagnostics.iter().map(|d| (d.line, d.code.to_owned())).collect();
        found.sort();
        let marked = marked(&source.text);
        assert_eq!(found, marked, "{}", render(diagnostics, &source, false));
        for d in diagnostics {
            assert!(d.end_line > d.line || d.end_column >= d.column, "{d:?}");
        }
        mistakes.extend(marked.into_iter().map(|(_, code)| code));
        files += 1;
    }
    assert!(files >= 9 && mistakes.len() >= 40, "{files} files, {} kinds", mistakes.len());
}
