//! Media types of evidence: which layers are evidence that can be checked, and which may be served as evidence at all.
//!
//! Evidence is served without being proved itself, so this is where an image must not slip through in its clothes.

use crate::evidence::Form;
use crate::limits;
use crate::oci::{Descriptor, Manifest};

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const DSSE_ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle+json";
const JOSE: &str = "application/jose+json";
const COSE: &str = "application/cose";
const NOTATION_CONFIG: &str = "application/vnd.cncf.notary.signature";

/// Sigstore bundles as their specification spells them: with the version inside since v0.3, as a parameter before.
const BUNDLES: [&str; 3] = [
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle.v0.2+json",
    "application/vnd.dev.sigstore.bundle.v0.1+json",
];
const BUNDLE_VERSIONS: [&str; 3] = ["0.1", "0.2", "0.3"];

/// Documents about an image that prove nothing here, but that other tools look for. Text, all of them.
const DOCUMENTS: &[&str] = &[
    "application/vnd.oci.empty.v1+json",
    // in-toto, as BuildKit and attestation tools attach it
    "application/vnd.in-toto+json",
    "application/vnd.in-toto+dsse",
    "application/vnd.in-toto.provenance+json",
    "application/vnd.in-toto.provenance+dsse",
    "application/vnd.in-toto.bundle",
    // SBOMs
    "application/spdx+json",
    "text/spdx+json",
    "text/spdx",
    "text/spdx+xml",
    "application/vnd.cyclonedx",
    "application/vnd.cyclonedx+json",
    "application/vnd.cyclonedx+xml",
    "application/vnd.syft+json",
    "application/vnd.goharbor.harbor.sbom.v1+json",
    // findings and statements about them
    "application/sarif+json",
    "application/vnd.openvex+json",
    "application/openvex+json",
    "application/csaf+json",
];

/// The form of the evidence in a layer of `media_type`, if it is one that can be checked.
pub(in crate::evidence) fn form_of(media_type: &str) -> Option<Form> {
    match media_type {
        SIMPLE_SIGNING => Some(Form::CosignSignature),
        DSSE_ENVELOPE => Some(Form::CosignAttestation),
        JOSE => Some(Form::NotationJws),
        COSE => Some(Form::NotationCose),
        _ => is_bundle(media_type).then_some(Form::Bundle),
    }
}

fn is_bundle(media_type: &str) -> bool {
    if BUNDLES.contains(&media_type) {
        return true;
    }
    let version = media_type.strip_prefix(BUNDLE).and_then(|rest| rest.trim_start().strip_prefix(';'));
    version
        .and_then(|parameter| parameter.trim().strip_prefix("version="))
        .is_some_and(|version| BUNDLE_VERSIONS.contains(&version.trim_matches('"')))
}

/// Whether what lists a manifest says that it is evidence. Anybody may say so, and tools say it wrongly: it may order what
/// is looked at first, and decides nothing.
pub fn says_to_be_evidence(descriptor: &Descriptor) -> bool {
    let said = descriptor.artifact_type().as_ref().map(AsRef::as_ref);
    said.is_some_and(|said| is_text_type(said) || said.starts_with("application/vnd.dev.cosign.artifact."))
}

/// Whether `manifest` carries evidence, and no layer that claims to be anything else.
///
/// An allow-list: an image manifest with at least one layer, every layer of a media type of evidence, all of them
/// bounded in number and size, none fetched from elsewhere. The config decides nothing, since cosign 1 and 2 write an
/// ordinary image config. An index is none: what its children are does not show.
///
/// Media types are only claims, and some runtimes unpack a layer whatever it claims to be. So whoever serves the blobs
/// of such a manifest holds their bytes against [`is_evidence_blob`] first.
pub fn is_evidence_manifest(manifest: &Manifest) -> bool {
    let Manifest::Image(image) = manifest else { return false };
    let is_notation = image.config().media_type().as_ref() == NOTATION_CONFIG;
    let layers = image.layers();
    (1..=limits::DESCRIPTORS).contains(&layers.len())
        && total_size(manifest) <= limits::EVIDENCE_TOTAL_BYTES
        && is_bounded(image.config(), limits::EVIDENCE_CONFIG_BYTES)
        && layers.iter().all(|layer| is_evidence_layer(layer, is_notation))
}

