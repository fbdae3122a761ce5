use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::evidence::SlsaVersion;

fn statement(predicate_type: &str, predicate: &Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "app", "digest": {"sha256": Digest::of(b"image").hex()}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    })
}

fn parse(statement: &Value) -> Result<Statement, Malformed> {
    Statement::parse(statement.to_string().as_bytes())
}

fn read(predicate_type: &str, predicate: &Value) -> Result<Predicate, Malformed> {
    parse(&statement(predicate_type, predicate)).map(|statement| statement.predicate)
}

fn spdx() -> Value {
    json!({"spdxVersion": "SPDX-2.3", "packages": [{"name": "axios", "versionInfo": "1.14.1"}]})
}

fn provenance_v0_2() -> Value {
    json!({"builder": {"id": "https://example.com/builder"}, "buildType": "https://example.com/build"})
}

fn provenance_v1() -> Value {
    json!({
        "buildDefinition": {"buildType": "https://example.com/build", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://example.com/builder"}},
    })
}

fn summary() -> Value {
    json!({"verifier": {"id": "https://example.com/verifier"}, "resourceUri": "pkg:oci/app",
        "verificationResult": "PASSED", "verifiedLevels": ["SLSA_BUILD_LEVEL_2"]})
}

fn vex() -> Value {
    json!({"statements": [{"vulnerability": {"name": "CVE-2026-1"}, "status": "not_affected"}]})
}

fn scan() -> Value {
    json!({"scanner": {"uri": "https://example.com/scanner", "result": []}})
}

#[test]
fn both_versions_of_the_statement_are_read() {
    for kind in STATEMENT_TYPES {
        let mut statement = statement(COSIGN_SIGNATURE, &json!({}));
        statement["_type"] = json!(kind);
        let read = parse(&statement).unwrap();
        assert_eq!(read.subjects, [Digest::of(b"image")]);
        assert_eq!((read.predicate, &*read.predicate_type), (Predicate::Signature, COSIGN_SIGNATURE));
    }
}

#[test]
fn a_statement_of_any_other_type_is_refused() {
    for kind in [json!("https://in-toto.io/Statement/v2"), json!("https://in-toto.io/Statement/v1 "), json!(null)] {
        let mut statement = statement(COSIGN_SIGNATURE, &json!({}));
        statement["_type"] = kind;
        assert!(matches!(parse(&statement), Err(Malformed::StatementType(_))));
    }
    let mut statement = statement(COSIGN_SIGNATURE, &json!({}));
    statement["type"] = statement.as_object_mut().unwrap().remove("_type").unwrap();
    assert_eq!(parse(&statement), Err(Malformed::StatementType(String::new())));
}

#[test]
fn a_plain_signature_needs_no_predicate() {
    for predicate in [json!({}), json!(null)] {
        assert_eq!(read(COSIGN_SIGNATURE, &predicate), Ok(Predicate::Signature));
    }
    let mut statement = statement(COSIGN_SIGNATURE, &json!({}));
    statement.as_object_mut().unwrap().remove("predicate");
    assert_eq!(parse(&statement).unwrap().predicate, Predicate::Signature);
}

#[test]
fn a_predicate_type_is_taken_at_its_word() {
    for (predicate_type, predicate) in [
        ("https://slsa.dev/provenance/v1.0", provenance_v1()),
        ("https://slsa.dev/provenance/v1/", provenance_v1()),
        ("https://slsa.dev/provenance/v1?draft", provenance_v1()),
        ("https://slsa.dev/provenance/v0.1", provenance_v0_2()),
        ("http://slsa.dev/provenance/v0.2", provenance_v0_2()),
        ("https://slsa.dev/Provenance/v0.2", provenance_v0_2()),
        ("https://spdx.dev/Document/v", spdx()),
        ("https://spdx.dev/Documents", spdx()),
        ("https://spdx.dev/Document/v2.3/x", spdx()),
        ("https://cyclonedx.org/bom/1.4", spdx()),
        ("https://sigstore.dev/cosign/sign/v2", json!({})),
        ("https://slsa.dev/verification_summary/v0.1", summary()),
        ("https://slsa.dev/verification_summary/v1.0", summary()),
        ("https://openvex.dev/ns/", vex()),
        ("https://openvex.dev/ns2", vex()),
        ("https://in-toto.io/attestation/vulns/v0.3", scan()),
        ("https://cosign.sigstore.dev/attestation/vuln/v2", scan()),
        ("", json!({})),
    ] {
        assert_eq!(read(predicate_type, &predicate), Ok(Predicate::Other), "{predicate_type}");
    }
}

#[test]
fn summaries_vex_and_scans_are_read_under_every_name_that_tools_write() {
    for predicate_type in SUMMARIES {
        assert!(matches!(read(predicate_type, &summary()), Ok(Predicate::Summary(_))), "{predicate_type}");
    }
    for predicate_type in ["https://openvex.dev/ns", "https://openvex.dev/ns/v0.2.0"] {
        assert!(matches!(read(predicate_type, &vex()), Ok(Predicate::Vex(_))), "{predicate_type}");
    }
    for predicate_type in SCANS {
        assert!(matches!(read(predicate_type, &scan()), Ok(Predicate::Scan(_))), "{predicate_type}");
    }
}

#[test]
fn a_summary_vex_or_scan_that_is_none_is_malformed_and_no_statement_of_another_type() {
    for predicate_type in SUMMARIES.iter().chain(&SCANS).chain(&[OPENVEX]) {
        for predicate in [json!({}), json!(null), json!([]), json!(scan().to_string())] {
            let result = read(predicate_type, &predicate);
            assert!(matches!(result, Err(Malformed::Json(_))), "{predicate_type} {predicate}: {result:?}");
        }
    }
}

#[test]
fn a_provenance_of_one_version_is_not_read_as_the_other() {
    let Ok(Predicate::Provenance(read_v0_2)) = read(SLSA_V0_2, &provenance_v0_2()) else { panic!("not read") };
    let Ok(Predicate::Provenance(read_v1)) = read(SLSA_V1, &provenance_v1()) else { panic!("not read") };
    assert_eq!((read_v0_2.version, read_v1.version), (SlsaVersion::V0_2, SlsaVersion::V1));
    assert!(matches!(read(SLSA_V0_2, &provenance_v1()), Err(Malformed::Json(_))));
    assert!(matches!(read(SLSA_V1, &provenance_v0_2()), Err(Malformed::Json(_))));
    assert!(matches!(read(SLSA_V1, &json!(provenance_v1().to_string())), Err(Malformed::Json(_))), "no string");
}

#[test]
fn sboms_are_read_with_and_without_a_version_in_their_type() {
    let cyclonedx = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "axios"}]});
    for (predicate_type, predicate, format) in [
        ("https://spdx.dev/Document", spdx(), SbomFormat::Spdx),
        ("https://spdx.dev/Document/v2.3", spdx(), SbomFormat::Spdx),
        ("https://cyclonedx.org/bom", cyclonedx.clone(), SbomFormat::CycloneDx),
        ("https://cyclonedx.org/bom/v1.6", cyclonedx, SbomFormat::CycloneDx),
    ] {
        let Ok(Predicate::Sbom(sbom)) = read(predicate_type, &predicate) else { panic!("{predicate_type}") };
        assert_eq!((sbom.format, sbom.packages.len()), (format, 1));
    }
}

