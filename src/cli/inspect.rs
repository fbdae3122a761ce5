//! `bonafide inspect`: the tree of all evidence about an image and what it proves, without a policy.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::cli::fact;
use crate::cli::lines::{Branch, Lines};
use crate::gate::Inspection;
use crate::oci::{Digest, Tag};
use crate::policy::{FactView, Level, ReasonCode};
use crate::verify::{Coverage, Fact, Flaw};

/// How much is shown of a tag that names a digest: `sha256-` and twelve digits.
const SHORT: usize = 19;

/// What the level of a provenance is called.
const LEVEL: &str = "build level";

/// A manifest that lists evidence, with what came of its pieces.
struct Listing<'a> {
    manifest: Digest,
    pieces: Vec<Piece<'a>>,
}

enum Piece<'a> {
    Fact(&'a Fact),
    Flaw(&'a Flaw),
}

/// Draws the tree for people: the image, the manifests that list evidence about it, and what each piece in them proves, or why
/// it proves nothing.
pub(in crate::cli) fn write(out: &mut dyn Write, inspection: &Inspection) -> io::Result<()> {
    let mut out = Lines::new(out);
    let proof = &inspection.proof;
    out.line(&inspection.image)?;
    out.field("digest", inspection.digest)?;
    out.field("evidence", coverage(&proof.coverage))?;
    let listings = listings(inspection);
    if listings.is_empty() {
        return out.field("", "nothing is published about it");
    }
    for (branch, listing) in Branch::each(&listings) {
        write_listing(&mut out.branch(branch), listing, inspection)?;
    }
    Ok(())
}

/// What was found, by the manifest that lists it, in the order in which it was found.
fn listings(inspection: &Inspection) -> Vec<Listing<'_>> {
    let facts = inspection.proof.facts.iter().map(|fact| (fact.source().manifest, Piece::Fact(fact)));
    let flaws = inspection.proof.flaws.iter().map(|flaw| (flaw.source.manifest, Piece::Flaw(flaw)));
    let mut listings: Vec<Listing<'_>> = Vec::new();
    for (manifest, piece) in facts.chain(flaws) {
        match listings.iter_mut().find(|listing| listing.manifest == manifest) {
            Some(listing) => listing.pieces.push(piece),
            None => listings.push(Listing { manifest, pieces: vec![piece] }),
        }
    }
    listings
}

fn write_listing(out: &mut Lines<'_>, listing: &Listing<'_>, inspection: &Inspection) -> io::Result<()> {
    match inspection.tags.iter().find(|(_, digest)| *digest == listing.manifest) {
        Some((tag, digest)) => out.line(format_args!("{digest} (tag {})", shortened(tag)))?,
        None => out.line(listing.manifest)?,
    }
    for (branch, piece) in Branch::each(&listing.pieces) {
        let mut out = out.branch(branch);
        match piece {
            Piece::Fact(fact) => {
                fact::write(&mut out, fact)?;
                out.inner().optional(LEVEL, Level::of(fact))?;
            }
            Piece::Flaw(flaw) => write_flaw(&mut out, flaw)?,
        }
    }
    Ok(())
}

/// `sha256-<hex>.sig` without most of the digits, which stand above as the digest.
fn shortened(tag: &Tag) -> String {
    let (stem, suffix) = tag.as_str().split_once('.').unwrap_or((tag.as_str(), ""));
    let stem: String = stem.chars().take(SHORT).collect();
    format!("{stem}...{suffix}")
}

fn write_flaw(out: &mut Lines<'_>, flaw: &Flaw) -> io::Result<()> {
    out.line(format_args!("proves nothing: {} [{}]", flaw.text, ReasonCode::from(flaw.kind)))?;
    let mut out = out.inner();
    out.optional("claims", flaw.predicate_type.as_ref())?;
    let seemed_built = flaw.predicate_type.as_ref().is_some_and(|it| it.starts_with("https://slsa.dev/provenance/"));
    out.optional(LEVEL, seemed_built.then_some(Level::UNSIGNED))?;
    out.field("evidence", format_args!("{} {}", flaw.form.map_or("unknown form", fact::form), flaw.source.layer))?;
    out.optional("found in", flaw.found_in.as_ref())
}

fn coverage(coverage: &Coverage) -> String {
    match coverage {
        Coverage::Complete => "all that is published was seen".to_owned(),
        Coverage::Bounded => "more is published than is looked at; the rest was left out".to_owned(),
        Coverage::Partial { failure } => format!("not all could be asked for: {failure}"),
    }
}

/// The same for programs.
pub(in crate::cli) fn to_json(inspection: &Inspection) -> Value {
    let proof = &inspection.proof;
    let tags = inspection.tags.iter().map(|(tag, digest)| (tag.to_string(), digest.to_string().into()));
    json!({
        "image": inspection.image.to_string(),
        "digest": inspection.digest,
        "coverage": proof.coverage,
        "collected_at": proof.collected_at,
        "tags": tags.collect::<Map<_, _>>(),
        "facts": proof.facts.iter().map(|fact| FactView::from(&**fact)).collect::<Vec<_>>(),
        "flaws": proof.flaws,
    })
}
