//! The seed pipeline, by era: evidence, verification and policy together, without a network.

use std::sync::Arc;

use bonafide::evidence::{Via, attestation_tag, layers, referrers_tag, signature_tag};
use bonafide::oci::{Digest, Manifest, Repository, parse_manifest};
use bonafide::policy::{Decision, Known, Policy, Request, RequirementKind, Settings, Verdict};
use bonafide::trust::{DomainSettings, Requirement, Trust};
use bonafide::verify::{Coverage, Few, Proof, Several, Subject, check};
use bytes::Bytes;
use jiff::Timestamp;

use crate::support::authority::Authority;
use crate::support::authority::identity::{Build, Identity};
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, RULE, Release};
use crate::support::content::Repositories;

const REPOSITORY: &str = "fystacklabs/apex";

type Era = fn(&Authority, &mut Repositories, &str, &str) -> Release;

const ERAS: [(&str, Era); 3] = [("A", seed::era_a), ("A with BuildKit", seed::era_a_buildkit), ("B", seed::era_b)];

#[test]
fn a_release_of_every_era_is_admitted() {
    for (era, publish) in ERAS {
        let world = World::new(publish);
        let verdict = world.verdict();
        assert_eq!(verdict.decision, Decision::Admit, "era {era}: {verdict:#?}");
    }
}

#[test]
fn a_release_without_any_one_of_its_manifests_of_evidence_is_refused() {
    for (era, publish) in ERAS {
        let mut world = World::new(publish);
        let published = world.evidence_manifests();
        assert!(published.len() >= 2, "era {era}");
        let whole = world.repositories.clone();
        for missing in published {
            world.repositories = whole.clone();
            let manifests = &mut world.repositories.0.get_mut(REPOSITORY).unwrap().manifests;
            manifests.remove(&missing);
            assert_eq!(world.verdict().decision, Decision::Refuse, "era {era} without {missing}");
        }
    }
}

#[test]
fn an_image_whose_provenance_job_failed_is_refused() {
    let world = World::new(|_, repositories, repository, tag| seed::unsigned(repositories, repository, tag));
    let verdict = world.verdict();
    assert_eq!(verdict.decision, Decision::Refuse);
    assert!(verdict.requirements.iter().all(|requirement| !requirement.met));
}

#[test]
fn what_buildkit_attests_unsigned_meets_nothing() {
    let world = World::new(|authority, repositories, repository, tag| {
        let mut scratch = Repositories::default();
        let release = seed::era_a_buildkit(authority, &mut scratch, repository, tag);
        Publisher::new(repositories, repository).image(tag, &release.image);
        release
    });
    assert!(world.verdict().requirements.iter().all(|requirement| !requirement.met));
}

#[test]
fn evidence_about_another_release_meets_nothing() {
    for (era, publish) in ERAS {
        let mut world = World::new(publish);
        let old = world.release.image.digest();
        let manifests = &mut world.repositories.0.get_mut(REPOSITORY).unwrap().manifests;
        let new = Release::new("fystack/apex", "v1.2.4");
        let tags = [signature_tag, attestation_tag, referrers_tag];
        for (from, to) in tags.map(|tag| (tag(old).to_string(), tag(new.image.digest()).to_string())) {
            if let Some(manifest) = manifests.get(&from).cloned() {
                manifests.insert(to, manifest);
            }
        }
        Publisher::new(&mut world.repositories, REPOSITORY).image("v1.2.4", &new.image);
        world.release = new;
        assert!(world.verdict().requirements.iter().all(|requirement| !requirement.met), "era {era}");
    }
}

#[test]
fn provenance_of_another_source_meets_nothing() {
    let world = World::new(|authority, repositories, repository, tag| {
        let release = seed::era_b(authority, repositories, repository, tag);
        let digest = release.image.digest();
        let attestation = attestation_tag(digest).to_string();
        repositories.0.get_mut(repository).unwrap().manifests.remove(&attestation);
        let stranger =
            Release { build: Build::of("mallory/apex", &release.build.reference), image: release.image.clone() };
        let signed = authority.keyless(&stranger.generator()).attest(&stranger.provenance(digest));
        Publisher::new(repositories, repository).attestation(digest, &signed);
        release
    });
    assert_eq!(unmet(&world.verdict()), [RequirementKind::Provenance]);
}

