//! The documentation, held against the tree: what it names is there.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders whose files the documentation names in back quotes.
const FOLDERS: &[&str] = &["src/", "tests/", "deploy/", "examples/", "config/", "docs/", ".ci/"];

#[test]
fn the_documentation_names_only_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let missing: Vec<String> = pages(root)
        .flat_map(|page| {
            let text = fs::read_to_string(&page).unwrap();
            let beside = page.parent().unwrap().to_owned();
            let quoted = quoted(&text).map(|name| root.join(name));
            let linked = linked(&text).map(|name| beside.join(name));
            let named: Vec<PathBuf> = quoted.chain(linked).filter(|path| !path.exists()).collect();
            named.into_iter().map(move |path| format!("{}: {}", page.display(), path.display()))
        })
        .collect();
    assert!(missing.is_empty(), "not there:\n{}", missing.join("\n"));
}

fn pages(root: &Path) -> impl Iterator<Item = PathBuf> {
    let documents = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name));
    top.into_iter().chain(documents.filter(|path| path.extension().is_some_and(|ending| ending == "md")))
}

/// Files of the tree in back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split('`').skip(1).step_by(2);
    names.filter(|name| FOLDERS.iter().any(|folder| name.starts_with(folder)) && !name.contains(char::is_whitespace))
}

/// Targets of links to other pages.
fn linked(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.starts_with("http"))
}
