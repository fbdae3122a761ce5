//! Looking for manifests of evidence about one digest: signature tag, attestation tag, referrers and their fallback tag
//! of each place, as one union (`docs/evidence.md`). What cannot be asked for is told apart from what is not there.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use crate::evidence::{self, Layer, Source, Via};
use crate::gate::places::{Place, Places};
use crate::limits::{ATTESTATION_MANIFESTS, EVIDENCE_MANIFEST_BYTES, EVIDENCE_PIECES};
use crate::oci::{Descriptor, Digest, Manifest, Tag, digest_of, parse_manifest};
use crate::upstream::Unavailable;
use crate::verify::{Flaw, FlawKind};

/// Requests for evidence of one kind under way at once for one digest: registries limit connections.
pub(in crate::gate) const AT_ONCE: usize = 8;

/// What went wrong on the way, or was left aside.
#[derive(Debug, Default)]
pub(in crate::gate) struct Notes {
    pub(in crate::gate) flaws: Vec<Flaw>,
    pub(in crate::gate) failure: Option<String>,
    pub(in crate::gate) bounded: bool,
}

/// A manifest as fetched, and where: what it lists is there too.
#[derive(Debug)]
pub(in crate::gate) struct Carrier {
    pub(in crate::gate) place: Arc<Place>,
    pub(in crate::gate) digest: Digest,
    pub(in crate::gate) bytes: Bytes,
    pub(in crate::gate) manifest: Manifest,
}

/// What may be evidence about one digest.
#[derive(Debug, Default)]
pub(in crate::gate) struct Found {
    /// The layers of evidence, those of the tags first, then the small ones.
    pub(in crate::gate) layers: Vec<(Arc<Place>, Layer)>,
    /// The referrers that list unsigned statements.
    pub(in crate::gate) attestations: Vec<Carrier>,
    /// The bytes of all manifests that they came from, since annotations are held with them.
    held: u64,
}

/// What `BuildKit` pushes beside an image: an attestation manifest, the image that it should be about, and the layers of
/// evidence about itself.
#[derive(Debug)]
pub(in crate::gate) struct Attested {
    pub(in crate::gate) about: Digest,
    pub(in crate::gate) carrier: Carrier,
    pub(in crate::gate) signatures: Vec<(Arc<Place>, Layer)>,
}

impl Places {
    /// Everything that may be evidence about `subject`: two sequential round trips, and more only for many referrers. The
    /// tags of all places and their referrers are followed at once, each within bounds of its own that count over all
    /// places; what tags name stands first.
    pub(in crate::gate) async fn search(&self, subject: Digest, notes: &mut Notes) -> Found {
        let ((mut found, of_tags), (referring, of_referrers)) =
            tokio::join!(self.under_tags(subject), self.referring(subject));
        notes.add(of_tags);
        notes.add(of_referrers);
        found.layers.extend(referring.layers);
        Found { attestations: referring.attestations, ..found }
    }

    /// What cosign's tags name. They are asked for by HEAD first: most digests have none, and HEAD costs no quota.
    async fn under_tags(&self, subject: Digest) -> (Found, Notes) {
        let tags = [
            (evidence::signature_tag(subject), Via::SignatureTag),
            (evidence::attestation_tag(subject), Via::AttestationTag),
        ];
        let all = self.each().flat_map(|place| tags.iter().map(move |(tag, via)| (place, tag, *via)));
        let carriers = join_all(all.map(|(place, tag, via)| async move { (place.tagged(tag).await, via) })).await;
        let (mut found, mut notes) = (Found::default(), Notes::default());
        for (carrier, via) in carriers {
            if let Some(carrier) = notes.answer(carrier).flatten() {
                found.add(&carrier, subject, via, &mut notes);
            }
        }
        (found, notes)
    }