#[test]
fn the_signature_of_a_stranger_meets_nothing_and_harms_nothing() {
    let stranger = Identity::email("mallory@example.com", "https://idp.example");
    let world = World::new(|authority, repositories, repository, tag| {
        let release = seed::era_a(authority, repositories, repository, tag);
        let digest = release.image.digest();
        let mut publisher = Publisher::new(repositories, repository);
        publisher.signature(digest, &authority.keyless(&stranger).sign(digest));
        publisher.signature_referrer(&release.image, &authority.keyless(&stranger).sign(digest));
        release
    });
    assert_eq!(world.verdict().decision, Decision::Admit);
    let world = World::new(|authority, repositories, repository, tag| {
        let release = seed::unsigned(repositories, repository, tag);
        let digest = release.image.digest();
        Publisher::new(repositories, repository).signature(digest, &authority.keyless(&stranger).sign(digest));
        release
    });
    assert_eq!(unmet(&world.verdict()).len(), 3);
}

fn unmet(verdict: &Verdict) -> Vec<RequirementKind> {
    verdict.requirements.iter().filter(|requirement| !requirement.met).map(|requirement| requirement.kind).collect()
}

/// A registry with one release in it, and what it is judged by.
struct World {
    repositories: Repositories,
    release: Release,
    trust: Trust,
    policy: Policy,
}

impl World {
    fn new(publish: impl FnOnce(&Authority, &mut Repositories, &str, &str) -> Release) -> Self {
        let authority = Authority::new("corp");
        let mut repositories = Repositories::default();
        let release = publish(&authority, &mut repositories, REPOSITORY, "v1.2.3");
        let folder = tempfile::tempdir().unwrap();
        let (root, required) = (authority.trusted_root().write_to(folder.path()), Requirement::Required);
        let domain = DomainSettings::of_file("corp", root, required, required);
        let trust = Trust::load(&[domain], &[]).unwrap();
        let settings: Settings = toml::from_str(RULE).unwrap();
        let known = Known { trust: &|name| trust.has_domain(name), key: &|name| trust.has_key(name) };
        let policy = Policy::new(&settings, &known).unwrap();
        Self { repositories, release, trust, policy }
    }

    fn verdict(&self) -> Verdict {
        let repository: Repository = REPOSITORY.parse().unwrap();
        let tag = self.release.build.reference.rsplit('/').next().unwrap().parse().unwrap();
        let digest = self.release.image.digest();
        let request = Request { repository: &repository, tag: Some(&tag), digest };
        self.policy.judge(&request, Some(&self.proof(digest)), now())
    }

    /// The references of all manifests of evidence about the release.
    fn evidence_manifests(&self) -> Vec<String> {
        let digest = self.release.image.digest();
        let tags = [signature_tag(digest), attestation_tag(digest)].map(|tag| tag.to_string());
        let tags = tags.into_iter().filter(|tag| self.manifest(tag).is_some());
        tags.chain(self.referrers(digest)).collect()
    }

    fn proof(&self, digest: Digest) -> Proof {
        let mut proof = Proof {
            subject: digest,
            children: Few::default(),
            elsewhere: Few::default(),
            facts: Several::default(),
            flaws: Few::default(),
            coverage: Coverage::Complete,
            collected_at: now(),
        };
        self.collect(&mut proof, &signature_tag(digest).to_string(), Via::SignatureTag);
        self.collect(&mut proof, &attestation_tag(digest).to_string(), Via::AttestationTag);
        for referrer in self.referrers(digest) {
            self.collect(&mut proof, &referrer, Via::Referrer);
        }
        proof
    }

    fn collect(&self, proof: &mut Proof, reference: &str, via: Via) {
        let Some((digest, manifest)) = self.manifest(reference) else { return };
        let subject = Subject { digest: proof.subject, manifest: &self.release.image.manifest };
        for layer in layers(&manifest, digest, proof.subject, via).unwrap() {
            let blob = &self.repositories.0[REPOSITORY].blobs[&layer.source.layer];
            let evidence = layer.into_evidence(Bytes::from(blob.clone()));
            match check(&evidence, &subject, &self.trust, now()) {
                Ok(facts) => proof.facts.extend(facts.into_iter().map(Arc::new)),
                Err(flaw) => proof.flaws.extend([flaw]),
            }
        }
    }

    fn referrers(&self, digest: Digest) -> Vec<String> {
        let Some((_, Manifest::Index(index))) = self.manifest(&referrers_tag(digest).to_string()) else {
            return Vec::new();
        };
        index.manifests().iter().map(|descriptor| descriptor.digest().to_string()).collect()
    }

    fn manifest(&self, reference: &str) -> Option<(Digest, Manifest)> {
        let bytes = self.repositories.manifest(REPOSITORY, reference)?;
        Some((Digest::of(bytes), parse_manifest(bytes).unwrap()))
    }
}

fn now() -> Timestamp {
    "2025-06-02T12:00:00Z".parse().unwrap()
}
