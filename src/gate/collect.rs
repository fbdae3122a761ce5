//! Collecting all that an upstream published about a digest: signature tag, attestation tag, referrers and their
//! fallback tag, as one union (`docs/evidence.md`). What cannot be asked for is told apart from what is not there.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;

use crate::evidence::{self, Evidence, Layer, Source, Via};
use crate::gate::manifests::Manifests;
use crate::gate::memory::Memory;
use crate::limits::{EVIDENCE_PIECES, EVIDENCE_TOTAL_BYTES};
use crate::oci::{Descriptor, Digest, Hasher, Manifest, Repository, Tag, digest_of};
use crate::upstream::{Unavailable, UnavailableKind, Upstream};
use crate::verify::{Coverage, Flaw, FlawKind};

/// Requests for evidence under way at once for one digest: registries limit connections, and four round trips suffice.
const AT_ONCE: usize = 8;

/// What was found about one digest.
#[derive(Debug)]
pub(in crate::gate) struct Collected {
    pub(in crate::gate) evidence: Vec<Evidence>,
    pub(in crate::gate) flaws: Vec<Flaw>,
    pub(in crate::gate) coverage: Coverage,
    /// The room that the evidence takes, for as long as it is held.
    pub(in crate::gate) room: Option<OwnedSemaphorePermit>,
}

/// A manifest that may carry evidence, and how it was found.
struct Carrier {
    digest: Digest,
    manifest: Manifest,
    via: Via,
}

/// One collection in the making.
struct Collection<'a> {
    manifests: &'a Manifests,
    upstream: &'a dyn Upstream,
    repository: &'a Repository,
    subject: Digest,
    flaws: Vec<Flaw>,
    failure: Option<String>,
    bounded: bool,
}

/// Collects the evidence about `subject`. Never fails: what went wrong is in the coverage and the flaws.
pub(in crate::gate) async fn collect(
    manifests: &Manifests,
    upstream: &dyn Upstream,
    repository: &Repository,
    subject: Digest,
    memory: &Memory,
) -> Collected {
    let mut collection =
        Collection { manifests, upstream, repository, subject, flaws: Vec::new(), failure: None, bounded: false };
    let carriers = collection.carriers().await;
    let layers = collection.layers(carriers);
    let layers = collection.within_bounds(layers);
    let room = memory.reserve(layers.iter().map(|layer| layer.size).sum()).await;
    let evidence = collection.fetch(layers).await;
    let coverage = match (collection.failure, collection.bounded) {
        (Some(failure), _) => Coverage::Partial { failure },
        (None, true) => Coverage::Bounded,
        (None, false) => Coverage::Complete,
    };
    Collected { evidence, flaws: collection.flaws, coverage, room }
}

/// The digests that the referrers API and the fallback tag list for `subject`, without repeats.
///
/// What the list says of a referrer (artifact type, annotations) is unsigned and often wrong, so only digests count.
pub(in crate::gate) async fn referrers(
    manifests: &Manifests,
    upstream: &dyn Upstream,
    repository: &Repository,
    subject: Digest,
) -> Result<Vec<Digest>, Unavailable> {
    let fallback = evidence::referrers_tag(subject);
    let (listed, tagged) =
        tokio::join!(upstream.referrers(&repository.name, subject), tagged(manifests, upstream, repository, &fallback));
    let listed = listed?.unwrap_or_default();
    let tagged = tagged?.map(|(_, manifest)| manifest.children().to_vec()).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let digests = listed.iter().chain(&tagged).filter_map(supported);
    Ok(digests.filter(|digest| seen.insert(*digest)).collect())
}

/// A descriptor of another digest algorithm names nothing that could be evidence here.
fn supported(descriptor: &Descriptor) -> Option<Digest> {
    digest_of(descriptor).ok()
}

