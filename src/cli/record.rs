//! `bonafide inspect --record`: facts written down, as a case for `bonafide policy test`.

use std::fs;
use std::io;
use std::path::Path;

use crate::cases::{self, CASES, Expected, FACTS, Rules};
use crate::gate::{Known, Record};
use crate::oci::Image;
use crate::policy::{RecordedFacts, RecordedImage};

/// Writes what is known of an image into `place`: a file that ends in `.json`, or a folder, and there also a case, unless
/// there is one. Returns what was written, in words.
pub(in crate::cli) async fn write(
    place: &Path,
    (image, record): (&Image, &Record),
    rules: &Rules,
) -> io::Result<String> {
    let facts = recorded(record);
    let what = match facts.others() {
        0 => "the facts".to_owned(),
        1 => "the facts, with those of another image,".to_owned(),
        others => format!("the facts, with those of {others} other images,"),
    };
    if place.extension().is_some_and(|ending| ending == "json") {
        write_facts(place, &facts)?;
        return Ok(format!("{what} are recorded in {}", place.display()));
    }
    fs::create_dir_all(place)?;
    write_facts(&place.join(FACTS), &facts)?;
    let case = place.join(CASES);
    if case.exists() {
        return Ok(format!("{what} are recorded in {}; {CASES} there is left as it is", place.display()));
    }
    let decided = rules.explain(&facts, image, facts.collected_at()).await.map_err(io::Error::other)?;
    let expected = Expected::of(&decided);
    fs::write(&case, cases::written(image, &expected))?;
    Ok(format!("{what} and a case that expects {expected} are recorded in {}", place.display()))
}

fn recorded(record: &Record) -> RecordedFacts {
    let others = record.others.iter().map(known).collect();
    known(&record.image).beside(record.last_admitted, others, record.absent.clone())
}

fn known(known: &Known) -> RecordedFacts {
    let images = known.images.iter();
    let images = images.map(|image| RecordedImage { digest: image.digest, platform: image.platform.clone() });
    RecordedFacts::of(&known.repository, &known.tags, &known.proof).in_an_index(known.roots.clone(), images.collect())
}

fn write_facts(path: &Path, facts: &RecordedFacts) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(facts)?;
    text.push(b'\n');
    fs::write(path, text)
}
