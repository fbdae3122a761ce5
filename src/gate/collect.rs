//! Collecting all that an upstream published about a digest, and about the attestation manifests beside it: the blobs of
//! what [`crate::gate::search`] finds, within bounds.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;

use crate::evidence::{self, Attestation, Evidence, Layer, Source, UnsignedStatement};
use crate::gate::admitted::Refusal;
use crate::gate::memory::Memory;
use crate::gate::places::{Place, Places};
use crate::gate::search::{AT_ONCE, Attested, Notes};
use crate::limits::{EVIDENCE_PIECES, EVIDENCE_TOTAL_BYTES, SBOM_BYTES};
use crate::oci::{Digest, Hasher, parse_manifest};
use crate::upstream::{BlobPart, Unavailable, UnavailableKind};
use crate::verify::{Coverage, Flaw, FlawKind};

/// What was found about one digest.
#[derive(Debug)]
pub(in crate::gate) struct Collected {
    pub(in crate::gate) evidence: Vec<Evidence>,
    /// The attestation manifests that somebody may have signed.
    pub(in crate::gate) attestations: Vec<Attestation>,
    pub(in crate::gate) flaws: Vec<Flaw>,
    pub(in crate::gate) coverage: Coverage,
    /// The room that the evidence takes, for as long as it is held.
    pub(in crate::gate) room: Option<OwnedSemaphorePermit>,
}

/// A blob to fetch, where it is, and what it would be.
struct Piece {
    place: Arc<Place>,
    what: What,
}

enum What {
    /// Evidence about the digest itself.
    Evidence(Layer),
    /// Evidence about the attestation manifest of this number.
    Signature(usize, Layer),
    /// A statement of the attestation manifest of this number.
    Statement(usize, UnsignedStatement),
}

/// Collects the evidence about `subject`, whose bytes are on their way: nothing waits for them that need not. What goes
/// wrong with evidence is in the coverage and the flaws.
///
/// # Errors
/// Those of `manifest`, as soon as they are known.
pub(in crate::gate) async fn collect(
    places: &Places,
    subject: Digest,
    manifest: impl Future<Output = Result<Bytes, Refusal>>,
    memory: &Memory,
) -> Result<Collected, Refusal> {
    let (mut notes, mut of_listed) = (Notes::default(), Notes::default());
    let listed = async {
        let manifest = parse_manifest(&manifest.await?);
        let listed = manifest.map(|manifest| evidence::attestation_manifests(&manifest)).unwrap_or_default();
        Ok(places.attested(listed, Vec::new(), &mut of_listed).await)
    };
    let found = async { Ok::<_, Refusal>(places.search(subject, &mut notes).await) };
    let (mut attested, found) = tokio::try_join!(listed, found)?;
    notes.add(of_listed);
    let referring = found.attestations.into_iter().map(|carrier| (carrier, subject)).collect();
    attested.extend(places.attested(Vec::new(), referring, &mut notes).await);
    let layers = found.layers.into_iter().map(|(place, layer)| Piece { place, what: What::Evidence(layer) });
    let mut pieces = within_bounds(layers.collect(), &mut notes);
    // Bounds of their own: junk beside the image hides nothing of them.
    pieces.extend(within_bounds(pieces_of(&attested, &mut notes), &mut notes));
    let room = memory.reserve(pieces.iter().map(Piece::size).sum()).await;
    let mut attestations: Vec<_> = attested.into_iter().map(Attested::before_fetching).collect();
    let evidence = fetch_all(pieces, &mut attestations, &mut notes).await;
    let coverage = match (notes.failure, notes.bounded) {
        (Some(failure), _) => Coverage::partial(failure),
        (None, true) => Coverage::Bounded,
        (None, false) => Coverage::Complete,
    };
    Ok(Collected { evidence, attestations, flaws: notes.flaws, coverage, room })
}

fn pieces_of(attested: &[Attested], notes: &mut Notes) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (number, Attested { carrier, signatures, .. }) in attested.iter().enumerate() {
        pieces.extend(signatures.iter().map(|(place, layer)| {
            let what = What::Signature(number, layer.clone());
            Piece { place: Arc::clone(place), what }
        }));
        match evidence::unsigned_statements(&carrier.manifest, carrier.digest) {
            Ok(statements) => {
                let statement = |it| Piece { place: Arc::clone(&carrier.place), what: What::Statement(number, it) };
                pieces.extend(statements.into_iter().map(statement));
            }
            Err(malformed) => notes.flaw(&carrier.place, carrier.source(), FlawKind::Malformed, malformed.to_string()),
        }
    }
    pieces
}

