//! Certificates with extensions of any content in the place of those of a good one.

use std::sync::LazyLock;

use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;

use crate::world::WORLD;

/// The extension with the timestamps of certificate logs.
pub const TIMESTAMPS: u8 = 0;
/// What may be replaced, by its place in this list.
const EXTENSIONS: [ObjectIdentifier; 16] = [
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.2"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.3"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.5"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.6"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.9"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.11"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.12"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.13"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.14"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.18"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.20"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.21"),
];

static GOOD: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::from_der(&WORLD.certified().1).expect("a certificate"));

/// The certificate that `input` stands for: one by itself, or the good one with other extensions, each by its place in the
/// list, the length of its content in two bytes, and that.
pub fn of(input: &[u8]) -> Option<Vec<u8>> {
    if input.first().is_some_and(|first| usize::from(*first) >= EXTENSIONS.len()) {
        return Some(input.to_vec());
    }
    let (mut certificate, mut rest) = (GOOD.clone(), input);
    while let [kind, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (content, after) = after.split_at(length);
        replace(&mut certificate, *EXTENSIONS.get(usize::from(*kind))?, content);
        rest = after;
    }
    certificate.to_der().ok()
}

/// The same with `content` for the one extension `kind`.
pub fn with(kind: u8, content: &[u8]) -> Option<Vec<u8>> {
    of(&input(kind, content))
}

/// What [`of`] reads as the good certificate with `content` for the extension `kind`.
fn input(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [&[kind][..], &length.to_be_bytes(), content].concat()
}

fn replace(certificate: &mut Certificate, kind: ObjectIdentifier, content: &[u8]) {
    let Ok(extn_value) = OctetString::new(content) else { return };
    let extensions = certificate.tbs_certificate.extensions.get_or_insert_default();
    match extensions.iter_mut().find(|extension| extension.extn_id == kind) {
        Some(extension) => extension.extn_value = extn_value,
        None => extensions.push(Extension { extn_id: kind, critical: false, extn_value }),
    }
}

/// The content of the extension `kind` of `certificate`, if that has one.
fn content(certificate: &Certificate, kind: ObjectIdentifier) -> Option<Vec<u8>> {
    let extensions = certificate.tbs_certificate.extensions.as_ref()?;
    let extension = extensions.iter().find(|extension| extension.extn_id == kind)?;
    Some(extension.extn_value.as_bytes().to_vec())
}

/// What [`of`] reads as one extension, for each that one of `certificates` has.
pub fn inputs(certificates: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let read = certificates.iter().filter_map(|der| Certificate::from_der(der).ok());
    let of = |certificate: Certificate| {
        let kinds = (0..).zip(EXTENSIONS);
        let found = kinds.filter_map(|(place, kind)| Some(input(place, &content(&certificate, kind)?)));
        found.collect::<Vec<_>>()
    };
    read.flat_map(of).collect()
}

/// The timestamps in each of `certificates` that has some.
pub fn timestamps(certificates: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let read = certificates.iter().filter_map(|der| Certificate::from_der(der).ok());
    read.filter_map(|certificate| content(&certificate, EXTENSIONS[usize::from(TIMESTAMPS)])).collect()
}

/// Those of the good one.
pub fn good_timestamps() -> Vec<u8> {
    content(&GOOD, EXTENSIONS[usize::from(TIMESTAMPS)]).unwrap_or_default()
}
