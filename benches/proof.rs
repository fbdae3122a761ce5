//! What one cold proof costs, in CPU time of this process: parsed, verified and judged, for every form of evidence; a bill
//! of materials of 45 MB; a thousand pieces of junk beside one good one. `benches/run` prints it beside other verifiers.
//!
//! No times are asserted: machines differ. Forms take turns within each round, so that what else the machine does
//! reaches all of them alike; the median of the rounds is printed.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark ends where something is wrong, and talks to whoever started it"
)]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use bonafide::config::{Config, Environment};
use bonafide::evidence::{Evidence, Via, layers};
use bonafide::oci::{Digest, Image as Reference, parse_manifest};
use bonafide::policy::{Decision, Request};
use bonafide::trust::Trust;
use bonafide::verify::{self, Coverage, Few, Proof, Subject};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use mimalloc::MiMalloc;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::support::authority::Authority;
use crate::support::authority::certificate::pem;
use crate::support::authority::identity::{Build, CONTAINER_GENERATOR, builder};
use crate::support::authority::image::{Image, OCI_MANIFEST, descriptor};
use crate::support::authority::key::Key;
use crate::support::authority::notation::{Format, Notary, Sealed};
use crate::support::authority::publisher::Publisher;
use crate::support::authority::signed::{BundleVersion, Layer, Signed};
use crate::support::authority::signer::EntryKind;
use crate::support::authority::statement::Statement;
use crate::support::content::Repositories;
use crate::support::mirror::{Mirror, world};
use crate::support::registry::Registry;

/// That of the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROUNDS: usize = 200;
const RULES: &str = r#"
    [[upstream]]
    name = "docker.io"
    url = "https://registry.example"
    default = true

    [[trust]]
    name = "corp"
    trusted_root = "trusted_root.json"

    [[trust]]
    name = "stamped"
    trusted_root = "stamped.json"
    transparency_log = "none"
    certificate_timestamps = "none"

    [[trust]]
    name = "notary"
    notation = { ca = ["notary.pem"] }

    [[key]]
    name = "offline"
    path = "offline.pub"
    without_log = "allow"
"#;

/// CPU time of this process so far.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// What is trusted, and the image that all evidence is about.
struct Bed {
    authority: Authority,
    image: Image,
    offline: Key,
    notary: Notary,
    folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let (authority, offline, notary) = (Authority::new("corp"), Key::p256("offline"), Notary::new("acme"));
        let folder = tempfile::tempdir().unwrap();
        authority.trusted_root().write_to(folder.path());
        fs::write(folder.path().join("stamped.json"), authority.trusted_root().timestamps_only().0.to_string())
            .unwrap();
        fs::write(folder.path().join("offline.pub"), offline.public_pem()).unwrap();
        fs::write(folder.path().join("notary.pem"), pem(&notary.root.certificate)).unwrap();
        Self { authority, image: Image::new("app"), offline, notary, folder }
    }

    fn judge(&self, rule: &str) -> Judge<'_> {
        let text = format!("{RULES}\n[[rule]]\nname = \"rule\"\nimages = [\"docker.io/acme/*\"]\n{rule}");
        let config = Config::parse(&text, "bench", self.folder.path(), &Environment::default()).unwrap();
        let trust = Trust::load(&config.trust, &config.keys).unwrap();
        Judge { bed: self, config, trust, image: "docker.io/acme/app".parse().unwrap() }
    }

    fn now(&self) -> Timestamp {
        self.authority.time() + SignedDuration::from_hours(24)
    }
}

struct Judge<'a> {
    bed: &'a Bed,
    config: Config,
    trust: Trust,
    image: Reference,
}

impl Judge<'_> {
    /// From the manifest of evidence and its blob to a verdict, with nothing kept from any time before.
    fn prove(&self, published: &Published) -> Proof {
        self.prove_all(&[published])
    }

    /// The same of several pieces.
    fn prove_all(&self, published: &[&Published]) -> Proof {
        let subject = Subject { digest: self.bed.image.digest(), manifest: &self.bed.image.manifest };
        let pieces = published.iter().flat_map(|(manifest, blob)| {
            let parsed = parse_manifest(manifest).unwrap();
            let found = layers(&parsed, Digest::of(manifest), subject.digest, Via::SignatureTag).unwrap();
            found.into_iter().map(|layer| layer.into_evidence(blob.clone()))
        });
        let facts = pieces.flat_map(|piece: Evidence| {
            verify::check(&piece, &subject, &self.trust, self.bed.now()).unwrap_or_else(|flaw| panic!("{}", flaw.text))
        });
        let proof = Proof {
            subject: subject.digest,
            facts: facts.map(Arc::new).collect(),
            flaws: Few::default(),
            elsewhere: Few::default(),
            children: Few::default(),
            coverage: Coverage::Complete,
            collected_at: self.bed.now(),
        };
        let request = Request { repository: &self.image.repository, tag: None, digest: subject.digest };
        let verdict = self.config.policy.judge(&request, Some(&proof), self.bed.now());
        assert_eq!(verdict.decision, Decision::Admit, "{verdict:#?}");
        proof
    }
}

