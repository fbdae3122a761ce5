//! Ways in for the fuzz targets (`fuzz/`), compiled for nobody else: a look at a TUF repository, without its
//! schedule, and a trusted root, without a file.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sigstore_crypto::SigningScheme;

use crate::trust::domain::Domain;
use crate::trust::tuf::Tuf;
use crate::trust::{Fetch, Requirement};

/// The trusted root that the repository behind `fetch` vouches for at `now`, where trust begins with `anchor`; none if it
/// does not.
pub async fn vouched(
    anchor: &[u8],
    target: &str,
    fetch: Arc<dyn Fetch>,
    folder: &Path,
    now: Timestamp,
) -> Option<String> {
    let tuf = Tuf::new("fuzz", anchor.to_vec(), target, fetch, folder).ok()?;
    tuf.fetch(now).await.ok().map(|vouched| vouched.root)
}

/// The domain whose trusted root is `json`, and what of it was left out; none if that is none.
pub fn domain(json: &str, log: Requirement, certificate_timestamps: Requirement) -> Option<(Domain, Vec<String>)> {
    Domain::new("fuzz", json, log, certificate_timestamps).ok()
}

/// Whether the keys of all certificate logs of `domain` are there to check with.
pub fn has_certificate_log_keys(domain: &Domain) -> bool {
    let schemes = [SigningScheme::EcdsaP256Sha256, SigningScheme::EcdsaP384Sha384, SigningScheme::RsaPkcs1Sha256];
    schemes.into_iter().all(|scheme| domain.certificate_log_keys(scheme).is_ok())
}

/// How many certificates of authorities `domain` has to check with at `time`.
pub fn authorities_at(domain: &Domain, time: Timestamp) -> usize {
    domain.authorities_at(time).count() + domain.timestamp_authorities().len()
}
