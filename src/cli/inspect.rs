//! `bonafide inspect`: all evidence about an image and what it proves, without a policy.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::fact;
use crate::cli::lines::Lines;
use crate::gate::Inspection;
use crate::policy::FactView;
use crate::verify::{Coverage, Flaw};

/// Writes the facts and the flaws for people.
pub(in crate::cli) fn write(out: &mut dyn Write, inspection: &Inspection) -> io::Result<()> {
    let mut out = Lines::new(out);
    let proof = &inspection.proof;
    out.line(&inspection.image)?;
    out.field("digest", inspection.digest)?;
    out.field("evidence", coverage(&proof.coverage))?;
    for proven in &proof.facts {
        out.blank()?;
        fact::write(&mut out.inner(), proven)?;
    }
    for flaw in &proof.flaws {
        out.blank()?;
        write_flaw(&mut out.inner(), flaw)?;
    }
    Ok(())
}

fn write_flaw(out: &mut Lines<'_>, flaw: &Flaw) -> io::Result<()> {
    out.line(format_args!("proves nothing: {}", flaw.text))?;
    let mut out = out.inner();
    out.field("evidence", format_args!("{} {}", flaw.form.map_or("unknown form", fact::form), flaw.source.layer))?;
    out.field("listed by", flaw.source.manifest)?;
    out.optional("claims", flaw.predicate_type.as_ref())
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
    json!({
        "image": inspection.image.to_string(),
        "digest": inspection.digest,
        "coverage": proof.coverage,
        "collected_at": proof.collected_at,
        "facts": proof.facts.iter().map(|fact| FactView::from(&**fact)).collect::<Vec<_>>(),
        "flaws": proof.flaws,
    })
}
