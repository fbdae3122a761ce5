//! What holds of judging whatever the rule and whatever is proven, over all that a rule can say.

use std::cell::Cell;
use std::sync::Arc;

use bonafide::oci::{Digest, Tag};
use bonafide::policy::{Decision, Feed, Mode, Policy, ReasonCode, Request, Requirement, RequirementKind, Verdict};
use bonafide::verify::{Coverage, Flaw, Proof};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{
    COMMIT, GENERATOR, ISSUER, SIGNER, SOURCE, digest, identity, policy, proof, provenance, repository, sbom, signature,
};
use super::{bases, lists, summaries};

/// When it is judged, some hours after the facts were signed.
const NOW: &str = "2026-01-01T06:00:00Z";
const STRANGER: &str = "https://github.com/evil/w/.github/workflows/x.yml@refs/tags/v1";

/// Who else is named by rules: a builder and a verifier, each by a key or a certificate, and what is revoked.
fn rest() -> impl Strategy<Value = String> {
    let revoked = select(vec![
        String::new(),
        format!("[revoked]\ndigests = ['{}']", Digest::of(b"another")),
        format!("[revoked]\ncommits = ['{COMMIT}']"),
        format!("[revoked]\ncommits = ['{}']", COMMIT.replace('a', "b")),
        format!("[revoked]\nsubjects = ['{STRANGER}']"),
        format!("[revoked]\nsubjects = ['{SIGNER}']"),
        format!("[[revoked.log_before]]\nsubject = '{SIGNER}'\nissuer = '{ISSUER}'\nuntil = 2026-01-01T03:00:00Z"),
        "[[revoked.log_before]]\nkey = 'release'\nfrom = 2026-01-01T03:00:00Z".to_owned(),
    ]);
    let verifier = select(vec!["", "max_age = '30d'", "policy = 'https://policies.acme.test/**'"]);
    (revoked, verifier).prop_map(|(revoked, verifier)| {
        let (id, subject) = (summaries::VERIFIER, summaries::SUBJECT);
        format!(
            "[[builder]]\nname = 'factory'\nid = 'https://factory.acme.test/**'\nkey = 'backup'\nlevel = 3\n\
             [[builder]]\nname = 'own'\nid = '{GENERATOR}'\nissuer = '{ISSUER}'\nlevel = 2\nself_hosted_runners = 'allow'\n\
             [[verifier]]\nname = 'corp'\nid = '{id}'\nissuer = '{ISSUER}'\nsubject = '{subject}'\n{verifier}\n\
             [[verifier]]\nname = 'house'\nid = '{id}'\nkey = 'release'\n{revoked}\n"
        )
    })
}

/// A signature block, or none.
fn some_signature() -> impl Strategy<Value = String> {
    let one = identity().replace('\n', ", ");
    let any_of = format!("any_of = [{{ {one} }}, {{ {one}, source_repository = '{SOURCE}' }}, {{ key = 'release' }}]");
    select(vec![
        String::new(),
        identity(),
        identity(),
        format!("{}\nsource_ref = 'refs/tags/v*'\nbuild_trigger = 'push'", identity()),
        format!("{}\nsource_commit = '{COMMIT}'\nrunner_environment = 'github-hosted'", identity()),
        format!("issuer = '{ISSUER}'\nsubject_regex = 'https://github.com/fystack/.*'\ntrust = 'public-good'"),
        "key = 'release'".to_owned(),
        any_of.clone(),
        format!("at_least = 2\n{any_of}"),
        format!("at_least = 2\nany_of = [{{ issuer = '{ISSUER}', subject = 'https://github.com/**' }}, {{ key = 'release' }}]"),
    ])
    .prop_map(|lines| if lines.is_empty() { lines } else { format!("[[rule.signature]]\n{lines}\n") })
}