    /// What refers to `subject`.
    async fn referring(&self, subject: Digest) -> (Found, Notes) {
        let (mut found, mut notes) = (Found::default(), Notes::default());
        let lists = join_all(self.each().map(|place| async move { (place, place.referrers(subject).await) })).await;
        let mut referrers = Vec::new();
        for (place, list) in lists {
            let digests = notes.answer(list).unwrap_or_default();
            referrers.extend(digests.into_iter().map(|digest| (Arc::clone(place), digest)));
        }
        let referrers = notes.within(EVIDENCE_PIECES, referrers);
        let carriers = stream::iter(referrers).map(|(place, digest)| async move { place.carrier(digest).await });
        let mut answers = std::pin::pin!(carriers.buffered(AT_ONCE));
        while let Some(answer) = answers.next().await {
            let Some(carrier) = notes.answer(answer).flatten() else { continue };
            found.add(&carrier, subject, Via::Referrer, &mut notes);
            found.add_attestation(carrier, subject, &mut notes);
        }
        // Strangers who may attach large junk do not crowd out what is small.
        found.layers.sort_by_key(|(_, layer)| layer.size);
        (found, notes)
    }

    /// Each of these attestation manifests that somebody may have signed, with the layers that may say so.
    pub(in crate::gate) async fn attested(
        &self,
        manifests: Vec<(Digest, Digest)>,
        referrers: Vec<(Carrier, Digest)>,
        notes: &mut Notes,
    ) -> Vec<Attested> {
        let manifests = notes.within(ATTESTATION_MANIFESTS, manifests);
        let listed = manifests.into_iter().map(|(digest, about)| (Err(digest), about));
        let all = listed.chain(referrers.into_iter().map(|(carrier, about)| (Ok(carrier), about)));
        let mut answers = std::pin::pin!(
            stream::iter(all)
                .map(|(carrier, about)| async move {
                    let mut notes = Notes::default();
                    (self.signed(carrier, about, &mut notes).await, notes)
                })
                .buffered(AT_ONCE)
        );
        let mut attested = Vec::new();
        while let Some((signed, more)) = answers.next().await {
            attested.extend(signed);
            notes.add(more);
        }
        attested
    }

    /// One attestation manifest, unless nothing is published about it: then nobody signed it.
    async fn signed(&self, carrier: Result<Carrier, Digest>, about: Digest, notes: &mut Notes) -> Option<Attested> {
        let digest = carrier.as_ref().map_or_else(|digest| *digest, |carrier| carrier.digest);
        let signatures = Box::pin(self.search(digest, notes)).await.layers;
        if signatures.is_empty() {
            return None;
        }
        let carrier = match carrier {
            Ok(carrier) => carrier,
            // An index lists what is beside it.
            Err(digest) => notes.answer(self.own.carrier(digest).await).flatten()?,
        };
        Some(Attested { about, carrier, signatures })
    }
}

impl Place {
    /// The digests that the referrers API and the fallback tag list for `subject`, without repeats, those first that say
    /// of themselves to be evidence.
    ///
    /// What the list says of a referrer (artifact type, annotations) is unsigned and often wrong, so it selects nothing.
    pub(in crate::gate) async fn referrers(self: &Arc<Self>, subject: Digest) -> Result<Vec<Digest>, Unavailable> {
        let (name, fallback) = (&self.repository.name, evidence::referrers_tag(subject));
        // Not by HEAD first: a list is one round trip before what it lists, and that would be another.
        let (listed, tagged) =
            tokio::join!(self.upstream.referrers(name, subject), self.upstream.tagged(name, &fallback));
        let listed = listed?.unwrap_or_default();
        let index = tagged?.and_then(|index| parse_manifest(&index.bytes).ok());
        let tagged = index.map(|index| index.children().to_vec()).unwrap_or_default();
        let mut all: Vec<&Descriptor> = listed.iter().chain(&tagged).collect();
        all.sort_by_key(|descriptor| !evidence::says_to_be_evidence(descriptor));
        let mut seen = BTreeSet::new();
        // A descriptor of another digest algorithm names nothing that could be evidence here.
        let digests = all.into_iter().filter_map(|descriptor| digest_of(descriptor).ok());
        Ok(digests.filter(|digest| seen.insert(*digest)).collect())
    }

