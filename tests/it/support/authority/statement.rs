//! What is said about an image: in-toto statements, as the tools of the field write them.

use bonafide::oci::Digest;
use serde_json::{Value, json};

use super::identity::Build;

/// Statement v0.1: what `cosign attest` writes, whatever the predicate.
pub(crate) const STATEMENT_V0_1: &str = "https://in-toto.io/Statement/v0.1";
/// Statement v1: what `cosign sign` 3 and GitHub write.
pub(crate) const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";
pub(crate) const SLSA_V0_2: &str = "https://slsa.dev/provenance/v0.2";
pub(crate) const SLSA_V1: &str = "https://slsa.dev/provenance/v1";
pub(crate) const SPDX: &str = "https://spdx.dev/Document";
pub(crate) const CYCLONEDX: &str = "https://cyclonedx.org/bom";
pub(crate) const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";
pub(crate) const OPENVEX: &str = "https://openvex.dev/ns/v0.2.0";
pub(crate) const COSIGN_VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
pub(crate) const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// An in-toto statement that is yet to be signed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) kind: String,
    pub(crate) predicate_type: String,
    pub(crate) subjects: Vec<Value>,
    pub(crate) predicate: Value,
}

impl Statement {
    /// A statement v0.1 of any type about `digest`.
    pub(crate) fn new(digest: Digest, predicate_type: &str, predicate: Value) -> Self {
        let subject = json!({ "name": "registry.test/app", "digest": { "sha256": digest.hex() } });
        Self {
            kind: STATEMENT_V0_1.to_owned(),
            predicate_type: predicate_type.to_owned(),
            subjects: vec![subject],
            predicate,
        }
    }

    /// What `cosign sign` 3 signs: no more than the digest.
    pub(crate) fn signature(digest: Digest) -> Self {
        let mut statement = Self::new(digest, COSIGN_SIGN, json!({})).of_type(STATEMENT_V1);
        statement.subjects = vec![json!({ "digest": { "sha256": digest.hex() }, "annotations": {} })];
        statement
    }

    /// Provenance as slsa-github-generator writes it for containers.
    pub(crate) fn provenance_v0_2(digest: Digest, build: &Build, builder: &str) -> Self {
        let source = json!({
            "uri": format!("git+{}@{}", build.source(), build.reference),
            "digest": { "sha1": build.commit },
        });
        let mut config = source.clone();
        config["entryPoint"] = json!(build.workflow);
        let predicate = json!({
            "builder": { "id": builder },
            "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
            "invocation": {
                "configSource": config,
                "parameters": {},
                "environment": { "github_event_name": build.trigger, "github_ref": build.reference },
            },
            "metadata": {
                "buildInvocationID": "1003-1",
                "completeness": { "parameters": true, "environment": false, "materials": false },
                "reproducible": false,
            },
            "materials": [source],
        });
        Self::new(digest, SLSA_V0_2, predicate)
    }