/// A demand for provenance or for a summary in its place, or none.
fn some_provenance() -> impl Strategy<Value = String> {
    let lines = vec![
        "source = 'github.com/fystack/apex'",
        "source_ref = 'refs/tags/{tag}'",
        "source_ref = 'refs/tags/v*'",
        "source_versioned_tag = 'v1'",
        "source_branch = 'main'",
        "source_commit = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
        "workflow = '.github/workflows/*.yml'",
        "workflow_inputs = { environment = 'prod*' }",
        "workflow_inputs = { environment = 'staging' }",
    ];
    let built = (select(vec!["slsa-github-generator", "factory", "own', 'factory"]), 1..3u8, select(lines))
        .prop_map(|(builders, level, line)| format!("builders = ['{builders}']\nlevel = {level}\n{line}"));
    let verified = select(vec![
        "verifiers = ['corp']\nlevel = 2",
        "verifiers = ['corp', 'house']",
        "verifiers = ['house']\nlevel = 3",
        "verifiers = ['corp']\nbuilders = ['slsa-github-generator']\nlevel = 3",
    ]);
    prop_oneof![
        2 => Just(String::new()),
        4 => built.prop_map(|lines| format!("[rule.provenance]\ntrust = 'public-good'\n{lines}\n")),
        3 => verified.prop_map(|lines| format!("[rule.provenance]\n{lines}\n")),
    ]
}

/// A demand for a bill of materials, or none.
fn some_sbom() -> impl Strategy<Value = String> {
    let by = format!("signed_by = {{ {} }}", identity().replace('\n', ", "));
    let signers = vec![by.clone(), by, "signed_by = { key = 'release' }".to_owned()];
    let demands = vec![
        "formats = ['spdx']",
        "formats = ['spdx', 'cyclonedx']",
        "deny_packages = ['pkg:npm/axios@1.14.1']",
        "deny_packages = ['pkg:npm/left-pad']",
        "deny_licenses = ['AGPL-3.0-only']",
        "deny_feed = 'read.json'",
        "deny_feed = 'unread.json'",
    ];
    let some = (select(signers), select(demands)).prop_map(|(by, lines)| format!("[rule.sbom]\n{by}\n{lines}\n"));
    prop_oneof![2 => Just(String::new()), 3 => some]
}

/// A condition, whether it can only become true by what is published later, and what it takes.
#[derive(Debug, Clone, Copy)]
struct Line {
    text: &'static str,
    only_grows: bool,
    needs: &'static str,
}

const fn line(text: &'static str, only_grows: bool, needs: &'static str) -> Line {
    Line { text, only_grows, needs }
}

const LINES: [Line; 18] = [
    line("", true, ""),
    line("min_log_age = '1h'", true, "[[rule.signature]]"),
    line("min_log_age = '5h'", true, "[[rule.signature]]"),
    line("index = 'children'", true, ""),
    line("base_images = 'judge'", true, "builders"),
    line("base_images = 'judge'", true, "[rule.sbom]"),
    line("condition = \"tag != '' && now > 0 && image.startsWith('docker.io/')\"", true, ""),
    line("condition = 'signatures.exists(s, s.signed_at > 0)'", true, "[[rule.signature]]"),
    line("condition = 'signatures.all(s, s.signed_at > 0)'", false, "[[rule.signature]]"),
    line("condition = 'size(scans) > 0 && scans.all(s, s.counts.critical == 0)'", false, "[[rule.signature]]"),
    line(
        "condition = 'scans.exists(s, s.signed_at > now - 86400 && s.counts.critical == 0)'",
        true,
        "[[rule.signature]]",
    ),
    line("condition = \"!vex.exists(v, v.statements.exists(s, s.status == 'affected'))\"", false, "[[rule.signature]]"),
    line("condition = \"vex.exists(v, v.statements.exists(s, s.status == 'fixed'))\"", true, "[[rule.signature]]"),
    line("condition = \"summaries.exists(s, s.result == 'PASSED')\"", true, "[[rule.signature]]"),
    line("condition = \"summaries.all(s, s.result == 'PASSED')\"", false, "verifiers"),
    line("condition = 'sboms.exists(s, s.packages < 5)'", true, "[rule.sbom]"),
    line("condition = 'sboms.all(s, s.packages < 5)'", false, "[rule.sbom]"),
    line("condition = \"provenance.level >= 2 && provenance.source.fits('https://github.com/**')\"", true, "builders"),
];

/// A rule with everything that belongs to it.
#[derive(Debug, Clone)]
struct Written {
    text: String,
    /// Whether what is published later can only meet it, deny lines aside.
    only_grows: bool,
}

