//! The tags under which cosign and the fallback of the referrers API keep evidence about a digest.

use crate::oci::{Digest, Tag};

/// Length of `sha256-<hex>`.
const STEM: usize = 7 + 64;
/// What may follow the stem: nothing for the referrers fallback (OCI distribution specification, "Referrers Tag
/// Schema"), the others by cosign 1 and 2.
const SUFFIXES: [&str; 4] = ["", SIGNATURE, ATTESTATION, ".sbom"];
const SIGNATURE: &str = ".sig";
const ATTESTATION: &str = ".att";

/// The tag of the cosign signatures of `subject`: `sha256-<hex>.sig`.
pub fn signature_tag(subject: Digest) -> Tag {
    tag(subject, SIGNATURE)
}

/// The tag of the cosign attestations of `subject`: `sha256-<hex>.att`.
pub fn attestation_tag(subject: Digest) -> Tag {
    tag(subject, ATTESTATION)
}

/// The tag of the index of referrers of `subject`, at registries without the referrers API: `sha256-<hex>`.
pub fn referrers_tag(subject: Digest) -> Tag {
    tag(subject, "")
}

/// The digest that a tag of the form `sha256-<hex>`, with `.sig`, `.att`, `.sbom` or nothing behind it, is about.
pub fn subject_of_tag(tag: &Tag) -> Option<Digest> {
    let (stem, suffix) = tag.as_str().split_at_checked(STEM)?;
    let hex = stem.strip_prefix("sha256-")?;
    SUFFIXES.contains(&suffix).then(|| Digest::from_hex(hex).ok()).flatten()
}

fn tag(subject: Digest, suffix: &str) -> Tag {
    let text = format!("sha256-{}{suffix}", subject.hex());
    #[expect(clippy::expect_used, reason = "letters, digits, `-` and `.`, 76 characters at most: always a tag")]
    text.parse().expect("a digest makes a tag")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_evidence_tag_leads_back_to_its_subject() {
        let subject = Digest::of(b"image");
        for (tag, suffix) in
            [(signature_tag(subject), ".sig"), (attestation_tag(subject), ".att"), (referrers_tag(subject), "")]
        {
            assert_eq!(tag.as_str(), format!("sha256-{}{suffix}", subject.hex()));
            assert_eq!(subject_of_tag(&tag), Some(subject));
        }
        assert_eq!(subject_of_tag(&format!("sha256-{}.sbom", subject.hex()).parse().unwrap()), Some(subject));
    }

    #[test]
    fn other_tags_are_about_nothing() {
        let hex = Digest::of(b"image").hex();
        for text in [
            "latest".to_owned(),
            hex.clone(),
            format!("sha256-{}", hex.to_uppercase()),
            format!("sha512-{hex}"),
            format!("sha256-{hex}.exe"),
            format!("sha256-{hex}0"),
            format!("sha256-{}", &hex[1..]),
        ] {
            assert_eq!(subject_of_tag(&text.parse().unwrap()), None, "{text}");
        }
    }
}
