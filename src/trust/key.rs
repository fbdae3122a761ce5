//! One long-lived key, and when what it signs counts.

use jiff::Timestamp;
use sigstore_crypto::sha256;
use sigstore_types::DerPublicKey;

use crate::trust::public_key::PublicKey;
use crate::trust::settings::{KeySettings, WithoutLog};
use crate::trust::snapshot::TrustError;

/// A configured key.
#[derive(Debug)]
pub struct Key {
    name: String,
    material: PublicKey,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    without_log: WithoutLog,
}

impl Key {
    /// The key of `settings`, whose file holds `pem`.
    pub(in crate::trust) fn new(settings: &KeySettings, pem: &str) -> Result<Self, TrustError> {
        let invalid = |reason: String| TrustError::Key { name: settings.name.clone(), reason };
        let spki = DerPublicKey::from_pem(pem).map_err(|error| invalid(error.to_string()))?;
        if let (Some(start), Some(end)) = (settings.not_before, settings.not_after)
            && end < start
        {
            return Err(invalid("not_after is before not_before".to_owned()));
        }
        Ok(Self {
            name: settings.name.clone(),
            material: PublicKey::new(spki).map_err(invalid)?,
            not_before: settings.not_before,
            not_after: settings.not_after,
            without_log: settings.without_log,
        })
    }

    /// The name that rules refer to.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Before when what it signs proves nothing.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// After when what it signs proves nothing.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// Whether signatures count that come with neither a log entry nor a timestamp.
    pub fn without_log(&self) -> WithoutLog {
        self.without_log
    }

    /// Whether what was signed at `time` counts.
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= time) && self.not_after.is_none_or(|end| time <= end)
    }

    /// Its SHA-256, base64: what cosign writes as the hint of a bundle.
    pub fn hint(&self) -> String {
        sha256(self.material.spki().as_bytes()).to_base64()
    }

    /// The key itself.
    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.material
    }
}
