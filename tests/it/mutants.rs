//! The table of deleted checks (`tests/mutants/run`): each deletion still applies to the code.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// One deletion: its name, where it applies, and what stands there with and without it.
#[derive(Debug, Default)]
struct Deletion<'a> {
    name: &'a str,
    file: &'a str,
    from: String,
    to: String,
}

fn deletions(table: &str) -> Vec<Deletion<'_>> {
    let mut all: Vec<Deletion<'_>> = Vec::new();
    for line in table.lines() {
        if let Some(line) = line.strip_prefix("mutant ") {
            all.push(Deletion { name: line.split_once(':').unwrap().0, ..Deletion::default() });
        }
        let Some(last) = all.last_mut() else { continue };
        if let Some(file) = line.strip_prefix("file ") {
            last.file = file;
        }
        for (mark, lines) in [("- ", &mut last.from), ("+ ", &mut last.to)] {
            if let Some(line) = line.strip_prefix(mark) {
                if !lines.is_empty() {
                    lines.push('\n');
                }
                lines.push_str(line);
            }
        }
    }
    all
}

#[test]
fn each_deletion_of_the_table_applies_behind_those_before_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("tests/mutants/table.txt")).unwrap();
    let (deletions, mut files) = (deletions(&table), HashMap::new());
    assert!(deletions.len() > 100, "the table is not read");
    for Deletion { name, file, from, to } in &deletions {
        let text = files.entry(*file).or_insert_with(|| fs::read_to_string(root.join(file)).unwrap());
        assert!(!from.is_empty() && text.contains(from), "{name} does not apply to {file}: {from}");
        *text = text.replacen(from, &to.replace("DELETED", name), 1);
    }
}
