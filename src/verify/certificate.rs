//! Reading of signing certificates: who they say signed, and what they say of the build.

use const_oid::ObjectIdentifier;
use sigstore_crypto::{FulcioCiClaims, parse_certificate_info};
use sigstore_types::DerCertificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::Utf8StringRef;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

use crate::verify::defect::Defect;
use crate::verify::{Certificate, FlawKind};

/// The one issuer for which the short repository name of the claim .5 is known to mean a host.
const GITHUB_ACTIONS: &str = "https://token.actions.githubusercontent.com";
/// Fulcio's `otherName` for user names (`oid-info.md`, 1.3.6.1.4.1.57264.1.7).
const USERNAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// What the certificate `der` claims, under the trust domain `trust`. Proved by whoever proves the certificate.
///
/// # Errors
/// A [`Defect`] if it cannot be read, or does not name exactly one subject.
pub(in crate::verify) fn claims(der: &DerCertificate, trust: &str) -> Result<Certificate, Defect> {
    let info = parse_certificate_info(der).map_err(|error| malformed(&error))?;
    let issuer = info.issuer.unwrap_or_default();
    let FulcioCiClaims { deprecated_github: old, .. } = info.ci_claims.clone();
    let new = info.ci_claims;
    let by_name = old.workflow_repository.filter(|_| issuer == GITHUB_ACTIONS);
    let source_repository =
        new.source_repository_uri.or_else(|| by_name.map(|name| format!("https://github.com/{name}")));
    Ok(Certificate {
        trust: trust.into(),
        subject: subject(der)?.into(),
        build_signer: new.build_signer_uri.map(Into::into),
        runner_environment: new.runner_environment.map(Into::into),
        source_repository: source_repository.map(Into::into),
        source_commit: new.source_repository_digest.or(old.workflow_sha).map(Into::into),
        source_ref: new.source_repository_ref.or(old.workflow_ref).map(Into::into),
        build_config: new.build_config_uri.map(Into::into),
        build_trigger: new.build_trigger.or(old.workflow_trigger).map(Into::into),
        run_invocation: new.run_invocation_uri.map(Into::into),
        issuer: issuer.into(),
    })
}

/// The issuer of the certificate `der`: its name as DER, for comparing, and in words.
pub(in crate::verify) fn issuer(der: &DerCertificate) -> Result<(Vec<u8>, String), Defect> {
    use x509_cert::der::Encode;
    let issuer = parse(der)?.tbs_certificate.issuer;
    let name = issuer.to_der().map_err(|error| malformed(&error))?;
    Ok((name, issuer.to_string()))
}

/// The one subject alternative name. Of several, another verifier might take another.
fn subject(der: &DerCertificate) -> Result<String, Defect> {
    let certificate = parse(der)?;
    let names = certificate.tbs_certificate.get::<SubjectAltName>().map_err(|error| malformed(&error))?;
    let Some((_, SubjectAltName(names))) = names else { return Err(nameless("no subject alternative name")) };
    match names.as_slice() {
        [GeneralName::UniformResourceIdentifier(uri)] => Ok(uri.to_string()),
        [GeneralName::Rfc822Name(email)] => Ok(email.to_string()),
        [GeneralName::OtherName(name)] => username(name),
        [_] => Err(nameless("a subject that is neither a URI, an e-mail address nor a user name")),
        names => Err(nameless(&format!("{} subject alternative names instead of one", names.len()))),
    }
}

fn username(name: &OtherName) -> Result<String, Defect> {
    if name.type_id != USERNAME {
        return Err(nameless("a subject of an unknown kind"));
    }
    let text = name.value.decode_as::<Utf8StringRef<'_>>().map_err(|error| malformed(&error))?;
    Ok(text.as_str().to_owned())
}

fn parse(der: &DerCertificate) -> Result<x509_cert::Certificate, Defect> {
    x509_cert::Certificate::from_der(der.as_bytes()).map_err(|error| malformed(&error))
}

fn malformed(error: &dyn std::error::Error) -> Defect {
    Defect::new(FlawKind::Malformed, format!("the certificate cannot be read: {error}"))
}

fn nameless(what: &str) -> Defect {
    Defect::new(FlawKind::Certificate, format!("the certificate has {what}"))
}
