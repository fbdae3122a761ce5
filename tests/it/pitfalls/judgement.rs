//! Pitfalls of judging what was proven: 2, 5, 7, 9 and 11.

use std::path::Path;
use std::sync::Arc;

use bonafide::config::{Config, ConfigError, Environment};
use bonafide::oci::{Digest, Image};
use bonafide::policy::{Decision, Request};
use bonafide::verify::{Coverage, Fact, Few, FlawKind, Proof};

use crate::support::authority::identity::{Build, CONTAINER_GENERATOR, GITHUB, Identity, builder};
use crate::support::authority::key::Key;
use crate::support::authority::signed::{BundleVersion, Credential};
use crate::support::authority::statement::Statement;
use crate::verify::{Bed, build, bundle, layer};

const RELEASED: &str = "refs/tags/v2.1.0";

fn config(requirement: &str) -> Result<Config, ConfigError> {
    let text = format!(
        "[[upstream]]\nname = \"docker.io\"\nurl = \"https://registry.example\"\ndefault = true\n\
         [[trust]]\nname = \"corp\"\ntrusted_root = \"corp.json\"\n\
         [[key]]\nname = \"release\"\npath = \"release.pub\"\n\
         [[rule]]\nname = \"rule\"\nimages = [\"docker.io/acme/*\"]\n{requirement}\n"
    );
    Config::parse(&text, "test", Path::new(""), &Environment::default())
}

/// What a rule with this `requirement` says of `docker.io/acme/app`, asked for by `tag`, of which `facts` are proven.
fn judge(bed: &Bed, requirement: &str, tag: Option<&str>, facts: Vec<Fact>) -> Decision {
    let image: Image = "docker.io/acme/app".parse().unwrap();
    let tag = tag.map(|tag| tag.parse().unwrap());
    let request = Request { repository: &image.repository, tag: tag.as_ref(), digest: bed.digest() };
    let proof = Proof {
        children: Few::default(),
        elsewhere: Few::default(),
        subject: bed.digest(),
        facts: facts.into_iter().map(Arc::new).collect(),
        flaws: Few::default(),
        coverage: Coverage::Complete,
        collected_at: bed.now(),
    };
    config(requirement).unwrap().policy.judge(&request, Some(&proof), bed.now()).decision
}

fn prove(bed: &Bed, identity: &Identity, statement: &Statement) -> Vec<Fact> {
    bed.check(&bundle(&bed.authority.keyless(identity).attest(statement), BundleVersion::V0_3)).unwrap()
}

fn signed_by(subject: &str) -> String {
    format!("[[rule.signature]]\ntrust = \"corp\"\nissuer = \"{GITHUB}\"\n{subject}")
}

/// GHSA-vjxv-45g9-9296, GHSA-739f-hw6h-7wq8
#[test]
fn pitfall_02_an_attestation_counts_as_its_own_type_alone() {
    let bed = Bed::new();
    let generator = build().identity_through(CONTAINER_GENERATOR, RELEASED);
    let id = builder(CONTAINER_GENERATOR, RELEASED);
    let digest = bed.digest();
    let statements = [
        (0, Statement::signature(digest)),
        (1, Statement::provenance_v0_2(digest, &build(), &id)),
        (2, Statement::spdx(digest, &["pkg:npm/axios@1.13.2"])),
        (2, Statement::cyclonedx(digest, &["pkg:npm/axios@1.13.2"])),
        (3, Statement::new(digest, "https://example.com/review/v1", serde_json::json!({}))),
        (3, Statement::provenance_v0_2(digest, &build(), &id).called("https://example.com/provenance/v0.2")),
        (3, Statement::spdx(digest, &[]).called("https://example.com/spdx")),
    ];
    let requirements = [
        signed_by("subject = \"**\""),
        "[rule.provenance]\ntrust = \"corp\"\nlevel = 3".to_owned(),
        format!("[rule.sbom.signed_by]\ntrust = \"corp\"\nissuer = \"{GITHUB}\"\nsubject = \"**\""),
    ];
    for (kind, statement) in &statements {
        for (number, requirement) in requirements.iter().enumerate() {
            let expected = if number == *kind { Decision::Admit } else { Decision::Refuse };
            let decision = judge(&bed, requirement, None, prove(&bed, &generator, statement));
            assert_eq!(decision, expected, "{} under {requirement}", statement.predicate_type);
        }
    }
}

/// GHSA-9vcr-p3rj-q5q6, GHSA-fphv-w9fq-2525: who signs twice, or fits twice, is one.
#[test]
fn pitfall_05_a_threshold_is_met_by_different_signers_alone() {
    let bed = Bed::new();
    let one_of = |subject: &str| format!("{{ trust = \"corp\", issuer = \"{GITHUB}\", subject = \"{subject}\" }}");
    let any_of = [one_of("https://github.com/acme/*"), one_of("**")].join(", ");
    let requirement = format!("[[rule.signature]]\nat_least = 2\nany_of = [{any_of}]");
    let signed_by = |subject: &str| prove(&bed, &Identity::uri(subject, GITHUB), &bed.statement());
    let twice = || [signed_by("https://github.com/acme/app"), signed_by("https://github.com/acme/app")].concat();
    assert_eq!(judge(&bed, &requirement, None, twice()), Decision::Refuse);
    let with_another = [twice(), signed_by("https://github.com/acme/other")].concat();
    assert_eq!(judge(&bed, &requirement, None, with_another), Decision::Admit);
}

