//! What clients of the authority need, as files.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonafide::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::fulcio;
use crate::support::authority::Authority;
use crate::support::authority::certificate;
use crate::support::authority::identity::{CONTAINER_GENERATOR, GITHUB};
use crate::support::authority::key::Key;
use crate::support::authority::seed::{GENERATOR_RELEASE, WORKFLOWS};

const START: &str = "2025-01-01T00:00:00Z";
const YEAR: i64 = 365 * 24 * 60 * 60;

/// Writes everything into `folder`, and makes it if it is not there.
pub(crate) fn write(folder: &Path, authority: &Authority) {
    fs::create_dir_all(folder).unwrap();
    let put = |name: &str, content: &str| fs::write(folder.join(name), content).unwrap();
    authority.trusted_root().write_to(folder);
    put("signing-config-v1.json", &signing_config(authority, &authority.log.url, 1));
    put("signing-config-v2.json", &signing_config(authority, &authority.log_v2.url, 2));
    put("signing-config-empty.json", &json!({ "mediaType": SIGNING_CONFIG }).to_string());
    put("fulcio-chain.pem", &fulcio::chain(authority));
    put("ctfe.pub", &authority.certificate_log.public_pem());
    put("rekor.pub", &authority.log.key.public_pem());
    put("rekor2.pub", &authority.log_v2.key.public_pem());
    put("tsa-chain.pem", &timestamp_chain(authority));
    put("environment", &environment(folder, authority));
    for (name, claims) in tokens() {
        put(&format!("{name}.jwt"), &token(&claims));
    }
    for (name, key) in [("p256", Key::p256("example")), ("rsa", Key::rsa())] {
        put(&format!("{name}.key.pem"), &key.private_pem());
        put(&format!("{name}.pub"), &key.public_pem());
    }
}

const SIGNING_CONFIG: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// Where cosign 3 signs: with Rekor at `log`, of major version `version`.
fn signing_config(authority: &Authority, log: &str, version: u8) -> String {
    let service = |url: &str, version: u8| json!([{ "url": url, "majorApiVersion": version, "validFor": { "start": START }, "operator": "authority" }]);
    let url = &authority.log.url;
    let config = json!({
        "mediaType": SIGNING_CONFIG,
        "caUrls": service(url, 1),
        "rekorTlogUrls": service(log, version),
        "rekorTlogConfig": { "selector": "ANY" },
        "tsaUrls": service(&format!("{url}/api/v1/timestamp"), 1),
        "tsaConfig": { "selector": "ANY" },
    });
    serde_json::to_string_pretty(&config).unwrap()
}

/// For shells: where cosign 2 finds keys and services.
fn environment(folder: &Path, authority: &Authority) -> String {
    let folder = folder.canonicalize().unwrap();
    let file = |name: &str| folder.join(name).display().to_string();
    let url = &authority.log.url;
    [
        format!("export SIGSTORE_ROOT_FILE={}", file("fulcio-chain.pem")),
        format!("export SIGSTORE_CT_LOG_PUBLIC_KEY_FILE={}", file("ctfe.pub")),
        format!("export SIGSTORE_REKOR_PUBLIC_KEY={}", file("rekor.pub")),
        format!("export SIGSTORE_TSA_CERTIFICATE_FILE={}", file("tsa-chain.pem")),
        format!("AUTHORITY={url}"),
        format!("AUTHORITY_V2={}", authority.log_v2.url),
        String::new(),
    ]
    .join("\n")
}

/// Leaf and root of the timestamp authority, PEM.
pub(crate) fn timestamp_chain(authority: &Authority) -> String {
    certificate::pem(&authority.timestamps.leaf.certificate) + &certificate::pem(&authority.timestamps.root.certificate)
}

/// A token that says `claims`, good for a year; nobody signed it.
pub(crate) fn token(claims: &Value) -> String {
    let now = SystemClock.now().as_second();
    let mut all = json!({ "aud": "sigstore", "iat": now, "nbf": now - 5, "exp": now + YEAR });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": "authority" });
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{}", part(&header), part(&all), URL_SAFE_NO_PAD.encode([0; 64]))
}

/// Who signs in the recipes of the tests.
fn tokens() -> [(&'static str, Value); 4] {
    [
        ("release", workflow("fystack/apex", &format!("{WORKFLOWS}@refs/tags/v1.4.0"))),
        ("generator", workflow("fystack/apex", &format!("{CONTAINER_GENERATOR}@{GENERATOR_RELEASE}"))),
        ("stranger", workflow("mallory/apex", "mallory/apex/.github/workflows/release.yml@refs/heads/main")),
        (
            "person",
            json!({ "iss": "https://idp.example", "sub": "dev@example.com", "email": "dev@example.com",
            "email_verified": true }),
        ),
    ]
}

/// The claims of a token of GitHub for the release of `repository`, signed by the workflow `signer`.
fn workflow(repository: &str, signer: &str) -> Value {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    let reference = "refs/tags/v1.2.3";
    let owner = repository.split('/').next().unwrap();
    json!({
        "iss": GITHUB,
        "sub": format!("repo:{repository}:ref:{reference}"),
        "repository": repository,
        "repository_id": "1001",
        "repository_owner": owner,
        "repository_owner_id": "1002",
        "repository_visibility": "public",
        "ref": reference,
        "sha": COMMIT,
        "event_name": "push",
        "workflow": "Release",
        "workflow_ref": format!("{repository}/.github/workflows/release.yml@{reference}"),
        "workflow_sha": COMMIT,
        "job_workflow_ref": signer,
        "job_workflow_sha": COMMIT,
        "runner_environment": "github-hosted",
        "run_id": "1003",
        "run_attempt": "1",
    })
}