#[test]
fn an_sbom_may_come_as_a_string_or_wrapped_by_cosign_1() {
    let expected = read(SPDX, &spdx()).unwrap();
    let text = json!(serde_json::to_string_pretty(&spdx()).unwrap());
    for predicate in [text.clone(), json!({"Data": text, "Timestamp": "2023-01-01T00:00:00Z"}), json!({"Data": spdx()})]
    {
        assert_eq!(read(SPDX, &predicate).as_ref(), Ok(&expected));
    }
}

#[test]
fn an_sbom_that_cannot_be_read_is_malformed_and_not_something_else() {
    for predicate in [
        json!({}),
        json!(null),
        json!("SPDXVersion: SPDX-2.3\nPackageName: axios"),
        json!(json!(spdx().to_string()).to_string()),
        json!({"Data": null}),
        json!({"Data": {"Data": spdx()}}),
        json!({"bomFormat": "CycloneDX", "specVersion": "1.6"}),
    ] {
        assert!(matches!(read(SPDX, &predicate), Err(Malformed::Json(_))), "{predicate}");
    }
}

#[test]
fn a_key_given_twice_inside_a_string_is_refused() {
    for document in [
        r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"axios"}],"packages":[]}"#,
        r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"axios","supplier":"a","supplier":"b"}]}"#,
        r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"axios","annotations":[{"a":1,"a":2}]}]}"#,
        r#"{"spdxVersion":"SPDX-2.3","a":{"b":1},"a":{}}"#,
    ] {
        for predicate in [json!(document), json!({ "Data": document })] {
            let refused = read(SPDX, &predicate).unwrap_err().to_string();
            assert!(refused.contains("a key twice"), "{refused}");
        }
    }
}