    async fn tagged(self: &Arc<Self>, tag: &Tag) -> Result<Option<Carrier>, Unavailable> {
        match self.upstream.resolve(&self.repository.name, tag).await? {
            Some(digest) => self.carrier(digest).await,
            None => Ok(None),
        }
    }

    /// A manifest; what is no manifest is left out as junk.
    async fn carrier(self: &Arc<Self>, digest: Digest) -> Result<Option<Carrier>, Unavailable> {
        let found = self.manifests.evidence(&*self.upstream, &self.repository, digest).await?;
        Ok(found.map(|(bytes, manifest)| Carrier { place: Arc::clone(self), digest, bytes, manifest }))
    }
}

impl Found {
    fn add(&mut self, carrier: &Carrier, subject: Digest, via: Via, notes: &mut Notes) {
        match evidence::layers(&carrier.manifest, carrier.digest, subject, via) {
            Ok(layers) if layers.is_empty() => {}
            Ok(layers) => {
                if self.has_room(carrier, notes) {
                    self.layers.extend(layers.into_iter().map(|layer| (Arc::clone(&carrier.place), layer)));
                }
            }
            Err(malformed) => {
                notes.flaw(&carrier.place, carrier.source(), FlawKind::Malformed, malformed.to_string());
            }
        }
    }

    /// Keeps a referrer that lists unsigned statements about `subject`.
    fn add_attestation(&mut self, carrier: Carrier, subject: Digest, notes: &mut Notes) {
        let refers = carrier.manifest.subject().and_then(|it| digest_of(it).ok()) == Some(subject);
        let statements = evidence::unsigned_statements(&carrier.manifest, carrier.digest);
        if !refers || statements.is_ok_and(|statements| statements.is_empty()) {
            return;
        }
        if self.attestations.len() == ATTESTATION_MANIFESTS {
            notes.bounded = true;
        } else if self.has_room(&carrier, notes) {
            self.attestations.push(carrier);
        }
    }

    fn has_room(&mut self, carrier: &Carrier, notes: &mut Notes) -> bool {
        let held = self.held.saturating_add(carrier.bytes.len() as u64);
        if held > EVIDENCE_MANIFEST_BYTES {
            notes.bounded = true;
            return false;
        }
        self.held = held;
        true
    }
}

impl Carrier {
    /// The manifest as a whole, where it is nothing in it that something is wrong with.
    pub(in crate::gate) const fn source(&self) -> Source {
        Source { manifest: self.digest, layer: self.digest }
    }
}

impl Notes {
    /// The first `most` of them; what is beyond is left aside.
    pub(in crate::gate) fn within<T>(&mut self, most: usize, mut all: Vec<T>) -> Vec<T> {
        self.bounded |= all.len() > most;
        all.truncate(most);
        all
    }

    /// The answer, or nothing and a note that something could not be asked for.
    pub(in crate::gate) fn answer<T>(&mut self, answer: Result<T, Unavailable>) -> Option<T> {
        answer.map_err(|unavailable| self.failure = Some(unavailable.to_string())).ok()
    }

    pub(in crate::gate) fn flaw(&mut self, place: &Place, source: Source, kind: FlawKind, text: impl Into<String>) {
        let (found_in, text) = (place.found_in().map(Box::new), text.into());
        self.flaws.push(Flaw { source, found_in, form: None, predicate_type: None, kind, text });
    }

    pub(in crate::gate) fn add(&mut self, other: Self) {
        self.flaws.extend(other.flaws);
        self.failure = other.failure.or(self.failure.take());
        self.bounded |= other.bounded;
    }
}