/// A rule out of every kind of requirement, each there or not.
fn some_rule() -> impl Strategy<Value = Written> {
    let mode = select(vec!["enforce", "enforce", "audit"]);
    let tags = select(vec!["", "tags = ['v*']"]);
    let demands =
        (some_signature(), some_signature(), some_provenance(), some_sbom()).prop_map(|(one, two, built, sbom)| {
            // A second block is rare enough.
            let two = if one.len() % 3 == 0 { two } else { String::new() };
            let all = format!("{one}{two}{built}{sbom}");
            if all.is_empty() { format!("[[rule.signature]]\n{}\n", identity()) } else { all }
        });
    (mode, tags, demands, select(&LINES[..]), rest()).prop_map(|(mode, tags, demands, line, rest)| {
        let line = if demands.contains(line.needs) { line } else { LINES[0] };
        let head = format!("[[rule]]\nname = 'some'\nimages = ['docker.io/**']\nmode = '{mode}'\n{tags}\n");
        Written { text: format!("{head}{}\n{demands}{rest}", line.text), only_grows: line.only_grows }
    })
}

/// Facts of every kind that somebody asks for, each as it should be.
fn good() -> Vec<Value> {
    let by_key = |fact: &Value, name: &str| {
        let mut fact = fact.clone();
        fact["signer"] = json!({ "key": { "name": name } });
        fact
    };
    let mut built = by_key(&provenance(), "backup");
    built["claim"]["provenance"]["builder_id"] = json!("https://factory.acme.test/1");
    let all = vec![
        signature(),
        by_key(&signature(), "release"),
        provenance(),
        built,
        sbom(),
        bases::based("bases"),
        by_key(&sbom(), "release"),
        summaries::summary(),
        by_key(&summaries::summary(), "release"),
        lists::scan(),
        lists::vex_by(SIGNER, "fixed"),
        lists::summary_by(SIGNER),
    ];
    let of_children = ["amd64", "arm64"]
        .into_iter()
        .flat_map(|child| [provenance(), sbom(), summaries::summary()].map(|fact| super::of_child(&fact, child)));
    let all: Vec<_> = all.into_iter().chain(of_children).collect();
    all.into_iter().enumerate().map(|(at, fact)| in_layer(fact, &at.to_be_bytes())).collect()
}

/// What a rule does not take, or denies.
fn bad() -> Vec<Value> {
    let critical = lists::critical_by(SIGNER);
    let other =
        super::fact("other", SIGNER, &json!({ "other": { "predicate_type": "https://example.com/review/v1" } }));
    let mut cyclonedx = sbom();
    cyclonedx["claim"]["sbom"]["format"] = json!("cyclonedx");
    let listing = |package: Value| {
        let mut sbom = sbom();
        sbom["claim"]["sbom"]["packages"] = json!([package]);
        sbom
    };
    vec![
        critical,
        lists::vex_by(SIGNER, "affected"),
        summaries::with("result", json!("FAILED")),
        summaries::with("resource_uri", json!("docker.io/other/app")),
        other,
        cyclonedx,
        listing(json!({ "purl": "pkg:npm/axios@1.14.1", "name": "axios", "version": "1.14.1", "licenses": ["MIT"] })),
        listing(json!({ "purl": null, "name": "axios", "version": "1.14.1", "licenses": ["MIT AND AGPL-3.0-only"] })),
    ]
}

fn in_layer(mut fact: Value, layer: &[u8]) -> Value {
    fact["source"]["layer"] = json!(Digest::of(layer));
    fact
}

/// What may be changed in a fact, and to what.
fn changes() -> Vec<(&'static str, Value)> {
    let another = || json!("another");
    vec![
        ("/subject", json!(Digest::of(b"another"))),
        ("/signer/certificate/subject", json!(STRANGER)),
        ("/signer/certificate/subject", json!("https://github.com/fystack/other")),
        ("/signer/certificate/issuer", another()),
        ("/signer/certificate/trust", json!("github")),
        ("/signer/certificate/source_repository", another()),
        ("/signer/certificate/source_ref", json!("refs/heads/main")),
        ("/signer/certificate/source_commit", json!(COMMIT.replace('a', "b"))),
        ("/signer/certificate/runner_environment", json!("self-hosted")),
        ("/signer/key/name", json!("backup")),
        ("/signer", json!({ "key": { "name": "release" } })),
        ("/signed_at", Value::Null),
        ("/signed_at", json!("2026-01-01T04:00:00Z")),
        ("/signed_at", json!("2025-06-01T00:00:00Z")),
        ("/log", json!("none")),
        ("/source/layer", json!(Digest::of(b"one"))),
        ("/source/manifest", json!(Digest::of(b"attestation of arm64"))),
        ("/holds_until", json!("2026-01-01T05:00:00Z")),
        ("/holds_until", json!("2027-01-01T00:00:00Z")),
        ("/through", Value::Null),
        ("/claim/provenance/source", another()),
        ("/claim/provenance/source", Value::Null),
        ("/claim/provenance/source_ref", json!("refs/tags/v2.0.0")),
        ("/claim/provenance/source_branch", json!("next")),
        ("/claim/provenance/builder_id", another()),
        ("/claim/provenance/workflow", json!(".github/workflows/test.yaml")),
        ("/claim/provenance/workflow_inputs", json!({})),
        ("/claim/provenance/workflow_inputs", json!({ "environment": "staging" })),
        ("/claim/summary/verifier_id", another()),
        ("/claim/summary/levels", json!(["SLSA_BUILD_LEVEL_1"])),
        ("/claim/summary/verified_at", Value::Null),
        ("/claim/summary/verified_at", json!("2026-01-01T00:00:00Z")),
        ("/claim/summary/policy_uri", Value::Null),
    ]
}