/// All of them are fetched and looked at before the first is served.
fn total_size(manifest: &Manifest) -> u64 {
    manifest.blobs().fold(0, |total, blob| total.saturating_add(blob.size()))
}

fn is_evidence_layer(layer: &Descriptor, is_notation: bool) -> bool {
    let media_type = layer.media_type().as_ref();
    is_bounded(layer, limits::SBOM_BYTES)
        && (is_text_type(media_type)
            // The only binary one. Under Notation's own config no runtime takes it for an image.
            || (media_type == COSE && is_notation))
}

fn is_text_type(media_type: &str) -> bool {
    let is_text_form = form_of(media_type).is_some_and(|form| match form {
        Form::CosignSignature | Form::CosignAttestation | Form::Bundle | Form::NotationJws => true,
        Form::NotationCose => false,
    });
    is_text_form || DOCUMENTS.contains(&media_type)
}

/// Within `limit`, and not to be fetched from a place of its own choosing (`urls`), where nobody looks at it first.
fn is_bounded(descriptor: &Descriptor, limit: u64) -> bool {
    descriptor.size() <= limit && descriptor.urls().as_ref().is_none_or(Vec::is_empty)
}

/// Whether `bytes` can be the blob of `descriptor`, config or layer of an evidence manifest, and no file system layer.
///
/// All of them are text, COSE signatures aside: UTF-8 with no control characters but white space. No gzip, zstd or tar
/// archive that holds a program is: every ELF header has bytes that text has not.
pub fn is_evidence_blob(descriptor: &Descriptor, bytes: &[u8]) -> bool {
    const COSE_SIGN1: u8 = 0xd2;
    if descriptor.media_type().as_ref() == COSE {
        return bytes.first() == Some(&COSE_SIGN1);
    }
    let is_printable = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r');
    bytes.iter().all(is_printable) && std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::parse_manifest;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const TAR: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

    fn descriptor(media_type: &str, size: u64, extra: &str) -> String {
        let media_type = media_type.replace('"', "\\\"");
        format!(r#"{{"mediaType":"{media_type}","size":{size},"digest":"{DIGEST}"{extra}}}"#)
    }

    fn manifest(config: &str, layers: &[String]) -> Manifest {
        let config = descriptor(config, 2, "");
        let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","));
        parse_manifest(text.as_bytes()).unwrap()
    }

    fn accepts(config: &str, layers: &[&str]) -> bool {
        let layers: Vec<_> = layers.iter().map(|media_type| descriptor(media_type, 2, "")).collect();
        is_evidence_manifest(&manifest(config, &layers))
    }

    #[test]
    fn every_spelling_of_a_bundle_is_known() {
        for media_type in [
            "application/vnd.dev.sigstore.bundle.v0.3+json",
            "application/vnd.dev.sigstore.bundle+json;version=0.1",
            "application/vnd.dev.sigstore.bundle+json; version=0.2",
            "application/vnd.dev.sigstore.bundle+json;version=\"0.3\"",
        ] {
            assert_eq!(form_of(media_type), Some(Form::Bundle), "{media_type}");
        }
    }

    #[test]
    fn a_bundle_of_an_unknown_version_is_no_bundle() {
        for media_type in [
            "application/vnd.dev.sigstore.bundle.v0.4+json",
            "application/vnd.dev.sigstore.bundle+json;version=0.9",
            "application/vnd.dev.sigstore.bundle+json",
            "application/vnd.dev.sigstore.bundle+json;version=0.30",
            "application/vnd.dev.sigstore.bundlejson;version=0.3",
        ] {
            assert_eq!(form_of(media_type), None, "{media_type}");
        }
    }

    #[test]
    fn what_signers_push_is_evidence() {
        for (config, layer) in [
            (IMAGE_CONFIG, SIMPLE_SIGNING),
            (IMAGE_CONFIG, DSSE_ENVELOPE),
            ("application/vnd.dev.cosign.artifact.sig.v1+json", SIMPLE_SIGNING),
            ("application/vnd.oci.empty.v1+json", "application/vnd.dev.sigstore.bundle.v0.3+json"),
            (NOTATION_CONFIG, "application/jose+json"),
            (NOTATION_CONFIG, COSE),
            (IMAGE_CONFIG, "application/vnd.in-toto+json"),
            (IMAGE_CONFIG, "text/spdx+json"),
        ] {
            assert!(accepts(config, &[layer]), "{config} {layer}");
        }
    }

    #[test]
    fn an_image_behind_an_evidence_tag_is_not_evidence() {
        assert!(!accepts(IMAGE_CONFIG, &[TAR]));
        assert!(!accepts(IMAGE_CONFIG, &[SIMPLE_SIGNING, TAR]), "one layer of a file system is enough");
        assert!(!accepts(IMAGE_CONFIG, &["application/octet-stream"]));
        assert!(!accepts(IMAGE_CONFIG, &[COSE]), "binary, and under a config that runs");
        assert!(!accepts(IMAGE_CONFIG, &[]), "no evidence at all");
    }

    #[test]
    fn an_index_is_not_evidence() {
        let index = parse_manifest(br#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
        assert!(!is_evidence_manifest(&index));
    }

    #[test]
    fn too_many_and_too_large_layers_are_not_evidence() {
        let many: Vec<_> = (0..=limits::DESCRIPTORS).map(|_| descriptor(SIMPLE_SIGNING, 2, "")).collect();
        assert!(!is_evidence_manifest(&manifest(IMAGE_CONFIG, &many)));
        assert!(is_evidence_manifest(&manifest(IMAGE_CONFIG, &many[1..])));
        let large = descriptor(DSSE_ENVELOPE, limits::SBOM_BYTES + 1, "");
        assert!(!is_evidence_manifest(&manifest(IMAGE_CONFIG, &[large])));
    }

    #[test]
    fn a_large_config_is_not_evidence() {
        let config = descriptor(IMAGE_CONFIG, limits::EVIDENCE_CONFIG_BYTES + 1, "");
        let layer = descriptor(SIMPLE_SIGNING, 2, "");
        let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#);
        assert!(!is_evidence_manifest(&parse_manifest(text.as_bytes()).unwrap()));
    }

    #[test]
    fn a_layer_to_be_fetched_from_elsewhere_is_not_evidence() {
        let layer = descriptor(SIMPLE_SIGNING, 2, r#","urls":["https://example.com/layer"]"#);
        assert!(!is_evidence_manifest(&manifest(IMAGE_CONFIG, &[layer])));
    }

    #[test]
    fn bytes_that_a_runtime_could_unpack_are_no_evidence() {
        let layer = serde_json::from_str(&descriptor(DSSE_ENVELOPE, 2, "")).unwrap();
        assert!(is_evidence_blob(&layer, "{\n\t\"name\": \"ü\"\r\n}".as_bytes()));
        for bytes in [&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"{\"a\":1}\0\0\0", b"\x7fELF\x02\x01\x01", b"\xff"] {
            assert!(!is_evidence_blob(&layer, bytes), "{bytes:?}");
        }
    }

    #[test]
    fn a_cose_signature_is_told_by_its_tag() {
        let layer = serde_json::from_str(&descriptor(COSE, 2, "")).unwrap();
        assert!(is_evidence_blob(&layer, b"\xd2\x84"));
        assert!(!is_evidence_blob(&layer, b"\x1f\x8b\x08"));
    }

    #[test]
    fn what_says_to_be_evidence_is_told_apart() {
        let says = |artifact_type: &str| {
            let extra = format!(r#","artifactType":"{artifact_type}""#);
            says_to_be_evidence(&serde_json::from_str(&descriptor(IMAGE_CONFIG, 2, &extra)).unwrap())
        };
        assert!(says("application/vnd.dev.sigstore.bundle.v0.3+json"));
        assert!(says("application/vnd.dev.cosign.artifact.sig.v1+json"));
        assert!(!says("application/vnd.acme.chart"));
    }
}
