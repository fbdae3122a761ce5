//! Fulcio: a certificate for a token, by the API of cosign 3 (v2) and of cosign 2 (v1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::authority::certificate;
use crate::support::authority::der;
use crate::support::authority::identity::Identity;
use crate::support::authority::text::unbase64;
use crate::{Answer, Asked};

/// `POST /api/v2/signingCert`; `None` if it is not understood.
pub(crate) fn sign_v2(authority: &Authority, asked: &Asked, now: Timestamp) -> Option<Answer> {
    let request: Value = serde_json::from_slice(&asked.body).ok()?;
    let token = request["credentials"]["oidcIdentityToken"].as_str().or(asked.token.as_deref())?;
    let public = match request["publicKeyRequest"]["publicKey"]["content"].as_str() {
        Some(pem) => der::unpem(pem)?,
        None => requested(&request)?,
    };
    let leaf = authority.certify(&public, &identity(token)?, now);
    let certificates = [leaf, authority.issuer.certificate.clone(), authority.root.certificate.clone()];
    let certificates: Vec<_> = certificates.iter().map(|der| certificate::pem(der)).collect();
    let chain = json!({ "signedCertificateEmbeddedSct": { "chain": { "certificates": certificates } } });
    Some(Answer::json(StatusCode::OK, &chain))
}

/// `POST /api/v1/signingCert`; `None` if it is not understood.
pub(crate) fn sign_v1(authority: &Authority, asked: &Asked, now: Timestamp) -> Option<Answer> {
    let request: Value = serde_json::from_slice(&asked.body).ok()?;
    let public = match request["publicKey"]["content"].as_str() {
        Some(content) => key(&unbase64(content)?)?,
        None => requested(&request)?,
    };
    let leaf = authority.certify(&public, &identity(asked.token.as_deref()?)?, now);
    Some(Answer::pem(StatusCode::CREATED, certificate::pem(&leaf) + &chain(authority)))
}

/// `GET /api/v2/trustBundle`.
pub(crate) fn trust_bundle(authority: &Authority) -> Answer {
    let chain = [&authority.issuer, &authority.root].map(|one| certificate::pem(&one.certificate));
    Answer::json(StatusCode::OK, &json!({ "chains": [{ "certificates": chain }] }))
}

/// Intermediate and root, PEM.
pub(crate) fn chain(authority: &Authority) -> String {
    certificate::pem(&authority.issuer.certificate) + &certificate::pem(&authority.root.certificate)
}

/// Who holds `token`. Its signature is not looked at.
fn identity(token: &str) -> Option<Identity> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    Identity::of_token(&serde_json::from_slice(&claims).ok()?)
}

/// The public key of a `certificateSigningRequest`: the third part of what it signs.
fn requested(request: &Value) -> Option<Vec<u8>> {
    let pem = unbase64(request["certificateSigningRequest"].as_str()?)?;
    let signed = der::unpem(&String::from_utf8(pem).ok()?)?;
    let info = der::values(der::values(&signed)?.first()?.content)?.first()?.content;
    Some(der::values(info)?.get(2)?.whole.to_vec())
}

/// A public key, DER or PEM.
fn key(content: &[u8]) -> Option<Vec<u8>> {
    match std::str::from_utf8(content) {
        Ok(pem) if pem.starts_with("-----") => der::unpem(pem),
        _ => Some(content.to_vec()),
    }
}
