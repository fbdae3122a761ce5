//! What holds of any evidence, in any order, however it was tampered with.

use std::sync::LazyLock;

use bonafide::evidence::{Content, CosignMaterial, Evidence};
use bonafide::trust::Trust;
use bonafide::verify::{self, Fact, Flaw, Subject};
use proptest::prelude::*;

use super::notation::{self, FORMATS};
use super::ways::{WAYS, newest};
use super::{Bed, build, bundle, source};
use crate::support::authority::identity::{CONTAINER_GENERATOR, Identity, builder};
use crate::support::authority::key::Key;
use crate::support::authority::notation::Notary;
use crate::support::authority::signed::BundleVersion;
use crate::support::authority::statement::Statement;

/// Everything that can be proven, and some that cannot, about one image.
struct Scene {
    bed: Bed,
    trust: Trust,
    good: Vec<Evidence>,
    junk: Vec<Evidence>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let key = Key::p256("release");
    let notary = Notary::new("acme");
    let bed = Bed::new().with_key("release", &key).with_notary(&notary);
    let (digest, signs) = (bed.digest(), bed.authority.keyless(&build().identity()));
    let generator = builder(CONTAINER_GENERATOR, "refs/tags/v2.1.0");
    let statements = [
        Statement::provenance_v0_2(digest, &build(), &generator),
        Statement::provenance_v1(digest, &build(), &generator),
        Statement::spdx(digest, &["pkg:npm/axios@1.14.1"]),
        Statement::cyclonedx(digest, &["pkg:npm/axios@1.14.1"]),
        Statement::new(digest, "https://example.com/review/v1", serde_json::json!({})),
    ];
    let by_key = bed.authority.with_key(&key);
    let good = (WAYS
        .iter()
        .flat_map(|way| [(way.publish)(&(way.sign)(&signs, digest)), (way.publish)(&(way.sign)(&by_key, digest))]))
    .chain(statements.iter().map(|statement| newest(&signs.attest(statement))))
    .chain([
        bundle(&signs.attest(&bed.statement()), BundleVersion::V0_1),
        newest(&signs.sign_bytes(bed.image.manifest.clone())),
    ])
    .chain(FORMATS.map(|format| notation::evidence(&bed.draft(&notary, format).seal(), format)))
    .collect();
    let eve = bed.authority.keyless(&Identity::email("eve@example.com", "https://idp.example"));
    let junk = vec![
        newest(&signs.clone().with_foreign_certificate().attest(&bed.statement())),
        newest(&eve.attest(&Statement::signature(bonafide::oci::Digest::of(b"another")))),
        newest(&signs.attest(&bed.statement()).with_broken_signature()),
        super::bytes("junk".to_owned()),
    ];
    Scene { trust: bed.trust(), bed, good, junk }
});

impl Scene {
    fn check(&self, evidence: &Evidence) -> Result<Vec<Fact>, Flaw> {
        let subject = Subject { digest: self.bed.digest(), manifest: &self.bed.image.manifest };
        verify::check(evidence, &subject, &self.trust, self.bed.now())
    }

    fn prove<'a>(&self, evidence: impl IntoIterator<Item = &'a Evidence>) -> Vec<Fact> {
        evidence.into_iter().filter_map(|piece| self.check(piece).ok()).flatten().collect()
    }

    fn all(&self) -> Vec<Evidence> {
        self.good.iter().chain(&self.junk).cloned().collect()
    }
}

/// The same facts in one order, whatever order they were proven in.
fn sorted(facts: &[Fact]) -> Vec<String> {
    let mut facts: Vec<_> = facts.iter().map(|fact| serde_json::to_string(fact).unwrap()).collect();
    facts.sort_unstable();
    facts
}

/// Every text of `evidence`, to be changed.
fn texts(evidence: &mut Evidence) -> Vec<Text<'_>> {
    match &mut evidence.content {
        Content::Bundle { json: bytes } | Content::Notation { envelope: bytes, .. } => vec![Text::Bytes(bytes)],
        Content::Attestation { envelope, material } => {
            [Text::Bytes(envelope)].into_iter().chain(annotations(material)).collect()
        }
        Content::Signature { payload, signature, material } => {
            [Text::Bytes(payload), Text::Annotation(signature)].into_iter().chain(annotations(material)).collect()
        }
    }
}

enum Text<'a> {
    Bytes(&'a mut bytes::Bytes),
    Annotation(&'a mut String),
}

fn annotations(material: &mut CosignMaterial) -> impl Iterator<Item = Text<'_>> {
    let CosignMaterial { certificate, chain, log_entry, timestamp } = material;
    [certificate, chain, log_entry, timestamp].into_iter().flatten().map(Text::Annotation)
}

impl Text<'_> {
    fn change(self, change: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::Bytes(bytes) => {
                let mut changed = bytes.to_vec();
                change(&mut changed);
                *bytes = changed.into();
            }
            Self::Annotation(text) => {
                let mut changed = text.clone().into_bytes();
                change(&mut changed);
                *text = String::from_utf8_lossy(&changed).into_owned();
            }
        }
    }
}

/// The facts without what stands behind their time: a proof may be spoiled where another one remains.
fn claims(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(|fact| format!("{} {:?} {:?}", fact.subject(), fact.signer(), fact.claim())).collect()
}

#[test]
fn all_that_is_good_in_the_scene_is_proven_and_nothing_else() {
    let scene = &*SCENE;
    assert!(scene.good.iter().all(|piece| scene.check(piece).is_ok_and(|facts| facts.len() == 1)));
    assert!(scene.junk.iter().all(|piece| scene.check(piece).is_err()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn facts_do_not_depend_on_the_order_of_evidence(order in Just(SCENE.all()).prop_shuffle()) {
        prop_assert_eq!(sorted(&SCENE.prove(&order)), sorted(&SCENE.prove(&SCENE.all())));
    }

    #[test]
    fn more_evidence_never_removes_a_fact(few in prop::sample::subsequence(SCENE.all(), 0..=SCENE.all().len()), more in prop::sample::subsequence(SCENE.all(), 0..=SCENE.all().len())) {
        let proven = sorted(&SCENE.prove(&few));
        let all = sorted(&SCENE.prove(more.iter().chain(&few).chain(&more)));
        for fact in proven {
            prop_assert!(all.contains(&fact), "{}", fact);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_byte_never_proves_another_claim(
        piece in any::<prop::sample::Index>(),
        text in any::<prop::sample::Index>(),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut evidence = piece.get(&SCENE.good).clone();
        let proven = claims(&SCENE.check(&evidence).unwrap());
        let mut texts = texts(&mut evidence);
        let text = texts.swap_remove(text.index(texts.len()));
        text.change(|bytes| {
            if !bytes.is_empty() {
                let at = position.index(bytes.len());
                bytes[at] = byte;
            }
        });
        if let Ok(facts) = SCENE.check(&evidence) {
            prop_assert_eq!(claims(&facts), proven);
        }
    }

    #[test]
    fn any_bytes_in_any_place_have_an_answer(
        piece in any::<prop::sample::Index>(),
        text in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut evidence = piece.get(&SCENE.good).clone();
        let mut texts = texts(&mut evidence);
        texts.swap_remove(text.index(texts.len())).change(|old| *old = bytes.clone());
        drop(SCENE.check(&evidence));
        let bare = Evidence { source: source(), found_in: None, content: Content::Bundle { json: bytes.into() } };
        prop_assert!(SCENE.check(&bare).is_err());
    }
}
