//! A fixed world to check evidence in: what is trusted, which image it should be about, which rules judge, and all that
//! may ever be proven, since it is all that the authority signed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bonafide::config::{Config, Environment};
use bonafide::evidence::{Attestation, Evidence, Statement};
use bonafide::oci::{Digest, Image as Reference, Repository};
use bonafide::policy::{Decision, Feed, Policy, Request};
use bonafide::trust::{Domain, Trust};
use bonafide::verify::{self, Coverage, Fact, Few, Proof, Signer, Subject, check_attestations};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use crate::evidence::{self, BUNDLE, attestations};
use crate::support::authority::Authority;
use crate::support::authority::certificate::pem;
use crate::support::authority::identity::{Build, CONTAINER_GENERATOR, builder};
use crate::support::authority::image::Image;
use crate::support::authority::key::Key;
use crate::support::authority::notation::{Format, Notary, Sealed};
use crate::support::authority::signed::{BundleVersion, Payload, Signed};
use crate::support::authority::signer::EntryKind;
use crate::support::authority::statement as signed;

/// The trust domains and keys of the targets, and rules that ask for everything.
pub const CONFIG: &str = r#"
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
    name = "acme"
    notation = { ca = ["acme.pem"] }

    [[key]]
    name = "release"
    path = "release.pub"

    [[key]]
    name = "offline"
    path = "offline.pub"
    without_log = "allow"

    [[rule]]
    name = "all"
    images = ["docker.io/acme/*"]

    [[rule.signature]]
    trust = "corp"
    issuer = "https://token.actions.githubusercontent.com"
    subject_regex = "https://github.com/fystack/.*"

    [rule.provenance]
    trust = "corp"
    level = 3
    source = "github.com/fystack/apex"

    [rule.sbom]
    trust = "corp"
    deny_packages = ["pkg:npm/axios@1.14.1"]
    deny_licenses = ["AGPL-3.0-or-later", "LicenseRef-Acme"]

    [[rule]]
    name = "summarised"
    images = ["docker.io/summarised/*"]

    [rule.provenance]
    verifiers = ["house"]
    level = 3

    [[rule]]
    name = "listed"
    images = ["docker.io/listed/*"]
    condition = "sboms.all(s, s.packages < 1000)"

    [rule.sbom]
    signed_by = { key = "offline" }
    deny_packages = ["pkg:npm/axios@1.14.1", "pkg:deb/debian/curl"]
    deny_feed = "feed.jsonl"
    deny_licenses = ["AGPL-3.0-or-later", "LicenseRef-Acme"]

    [[rule]]
    name = "scanned"
    images = ["docker.io/scanned/*"]
    condition = """
        scans.all(s, s.scanner != "" && s.counts.critical == 0 && s.findings.all(f, f.severity != "critical"))
        && vex.all(v, v.statements.all(s, s.status != "affected" && size(s.products) < 9))
        && summaries.all(s, s.result == "PASSED" && s.levels.exists(l, l == "SLSA_BUILD_LEVEL_3"))
        && size(signatures) > 0
    """

    [[rule.signature]]
    key = "offline"

    [[rule]]
    name = "built"
    images = ["docker.io/built/*"]
    condition = "provenance.dependencies.all(d, d != '') || provenance.workflow_inputs['environment'] == 'production'"

    [rule.provenance]
    builders = ["factory"]
    level = 2

    [[builder]]
    name = "factory"
    id = "https://**"
    key = "offline"
    level = 2

    [[verifier]]
    name = "house"
    id = "https://verifier.test/**"
    key = "offline"
    policy = "https://policies.test/**"
    max_age = "700d"
"#;

