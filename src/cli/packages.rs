//! `bonafide packages`: which admitted images contain a package.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::app::{self, StartError};
use crate::cli::lines::Lines;
use crate::cli::output::stdout;
use crate::cli::{CommandError, examples, write_json};
use crate::config::Config;
use crate::facts::{Facts, Holder, Pull};
use crate::oci::Tag;

/// No admitted image contains it.
const NOBODY: u8 = 3;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PackagesCommand {
    /// Say which images that were admitted contain a package, by the bills of materials that they were admitted with
    #[command(after_help = examples::PACKAGES)]
    WhoHas {
        /// A package URL; without a version, any version
        purl: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// An image that contains the package.
struct Found {
    /// The latest of its entries.
    holder: Holder,
    purls: Vec<String>,
    tags: Vec<Tag>,
    /// Who was served it, the latest first.
    pulls: Vec<Pull>,
}

pub(in crate::cli) async fn run(command: &PackagesCommand, config: Config) -> Result<ExitCode, CommandError> {
    let PackagesCommand::WhoHas { purl, json } = command;
    let facts = app::facts(config).await?;
    let holders = facts.who_has(purl).await.map_err(StartError::Facts)?;
    let found = by_image(&facts, holders.ok_or_else(|| CommandError::NoPackage(purl.clone()))?).await?;
    let mut out = stdout();
    if *json {
        let images: Vec<_> = found.iter().map(to_json).collect();
        write_json(&mut out, &json!({ "package": purl, "images": images }))?;
    } else {
        write(&mut out, &found)?;
    }
    Ok(if found.is_empty() { ExitCode::from(NOBODY) } else { ExitCode::SUCCESS })
}

/// Each image once, the latest admitted first.
async fn by_image(facts: &Facts, holders: Vec<Holder>) -> Result<Vec<Found>, CommandError> {
    let mut images: BTreeMap<String, Found> = BTreeMap::new();
    for holder in holders {
        let purl = holder.purl.clone();
        let image = name(&holder);
        if let Some(known) = images.get_mut(&image) {
            known.purls.push(purl);
            continue;
        }
        let tags = facts.tags_of(&holder.repository, holder.digest).await.map_err(StartError::Facts)?.to_vec();
        let pulls = facts.pulls_of(&holder.repository, holder.digest).await.map_err(StartError::Facts)?;
        images.insert(image, Found { holder, purls: vec![purl], tags, pulls });
    }
    let mut found: Vec<_> = images.into_values().collect();
    found.sort_by_key(|found| Reverse(found.holder.admitted_at));
    Ok(found)
}

fn name(holder: &Holder) -> String {
    format!("{}@{}", holder.repository, holder.digest)
}

fn to_json(found: &Found) -> Value {
    json!({
        "image": name(&found.holder),
        "digest": found.holder.digest,
        "packages": found.purls,
        "tags": found.tags.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "admitted_at": found.holder.admitted_at,
        "pulled_by": found.pulls.iter().map(|pull| json!({ "client": pull.client, "last_at": pull.at })).collect::<Vec<_>>(),
    })
}

fn write(out: &mut dyn Write, all: &[Found]) -> io::Result<()> {
    let mut out = Lines::new(out);
    for found in all {
        out.line(name(&found.holder))?;
        let mut out = out.inner();
        found.purls.iter().try_for_each(|purl| out.field("package", purl))?;
        let tags: Vec<_> = found.tags.iter().map(ToString::to_string).collect();
        out.optional("tags", Some(tags.join(", ")).filter(|tags| !tags.is_empty()))?;
        out.field("admitted", found.holder.admitted_at)?;
        found
            .pulls
            .iter()
            .try_for_each(|pull| out.field("pulled by", format_args!("{}, last at {}", pull.client, pull.at)))?;
    }
    if all.is_empty() { out.line("no image that was admitted lists it") } else { Ok(()) }
}