/// Any fact with up to two things changed.
fn some_fact() -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec(select(changes()), 0..3);
    let fact = prop_oneof![2 => select(good()), 1 => select(bad())];
    (fact, changes, 0..1000u32).prop_map(|(fact, changes, layer)| {
        let mut fact = in_layer(fact, &layer.to_be_bytes());
        for (pointer, value) in changes {
            let (holder, name) = pointer.rsplit_once('/').unwrap();
            if let Some(holder) = fact.pointer_mut(holder).and_then(Value::as_object_mut) {
                holder.insert(name.to_owned(), value);
            }
        }
        fact
    })
}

/// Most of what is asked for, and anything else.
fn some_facts() -> impl Strategy<Value = Vec<Value>> {
    let good = good();
    let all = good.len();
    let most = prop_oneof![2 => subsequence(good.clone(), all - 4..=all), 1 => subsequence(good, 0..=all)];
    (most, prop::collection::vec(some_fact(), 0..6)).prop_map(|(most, any)| most.into_iter().chain(any).collect())
}

fn some_flaws() -> impl Strategy<Value = Vec<Flaw>> {
    let kinds = select(vec!["too-much", "malformed", "unknown-key", "signature", "subject"]);
    let predicates = vec![None, Some("https://slsa.dev/provenance/v1"), Some("https://spdx.dev/Document")];
    let flaw = (kinds, select(predicates), "[ab]").prop_map(|(kind, predicate, text)| {
        let source = json!({"manifest": Digest::of(b"manifest"), "layer": Digest::of(text.as_bytes())});
        let flaw = json!({"source": source, "form": null, "predicate_type": predicate, "kind": kind, "text": text});
        serde_json::from_value(flaw).unwrap()
    });
    prop::collection::vec(flaw, 0..4)
}

/// What else there is to a proof: whether it is one of an index, and whether all was seen.
fn some_frame() -> impl Strategy<Value = Proof> {
    let children = select(vec![
        vec![],
        vec![],
        vec!["amd64", "arm64", "attestation of amd64", "attestation of arm64"],
        vec!["amd64", "attestation of amd64"],
        vec!["amd64", "arm64", "attestation of amd64", "stray"],
    ]);
    let partial = Coverage::partial("no answer");
    let coverage = prop_oneof![6 => Just(Coverage::Complete), 1 => Just(Coverage::Bounded), 1 => Just(partial)];
    (children, coverage, some_flaws()).prop_map(|(children, coverage, flaws)| {
        let children = children.into_iter().map(|child| Digest::of(child.as_bytes())).collect();
        Proof { children, coverage, flaws: flaws.into(), ..proof(&[]) }
    })
}

fn with(frame: &Proof, facts: &[Value]) -> Proof {
    Proof { facts: proof(facts).facts, ..frame.clone() }
}