/// GHSA-46mp-8w32-6g94, GHSA-59jp-pj84-45mr
#[test]
fn pitfall_07_an_identity_is_matched_as_a_whole() {
    let bed = Bed::new();
    let decide = |subject: &str, rule: &str| {
        let facts = prove(&bed, &Identity::uri(subject, GITHUB), &bed.statement());
        judge(&bed, &signed_by(rule), None, facts)
    };
    for rule in [
        "subject = \"https://github.com/acme/app@v1\"",
        "subject = \"https://github.com/acme/*@v1\"",
        "subject_regex = 'https://github\\.com/acme/app@v1'",
        "subject_regex = '^https://github\\.com/acme/app@v1$'",
        "subject_regex = 'https://github\\.com/acme/app@v1|https://github\\.com/acme/other'",
    ] {
        assert_eq!(decide("https://github.com/acme/app@v1", rule), Decision::Admit, "{rule}");
        for stranger in [
            "https://github.com/acme/app@v10",
            "https://github.com/acme/app@v1\nx",
            "https://evil.example/https://github.com/acme/app@v1",
            "https://github.com/acme/app/evil@v1",
            "https://githubXcom/acme/app@v1",
            "HTTPS://GITHUB.COM/ACME/APP@V1",
        ] {
            assert_eq!(decide(stranger, rule), Decision::Refuse, "{stranger} under {rule}");
        }
    }
}

#[test]
fn pitfall_07_an_issuer_is_as_much_of_an_identity_as_a_subject() {
    let bed = Bed::new();
    let facts = prove(&bed, &Identity::uri("https://github.com/acme/app@v1", "https://evil.example"), &bed.statement());
    assert_eq!(judge(&bed, &signed_by("subject = \"https://github.com/acme/*\""), None, facts), Decision::Refuse);
    for part in [
        "[[rule.signature]]\ntrust = \"corp\"",
        "[[rule.signature]]\ntrust = \"corp\"\nissuer = \"https://idp.example\"",
        "[[rule.signature]]\ntrust = \"corp\"\nsubject = \"dev@acme.example\"",
        "[[rule.signature]]\ntrust = \"corp\"\nissuer = \"\"\nsubject = \"\"",
        "[[rule.signature]]\ntrust = \"corp\"\nissuer = \"https://idp.example\"\nsubject_regex = \"(\"",
    ] {
        assert!(config(part).is_err(), "{part}");
    }
}

/// GHSA-xvrc-2wvh-49vc: what comes with a signature, or from wherever it was found, is no root and no key.
#[test]
fn pitfall_07_nothing_that_comes_with_a_signature_is_a_root_of_trust() {
    let bed = Bed::new();
    let key = Key::p256("eve");
    let eve = bed.authority.keyless(&build().identity()).with_foreign_certificate();
    let mut forged = eve.attest(&bed.statement());
    bed.refuses(&bundle(&forged, BundleVersion::V0_1), FlawKind::Certificate, "no trust domain knows");
    if let Credential::Certificate { chain, .. } = &mut forged.credential {
        chain.extend([bed.authority.issuer.certificate.clone(), bed.authority.root.certificate.clone()]);
    }
    for evidence in [bundle(&forged, BundleVersion::V0_1), layer(&forged)] {
        bed.refuses(&evidence, FlawKind::Certificate, "");
    }
    let unknown = bed.authority.with_key(&key).attest(&bed.statement());
    bed.refuses(&bundle(&unknown, BundleVersion::V0_3), FlawKind::UnknownKey, "no key is configured");
    bed.refuses(&layer(&unknown), FlawKind::UnknownKey, "no key is configured");
}

/// GHSA-r2xv-vpr2-42m9
#[test]
fn pitfall_09_a_subject_is_a_digest_whatever_it_is_called() {
    let bed = Bed::new();
    let mut statement = Statement::signature(Digest::of(b"another"));
    statement.subjects[0]["name"] = format!("docker.io/acme/app@{}", bed.digest()).into();
    let mut sideways = bed.statement();
    sideways.subjects[0]["digest"] = serde_json::json!({ "sha512": bed.digest().hex().repeat(2) });
    for about_another in [statement, sideways] {
        let signed = bed.authority.keyless(&build().identity()).attest(&about_another);
        for evidence in [bundle(&signed, BundleVersion::V0_3), layer(&signed)] {
            bed.refuses(&evidence, FlawKind::Subject, "");
        }
    }
}

/// GHSA-57wx-m636-g3g8: a signature says what was built, and never that it is the newest.
#[test]
fn pitfall_11_an_old_release_is_not_the_release_that_was_asked_for() {
    let bed = Bed::new();
    let requirement = "[rule.provenance]\ntrust = \"corp\"\nsource_ref = \"refs/tags/{tag}\"";
    for (built, decision) in [("v1.2.4", Decision::Admit), ("v1.2.3", Decision::Refuse)] {
        let old = Build::of("fystack/apex", &format!("refs/tags/{built}"));
        let provenance = Statement::provenance_v0_2(bed.digest(), &old, &builder(CONTAINER_GENERATOR, RELEASED));
        let facts = prove(&bed, &old.identity_through(CONTAINER_GENERATOR, RELEASED), &provenance);
        assert_eq!(judge(&bed, requirement, Some("v1.2.4"), facts), decision, "{built}");
    }
}