/// A manifest with one layer, and that layer, as a client of the registry hands it over.
type Published = (Vec<u8>, Bytes);

fn published(layer: &Layer) -> Published {
    let mut described = descriptor(&layer.media_type, &layer.bytes);
    described["annotations"] = json!(layer.annotations);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"), "layers": [described],
    });
    (serde_json::to_vec(&manifest).unwrap(), layer.bytes.clone().into())
}

fn bundled(signed: &Signed) -> Published {
    let version = BundleVersion::V0_3;
    let bytes = signed.to_bundle(version).to_string().into_bytes();
    published(&Layer { media_type: version.media_type().to_owned(), bytes, annotations: BTreeMap::new() })
}

/// What was signed, in the form in which it is published.
enum Written {
    /// `cosign sign` 1 and 2.
    Signature(Signed),
    /// `cosign attest` 1 and 2.
    Attestation(Signed),
    /// cosign 3, GitHub.
    Bundle(Signed),
    /// `notation sign`.
    Notation(Sealed),
}

impl Written {
    fn published(&self) -> Published {
        match self {
            Self::Signature(signed) | Self::Attestation(signed) => published(&signed.to_layer()),
            Self::Bundle(signed) => bundled(signed),
            Self::Notation(sealed) => {
                let media_type = sealed.media_type().to_owned();
                published(&Layer { media_type, bytes: sealed.to_bytes(), annotations: BTreeMap::new() })
            }
        }
    }

    /// Publishes it beside `image`, as its tool does.
    fn push(&self, publisher: &mut Publisher<'_>, image: &Image) {
        match self {
            Self::Signature(signed) => publisher.signature(image.digest(), signed),
            Self::Attestation(signed) => publisher.attestation(image.digest(), signed),
            Self::Bundle(signed) => publisher.bundle(image, signed),
            Self::Notation(sealed) => publisher.notation(image, sealed),
        };
    }
}

/// A form of evidence.
struct Form {
    name: &'static str,
    /// What it is called in a path.
    slug: &'static str,
    /// The rule that it meets.
    rule: &'static str,
    written: Written,
}

const SIGNED: &str = "[[rule.signature]]\ntrust = \"corp\"\nissuer = \"**\"\nsubject = \"**\"";
const STAMPED: &str = "[[rule.signature]]\ntrust = \"stamped\"\nissuer = \"**\"\nsubject = \"**\"";
const KEYED: &str = "[[rule.signature]]\nkey = \"offline\"";
const NOTARIZED: &str = "[[rule.signature]]\ntrust = \"notary\"\nissuer = \"**\"\nsubject = \"**\"";
const BUILT: &str = "[rule.provenance]\ntrust = \"corp\"\nlevel = 3";

fn forms(bed: &Bed) -> [Form; 11] {
    let build = Build::of("fystack/apex", "refs/tags/v1.2.3");
    let (digest, released) = (bed.image.digest(), "refs/tags/v2.1.0");
    let signs = bed.authority.keyless(&build.identity());
    let builds = bed.authority.keyless(&build.identity_through(CONTAINER_GENERATOR, released));
    let provenance = Statement::provenance_v0_2(digest, &build, &builder(CONTAINER_GENERATOR, released));
    let signature = Statement::signature(digest);
    let offline = bed.authority.with_key(&bed.offline).without_log();
    let intoto = builds.clone().logged_as(EntryKind::IntotoV1).attest(&provenance);
    let stamped = signs.clone().timestamped().without_log().attest(&signature);
    let notarized = |format| {
        let draft = bed.notary.draft(format, &bed.image.manifest, bed.image.media_type, bed.authority.time());
        Written::Notation(draft.seal())
    };
    let form = |name, slug, rule, written| Form { name, slug, rule, written };
    [
        form(".sig, certificate, Rekor v1", "sig", SIGNED, Written::Signature(signs.sign(digest))),
        form(".att, SLSA v0.2, Rekor v1 dsse", "att-dsse", BUILT, Written::Attestation(builds.attest(&provenance))),
        form(".att, SLSA v0.2, Rekor v1 intoto 0.0.1", "att-intoto", BUILT, Written::Attestation(intoto)),
        form("bundle v0.3, Rekor v1", "rekor-v1", SIGNED, Written::Bundle(signs.attest(&signature))),
        form("bundle v0.3, SLSA v0.2, Rekor v1", "slsa", BUILT, Written::Bundle(builds.attest(&provenance))),
        form(
            "bundle v0.3, Rekor v2, timestamp",
            "rekor-v2",
            SIGNED,
            Written::Bundle(signs.in_rekor_v2().attest(&signature)),
        ),
        form("bundle v0.3, timestamp alone", "timestamp", STAMPED, Written::Bundle(stamped)),
        form(".sig, key without log", "sig-key", KEYED, Written::Signature(offline.sign(digest))),
        form("bundle v0.3, key without log", "bundle-key", KEYED, Written::Bundle(offline.attest(&signature))),
        form("Notary Project, JWS", "notation-jws", NOTARIZED, notarized(Format::Jws)),
        form("Notary Project, COSE", "notation-cose", NOTARIZED, notarized(Format::Cose)),
    ]
}

