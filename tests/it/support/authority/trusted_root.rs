//! `trusted_root.json` of an authority, whole or in part.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Authority;
use super::log::Log;
use super::text::base64;

/// A trusted root in the making.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrustedRoot(pub(crate) Value);

const START: &str = "2021-01-01T00:00:00Z";

impl TrustedRoot {
    /// Everything that `authority` signs with.
    pub(crate) fn of(authority: &Authority) -> Self {
        let url = &authority.log.url;
        Self(json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(&authority.log), log(&authority.log_v2)],
            "certificateAuthorities": [{
                "subject": { "organization": "authority.test", "commonName": authority.name },
                "uri": url,
                "certChain": chain(&[&authority.issuer.certificate, &authority.root.certificate]),
                "validFor": { "start": START },
            }],
            "ctlogs": [{
                "baseUrl": format!("{url}/ct"),
                "hashAlgorithm": "SHA2_256",
                "publicKey": public_key(authority.certificate_log.public(), authority.certificate_log.details()),
                "logId": { "keyId": base64(authority.certificate_log.id()) },
            }],
            "timestampAuthorities": [{
                "subject": { "organization": "authority.test", "commonName": authority.name },
                "uri": format!("{url}/api/v1/timestamp"),
                "certChain": chain(&[
                    &authority.timestamps.leaf.certificate,
                    &authority.timestamps.root.certificate,
                ]),
                "validFor": { "start": START },
            }],
        }))
    }

    /// Without transparency logs for certificates.
    #[must_use]
    pub(crate) fn without_certificate_logs(self) -> Self {
        self.with(|root| root["ctlogs"] = json!([]))
    }

    /// Without transparency logs.
    #[must_use]
    pub(crate) fn without_logs(self) -> Self {
        self.with(|root| root["tlogs"] = json!([]))
    }

    /// Without timestamp authorities.
    #[must_use]
    pub(crate) fn without_timestamps(self) -> Self {
        self.with(|root| root["timestampAuthorities"] = json!([]))
    }

    /// With certificates and timestamps alone, as GitHub's own.
    #[must_use]
    pub(crate) fn timestamps_only(self) -> Self {
        self.without_logs().without_certificate_logs()
    }

    /// Changed by `change`.
    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.0);
        self
    }

    /// The file's content.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap()
    }

    /// Writes the file into `folder`, and says where.
    pub(crate) fn write_to(&self, folder: &Path) -> PathBuf {
        let path = folder.join("trusted_root.json");
        std::fs::write(&path, self.to_json()).unwrap();
        path
    }
}

fn log(log: &Log) -> Value {
    json!({
        "baseUrl": log.url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": public_key(log.key.public(), log.key.details()),
        "logId": { "keyId": base64(log.id()) },
    })
}

fn public_key(public: &[u8], details: &str) -> Value {
    json!({ "rawBytes": base64(public), "keyDetails": details, "validFor": { "start": START } })
}

fn chain(certificates: &[&[u8]]) -> Value {
    let all: Vec<_> = certificates.iter().map(|der| json!({ "rawBytes": base64(der) })).collect();
    json!({ "certificates": all })
}
