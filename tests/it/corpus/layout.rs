//! Image layouts of the corpus: the files of a case, over those of the case that it changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bonafide::evidence::{Evidence, Via, attestation_tag, layers, signature_tag};
use bonafide::oci::{Digest, digest_of, parse_manifest};
use serde_json::Value;

use super::{Case, Index};

/// An image layout, and below it the one that it changes.
pub(crate) struct Layout {
    folders: Vec<PathBuf>,
    index: Value,
}

impl Layout {
    pub(crate) fn of(index: &Index, case: &Case) -> Self {
        let folders: Vec<_> =
            index.folders(case).iter().flat_map(|folder| [folder.join("overlay"), folder.join("layout")]).collect();
        let index = folders.iter().find_map(|folder| fs::read(folder.join("index.json")).ok()).unwrap();
        Self { folders, index: serde_json::from_slice(&index).unwrap() }
    }

    pub(crate) fn blob(&self, digest: Digest) -> Option<Vec<u8>> {
        let name = format!("blobs/sha256/{}", digest.hex());
        let blob = self.folders.iter().find_map(|folder| fs::read(folder.join(&name)).ok())?;
        assert_eq!(Digest::of(&blob), digest);
        Some(blob)
    }

    /// The manifests that it lists, and those that these reach.
    pub(crate) fn manifests(&self) -> BTreeMap<Digest, Vec<u8>> {
        let listed = self.index["manifests"].as_array().unwrap().iter();
        let mut wanted: Vec<Digest> = listed.filter_map(|entry| entry["digest"].as_str()?.parse().ok()).collect();
        let mut manifests = BTreeMap::new();
        while let Some(digest) = wanted.pop() {
            let Some(bytes) = self.blob(digest) else { continue };
            let manifest = parse_manifest(&bytes).unwrap();
            wanted.extend(manifest.children().iter().filter_map(|child| digest_of(child).ok()));
            manifests.insert(digest, bytes);
        }
        manifests
    }

    /// What each tag means.
    pub(crate) fn tags(&self) -> Vec<(String, Digest)> {
        let listed = self.index["manifests"].as_array().unwrap();
        listed
            .iter()
            .filter_map(|entry| {
                let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str()?;
                Some((tag.to_owned(), entry["digest"].as_str()?.parse().ok()?))
            })
            .collect()
    }

    /// The evidence about `subject`: by tag, and by subject.
    pub(crate) fn evidence(&self, subject: Digest) -> Vec<Evidence> {
        let listed = self.index["manifests"].as_array().unwrap();
        listed.iter().filter_map(|entry| self.manifest(entry, subject)).flatten().collect()
    }

    fn manifest(&self, entry: &Value, subject: Digest) -> Option<Vec<Evidence>> {
        let digest: Digest = entry["digest"].as_str()?.parse().ok()?;
        let manifest = parse_manifest(&self.blob(digest)?).ok()?;
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default();
        let via = if tag == signature_tag(subject).as_str() {
            Via::SignatureTag
        } else if tag == attestation_tag(subject).as_str() {
            Via::AttestationTag
        } else {
            manifest.subject().filter(|it| digest_of(it).ok() == Some(subject)).map(|_| Via::Referrer)?
        };
        let layers = layers(&manifest, digest, subject, via).ok()?;
        let evidence = layers.into_iter().filter_map(|layer| {
            let bytes = self.blob(layer.source.layer)?;
            Some(layer.into_evidence(bytes.into()))
        });
        Some(evidence.collect())
    }
}
