//! What a piece of evidence may take of the heap while it is checked: counted by the allocator of this program, which is
//! one of its own for that reason. It checks one piece at a time.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is wrong"
)]

#[expect(dead_code, unreachable_pub, reason = "the fuzz targets use more of it")]
#[expect(unsafe_code, reason = "an allocator is")]
#[expect(clippy::print_stderr, reason = "a fuzz target says what it took")]
#[path = "../fuzz/src/heap.rs"]
mod heap;
#[expect(dead_code, reason = "the integration tests use more of it")]
#[path = "it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bonafide::config::{Config, Environment};
use bonafide::evidence::{Evidence, Via, layers};
use bonafide::oci::{Digest, parse_manifest};
use bonafide::trust::Trust;
use bonafide::verify::{self, Claim, Fact, Flaw, Subject};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::heap::peak_of;
use crate::support::authority::Authority;
use crate::support::authority::certificate::pem;
use crate::support::authority::identity::Build;
use crate::support::authority::image::{Image, OCI_MANIFEST, descriptor};
use crate::support::authority::key::Key;
use crate::support::authority::notation::{Format, Notary};
use crate::support::authority::signed::{BundleVersion, Layer};
use crate::support::authority::signer::Signer;
use crate::support::authority::statement::Statement;

const MIB: usize = 1024 * 1024;
const TRUSTED: &str = r#"
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
"#;

/// What is trusted, and the image that all evidence is about.
struct Bed {
    authority: Authority,
    notary: Notary,
    key: Key,
    image: Image,
    trust: Trust,
    /// The heap is counted for all threads.
    _alone: MutexGuard<'static, ()>,
}

impl Bed {
    fn new() -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (authority, notary, key) = (Authority::new("corp"), Notary::new("acme"), Key::p256("release"));
        let folder = tempfile::tempdir().unwrap();
        authority.trusted_root().write_to(folder.path());
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("stamped.json", authority.trusted_root().timestamps_only().0.to_string());
        write("acme.pem", pem(&notary.root.certificate));
        write("release.pub", key.public_pem());
        let config = Config::parse(TRUSTED, "test", folder.path(), &Environment::default()).unwrap();
        let trust = Trust::load(&config.trust, &config.keys).unwrap();
        Self { authority, notary, key, image: Image::new("app"), trust, _alone: alone }
    }

    fn signer(&self) -> Signer<'_> {
        self.authority.keyless(&Build::of("fystack/apex", "refs/tags/v1.2.3").identity())
    }

    fn now(&self) -> Timestamp {
        self.authority.time() + SignedDuration::from_hours(24)
    }

    fn check(&self, evidence: &Evidence) -> Result<Vec<Fact>, Flaw> {
        let subject = Subject { digest: self.image.digest(), manifest: &self.image.manifest };
        verify::check(evidence, &subject, &self.trust, self.now())
    }
}

/// The piece of evidence that `layer` is.
fn piece(layer: &Layer) -> Evidence {
    let mut described = descriptor(&layer.media_type, &layer.bytes);
    described["annotations"] = json!(layer.annotations);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"), "layers": [described],
    });
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let digest = Digest::of(&bytes);
    let mut found = layers(&parse_manifest(&bytes).unwrap(), digest, digest, Via::SignatureTag).unwrap();
    found.pop().unwrap().into_evidence(layer.bytes.clone().into())
}

fn bundle(json: &Value) -> Layer {
    let media_type = BundleVersion::V0_3.media_type().to_owned();
    Layer { media_type, bytes: json.to_string().into_bytes(), annotations: BTreeMap::new() }
}

mod lengths {
    //! A length in a certificate or a timestamp that claims 256 MiB, wherever it stands.

    use super::*;

    /// The length that a decoder takes and nobody has: 256 MiB less one (`der::Length::MAX`).
    const CLAIM: [u8; 5] = [0x84, 0x0f, 0xff, 0xff, 0xff];
    /// What a check may take, whatever it reads: the trusted roots that it looks through among it.
    const MOST: usize = MIB;

    /// `der` with the claim behind each of its bytes: one of them is every tag in it.
    fn forgeries(der: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        (1..der.len()).map(|at| [&der[..at], &CLAIM[..], der.get(at + CLAIM.len()..).unwrap_or_default()].concat())
    }

    /// Checks every forgery of the DER that `place` finds in base64 in a document, which `publish` makes evidence of.
    fn each_forgery(bed: &Bed, document: &Value, place: &str, publish: impl Fn(&Value) -> Layer) {
        assert!(bed.check(&piece(&publish(document))).is_ok(), "it is good as it is");
        let der = STANDARD.decode(document.pointer(place).unwrap().as_str().unwrap()).unwrap();
        let mut forged = document.clone();
        for der in forgeries(&der) {
            *forged.pointer_mut(place).unwrap() = json!(STANDARD.encode(&der));
            let evidence = piece(&publish(&forged));
            let (_, taken) = peak_of(|| bed.check(&evidence));
            assert!(taken < MOST, "{taken} bytes for {}", hex::encode(&der));
        }
    }

    #[test]
    fn in_the_certificate_of_a_bundle() {
        let bed = Bed::new();
        let signed = bed.signer().attest(&Statement::signature(bed.image.digest()));
        let place = "/verificationMaterial/certificate/rawBytes";
        each_forgery(&bed, &signed.to_bundle(BundleVersion::V0_3), place, bundle);
    }

