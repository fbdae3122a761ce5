//! Serving evidence: whoever was admitted is served what proves it, so that `cosign verify` and admission controllers
//! work through this mirror. No image may leave in the clothes of evidence.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::content::{Length, Reader};
use crate::evidence::{is_evidence_blob, is_evidence_manifest};
use crate::facts::{Grant, GrantKind};
use crate::gate::Gate;
use crate::gate::admitted::{Admitted, Refusal};
use crate::gate::serve::reached;
use crate::limits::SERVED_EVIDENCE;
use crate::oci::{Descriptor, Digest, ErrorCode, Image, Manifest, Reference, Repository, digest_of, parse_manifest};
use crate::upstream::Upstream;

/// A manifest of evidence, before it is granted.
struct Carrier {
    digest: Digest,
    bytes: Bytes,
    manifest: Manifest,
}

impl Gate {
    /// The evidence about `subject` in its own repository, if that is admitted: every manifest that says so itself and carries nothing that
    /// could be run, over all pages of the upstream and its fallback tag. None about a subject that is not there: a registry
    /// that lists referrers never answers 404 (OCI distribution specification, "Listing Referrers").
    ///
    /// # Errors
    /// [`Refusal`], as for the subject; [`Refusal::Undecided`] if the upstream cannot be asked.
    pub async fn referrers(&self, repository: &Repository, subject: Digest) -> Result<Vec<Descriptor>, Refusal> {
        let image = Image { repository: repository.clone(), reference: Reference::Digest(subject) };
        let admitted = match self.admit(&image).await {
            Err(Refusal::NotFound { .. }) => return Ok(Vec::new()),
            admitted => admitted?,
        };
        let place = Arc::new(self.place(repository)?);
        let mut digests = place.referrers(subject).await?;
        digests.truncate(SERVED_EVIDENCE);
        let mut descriptors = Vec::new();
        for digest in digests {
            let Some(carrier) = self.referrer(&place.upstream, &admitted, digest).await? else { continue };
            if self.grant_carrier(&admitted, &carrier).await? {
                descriptors.extend(carrier.manifest.as_referrer(digest, carrier.bytes.len() as u64));
            }
        }
        Ok(descriptors)
    }

    /// Grants the evidence manifest `digest`, and what it reaches, to the subject that was admitted.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if it is no evidence: a runnable image under an evidence tag is none.
    pub(in crate::gate) async fn grant_evidence(&self, admitted: &Admitted, digest: Digest) -> Result<(), Refusal> {
        let (bytes, manifest) = self.fetch_manifest(&admitted.repository, digest).await?;
        let carries_evidence = match &manifest {
            Manifest::Image(_) => is_evidence_manifest(&manifest),
            Manifest::Index(_) => self.lists_evidence(admitted, &manifest).await?,
        };
        let carrier = Carrier { digest, bytes, manifest };
        if carries_evidence && self.grant_carrier(admitted, &carrier).await? {
            return Ok(());
        }
        Err(Refusal::NotFound {
            code: ErrorCode::ManifestUnknown,
            text: format!("{}@{digest} is not served as evidence, since it may be something else", admitted.repository),
        })
    }

    /// Whether all that an index lists is evidence about the admitted subject; if so, it is granted.
    async fn lists_evidence(&self, admitted: &Admitted, index: &Manifest) -> Result<bool, Refusal> {
        // With an index, all that it lists is granted, so that all of it is looked at.
        if index.children().len() > SERVED_EVIDENCE {
            return Ok(false);
        }
        let upstream = self.upstream(&admitted.repository.upstream)?;
        for child in index.children() {
            let Ok(digest) = digest_of(child) else { return Ok(false) };
            let Some(carrier) = self.referrer(&upstream, admitted, digest).await? else { return Ok(false) };
            if !self.grant_carrier(admitted, &carrier).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The manifest `digest`, if it says that it is evidence about the admitted subject.
    async fn referrer(
        &self,
        upstream: &Arc<dyn Upstream>,
        admitted: &Admitted,
        digest: Digest,
    ) -> Result<Option<Carrier>, Refusal> {
        let Some(bytes) = self.manifests.bytes(upstream, &admitted.repository, digest).await? else {
            return Ok(None);
        };
        let Ok(manifest) = parse_manifest(&bytes) else { return Ok(None) };
        let about = manifest.subject().and_then(|subject| digest_of(subject).ok());
        let is_evidence = about == Some(admitted.digest) && is_evidence_manifest(&manifest);
        Ok(is_evidence.then_some(Carrier { digest, bytes, manifest }))
    }

    /// Grants a manifest of evidence and its blobs, after a look at what the blobs really are; `false` if one of them
    /// is none of evidence.
    async fn grant_carrier(&self, admitted: &Admitted, carrier: &Carrier) -> Result<bool, Refusal> {
        let Carrier { digest, bytes, manifest } = carrier;
        let granted = self.facts.grants(&admitted.repository, *digest).await?;
        // A grant as a blob says nothing: a text that is served as a document may read as a manifest as well.
        let is_known = |grant: &Grant| grant.root == admitted.root && grant.kind == GrantKind::Manifest;
        if granted.iter().any(is_known) {
            return Ok(true);
        }
        for blob in manifest.blobs() {
            if !self.is_evidence(&admitted.repository, blob).await? {
                return Ok(false);
            }
        }
        let mut reached = reached(manifest)?;
        reached.push((*digest, GrantKind::Manifest, bytes.len() as u64));
        self.facts.grant(&admitted.repository, admitted.root, &reached).await?;
        Ok(true)
    }

    async fn is_evidence(&self, repository: &Repository, blob: &Descriptor) -> Result<bool, Refusal> {
        let Ok(digest) = digest_of(blob) else { return Ok(false) };
        let reader = match self.fetch_blob(repository, digest, Length::Exactly(blob.size())).await {
            Ok(reader) => reader,
            Err(Refusal::Invalid { .. }) => return Ok(false),
            Err(refusal @ (Refusal::Denied(_) | Refusal::NotFound { .. } | Refusal::Undecided { .. })) => {
                return Err(refusal);
            }
        };
        let _room = self.prover.memory.reserve(blob.size()).await;
        match read(reader, blob.size()).await {
            Ok(bytes) => Ok(is_evidence_blob(blob, &bytes)),
            Err(error) if is_broken(&error) => Ok(false),
            Err(error) => Err(Refusal::undecided(error)),
        }
    }
}

async fn read(reader: Reader, size: u64) -> io::Result<BytesMut> {
    let mut chunks = std::pin::pin!(reader.stream(0..size));
    let mut bytes = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

/// Whether a blob is not there, or not what the manifest says that it is. Anybody can push such a manifest, so it must
/// not hide the evidence beside it.
fn is_broken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}