async fn tagged(
    manifests: &Manifests,
    upstream: &dyn Upstream,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<(Digest, Manifest)>, Unavailable> {
    let Some(digest) = upstream.resolve(&repository.name, tag).await? else {
        return Ok(None);
    };
    let manifest = manifests.evidence(upstream, repository, digest).await?;
    Ok(manifest.map(|manifest| (digest, manifest)))
}

impl Collection<'_> {
    /// Every manifest that may carry evidence: two sequential round trips.
    async fn carriers(&mut self) -> Vec<Carrier> {
        let (manifests, upstream, repository, subject) = (self.manifests, self.upstream, self.repository, self.subject);
        let (signature, attestation) = (evidence::signature_tag(subject), evidence::attestation_tag(subject));
        let (signatures, attestations, referrers) = tokio::join!(
            tagged(manifests, upstream, repository, &signature),
            tagged(manifests, upstream, repository, &attestation),
            referrers(manifests, upstream, repository, subject),
        );
        let mut carriers = Vec::new();
        for (found, via) in [(signatures, Via::SignatureTag), (attestations, Via::AttestationTag)] {
            let found = self.answer(found).flatten();
            carriers.extend(found.map(|(digest, manifest)| Carrier { digest, manifest, via }));
        }
        let referrers = self.answer(referrers).unwrap_or_default();
        carriers.extend(self.referring(referrers).await);
        carriers
    }

    /// The manifests among `digests`; what is no manifest is left out as junk.
    async fn referring(&mut self, mut digests: Vec<Digest>) -> Vec<Carrier> {
        self.bound(&mut digests);
        let (manifests, upstream, repository) = (self.manifests, self.upstream, self.repository);
        let answers: Vec<_> = stream::iter(digests)
            .map(|digest| async move { (digest, manifests.evidence(upstream, repository, digest).await) })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut carriers = Vec::new();
        for (digest, answer) in answers {
            let found = self.answer(answer).flatten();
            carriers.extend(found.map(|manifest| Carrier { digest, manifest, via: Via::Referrer }));
        }
        carriers
    }

    /// The layers to fetch, those of the tags first: strangers who may attach referrers do not crowd them out.
    fn layers(&mut self, carriers: Vec<Carrier>) -> Vec<Layer> {
        let mut layers: Vec<Layer> = Vec::new();
        for carrier in carriers {
            match evidence::layers(&carrier.manifest, carrier.digest, self.subject, carrier.via) {
                Ok(found) => layers.extend(found),
                Err(malformed) => {
                    let source = Source { manifest: carrier.digest, layer: carrier.digest };
                    self.flaw(source, FlawKind::Malformed, malformed.to_string());
                }
            }
        }
        self.bound(&mut layers);
        layers
    }

    async fn fetch(&mut self, layers: Vec<Layer>) -> Vec<Evidence> {
        let (upstream, repository) = (self.upstream, self.repository);
        let answers: Vec<_> = stream::iter(layers)
            .map(|layer| async move {
                let blob = fetch(upstream, repository, &layer).await;
                (layer, blob)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut evidence = Vec::new();
        for (layer, blob) in answers {
            match self.answer(blob) {
                Some(Some(bytes)) => evidence.push(layer.into_evidence(bytes)),
                Some(None) => {
                    let text = "its layer, as it says it is, is not at the upstream";
                    self.flaw(layer.source, FlawKind::Malformed, text);
                }
                None => {}
            }
        }
        evidence
    }

    /// Leaves out what is larger than looked at, one by one and in all.
    fn within_bounds(&mut self, layers: Vec<Layer>) -> Vec<Layer> {
        let mut total = 0_u64;
        let mut kept = Vec::new();
        for layer in layers {
            total = total.saturating_add(layer.size);
            if layer.size <= layer.limit() && total <= EVIDENCE_TOTAL_BYTES {
                kept.push(layer);
            } else {
                total = total.saturating_sub(layer.size);
                self.bounded = true;
                self.flaw(layer.source, FlawKind::TooMuch, format!("it has {} bytes", layer.size));
            }
        }
        kept
    }

    fn bound<T>(&mut self, pieces: &mut Vec<T>) {
        self.bounded |= pieces.len() > EVIDENCE_PIECES;
        pieces.truncate(EVIDENCE_PIECES);
    }

    /// The answer, or nothing and a note that something could not be asked for.
    fn answer<T>(&mut self, answer: Result<T, Unavailable>) -> Option<T> {
        answer.map_err(|unavailable| self.failure = Some(unavailable.to_string())).ok()
    }

    fn flaw(&mut self, source: Source, kind: FlawKind, text: impl Into<String>) {
        self.flaws.push(Flaw { source, form: None, predicate_type: None, kind, text: text.into() });
    }
}

/// The bytes of `layer`, which hash to its digest; nothing if there are none, or not as many as it says.
///
/// Its size is a claim of whoever pushed it: a false one is a flaw of that piece, and holds up no other. No more is held
/// in memory than it says, since that is what was reckoned with.
async fn fetch(upstream: &dyn Upstream, repository: &Repository, layer: &Layer) -> Result<Option<Bytes>, Unavailable> {
    let digest = layer.source.layer;
    let Some(blob) = upstream.blob(&repository.name, digest, 0).await? else {
        return Ok(None);
    };
    let unusable = |text: String| Unavailable {
        upstream: repository.upstream.to_string(),
        kind: UnavailableKind::Body,
        text: format!("{repository}@{digest}: {text}"),
        retry_after: None,
    };
    let (mut bytes, mut hasher, mut length) = (BytesMut::new(), Hasher::new(), 0_u64);
    let mut chunks = blob.bytes;
    while let Some(chunk) = chunks.try_next().await.map_err(|error| unusable(error.to_string()))? {
        length = length.saturating_add(chunk.len() as u64);
        if length > layer.limit() {
            return Ok(None);
        }
        hasher.update(&chunk);
        if length <= layer.size {
            bytes.extend_from_slice(&chunk);
        }
    }
    if hasher.finish() != digest {
        return Err(unusable("another digest".to_owned()));
    }
    Ok((length == layer.size).then(|| bytes.freeze()))
}
