//! What a check of the corpus demands: whom to trust, and whether a fact is what is asked for.

use std::fs;
use std::path::PathBuf;

use bonafide::evidence::{Evidence, Form, Provenance, SbomFormat, SlsaVersion};
use bonafide::trust::{DomainSettings, KeySettings, Requirement, Trust, WithoutLog};
use bonafide::verify::{self, Certificate, Claim, Fact, FlawKind, Signer, Subject};
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use super::index::Demand;
use super::{Case, Check, Index, Miss, WRONG_CLAIM, WRONG_SIGNER};

/// What the root and the key of a case are called.
pub(crate) const OF_THE_CASE: &str = "of-the-case";

/// The time of the checks: after everything in the corpus was made.
pub(crate) fn now() -> Timestamp {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

/// Whether `evidence` proves what `check` demands of `subject`; why, or why not.
pub(crate) fn judge(evidence: &Evidence, subject: &Subject<'_>, trust: &Trust, check: &Check) -> Result<String, Miss> {
    let facts = verify::check(evidence, subject, trust, now());
    let facts = facts.map_err(|flaw| Miss::new(kind(flaw.kind), flaw.text))?;
    let met = facts.iter().map(|fact| meets(fact, check));
    met.reduce(Result::or).expect("a fact or a flaw")
}

/// A kind of flaw as it is written.
fn kind(kind: FlawKind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
}

fn meets(fact: &Fact, check: &Check) -> Result<String, Miss> {
    match (fact.signer(), &check.policy.key) {
        (Signer::Key { .. }, Some(_)) => {}
        (Signer::Certificate(certificate), None) if *certificate.trust == *OF_THE_CASE => {
            if !is_by(certificate, &check.policy) {
                let text = format!("signed by {} of {}", certificate.subject, certificate.issuer);
                return Err(Miss::new(WRONG_SIGNER, text));
            }
        }
        (signer, _) => return Err(Miss::new(WRONG_SIGNER, format!("signed by {signer:?}"))),
    }
    if let Some(found) = check.found_predicate_type().filter(|found| !is_of(fact.claim(), found)) {
        return Err(Miss::new("other-claim", format!("others find {found}, and it is {:?}", fact.claim())));
    }
    if !says(fact, check) {
        return Err(Miss::new(WRONG_CLAIM, format!("it is {:?}, and says something else", fact.form())));
    }
    Ok(format!("proved: {:?}, signed at {:?}", fact.log(), fact.signed_at()))
}

fn is_by(certificate: &Certificate, demand: &Demand) -> bool {
    let named = demand.identity.is_some() || demand.identity_regexp.is_some();
    let repository = demand.gh_repository.as_ref().map(|name| format!("https://github.com/{name}"));
    demand.identity.as_ref().is_none_or(|identity| **identity == *certificate.subject)
        && demand.identity_regexp.as_ref().is_none_or(|regex| Regex::new(regex).unwrap().is_match(&certificate.subject))
        && (!named || demand.issuer.as_deref().unwrap_or_default() == &*certificate.issuer)
        && (repository.is_none() || repository.as_deref() == certificate.source_repository.as_deref())
        && (demand.gh_ref.is_none() || demand.gh_ref.as_deref() == certificate.source_ref.as_deref())
}

fn says(fact: &Fact, check: &Check) -> bool {
    let demand = &check.policy;
    let form = match demand.evidence.as_str() {
        "cosign legacy signature" => Form::CosignSignature,
        "cosign legacy attestation" => Form::CosignAttestation,
        _ => Form::Bundle,
    };
    if check.is_alone() {
        return check.predicate_type().is_none_or(|demanded| is_of(fact.claim(), demanded));
    }
    fact.form() == form && claims(fact.claim(), demand)
}

/// Whether a statement of this predicate type claims what `claim` does.
fn is_of(claim: &Claim, predicate_type: &str) -> bool {
    match claim {
        Claim::Signature => predicate_type == "https://sigstore.dev/cosign/sign/v1",
        Claim::Provenance(it) => match it.version {
            SlsaVersion::V0_2 => predicate_type == "https://slsa.dev/provenance/v0.2",
            SlsaVersion::V1 => predicate_type == "https://slsa.dev/provenance/v1",
        },
        Claim::Sbom(sbom) => match sbom.format {
            SbomFormat::Spdx => predicate_type.starts_with("https://spdx.dev/Document"),
            SbomFormat::CycloneDx => predicate_type.starts_with("https://cyclonedx.org/bom"),
        },
        Claim::Summary(_) => predicate_type.starts_with("https://slsa.dev/verification_summary/"),
        Claim::Vex(_) => predicate_type.starts_with("https://openvex.dev/ns"),
        Claim::Scan(_) => predicate_type.contains("/attestation/vuln"),
        Claim::Other { predicate_type: claimed } => **claimed == *predicate_type,
    }
}

fn claims(claim: &Claim, demand: &Demand) -> bool {
    match (demand.predicate.as_deref(), claim) {
        (None, Claim::Signature) => demand.rego.is_none(),
        (Some("slsaprovenance"), Claim::Provenance(it)) => it.version == SlsaVersion::V0_2 && is_built(it, demand),
        (Some("slsaprovenance1"), Claim::Provenance(it)) => it.version == SlsaVersion::V1 && is_built(it, demand),
        (Some("spdxjson"), Claim::Sbom(sbom)) => sbom.format == SbomFormat::Spdx,
        _ => false,
    }
}

/// What the recorded policies (`rego/`) ask for.
fn is_built(provenance: &Provenance, demand: &Demand) -> bool {
    const BUILDER: &str =
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml";
    let from = |source: &str, reference: &str| {
        provenance.builder_id.starts_with(BUILDER)
            && provenance.source.as_deref() == Some(source)
            && provenance.source_ref.as_deref() == Some(reference)
    };
    match demand.rego.as_deref() {
        None => true,
        Some("builder") => from("https://github.com/slsa-framework/example-package", "refs/heads/main"),
        Some("builder-tag") => from("https://github.com/slsa-framework/example-package", "refs/tags/v13.0.30"),
        Some("wrongsource") => from("https://github.com/slsa-framework/example-packageA", "refs/heads/main"),
        Some(other) => panic!("the policy {other} is not known"),
    }
}

/// Trust in the root that `check` asks for, and in its key.
pub(crate) fn trust(index: &Index, case: &Case, check: &Check) -> Trust {
    let (domains, keys) = trusted(index, case, check);
    Trust::load(&domains, &keys).unwrap_or_else(|error| panic!("{}: {error}", case.id))
}

/// The root that `check` asks for, by rules that this root can meet, and its key.
pub(crate) fn trusted(index: &Index, case: &Case, check: &Check) -> (Vec<DomainSettings>, Vec<KeySettings>) {
    let demand = &check.policy;
    let other = demand.trust.as_ref().filter(|name| *name != "own").map(|name| format!("trust/{name}.json"));
    let root = other.or_else(|| demand.trust_root.clone()).or_else(|| case.trust_root.clone());
    let domains = root.iter().map(|root| domain(index.folder.join(root))).collect();
    let keys = demand.key.iter().map(|key| long_lived(index, case, key, demand.no_tlog)).collect();
    (domains, keys)
}

fn domain(trusted_root: PathBuf) -> DomainSettings {
    let root: Value = serde_json::from_slice(&fs::read(&trusted_root).unwrap()).unwrap();
    let needs = |list: &str| match root[list].as_array() {
        Some(list) if !list.is_empty() => Requirement::Required,
        _ => Requirement::NotRequired,
    };
    DomainSettings::of_file(OF_THE_CASE, trusted_root, needs("tlogs"), needs("ctlogs"))
}

fn long_lived(index: &Index, case: &Case, key: &str, without_log: bool) -> KeySettings {
    let own = index.folders(case).into_iter().map(|folder| folder.join(key)).find(|path| path.is_file());
    KeySettings {
        name: OF_THE_CASE.to_owned(),
        path: own.unwrap_or_else(|| index.folder.join("keys/unrelated.pub")),
        not_before: None,
        not_after: None,
        without_log: if without_log { WithoutLog::Allow } else { WithoutLog::Refuse },
    }
}