/// The rule, with one of its feeds read.
fn compiled(rule: &Written) -> Policy {
    let policy = policy(&rule.text).unwrap_or_else(|error| panic!("{error}\n{}", rule.text));
    let mut feed = Feed::default();
    let record = json!({ "id": "MAL-1", "affected": [
        { "package": { "ecosystem": "npm", "name": "axios" }, "versions": ["1.14.1"] },
    ] });
    feed.read(record.to_string().as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
    policy.replace_feed("read.json".as_ref(), &Arc::new(feed));
    policy
}

fn judged(policy: &Policy, proof: &Proof) -> Verdict {
    let (repository, tag) = (repository(), "v1.2.3".parse::<Tag>().unwrap());
    let request = Request { repository: &repository, tag: Some(&tag), digest: digest() };
    policy.judge(&request, Some(proof), NOW.parse().unwrap())
}

fn codes(verdict: &Verdict) -> impl Iterator<Item = ReasonCode> {
    verdict.requirements.iter().filter(|it| !it.met).flat_map(|it| &it.reasons).map(|reason| reason.code)
}

fn is_denial(code: ReasonCode) -> bool {
    [ReasonCode::DeniedPackage, ReasonCode::DeniedByFeed, ReasonCode::DeniedLicense].contains(&code)
}

/// Everything but the images that it was built from, which are judged last.
fn is_met_but_for_bases(verdict: &Verdict) -> bool {
    verdict
        .requirements
        .iter()
        .all(|it| it.met || (it.kind == RequirementKind::BaseImage && verdict.built_from.is_some()))
}

/// The same things in two orders.
fn turned<T: std::fmt::Debug + Clone + 'static>(
    some: impl Strategy<Value = Vec<T>>,
) -> impl Strategy<Value = (Vec<T>, Vec<T>)> {
    some.prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
}

fn at_one_place(facts: Vec<Value>) -> Vec<Value> {
    facts.into_iter().map(|fact| in_layer(fact, b"one")).collect()
}

proptest! {
    #[test]
    fn more_facts_never_turn_an_admit_into_a_refusal_unless_what_is_denied_says_so(
        rule in some_rule(), frame in some_frame(), picks in some_facts(), more in prop::collection::vec(some_fact(), 1..8)
    ) {
        let policy = compiled(&rule);
        let all: Vec<_> = picks.iter().chain(&more).cloned().collect();
        let (few, many) = (judged(&policy, &with(&frame, &picks)), judged(&policy, &with(&frame, &all)));
        if is_met_but_for_bases(&few) {
            let denied = codes(&many).any(is_denial);
            let is_excused = |requirement: &Requirement| match requirement.kind {
                RequirementKind::Sbom => requirement.reasons.iter().any(|reason| is_denial(reason.code)),
                // Over all of a list it denies what is not so; and where something is denied, it is not asked.
                RequirementKind::Condition => denied || !rule.only_grows,
                RequirementKind::Signature
                | RequirementKind::Provenance
                | RequirementKind::BaseImage
                | RequirementKind::Index
                | RequirementKind::Age
                | RequirementKind::Rule => false,
            };
            let unmet = many.requirements.iter().filter(|requirement| !requirement.met);
            let is_denied = unmet.clone().next().is_some() && unmet.clone().all(is_excused);
            prop_assert!(is_met_but_for_bases(&many) || is_denied, "{:#?}", unmet.collect::<Vec<_>>());
            if let (Some(few), Some(many)) = (&few.built_from, &many.built_from) {
                prop_assert!(few.provenances.iter().all(|fact| many.provenances.contains(fact)));
                prop_assert!(few.sboms.iter().all(|fact| many.sboms.contains(fact)));
                prop_assert!(many.sboms_are_of_all || !few.sboms_are_of_all);
            }
        }
        // And what is denied stays denied.
        prop_assert!(!codes(&few).any(is_denial) || codes(&many).any(is_denial));
    }

    #[test]
    fn the_order_of_facts_and_flaws_does_not_matter_whatever_the_rule(
        rule in some_rule(), frame in some_frame(), (facts, turned_facts) in turned(some_facts()), (flaws, turned_flaws) in turned(some_flaws())
    ) {
        let policy = compiled(&rule);
        let judged = |facts: &[Value], flaws: &[Flaw]| {
            judged(&policy, &Proof { flaws: flaws.to_vec().into(), ..with(&frame, facts) })
        };
        prop_assert_eq!(judged(&facts, &flaws), judged(&turned_facts, &turned_flaws));
        // All from one piece of evidence: then nothing but what they say tells them apart.
        let (facts, turned_facts) = (at_one_place(facts), at_one_place(turned_facts));
        prop_assert_eq!(judged(&facts, &flaws), judged(&turned_facts, &turned_flaws));
    }

    #[test]
    fn judging_has_an_answer_for_everything(
        rule in some_rule(), frame in some_frame(), facts in some_facts(), tag in "[a-z][a-z0-9.]{0,5}",
        seconds in 0i64..4_000_000_000, is_about_another in prop::bool::weighted(0.1)
    ) {
        let policy = compiled(&rule);
        let (repository, tag) = (repository(), tag.parse::<Tag>().unwrap());
        let mut proof = with(&frame, &facts);
        if is_about_another {
            proof.subject = Digest::of(b"another");
        }
        for tag in [Some(&tag), None] {
            for proof in [Some(&proof), None] {
                let request = Request { repository: &repository, tag, digest: digest() };
                let verdict = policy.judge(&request, proof, Timestamp::from_second(seconds).unwrap());
                for requirement in &verdict.requirements {
                    prop_assert_eq!(requirement.met, requirement.reasons.is_empty());
                    // A condition may be met by no fact in particular.
                    let is_condition = requirement.kind == RequirementKind::Condition;
                    prop_assert!(requirement.met == requirement.by.is_some() || (requirement.met && is_condition));
                    prop_assert!(requirement.met || requirement.also_by.is_empty());
                }
                let is_met = verdict.requirements.iter().all(|requirement| requirement.met);
                let watches = verdict.mode == Some(Mode::Audit);
                prop_assert_eq!(verdict.decision == Decision::Admit, is_met || (watches && verdict.rule.is_some()));
                prop_assert!(!verdict.requirements.is_empty());
                if proof.is_none_or(|proof| proof.subject != digest()) {
                    prop_assert!(!is_met);
                }
            }
        }
    }

    #[test]
    fn what_is_revoked_is_as_good_as_absent_but_for_what_it_denies(
        rule in some_rule(), frame in some_frame(), facts in some_facts()
    ) {
        let before = rule.text.find("[revoked").map_or(&*rule.text, |at| rule.text[..at].trim_end_matches('['));
        let text = format!("{before}[revoked]\nsubjects = ['https://github.com/**']\n");
        let policy = compiled(&Written { text, ..rule });
        let counts = |fact: &&Value| fact["signer"]["key"].is_object();
        let kept: Vec<_> = facts.iter().filter(counts).cloned().collect();
        let (all, kept) = (judged(&policy, &with(&frame, &facts)), judged(&policy, &with(&frame, &kept)));
        if is_met_but_for_bases(&all) {
            prop_assert!(is_met_but_for_bases(&kept), "{all:#?}\n{kept:#?}");
        }
    }
}