#[test]
fn a_key_given_twice_anywhere_in_a_statement_is_refused() {
    let sound = |predicate_type: &str, predicate: &Value| statement(predicate_type, predicate).to_string();
    let spdx_3 = json!({ "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
        { "type": "software_Package", "spdxId": "urn:a", "name": "a", "TWICE": 0 }] });
    let cyclonedx = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": { "TWICE": 0 },
        "components": [{ "name": "a", "components": [{ "name": "b", "properties": [{ "TWICE": 0 }] }] }] });
    let mut about = statement(COSIGN_SIGNATURE, &json!({}));
    about["subject"][0]["TWICE"] = json!(0);
    for text in [
        sound(SPDX, &spdx_3),
        sound(SPDX, &json!({ "@context": { "TWICE": 0 }, "@graph": [] })),
        sound(SPDX, &json!({ "TWICE": 0, "Data": spdx() })),
        sound(SPDX, &json!({ "@context": [{ "TWICE": 0 }], "@graph": [], "Data": spdx() })),
        sound(CYCLONEDX, &cyclonedx),
        sound(COSIGN_SIGNATURE, &json!({ "TWICE": 0 })),
        sound(SLSA_V1, &json!({ "buildDefinition": { "externalParameters": { "TWICE": 0 } } })),
        about.to_string(),
    ] {
        let twice = text.replace(r#""TWICE":0"#, r#""twice":0,"twice":0"#);
        let refused = Statement::parse(twice.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("a key twice"), "{text}: {refused}");
    }
}

#[test]
fn a_key_given_twice_in_what_is_not_read_is_refused() {
    let statement = statement("https://example.com/other", &json!({"a": 1}));
    let text = statement.to_string().replace(r#"{"a":1}"#, r#"{"a":1,"a":1}"#);
    assert!(Statement::parse(text.as_bytes()).unwrap_err().to_string().contains("a key twice"));
}

#[test]
fn only_the_sha256_of_a_subject_counts() {
    let mut statement = statement(COSIGN_SIGNATURE, &json!({}));
    let hex = Digest::of(b"image").hex();
    statement["subject"] = json!([
        {"name": format!("sha256:{hex}")},
        {"name": "a", "digest": {"sha512": "00", "sha1": hex}},
        {"name": "b", "digest": {}},
        {"name": "c", "digest": null},
        {"digest": {"gitCommit": "00", "sha256": hex}, "annotations": {}},
    ]);
    assert_eq!(parse(&statement).unwrap().subjects, [Digest::of(b"image")]);
    statement["subject"] = json!([{"digest": {"sha256": hex.to_uppercase()}}]);
    assert!(matches!(parse(&statement), Err(Malformed::Json(_))));
    statement["subject"] = json!([]);
    assert!(parse(&statement).unwrap().subjects.is_empty());
}

#[test]
fn subjects_and_their_digests_are_bounded() {
    let mut statement = statement(COSIGN_SIGNATURE, &json!({}));
    let subject = json!({"digest": {"sha256": Digest::of(b"image").hex()}});
    statement["subject"] = json!(vec![subject.clone(); limits::SUBJECTS]);
    assert_eq!(parse(&statement).unwrap().subjects.len(), limits::SUBJECTS);
    statement["subject"] = json!(vec![subject; limits::SUBJECTS + 1]);
    assert!(matches!(parse(&statement), Err(Malformed::TooMuch { what: "subjects", .. })));
    let digests = |count: usize| -> serde_json::Map<_, _> {
        (0..count).map(|number| (format!("algorithm{number}"), json!("00"))).collect()
    };
    statement["subject"] = json!([{"digest": digests(limits::DIGESTS_PER_SUBJECT)}]);
    assert!(parse(&statement).is_ok());
    statement["subject"] = json!([{"digest": digests(limits::DIGESTS_PER_SUBJECT + 1)}]);
    assert!(matches!(parse(&statement), Err(Malformed::TooMuch { what: "digests of a subject", .. })));
}

#[test]
fn only_an_sbom_may_be_large() {
    let padding = "x".repeat(usize::try_from(limits::EVIDENCE_BYTES).unwrap());
    let mut large = spdx();
    large["comment"] = json!(padding);
    assert!(matches!(read(SPDX, &large), Ok(Predicate::Sbom(_))));
    for predicate_type in [COSIGN_SIGNATURE, SLSA_V1, "https://example.com/other"] {
        let refused = read(predicate_type, &large);
        assert!(matches!(refused, Err(Malformed::TooMuch { what: "bytes of a statement", .. })), "{predicate_type}");
    }
}

#[test]
fn a_long_predicate_type_is_refused() {
    let long = format!("https://example.com/{}", "x".repeat(PREDICATE_TYPE_LENGTH));
    assert!(matches!(read(&long, &json!({})), Err(Malformed::TooMuch { what: "predicate type", .. })));
}

#[test]
fn what_is_no_statement_is_malformed() {
    for payload in [&b""[..], b"{}", b"[]", b"null", b"\"\"", b"{\"_type\":1}", b"\xff"] {
        assert!(Statement::parse(payload).is_err());
    }
    let mut statement = statement(COSIGN_SIGNATURE, &json!({}));
    statement.as_object_mut().unwrap().remove("predicateType");
    assert!(matches!(parse(&statement), Err(Malformed::Json(_))));
}

#[test]
fn deeply_nested_documents_are_refused() {
    for depth in [200, 100_000] {
        let nested = format!("{}{}", r#"{"components":[{"a":"#.repeat(depth), "1}]}".repeat(depth));
        let text = statement(CYCLONEDX, &json!("NESTED")).to_string().replace("\"NESTED\"", &nested);
        assert!(matches!(Statement::parse(text.as_bytes()), Err(Malformed::Json(_))));
    }
}

/// The members of an object in another order, at every depth.
fn shuffled(value: &Value, seed: usize) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(key, value)| format!("{}:{}", json!(key), shuffled(value, seed))).collect();
            let by = seed.checked_rem(members.len()).unwrap_or(0);
            members.rotate_left(by);
            if seed % 2 == 1 {
                members.reverse();
            }
            format!("{{{}}}", members.join(","))
        }
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(|element| shuffled(element, seed)).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn predicate() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        Just((COSIGN_SIGNATURE, json!({}))),
        (".*", ".*", ".*").prop_map(|(id, uri, path)| {
            let source = json!({"uri": uri, "digest": {"sha1": "00"}, "entryPoint": path});
            (SLSA_V0_2, json!({"builder": {"id": id}, "invocation": {"configSource": source}}))
        }),
        (".*", ".*", ".*").prop_map(|(id, uri, path)| {
            let workflow = json!({"repository": uri, "ref": "refs/heads/main", "path": path});
            let build = json!({"buildType": "", "externalParameters": {"workflow": workflow}});
            (SLSA_V1, json!({"buildDefinition": build, "runDetails": {"builder": {"id": id}}}))
        }),
        prop::collection::vec((".*", "pkg:npm/[a-z]{1,3}@[0-9]"), 0..4).prop_map(|packages| {
            let components: Vec<_> = packages.iter().map(|(name, purl)| json!({"name": name, "purl": purl})).collect();
            (CYCLONEDX, json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components}))
        }),
    ]
}