    #[test]
    fn in_the_timestamp_of_a_bundle() {
        let bed = Bed::new();
        let signed = bed.signer().timestamped().without_log().attest(&Statement::signature(bed.image.digest()));
        let place = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";
        each_forgery(&bed, &signed.to_bundle(BundleVersion::V0_3), place, bundle);
    }

    #[test]
    fn in_the_timestamp_of_a_layer() {
        let bed = Bed::new();
        let mut signed = bed.signer().without_log().attest(&Statement::signature(bed.image.digest()));
        signed.timestamp = Some(bed.authority.timestamps.stamp(&signed.layer_bytes(), bed.authority.time()));
        let layer = signed.to_layer();
        let name = "dev.sigstore.cosign/rfc3161timestamp";
        let annotation = serde_json::from_str(&layer.annotations[name]).unwrap();
        each_forgery(&bed, &annotation, "/SignedRFC3161Timestamp", |annotation| {
            let mut annotations = layer.annotations.clone();
            annotations.insert(name.to_owned(), annotation.to_string());
            Layer { annotations, ..layer.clone() }
        });
    }

    #[test]
    fn in_an_envelope_of_the_notary_project() {
        let bed = Bed::new();
        let draft = bed.notary.draft(Format::Jws, &bed.image.manifest, bed.image.media_type, bed.authority.time());
        let sealed = draft.seal();
        let publish = |envelope: &Value| Layer {
            media_type: sealed.media_type().to_owned(),
            bytes: envelope.to_string().into_bytes(),
            annotations: BTreeMap::new(),
        };
        each_forgery(&bed, &sealed.to_jws(), "/header/x5c/0", publish);
    }
}

mod documents {
    //! A bill of materials of many times what all else takes.

    use super::*;

    /// What a check may take beside copies of the document: its packages, and the trusted roots that it looks through.
    const BESIDE: usize = 2 * MIB;

    /// SPDX with 4,000 packages in 4 MB.
    fn spdx(digest: Digest) -> Statement {
        let names: Vec<_> = (0..4_000).map(|number| format!("pkg:npm/package-{number}@1.{}.0", number % 40)).collect();
        let purls: Vec<_> = names.iter().map(String::as_str).collect();
        let padding = "x".repeat(600);
        Statement::spdx(digest, &purls).with(|document| {
            for package in document["packages"].as_array_mut().unwrap() {
                package["comment"] = json!(padding);
            }
        })
    }

    fn as_text(statement: Statement) -> Statement {
        statement.with(|document| *document = json!(document.to_string()))
    }

    /// Checks that each form of `statement` takes `copies` of its bytes at most.
    fn each_form(bed: &Bed, statement: &Statement, copies: usize) {
        let (certified, keyed) = (bed.signer(), bed.authority.with_key(&bed.key));
        let size = statement.to_bytes().len();
        assert!(size > 3 * MIB);
        for (name, signed) in [
            ("a certificate", certified.attest(statement)),
            ("a certificate, in Rekor v2", certified.clone().in_rekor_v2().attest(statement)),
            ("a key", keyed.attest(statement)),
        ] {
            let bundle = bundle(&signed.to_bundle(BundleVersion::V0_3));
            let layer = (signed.timestamp.is_none()).then(|| signed.to_layer());
            for (form, layer) in [("a bundle", Some(bundle)), (".att", layer)] {
                let Some(layer) = layer else { continue };
                let evidence = piece(&layer);
                let (found, taken) = peak_of(|| bed.check(&evidence));
                let facts = found.unwrap();
                let Claim::Sbom(sbom) = facts[0].claim() else { panic!("{:?}", facts[0]) };
                assert_eq!(sbom.packages.len(), 4_000);
                assert!(taken < copies * size + BESIDE, "{form} by {name}: {taken} bytes for {size}");
            }
        }
    }

    #[test]
    fn are_copied_once_out_of_their_envelope() {
        let bed = Bed::new();
        each_form(&bed, &spdx(bed.image.digest()), 1);
    }

    #[test]
    fn whose_base64_is_written_with_escapes_are_copied_with_it() {
        let bed = Bed::new();
        let statement = spdx(bed.image.digest());
        let layer = bed.signer().attest(&statement).to_layer();
        let mut envelope: Value = serde_json::from_slice(&layer.bytes).unwrap();
        let payload = format!("\"{}\"", envelope["payload"].as_str().unwrap().replace('e', "\\u0065"));
        envelope["payload"] = json!("payload");
        let bytes = envelope.to_string().replacen("\"payload\",", &format!("{payload},"), 1).into_bytes();
        let written = bytes.len();
        let evidence = piece(&Layer { bytes, ..layer });
        let (found, taken) = peak_of(|| bed.check(&evidence));
        assert_eq!(found.unwrap().len(), 1);
        let size = statement.to_bytes().len();
        assert!(taken < size + written + BESIDE, "{taken} bytes for {size}, written in {written}");
    }

    #[test]
    fn that_are_a_text_are_copied_once_more() {
        let bed = Bed::new();
        each_form(&bed, &as_text(spdx(bed.image.digest())), 2);
    }

    #[test]
    fn that_cosign_1_wrapped_are_copied_once_more() {
        let bed = Bed::new();
        let wrapped = as_text(spdx(bed.image.digest())).with(|text| *text = json!({ "Data": text }));
        each_form(&bed, &wrapped, 2);
    }
}