#[test]
fn what_is_tried_is_admitted_refused_and_undecided_often_enough() {
    let (admitted, refused, undecided, met) = (Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |counter: &Cell<u32>| counter.set(counter.get() + 1);
    let mut runner = TestRunner::deterministic();
    let tried = runner.run(&(some_rule(), some_frame(), some_facts()), |(rule, frame, facts)| {
        let verdict = judged(&compiled(&rule), &with(&frame, &facts));
        count(match verdict.decision {
            Decision::Admit => &admitted,
            Decision::Refuse => &refused,
            Decision::Undecided => &undecided,
        });
        if verdict.is_met() && verdict.requirements.len() > 1 {
            count(&met);
        }
        Ok(())
    });
    tried.unwrap();
    let counts = [admitted, refused, undecided, met].map(Cell::into_inner);
    assert!(counts.iter().all(|count| *count >= 12), "{counts:?}");
}

#[test]
fn every_part_of_a_rule_that_is_tried_can_be_met() {
    let facts = good();
    for line in LINES {
        let head = format!(
            "[[rule]]\nname = 'some'\nimages = ['docker.io/**']\n{}\n[[rule.signature]]\n{}\n",
            line.text,
            identity()
        );
        let verifiers = line.needs == "verifiers";
        let provenance = if verifiers { "verifiers = ['corp']" } else { "builders = ['slsa-github-generator']" };
        let (id, subject) = (summaries::VERIFIER, summaries::SUBJECT);
        let text = format!(
            "{head}[rule.provenance]\n{provenance}\n[rule.sbom]\n\
             [[verifier]]\nname = 'corp'\nid = '{id}'\nissuer = '{ISSUER}'\nsubject = '{subject}'\n"
        );
        let verdict = judged(&compiled(&Written { text, only_grows: true }), &with(&proof(&[]), &facts));
        assert!(is_met_but_for_bases(&verdict), "{line:?}: {verdict:#?}");
    }
}