proptest! {
    #[test]
    fn the_order_of_keys_is_irrelevant((predicate_type, predicate) in predicate(), seed in 0_usize..12) {
        let statement = statement(predicate_type, &predicate);
        prop_assert_eq!(Statement::parse(shuffled(&statement, seed).as_bytes()), parse(&statement));
    }

    #[test]
    fn no_damage_makes_it_panic((predicate_type, predicate) in predicate(), at: prop::sample::Index, byte: u8) {
        let mut bytes = statement(predicate_type, &predicate).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop(Statement::parse(&bytes));
        bytes.truncate(at);
        prop_assert!(Statement::parse(&bytes).is_err());
    }
}

#[test]
fn spdx_3_is_read_under_the_predicate_types_of_spdx() {
    let document = json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": [{"type": "software_Package", "software_packageUrl": "pkg:npm/axios@1.14.1"}]});
    for predicate_type in [SPDX, "https://spdx.dev/Document/v3.0.1", "https://spdx.dev/Document/v3.0"] {
        for predicate in [document.clone(), json!(document.to_string()), json!({"Data": document})] {
            let Ok(Predicate::Sbom(sbom)) = read(predicate_type, &predicate) else { panic!("{predicate_type}") };
            assert_eq!((sbom.version.as_str(), sbom.packages.len()), ("3.0.1", 1));
        }
    }
}

#[test]
fn a_statement_may_be_as_long_as_its_bounds() {
    let typed = |length: usize| parse(&statement(&"x".repeat(length), &json!({}))).map(drop);
    assert_eq!(typed(PREDICATE_TYPE_LENGTH), Ok(()));
    typed(PREDICATE_TYPE_LENGTH + 1).unwrap_err();
    let limit = usize::try_from(limits::EVIDENCE_BYTES).unwrap();
    let padded = |length: usize| {
        let text = statement("https://example.com/other", &json!({})).to_string();
        Statement::parse((text.clone() + &" ".repeat(length - text.len())).as_bytes()).map(drop)
    };
    assert_eq!(padded(limit), Ok(()));
    padded(limit + 1).unwrap_err();
}