/// Leaves out what is larger than looked at, one by one and in all. What is too large by itself is no evidence, whoever
/// made it; what is left out for what was there before it may be some.
fn within_bounds(pieces: Vec<Piece>, notes: &mut Notes) -> Vec<Piece> {
    let mut total = 0_u64;
    let mut kept = Vec::new();
    for piece in notes.within(EVIDENCE_PIECES, pieces) {
        let fits = piece.size() <= piece.limit();
        if fits && total.saturating_add(piece.size()) <= EVIDENCE_TOTAL_BYTES {
            total += piece.size();
            kept.push(piece);
        } else {
            notes.bounded |= fits;
            notes.flaw(&piece.place, piece.source(), FlawKind::TooMuch, format!("it has {} bytes", piece.size()));
        }
    }
    kept
}

async fn fetch_all(pieces: Vec<Piece>, attestations: &mut [Attestation], notes: &mut Notes) -> Vec<Evidence> {
    let mut answers = std::pin::pin!(
        stream::iter(pieces)
            .map(|piece| async move {
                let blob = fetch(&piece).await;
                (piece, blob)
            })
            .buffered(AT_ONCE)
    );
    let mut evidence = Vec::new();
    while let Some((piece, blob)) = answers.next().await {
        let Some(blob) = notes.answer(blob) else { continue };
        let Some(bytes) = blob else {
            let text = "its layer, as it says it is, is not at the upstream";
            notes.flaw(&piece.place, piece.source(), FlawKind::Malformed, text);
            continue;
        };
        let found = |layer: Layer| Evidence { found_in: piece.place.found_in(), ..layer.into_evidence(bytes.clone()) };
        match piece.what {
            What::Evidence(layer) => evidence.push(found(layer)),
            What::Signature(number, layer) => {
                if let Some(attestation) = attestations.get_mut(number) {
                    attestation.signatures.push(found(layer));
                }
            }
            What::Statement(number, statement) => {
                if let Some(attestation) = attestations.get_mut(number) {
                    attestation.statements.push((statement.source, bytes));
                }
            }
        }
    }
    evidence
}

impl Attested {
    fn before_fetching(self) -> Attestation {
        let Self { about, carrier, .. } = self;
        let (digest, manifest) = (carrier.digest, carrier.bytes);
        let found_in = carrier.place.found_in();
        Attestation { about, digest, manifest, found_in, signatures: Vec::new(), statements: Vec::new() }
    }
}

impl Piece {
    const fn source(&self) -> Source {
        match &self.what {
            What::Evidence(layer) | What::Signature(_, layer) => layer.source,
            What::Statement(_, statement) => statement.source,
        }
    }

    const fn size(&self) -> u64 {
        match &self.what {
            What::Evidence(layer) | What::Signature(_, layer) => layer.size,
            What::Statement(_, statement) => statement.size,
        }
    }

    fn limit(&self) -> u64 {
        match &self.what {
            What::Evidence(layer) | What::Signature(_, layer) => layer.limit(),
            What::Statement(..) => SBOM_BYTES,
        }
    }
}

/// The bytes of `piece`, which hash to its digest; nothing if there are none, or not as many as it says.
///
/// Its size is a claim of whoever pushed it: a false one is a flaw of that piece, and holds up no other. No more is held
/// in memory than it says, since that is what was reckoned with.
async fn fetch(piece: &Piece) -> Result<Option<Bytes>, Unavailable> {
    let (digest, repository) = (piece.source().layer, &piece.place.repository);
    let Some(blob) = piece.place.upstream.blob(&repository.name, digest, BlobPart::from_offset(0)).await? else {
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
        if length > piece.limit() {
            return Ok(None);
        }
        hasher.update(&chunk);
        if length <= piece.size() {
            bytes.extend_from_slice(&chunk);
        }
    }
    if hasher.finish() != digest {
        return Err(unusable("another digest".to_owned()));
    }
    Ok((length == piece.size()).then(|| bytes.freeze()))
}
