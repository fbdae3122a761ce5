//! Distinguished names as text, so that rules can be written over them.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use x509_cert::name::Name;

use crate::verify::FlawKind;
use crate::verify::defect::Defect;

/// The order in which the Notary Project's policies write attributes, whatever the order in the certificate.
const ORDER: [ObjectIdentifier; 6] = [rfc4519::C, rfc4519::ST, rfc4519::L, rfc4519::O, rfc4519::OU, rfc4519::CN];

/// `name` as `C=US, ST=WA, L=Seattle, O=acme, OU=release, CN=signer`, and then what else there is, with values escaped
/// by RFC 4514: no value can pass for another attribute.
///
/// # Errors
/// [`FlawKind::Certificate`] if it has an attribute twice, where others might read the other one, or none.
pub(super) fn text(name: &Name) -> Result<String, Defect> {
    let mut attributes: Vec<_> = name.0.iter().flat_map(|part| part.0.iter()).collect();
    // Stable: what is not listed keeps its order, at the end.
    attributes.sort_by_key(|attribute| ORDER.iter().position(|known| *known == attribute.oid).unwrap_or(ORDER.len()));
    for (position, attribute) in attributes.iter().enumerate() {
        if attributes.iter().skip(position + 1).any(|other| other.oid == attribute.oid) {
            return Err(unnamed(&format!("names its {} twice", attribute.oid)));
        }
    }
    if attributes.is_empty() {
        return Err(unnamed("has no subject"));
    }
    let texts: Vec<_> = attributes.iter().map(ToString::to_string).collect();
    Ok(texts.join(", "))
}

fn unnamed(what: &str) -> Defect {
    Defect::new(FlawKind::Certificate, format!("a certificate {what}"))
}