    /// Provenance as GitHub's attestations write it.
    pub(crate) fn provenance_v1(digest: Digest, build: &Build, builder: &str) -> Self {
        let predicate = json!({
            "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": { "workflow": {
                    "ref": build.reference,
                    "repository": build.source(),
                    "path": build.workflow,
                }},
                "internalParameters": { "github": { "event_name": build.trigger } },
                "resolvedDependencies": [{
                    "uri": format!("git+{}@{}", build.source(), build.reference),
                    "digest": { "gitCommit": build.commit },
                }],
            },
            "runDetails": {
                "builder": { "id": builder },
                "metadata": { "invocationId": format!("{}/actions/runs/1003/attempts/1", build.source()) },
            },
        });
        Self::new(digest, SLSA_V1, predicate).of_type(STATEMENT_V1)
    }

    /// An SPDX 2.3 bill of materials that lists the package URLs `purls`.
    pub(crate) fn spdx(digest: Digest, purls: &[&str]) -> Self {
        Self::new(digest, SPDX, spdx_document(purls))
    }

    /// The same with the document as text, as `cosign attest --type spdx` writes it.
    pub(crate) fn spdx_as_text(digest: Digest, purls: &[&str]) -> Self {
        let text = serde_json::to_string_pretty(&spdx_document(purls)).unwrap();
        Self::new(digest, SPDX, Value::String(text))
    }

    /// A CycloneDX 1.6 bill of materials that lists the package URLs `purls`.
    pub(crate) fn cyclonedx(digest: Digest, purls: &[&str]) -> Self {
        let components: Vec<_> = purls
            .iter()
            .map(|purl| {
                let (name, version) = name_and_version(purl);
                json!({ "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
                    "licenses": [{ "license": { "id": "MIT" } }] })
            })
            .collect();
        let predicate = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "components": components });
        Self::new(digest, CYCLONEDX, predicate)
    }

    /// A SLSA verification summary by `verifier`, of the resource `uri`, that passed at build level 3.
    pub(crate) fn summary(digest: Digest, verifier: &str, uri: &str) -> Self {
        let predicate = json!({
            "verifier": { "id": verifier },
            "timeVerified": "2025-06-01T11:00:00Z",
            "resourceUri": uri,
            "policy": { "uri": "https://policies.test/release", "digest": { "sha256": "00ff" } },
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
            "dependencyLevels": { "SLSA_BUILD_LEVEL_1": 2 },
            "slsaVersion": "1.0",
        });
        Self::new(digest, SUMMARY, predicate).of_type(STATEMENT_V1)
    }

    /// An `OpenVEX` document which says that `vulnerability` does not concern the image.
    pub(crate) fn openvex(digest: Digest, vulnerability: &str) -> Self {
        let predicate = json!({
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": "https://authority.test/vex/1",
            "author": "authority",
            "timestamp": "2025-06-01T11:00:00Z",
            "version": 1,
            "statements": [{
                "vulnerability": { "name": vulnerability },
                "products": [{ "@id": format!("pkg:oci/app@{digest}") }],
                "status": "not_affected",
                "justification": "component_not_present",
            }],
        });
        Self::new(digest, OPENVEX, predicate)
    }

    /// The report of a scanner that found `vulnerability`, as `cosign attest --type vuln` wraps it.
    pub(crate) fn scan(digest: Digest, vulnerability: &str) -> Self {
        let found = json!({ "VulnerabilityID": vulnerability, "PkgName": "zlib", "Severity": "HIGH" });
        let predicate = json!({
            "invocation": { "parameters": null, "uri": "", "event_id": "", "builder.id": "" },
            "scanner": {
                "uri": "pkg:github/aquasecurity/trivy@0.50.0",
                "version": "0.50.0",
                "db": { "uri": "", "version": "2" },
                "result": { "SchemaVersion": 2, "Results": [{ "Target": "app", "Vulnerabilities": [found] }] },
            },
            "metadata": { "scanStartedOn": "2025-06-01T11:00:00Z", "scanFinishedOn": "2025-06-01T11:01:00Z" },
        });
        Self::new(digest, COSIGN_VULN, predicate)
    }

    /// The same as a statement of another type, such as [`STATEMENT_V1`].
    #[must_use]
    pub(crate) fn of_type(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    /// The same under another predicate type.
    #[must_use]
    pub(crate) fn called(mut self, predicate_type: &str) -> Self {
        predicate_type.clone_into(&mut self.predicate_type);
        self
    }

    /// The same about `digest` too.
    #[must_use]
    pub(crate) fn also_about(mut self, digest: Digest) -> Self {
        self.subjects.push(json!({ "name": "registry.test/other", "digest": { "sha256": digest.hex() } }));
        self
    }

    /// The same with the predicate changed by `change`.
    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.predicate);
        self
    }

    /// The bytes that are signed.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&json!({
            "_type": self.kind,
            "subject": self.subjects,
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }))
        .unwrap()
    }
}

fn spdx_document(purls: &[&str]) -> Value {
    let packages: Vec<_> = purls
        .iter()
        .enumerate()
        .map(|(number, purl)| {
            let (name, version) = name_and_version(purl);
            json!({
                "SPDXID": format!("SPDXRef-Package-{number}"),
                "name": name,
                "versionInfo": version,
                "downloadLocation": "NOASSERTION",
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "MIT",
                "externalRefs": [{
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": purl,
                }],
            })
        })
        .collect();
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "app",
        "documentNamespace": "https://authority.test/spdx/app",
        "creationInfo": { "created": "2025-06-01T12:00:00Z", "creators": ["Tool: authority"] },
        "packages": packages,
    })
}

/// `axios` and `1.14.1` of `pkg:npm/axios@1.14.1`.
fn name_and_version(purl: &str) -> (&str, &str) {
    let last = purl.rsplit('/').next().unwrap_or(purl);
    last.split_once('@').unwrap_or((last, ""))
}

/// What cosign 1 and 2 sign: the payload of simple signing.
pub(crate) fn simple_signing(digest: Digest) -> Value {
    json!({
        "critical": {
            "identity": { "docker-reference": "registry.test/app" },
            "image": { "docker-manifest-digest": digest.to_string() },
            "type": "cosign container image signature",
        },
        "optional": null,
    })
}
