//! A trusted root, cut down to what can be used: unsupported material left out and named, windows narrowed to the
//! validity of the certificates themselves.

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use serde_json::Value;
use sigstore_crypto::{SigningScheme, VerificationKey};
use sigstore_trust_root::TrustedRoot;
use sigstore_trust_root::trusted_root::CertChain;
use sigstore_types::{DerPublicKey, TimeRange};
use webpki::anchor_from_trusted_cert;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use crate::lengths;

/// Reads a `trusted_root.json`.
///
/// # Errors
/// If it is not one, in words.
pub(crate) fn read(json: &str) -> Result<TrustedRoot, String> {
    let mut root: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    for (list, name) in [("tlogs", "baseUrl"), ("ctlogs", "baseUrl"), ("certificateAuthorities", "uri")] {
        fill_in(&mut root, list, name);
    }
    serde_json::from_value(root).map_err(|error| error.to_string())
}

/// Tools that write roots by protobuf leave out what is empty (the JSON form of protobuf); the verifier's type wants it, and uses it to
/// name things only.
fn fill_in(root: &mut Value, list: &str, name: &str) {
    let entries = root.get_mut(list).and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
        entry.entry(name).or_insert_with(|| Value::String(String::new()));
    }
}

/// `root` without what cannot be used, and what was left out, in words.
///
/// The verifier refuses a root as a whole for one key of an algorithm that it does not know (a P-521 key, say), which
/// would take down a trust domain on the day that such a key is added.
pub(crate) fn usable(mut root: TrustedRoot) -> (TrustedRoot, Vec<String>) {
    let mut left_out = Vec::new();
    root.tlogs.retain(|log| {
        keep(log_key(&log.public_key.raw_bytes), || format!("transparency log {}", log.base_url), &mut left_out)
    });
    root.ctlogs.retain(|log| {
        keep(
            certificate_log_key(&log.public_key.raw_bytes),
            || format!("certificate log {}", log.base_url),
            &mut left_out,
        )
    });
    root.certificate_authorities.retain_mut(|authority| {
        let window = window(&authority.cert_chain, authority.valid_for);
        authority.valid_for = window.as_ref().ok().copied();
        keep(window, || format!("certificate authority {}", authority.uri), &mut left_out)
    });
    root.timestamp_authorities.retain_mut(|authority| {
        let window = window(&authority.cert_chain, authority.valid_for);
        authority.valid_for = window.as_ref().ok().copied();
        let name = authority.uri.clone().unwrap_or_default();
        keep(window, || format!("timestamp authority {name}"), &mut left_out)
    });
    (root, left_out)
}

/// The names (DER) of the certificate authorities of `root`: whose certificates it can judge at all.
pub(crate) fn authorities(root: &TrustedRoot) -> Vec<Vec<u8>> {
    let certificates = root.certificate_authorities.iter().flat_map(|authority| &authority.cert_chain.certificates);
    certificates
        .filter_map(|entry| Certificate::from_der(entry.raw_bytes.as_bytes()).ok())
        .filter_map(|certificate| certificate.tbs_certificate.subject.to_der().ok())
        .collect()
}

fn keep<T>(usable: Result<T, String>, what: impl FnOnce() -> String, left_out: &mut Vec<String>) -> bool {
    let Err(reason) = usable else { return true };
    left_out.push(format!("{} is left out: {reason}", what()));
    false
}

fn log_key(key: &DerPublicKey) -> Result<(), String> {
    VerificationKey::from_spki(key).map(drop).map_err(|error| error.to_string())
}

/// Certificate logs may have bare PKCS#1 keys.
fn certificate_log_key(key: &DerPublicKey) -> Result<(), String> {
    let pkcs1 = || VerificationKey::from_der(key, SigningScheme::RsaPkcs1Sha256);
    VerificationKey::from_spki(key).or_else(|_| pkcs1()).map(drop).map_err(|error| error.to_string())
}

/// When all of `chain` is valid, within `stated`.
///
/// The verifier takes every certificate of a chain as an anchor, and anchors do not expire by themselves
/// (GHSA-wfqv-66vq-46rm): an intermediate that ran out would go on vouching.
fn window(chain: &CertChain, stated: Option<TimeRange>) -> Result<TimeRange, String> {
    let mut window = stated.unwrap_or(TimeRange::new(Timestamp::MIN, None));
    if chain.certificates.is_empty() {
        return Err("its chain is empty".to_owned());
    }
    for entry in &chain.certificates {
        let der = entry.raw_bytes.as_bytes();
        if !lengths::are_there(der) {
            return Err("a length in a certificate claims more than there is".to_owned());
        }
        anchor_from_trusted_cert(&CertificateDer::from(der)).map_err(|error| error.to_string())?;
        let (start, end) = validity(der)?;
        window.start = window.start.max(start);
        window.end = Some(window.end.map_or(end, |until| until.min(end)));
    }
    match window.end {
        Some(end) if end < window.start => Err("its certificates are never valid together".to_owned()),
        Some(_) | None => Ok(window),
    }
}

