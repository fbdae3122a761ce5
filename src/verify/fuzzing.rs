//! Ways in for the fuzz targets (`fuzz/`), compiled for nobody else: what is read of a certificate once it is known to be good.

use sigstore_types::DerCertificate;

use crate::trust::Domain;
use crate::verify::{Certificate, certificate, lengths, sct};

/// What the certificate `der` claims.
pub fn claims(der: &[u8]) -> Option<Certificate> {
    certificate::claims(&read(der)?, "fuzz").ok()
}

/// Who issued the certificate `der`, in words.
pub fn issuer(der: &[u8]) -> Option<String> {
    certificate::issuer(&read(der)?).ok().map(|(_, words)| words)
}

/// Whether a certificate log of `domain` timestamped the certificate `der`, issued by the holder of the key `issuer` (SPKI,
/// DER).
pub fn is_timestamped(domain: &Domain, der: &[u8], issuer: &[u8]) -> bool {
    read(der).is_some_and(|leaf| sct::verify(domain, &leaf, issuer).is_ok())
}

/// As far as every certificate is looked at before anything is read of it.
fn read(der: &[u8]) -> Option<DerCertificate> {
    lengths::check(der, "the certificate").ok()?;
    Some(DerCertificate::from_bytes(der))
}