/// Each form, after `rounds` rounds in which they take turns, with the bytes that it has.
fn timed(bed: &Bed, rounds: usize) -> Vec<(Form, Duration, usize)> {
    let forms = forms(bed);
    let judged: Vec<_> = forms.iter().map(|form| (bed.judge(form.rule), form.written.published())).collect();
    let mut times = vec![Vec::new(); forms.len()];
    for _ in 0..rounds {
        for ((judge, published), times) in judged.iter().zip(&mut times) {
            let start = cpu();
            judge.prove(published);
            times.push(cpu().saturating_sub(start));
        }
    }
    let bytes = judged.iter().map(|(_, (manifest, blob))| manifest.len() + blob.len());
    forms.into_iter().zip(times).zip(bytes).map(|((form, times), bytes)| (form, median(times), bytes)).collect()
}

fn each_form(bed: &Bed) {
    println!("{:<42} {:>10} {:>12}", "one cold proof", "CPU µs", "bytes");
    for (form, time, bytes) in timed(bed, ROUNDS) {
        println!("{:<42} {:>10} {bytes:>12}", form.name, time.as_micros());
    }
}

/// For `benches/run`, which puts the medians beside those of other verifiers.
fn compare(bed: &Bed, rounds: usize) {
    for (form, time, _) in timed(bed, rounds) {
        println!("{} {}", form.slug, time.as_micros());
    }
}

/// A whole verdict on an image that nobody asked for before: its signature, its provenance and its bill of materials, parsed,
/// verified and judged.
fn verdict(bed: &Bed) {
    const LISTED: &str = "[rule.sbom]\ntrust = \"corp\"\ndeny_packages = [\"pkg:npm/axios@1.14.1\"]\n\
                          [rule.sbom.signed_by]\nissuer = \"**\"\nsubject = \"**\"";
    let judge = bed.judge(&format!("{SIGNED}\n{BUILT}\n{LISTED}"));
    let [signature, provenance, ..] = forms(bed).map(|form| form.written.published());
    let signs = bed.authority.keyless(&Build::of("fystack/apex", "refs/tags/v1.2.3").identity());
    println!("\n{:<42} {:>10} {:>12}", "10  one cold verdict", "CPU µs", "bytes");
    for (name, packages, rounds) in [("with a small SBOM", 20, ROUNDS), ("with an SBOM of 10 MiB", 17_000, 9)] {
        let sbom = published(&signs.attest(&spdx(bed, packages)).to_layer());
        let pieces = [&signature, &provenance, &sbom];
        let times = (0..rounds).map(|_| {
            let start = cpu();
            judge.prove_all(&pieces);
            cpu().saturating_sub(start)
        });
        let bytes: usize = pieces.iter().map(|(manifest, blob)| manifest.len() + blob.len()).sum();
        println!("{name:<42} {:>10} {bytes:>12}", median(times.collect()).as_micros());
    }
}

/// A bill of materials of so many packages, some six hundred bytes each.
fn spdx(bed: &Bed, packages: usize) -> Statement {
    let names: Vec<_> = (0..packages).map(|number| format!("pkg:npm/package-{number}@1.{}.0", number % 40)).collect();
    let purls: Vec<_> = names.iter().map(String::as_str).collect();
    let padding = "x".repeat(300);
    Statement::spdx(bed.image.digest(), &purls).with(|document| {
        for package in document["packages"].as_array_mut().unwrap() {
            package["comment"] = json!(padding);
        }
    })
}

