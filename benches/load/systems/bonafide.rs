//! The release build of Bonafide, as `bonafide serve` runs it: it proves the image, fetches it once, and judges every request
//! by a rule.

use std::fs;
use std::path::Path;

use crate::bed::Bed;
use crate::process::{Process, SERVERS};
use crate::systems::{System, Transport};

const RULE: &str = r#"
[[trust]]
name = "corp"
trusted_root = "trusted_root.json"

[[rule]]
name = "signed"
images = ["docker.io/acme/*"]

[[rule.signature]]
trust = "corp"
issuer = "https://idp.example"
subject = "dev@acme.example"
"#;

/// Bonafide on the storage of this run, which the first of them fills.
pub(crate) fn start(bed: &Bed, transport: Transport) -> Result<System, String> {
    start_in(bed, transport, &bed.folder().join("bonafide"), "")
}

/// Bonafide on `storage`, with `more` in its configuration.
pub(crate) fn start_in(bed: &Bed, transport: Transport, storage: &Path, more: &str) -> Result<System, String> {
    let place = Place { storage, upstream: &bed.upstream, cores: SERVERS };
    let tls = match transport {
        Transport::Plain => String::new(),
        Transport::Tls => {
            let (cert, key) = (bed.certificate.cert.display(), bed.certificate.key.display());
            format!("tls = {{ cert = \"{cert}\", key = \"{key}\" }}\n")
        }
    };
    run(bed, place, transport, &tls, more)
}

/// Where a Bonafide runs, and what is behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) storage: &'a Path,
    pub(crate) upstream: &'a System,
    pub(crate) cores: &'a str,
}

/// Bonafide over plain HTTP at `place`.
pub(crate) fn start_at(bed: &Bed, place: Place<'_>) -> Result<System, String> {
    run(bed, place, Transport::Plain, "", "")
}

fn run(bed: &Bed, place: Place<'_>, transport: Transport, tls: &str, more: &str) -> Result<System, String> {
    let Place { storage, upstream, cores } = place;
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n{tls}[admin]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"{}\"\n\
         [[upstream]]\nname = \"docker.io\"\ndefault = true\ntag_ttl = \"1d\"\nurl = \"{}\"\n{RULE}{more}",
        storage.display(),
        upstream.url("")
    );
    let file = bed.folder().join("bonafide.toml");
    fs::write(&file, config).unwrap();
    // Without a line for each request, as the others.
    let arguments = ["serve", "--log", "warn", "--config", file.to_str().unwrap()];
    let log = bed.folder().join("bonafide.log");
    let mut process = Process::start(Path::new(env!("CARGO_BIN_EXE_bonafide")), &arguments, cores, &log);
    let said = process.next_line();
    let address = said.rsplit_once('/').and_then(|(_, address)| address.parse().ok());
    let address = address.ok_or_else(|| format!("it said {said}"))?;
    Ok(System { name: "bonafide", address, transport, process })
}
