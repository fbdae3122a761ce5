//! `bonafide inspect --record`: facts written down, as a case for `bonafide policy test`.

use std::fs;
use std::io;
use std::path::Path;

use crate::cases::{self, CASES, Expected, FACTS};
use crate::config::Config;
use crate::gate::Inspection;
use crate::oci::Image;
use crate::policy::RecordedFacts;

/// Writes what is known of an image into `place`: a file that ends in `.json`, or a folder, and there also a case, unless
/// there is one. Returns what was written, in words.
pub(in crate::cli) fn write(place: &Path, inspection: &Inspection, config: &Config) -> io::Result<String> {
    let Image { repository, reference } = &inspection.image;
    let facts = RecordedFacts::of(repository, reference, &inspection.proof);
    if place.extension().is_some_and(|ending| ending == "json") {
        write_facts(place, &facts)?;
        return Ok(format!("the facts are recorded in {}", place.display()));
    }
    fs::create_dir_all(place)?;
    write_facts(&place.join(FACTS), &facts)?;
    let case = place.join(CASES);
    if case.exists() {
        return Ok(format!("the facts are recorded in {}; {CASES} there is left as it is", place.display()));
    }
    let now = facts.collected_at();
    let expected = facts.judge(&config.policy, repository, reference, now).map(|verdict| Expected::of(&verdict));
    let expected = expected.map_err(io::Error::other)?;
    fs::write(&case, cases::written(&inspection.image, &expected))?;
    Ok(format!("the facts, and a case that expects {expected}, are recorded in {}", place.display()))
}

fn write_facts(path: &Path, facts: &RecordedFacts) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(facts)?;
    text.push(b'\n');
    fs::write(path, text)
}