/// The most memory that this process ever had, since the last call of [`forget_peak`], in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// 60,000 packages in about 45 MB, as the largest distributions have.
fn large_sbom(bed: &Bed) {
    let statement = spdx(bed, 60_000);
    let signs = bed.authority.keyless(&Build::of("fystack/apex", "refs/tags/v1.2.3").identity());
    let rule = "[rule.sbom]\ntrust = \"corp\"\ndeny_packages = [\"pkg:npm/axios@1.14.1\"]\n\
                [rule.sbom.signed_by]\nissuer = \"**\"\nsubject = \"**\"";
    let judge = bed.judge(rule);
    let signed = signs.attest(&statement);
    println!("\n{:<42} {:>10} {:>12} {:>12}", "SPDX, 60,000 packages", "CPU ms", "bytes", "peak MiB");
    for (name, (manifest, blob)) in [(".att", published(&signed.to_layer())), ("bundle v0.3", bundled(&signed))] {
        let mut times = Vec::new();
        let before = peak_of(|| ());
        let most = peak_of(|| {
            for _ in 0..3 {
                let received = (manifest.clone(), Bytes::copy_from_slice(&blob));
                let start = cpu();
                judge.prove(&received);
                times.push(cpu().saturating_sub(start));
            }
        });
        println!("{name:<42} {:>10} {:>12} {:>12}", median(times).as_millis(), blob.len(), most.saturating_sub(before));
    }
}

fn peak_of(run: impl FnOnce()) -> u64 {
    forget_peak();
    run();
    peak()
}

/// Through the whole program, from a request to its answer, with the registry in the same process. The good one is the last of
/// the referrers: beyond the bound on how many are looked at, it is not found.
async fn junk() {
    const RULE: &str = "[[rule]]\nname = \"signed\"\nimages = [\"docker.io/acme/*\"]\n[[rule.signature]]\n\
        trust = \"corp\"\nissuer = \"https://idp.example\"\nsubject = \"dev@acme.example\"\n";
    println!(
        "\n{:<42} {:>10} {:>12} {:>12} {:>8}",
        "junk referrers before a signature", "CPU ms", "requests", "peak MiB", "answer"
    );
    for count in [0_u32, 1000, 2000] {
        let (registry, authority, image) = (Registry::start().await, Authority::new("corp"), Image::new("app"));
        // Then they are in an index, in the order in which they were pushed.
        registry.set_referrers(support::registry::Referrers::Absent);
        let mirror = Mirror::start(&authority, &format!("{}{RULE}", world(&registry))).await;
        let mut repositories = Repositories::default();
        let mut publisher = Publisher::new(&mut repositories, "acme/app");
        let digest = publisher.image("v1", &image);
        for number in 0..count {
            let text = format!("{{\"mediaType\":\"junk {number}\"}}");
            publisher.bundle_bytes(&image, text.as_bytes(), BundleVersion::V0_3.media_type(), None);
        }
        let developer = support::authority::identity::Identity::email("dev@acme.example", "https://idp.example");
        publisher.bundle(&image, &authority.keyless(&developer).attest(&Statement::signature(digest)));
        registry.publish(repositories);
        forget_peak();
        let (before, start) = (peak(), cpu());
        let answer = mirror.get("/v2/acme/app/manifests/v1").await;
        let took = cpu().saturating_sub(start);
        let (most, requests) = (peak().saturating_sub(before), registry.requests().len());
        println!("{count:<42} {:>10} {requests:>12} {most:>12} {:>8}", took.as_millis(), answer.status.as_u16());
    }
}

/// What other verifiers can read too, for `benches/run`: files in `folder`, and a registry in which each form has an image of
/// its own, until the standard input ends. Prints its address.
async fn share(bed: &Bed, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for file in ["trusted_root.json", "stamped.json", "offline.pub"] {
        fs::copy(bed.folder.path().join(file), folder.join(file)).unwrap();
    }
    fs::write(folder.join("digest"), bed.image.digest().hex()).unwrap();
    let (registry, mut repositories) = (Registry::start().await, Repositories::default());
    for Form { slug, written, .. } in forms(bed) {
        let mut publisher = Publisher::new(&mut repositories, slug);
        publisher.image("v1", &bed.image);
        written.push(&mut publisher, &bed.image);
        if let Written::Bundle(signed) = written {
            fs::write(folder.join(format!("{slug}.json")), signed.to_bundle(BundleVersion::V0_3).to_string()).unwrap();
        }
    }
    registry.publish(repositories);
    println!("{}", registry.host());
    spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await.unwrap().unwrap();
}

#[tokio::main]
async fn main() {
    let bed = Bed::new();
    let after = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    if let Some(folder) = after("--share") {
        return share(&bed, Path::new(&folder)).await;
    }
    if let Some(rounds) = after("--compare") {
        return compare(&bed, rounds.parse().unwrap());
    }
    let only = after("--only");
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("forms") {
        each_form(&bed);
    }
    if wanted("verdict") {
        verdict(&bed);
    }
    if wanted("sbom") {
        large_sbom(&bed);
    }
    if wanted("junk") {
        junk().await;
    }
}
