//! What a registry holds, as plain data: the authority publishes into it, the in-process registry serves it.

use std::collections::BTreeMap;

use bonafide::oci::Digest;

/// The content of one repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// Manifests under their digests, and under their tags.
    pub(crate) manifests: BTreeMap<String, Vec<u8>>,
    /// Configs, layers and evidence.
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
}

/// The content of a registry, by repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Repositories(pub(crate) BTreeMap<String, Content>);

impl Repositories {
    /// Puts a manifest under its digest and, if there is one, under `tag`.
    pub(crate) fn push_manifest(&mut self, repository: &str, tag: Option<&str>, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let manifests = &mut self.repository(repository).manifests;
        manifests.insert(digest.to_string(), bytes.to_vec());
        if let Some(tag) = tag {
            manifests.insert(tag.to_owned(), bytes.to_vec());
        }
        digest
    }

    /// Puts a blob under its digest.
    pub(crate) fn push_blob(&mut self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.repository(repository).blobs.insert(digest, bytes.to_vec());
        digest
    }

    /// The manifest under `reference`, a tag or a digest.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<&[u8]> {
        self.0.get(repository)?.manifests.get(reference).map(Vec::as_slice)
    }

    fn repository(&mut self, repository: &str) -> &mut Content {
        self.0.entry(repository.to_owned()).or_default()
    }
}
