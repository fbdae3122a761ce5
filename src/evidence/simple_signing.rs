//! The simple signing payload of cosign 1 and 2: which digest a `.sig` layer is a signature of.

use serde::Deserialize;

use crate::evidence::{Malformed, read_strictly};
use crate::oci::Digest;

/// What cosign writes into `critical.type`. Other tools sign other payloads of this shape with keys of their own.
const KIND: &str = "cosign container image signature";

/// A simple signing payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleSigning {
    /// `critical.image.docker-manifest-digest`: what was signed. The name beside it is whatever the signer pushed to,
    /// and says nothing.
    pub digest: Digest,
}

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    r#type: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

impl SimpleSigning {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`Malformed::Json`] if it is not strict JSON of that shape, or names another digest than a SHA-256;
    /// [`Malformed::StatementType`] if `critical.type` is not cosign's.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let Payload { critical } = read_strictly(payload)?;
        if critical.r#type != KIND {
            return Err(Malformed::statement_type(&critical.r#type));
        }
        Ok(Self { digest: critical.image.digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(digest: &str, kind: &str) -> String {
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"example.com/app"}},
                "image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":null}}"#
        )
    }

    #[test]
    fn the_signed_digest_is_read() {
        let digest = Digest::of(b"image");
        let read = SimpleSigning::parse(payload(&digest.to_string(), KIND).as_bytes());
        assert_eq!(read, Ok(SimpleSigning { digest }));
    }

    #[test]
    fn a_payload_of_another_type_is_refused() {
        let payload = payload(&Digest::of(b"image").to_string(), "atomic container signature");
        let refused = Malformed::StatementType("atomic container signature".into());
        assert_eq!(SimpleSigning::parse(payload.as_bytes()), Err(refused));
    }

    #[test]
    fn a_payload_with_two_digests_is_refused() {
        let digest = Digest::of(b"image").to_string();
        let member = format!(r#""docker-manifest-digest":"{digest}""#);
        let payload = payload(&digest, KIND).replace(&member, &format!("{member},{member}"));
        assert!(matches!(SimpleSigning::parse(payload.as_bytes()), Err(Malformed::Json(_))));
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        for text in ["", "{}", "null", r#"{"critical":{}}"#, &payload("sha256:00", KIND), &payload("latest", KIND)] {
            assert!(SimpleSigning::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