fn validity(der: &[u8]) -> Result<(Timestamp, Timestamp), String> {
    let certificate = Certificate::from_der(der).map_err(|error| error.to_string())?;
    let validity = certificate.tbs_certificate.validity;
    let time =
        |time: x509_cert::time::Time| Timestamp::try_from(time.to_system_time()).map_err(|error| error.to_string());
    Ok((time(validity.not_before)?, time(validity.not_after)?))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sigstore_trust_root::{SIGSTORE_GITHUB_TRUSTED_ROOT, SIGSTORE_PRODUCTION_TRUSTED_ROOT};

    use super::*;

    fn public_good() -> Value {
        serde_json::from_str(SIGSTORE_PRODUCTION_TRUSTED_ROOT).unwrap()
    }

    fn read(root: &Value) -> TrustedRoot {
        TrustedRoot::from_json(&root.to_string()).unwrap()
    }

    #[test]
    fn the_built_in_roots_are_usable_as_a_whole() {
        for json in [SIGSTORE_PRODUCTION_TRUSTED_ROOT, SIGSTORE_GITHUB_TRUSTED_ROOT] {
            let (_, left_out) = usable(TrustedRoot::from_json(json).unwrap());
            assert_eq!(left_out, Vec::<String>::new());
        }
    }

    #[test]
    fn a_root_without_addresses_is_read() {
        let mut root = public_good();
        root["tlogs"][0].as_object_mut().unwrap().remove("baseUrl");
        root["ctlogs"][0].as_object_mut().unwrap().remove("baseUrl");
        root["certificateAuthorities"][0].as_object_mut().unwrap().remove("uri");
        assert_eq!(super::read(&root.to_string()).unwrap().tlogs.len(), 2);
    }

    #[test]
    fn one_unsupported_key_is_left_out_by_name_and_the_rest_stays() {
        let mut root = public_good();
        root["tlogs"][0]["baseUrl"] = "https://log.example".into();
        root["tlogs"][0]["publicKey"]["rawBytes"] = "AQID".into();
        root["ctlogs"][0]["publicKey"]["rawBytes"] = "AQID".into();
        let (kept, left_out) = usable(read(&root));
        assert_eq!((kept.tlogs.len(), kept.ctlogs.len()), (1, 1));
        assert_eq!(left_out.len(), 2);
        assert!(left_out[0].starts_with("transparency log https://log.example is left out: "), "{left_out:?}");
    }

    #[test]
    fn an_authority_ends_with_the_first_of_its_certificates_to_expire() {
        let mut root = public_good();
        root["certificateAuthorities"][1]["validFor"] = serde_json::json!({ "start": "2022-04-13T20:06:15Z" });
        let (kept, _) = usable(read(&root));
        let window = kept.certificate_authorities[1].valid_for.unwrap();
        assert_eq!(window.end, "2031-10-05T13:56:58Z".parse().ok());
    }

    #[test]
    fn a_stated_end_before_that_stays() {
        let mut root = public_good();
        let stated = serde_json::json!({ "start": "2022-04-13T20:06:15Z", "end": "2023-01-01T00:00:00Z" });
        root["certificateAuthorities"][1]["validFor"] = stated;
        let (kept, _) = usable(read(&root));
        assert_eq!(kept.certificate_authorities[1].valid_for.unwrap().end, "2023-01-01T00:00:00Z".parse().ok());
    }

    #[test]
    fn an_authority_is_left_out_before_a_length_in_it_that_claims_more_than_there_is_is_decoded() {
        let mut root = public_good();
        let place = &mut root["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"];
        let mut der = STANDARD.decode(place.as_str().unwrap()).unwrap();
        // 256 MiB, less one, in the place of the length of the first text of a name (after its identifier, 2.5.4.10).
        let name = der.windows(3).position(|window| window == [0x55, 0x04, 0x0a]).unwrap();
        der[name + 4..name + 9].copy_from_slice(&[0x84, 0x0f, 0xff, 0xff, 0xff]);
        *place = STANDARD.encode(&der).into();
        let (kept, left_out) = usable(read(&root));
        assert_eq!((kept.certificate_authorities.len(), left_out.len()), (1, 1));
        assert!(left_out[0].contains("a length in a certificate claims more than there is"), "{left_out:?}");
    }

    #[test]
    fn an_authority_without_certificates_is_left_out() {
        let mut root = public_good();
        root["certificateAuthorities"][0]["certChain"]["certificates"] = serde_json::json!([]);
        let (kept, left_out) = usable(read(&root));
        assert_eq!((kept.certificate_authorities.len(), left_out.len()), (1, 1));
    }
}