/// A feed of OSV records.
const FEED: &str = r#"{"id":"MAL-1","affected":[{"package":{"ecosystem":"npm","name":"axios"},"versions":["1.14.1"]}]}
    {"id":"DSA-1","affected":[{"package":{"ecosystem":"Debian:12","name":"curl"},
    "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"7.88.1-10+deb12u5"}]}]}]}"#;

/// The image whose rule asks for everything.
const IMAGE: &str = "docker.io/acme/app";

/// Images whose rules each ask for little, so that all of it is reached by one statement.
const OTHERS: [&str; 4] =
    ["docker.io/summarised/app", "docker.io/listed/app", "docker.io/scanned/app", "docker.io/built/app"];

/// See the module.
pub struct World {
    trust: Trust,
    config: Config,
    image: Image,
    now: Timestamp,
    authority: Authority,
    /// `release` and `offline`.
    keys: [Key; 2],
    /// Every good piece: its media type, its annotations, its bytes.
    pub good: Vec<Good>,
    /// Good chains of BuildKit.
    pub chains: Vec<Chain>,
    /// Who may be found to have said what, and when.
    known: BTreeSet<String>,
    /// All that can be proven of the image.
    facts: Vec<Arc<Fact>>,
    folder: TempDir,
}

/// How BuildKit's statements about an image are signed.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The index that lists the image and the attestation manifest.
    pub index: Vec<u8>,
    /// The attestation manifest.
    pub manifest: Vec<u8>,
    /// A bundle: who signed that.
    pub signature: Vec<u8>,
    /// A statement that it lists.
    pub statement: Vec<u8>,
}

/// A good piece of evidence.
#[derive(Debug, Clone)]
pub struct Good {
    /// The media type of its layer.
    pub media_type: String,
    /// The annotations of its layer.
    pub annotations: BTreeMap<String, String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The world. Made once.
pub static WORLD: LazyLock<World> = LazyLock::new(World::new);

impl World {
    fn new() -> Self {
        let authority = Authority::new("corp");
        let keys = [Key::p256("release"), Key::p256("offline")];
        let folder = tempfile::tempdir().expect("a temporary folder");
        authority.trusted_root().write_to(folder.path());
        let stamped = authority.trusted_root().timestamps_only().0.to_string();
        write(folder.path(), "stamped.json", &stamped);
        write(folder.path(), "feed.jsonl", FEED);
        let notary = Notary::new("acme");
        write(folder.path(), "acme.pem", &pem(&notary.root.certificate));
        write(folder.path(), "release.pub", &keys[0].public_pem());
        write(folder.path(), "offline.pub", &keys[1].public_pem());
        let config = Config::parse(CONFIG, "fuzz", folder.path(), &Environment::default()).expect("a configuration");
        feed(&config.policy);
        let trust = Trust::load(&config.trust, &config.keys).expect("trusted roots");
        let image = Image::new("app");
        let now = authority.time() + SignedDuration::from_hours(24);
        let mut good = all(&authority, &keys, &image);
        good.extend([Format::Jws, Format::Cose].map(|format| {
            let sealed = notary.draft(format, &image.manifest, image.media_type, authority.time()).seal();
            Good::of_envelope(&sealed)
        }));
        let (chains, known, facts) = (chains(&authority), BTreeSet::new(), Vec::new());
        let mut world = Self { trust, config, image, now, authority, keys, good, chains, known, facts, folder };
        world.facts = world.good.iter().flat_map(|good| world.prove(good)).map(Arc::new).collect();
        world.known = world.facts.iter().map(|fact| essence(fact)).collect();
        assert!(world.known.len() > 10, "the authority proves nothing: {:?}", world.known);
        let relayed: BTreeSet<_> = world.chains.iter().flat_map(|chain| world.follow(chain)).collect();
        assert_eq!(relayed.len(), world.chains.len(), "a chain proves nothing");
        world.known.extend(relayed);
        world
    }

    /// What is proven by a good chain.
    fn follow(&self, chain: &Chain) -> Vec<String> {
        let relayed = check_attestations(&attestations(chain.links()), &self.trust, self.now);
        relayed.facts.iter().map(essence).collect()
    }

    /// Checks what attestation manifests say.
    ///
    /// # Panics
    /// If they prove what nobody signed.
    pub fn relay(&self, attestations: &[Attestation]) -> Vec<Fact> {
        let facts = check_attestations(attestations, &self.trust, self.now).facts;
        for fact in &facts {
            assert!(self.known.contains(&essence(fact)), "nobody signed {fact:?}");
        }
        facts
    }

    /// What a rule with `condition` says of all that can be proven of the image; none if that is no condition.
    pub fn ask(&self, condition: &str) -> Option<Decision> {
        let name = "name = \"all\"";
        let rule = format!("{name}\ncondition = {}", toml::Value::from(condition));
        let text = CONFIG.replacen(name, &rule, 1);
        let config = Config::parse(&text, "fuzz", self.folder.path(), &Environment::default()).ok()?;
        Some(self.judge_by(&config, IMAGE, self.facts.clone()))
    }

    /// What the key `offline` says when it signs `statement`, whatever that is.
    ///
    /// # Panics
    /// If something else is proven than it signed.
    pub fn say(&self, statement: &[u8]) -> Vec<Fact> {
        let signed = self.authority.with_key(&self.keys[1]).without_log().attest_bytes(statement.to_vec());
        let facts = self.verify(&Good::of_layer(&signed).evidence()).unwrap_or_default();
        let read = || Statement::parse(statement).is_ok_and(|it| it.subjects.contains(&self.image.digest()));
        assert!(facts.is_empty() || read(), "it is not about the image");
        let by_key = |fact: &Fact| matches!(fact.signer(), Signer::Key { name } if &**name == "offline");
        assert!(facts.iter().all(by_key), "nobody else signed it");
        facts
    }

    /// Statements about the image, one of each type.
    pub fn statements(&self) -> Vec<Vec<u8>> {
        statements(self.image.digest()).iter().map(signed::Statement::to_bytes).collect()
    }

    /// The certificate authority: the key of whoever issues (SPKI, DER), and a certificate that it issued.
    pub fn certified(&self) -> (Vec<u8>, Vec<u8>) {
        let identity = Build::of("fystack/apex", "refs/tags/v1.2.3").identity();
        let leaf = self.authority.certify(self.keys[0].public(), &identity, self.authority.time());
        (self.authority.issuer.key.public().to_vec(), leaf)
    }

    /// The trust domain that it belongs to.
    ///
    /// # Panics
    /// Never: there is one.
    pub fn domain(&self) -> &Domain {
        self.trust.domains().iter().find(|domain| domain.name() == "corp").expect("a trust domain")
    }

    /// The trusted root of that.
    pub fn trusted_root(&self) -> Value {
        self.authority.trusted_root().0
    }

    fn prove(&self, good: &Good) -> Vec<Fact> {
        let evidence = good.evidence();
        self.verify(&evidence).unwrap_or_else(|flaw| panic!("{flaw:?}"))
    }

    fn verify(&self, evidence: &Evidence) -> Result<Vec<Fact>, verify::Flaw> {
        let subject = Subject { digest: self.image.digest(), manifest: &self.image.manifest };
        verify::check(evidence, &subject, &self.trust, self.now)
    }

    /// Checks `evidence`, and judges what it proves.
    ///
    /// # Panics
    /// If it proves what nobody signed.
    pub fn check(&self, evidence: &Evidence) -> Vec<Fact> {
        let facts = self.verify(evidence).unwrap_or_default();
        for fact in &facts {
            assert!(self.known.contains(&essence(fact)), "nobody signed {fact:?}");
        }
        facts
    }

    /// What the rules say of `facts`.
    pub fn judge(&self, facts: Vec<Fact>) -> Decision {
        self.judge_by(&self.config, IMAGE, facts.into_iter().map(Arc::new).collect())
    }

    /// What the rules of other images say of `facts`, and of all that can be proven with them.
    pub fn judge_others(&self, facts: Vec<Fact>) -> Vec<Decision> {
        let facts: Vec<_> = facts.into_iter().map(Arc::new).collect();
        let all: Vec<_> = facts.iter().chain(&self.facts).cloned().collect();
        let judge = |image: &&str| [&facts, &all].map(|facts| self.judge_by(&self.config, image, facts.clone()));
        OTHERS.iter().flat_map(judge).collect()
    }

    fn judge_by(&self, config: &Config, image: &str, facts: Vec<Arc<Fact>>) -> Decision {
        let repository: Repository = image.parse::<Reference>().expect("a reference").repository;
        let digest = self.image.digest();
        let proof = Proof {
            subject: digest,
            facts: facts.into(),
            flaws: Few::default(),
            children: Few::default(),
            elsewhere: Few::default(),
            coverage: Coverage::Complete,
            collected_at: self.now,
        };
        let request = Request { repository: &repository, tag: None, digest };
        config.policy.judge(&request, Some(&proof), self.now).decision
    }
}

impl Good {
    fn of_layer(signed: &Signed) -> Self {
        let layer = signed.to_layer();
        Self { media_type: layer.media_type, annotations: layer.annotations, bytes: layer.bytes }
    }

    fn of_bundle(signed: &Signed, version: BundleVersion) -> Self {
        let bytes = signed.to_bundle(version).to_string().into_bytes();
        Self { media_type: BUNDLE.to_owned(), annotations: BTreeMap::new(), bytes }
    }

    fn of_envelope(sealed: &Sealed) -> Self {
        let media_type = sealed.media_type().to_owned();
        Self { media_type, annotations: BTreeMap::new(), bytes: sealed.to_bytes() }
    }

    /// The piece that it is.
    pub fn evidence(&self) -> Evidence {
        let annotations = self.annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        evidence::piece(&self.media_type, &annotations, &self.bytes).expect("a piece of evidence")
    }
}

/// A good bundle with a place for other bytes.
#[derive(Debug)]
pub struct Template {
    bundle: Value,
    pointer: &'static str,
}

impl World {
    /// The first good bundle that has something at `pointer`: those with nothing but what they need go first.
    ///
    /// # Panics
    /// If none has.
    pub fn template(&self, pointer: &'static str) -> Template {
        let bundles = self.good.iter().filter_map(|good| serde_json::from_slice::<Value>(&good.bytes).ok());
        let bundle = bundles.filter(|bundle| bundle.pointer(pointer).is_some()).min_by_key(|it| it.to_string().len());
        Template { bundle: bundle.expect("a bundle with such a place"), pointer }
    }
}

impl Template {
    /// The bundle with `bytes` in that place.
    pub fn with(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bundle = self.bundle.clone();
        if let Some(place) = bundle.pointer_mut(self.pointer) {
            *place = Value::from(STANDARD.encode(bytes));
        }
        bundle.to_string().into_bytes()
    }
}

/// What a fact says, without where it was found and which of several proofs of one time stood behind it: whoever leaves
/// away a log entry where none is needed proves the same with less.
fn essence(fact: &Fact) -> String {
    format!("{} {:?} {:?}", fact.subject(), fact.signer(), fact.claim())
}

fn feed(policy: &Policy) {
    let mut feed = Feed::default();
    feed.read(FEED.as_bytes(), Timestamp::UNIX_EPOCH).expect("a feed");
    let feed = Arc::new(feed);
    policy.feeds().into_iter().for_each(|path| policy.replace_feed(path, &feed));
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file in a temporary folder");
}

impl Chain {
    /// From the index to the statement.
    pub fn links(&self) -> [&[u8]; 4] {
        [&self.index, &self.manifest, &self.signature, &self.statement]
    }
}

/// One for each platform of an image.
fn chains(authority: &Authority) -> Vec<Chain> {
    let build = Build::of("fystack/apex", "refs/tags/v1.2.3");
    let image = Image::with_attestations("chained", |digest| {
        signed::Statement::provenance_v1(digest, &build, &build.workflow_uri())
    });
    let signer = authority.keyless(&build.identity());
    let attestations = image.children.iter().filter(|child| child.annotations.is_some());
    let chain = |attestation: &Image| {
        let signed = signer.attest(&signed::Statement::signature(attestation.digest()));
        Chain {
            index: image.manifest.clone(),
            manifest: attestation.manifest.clone(),
            signature: signed.to_bundle(BundleVersion::V0_3).to_string().into_bytes(),
            statement: attestation.blobs.last().expect("a statement").clone(),
        }
    };
    attestations.map(chain).collect()
}

/// One of each form, by certificate and by key, with each kind of log entry and of predicate.
fn all(authority: &Authority, keys: &[Key; 2], image: &Image) -> Vec<Good> {
    let digest = image.digest();
    let build = Build::of("fystack/apex", "refs/tags/v1.2.3");
    let statements = statements(digest);
    let keyless = || authority.keyless(&build.identity());
    let through = authority.keyless(&build.identity_through(CONTAINER_GENERATOR, "refs/tags/v2.1.0"));
    let mut signed: Vec<Signed> = statements.iter().map(|statement| through.attest(statement)).collect();
    signed.extend([
        keyless().attest(&statements[0]),
        keyless().timestamped().attest(&statements[0]),
        keyless().timestamped().without_log().attest(&statements[0]),
        keyless().in_rekor_v2().attest(&statements[0]),
        keyless().logged_as(EntryKind::IntotoV2).attest(&statements[0]),
        keyless().sign_bytes(image.manifest.clone()),
        keyless().in_rekor_v2().sign_bytes(image.manifest.clone()),
        authority.with_key(&keys[0]).attest(&statements[0]),
        authority.with_key(&keys[0]).sign_bytes(image.manifest.clone()),
        authority.with_key(&keys[1]).without_log().attest(&statements[0]),
    ]);
    let versions = [BundleVersion::V0_1, BundleVersion::V0_2, BundleVersion::V0_3];
    let mut good: Vec<_> = signed.iter().zip(versions.into_iter().cycle()).map(of_version).collect();
    let layers = [
        through.attest(&statements[1]),
        through.clone().logged_as(EntryKind::IntotoV1).attest(&statements[1]),
        keyless().sign(digest),
        keyless().timestamped().without_log().sign(digest),
        authority.with_key(&keys[0]).sign(digest),
        authority.with_key(&keys[1]).without_log().sign(digest),
        authority.with_key(&keys[1]).without_log().attest(&statements[5]),
        authority.with_key(&keys[0]).logged_as(EntryKind::IntotoV1).attest(&statements[0]),
        authority.with_key(&keys[1]).without_log().attest(&statements[7]),
        authority.with_key(&keys[1]).without_log().attest(&statements[8]),
        authority.with_key(&keys[1]).without_log().attest(&statements[9]),
    ];
    good.extend(layers.iter().map(Good::of_layer));
    good
}

/// One of each type of predicate.
fn statements(digest: Digest) -> [signed::Statement; 10] {
    let build = Build::of("fystack/apex", "refs/tags/v1.2.3");
    let generator = builder(CONTAINER_GENERATOR, "refs/tags/v2.1.0");
    [
        signed::Statement::signature(digest),
        signed::Statement::provenance_v0_2(digest, &build, &generator),
        signed::Statement::provenance_v1(digest, &build, &build.workflow_uri()),
        signed::Statement::spdx(digest, &["pkg:npm/axios@1.14.1"]),
        signed::Statement::spdx_as_text(digest, &["pkg:npm/axios@1.13.2"]),
        signed::Statement::cyclonedx(digest, &["pkg:npm/axios@1.13.2"]),
        signed::Statement::new(digest, "https://example.com/review/v1", serde_json::json!({ "good": true })),
        signed::Statement::summary(digest, "https://verifier.test/v1", "docker.io/summarised/app"),
        signed::Statement::openvex(digest, "CVE-2026-1"),
        signed::Statement::scan(digest, "CVE-2026-1"),
    ]
}

/// Rekor v2 and proofs by timestamp alone came with v0.3; a message signature needs none in particular.
fn of_version((signed, version): (&Signed, BundleVersion)) -> Good {
    let needs_newest = signed.timestamp.is_some() || matches!(signed.payload, Payload::Message(_));
    Good::of_bundle(signed, if needs_newest { BundleVersion::V0_3 } else { version })
}
