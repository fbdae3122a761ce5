//! The signed attributes of an envelope, and the rules that both formats share.

use jiff::Timestamp;

use crate::verify::FlawKind;
use crate::verify::defect::{Defect, malformed};

pub(super) const SCHEME: &str = "io.cncf.notary.signingScheme";
pub(super) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub(super) const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub(super) const EXPIRY: &str = "io.cncf.notary.expiry";
const PLUGIN: &str = "io.cncf.notary.verificationPlugin";
const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";

/// The attributes of a signature, checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    pub(super) signing: Signing,
    /// From when on the signature counts for nothing.
    pub(super) expiry: Option<Timestamp>,
}

/// How it was signed, and when by the signer's account.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signing {
    /// `notary.x509`: by the holder of a certificate, who may state any time.
    X509 { at: Timestamp },
    /// `notary.x509.signingAuthority`: by a service that is trusted to state the right time.
    Authority { at: Timestamp },
}

/// The attributes as an envelope writes them.
#[derive(Debug, Default)]
pub(super) struct Stated {
    pub(super) content_type: Option<String>,
    pub(super) scheme: Option<String>,
    pub(super) signing_time: Option<Timestamp>,
    pub(super) authentic_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    /// The names of the attributes that whoever verifies must understand.
    pub(super) critical: Vec<String>,
}

impl Stated {
    /// # Errors
    /// [`FlawKind::Unsupported`] for a payload, a scheme or a critical attribute that is not known;
    /// [`FlawKind::Malformed`] for attributes that the scheme does not allow, or that are not marked as they must be.
    pub(super) fn check(self) -> Result<Attributes, Defect> {
        if self.content_type.as_deref() != Some(PAYLOAD) {
            return Err(unsupported(format!("payloads of type {:?} are not supported", self.content_type)));
        }
        let signing = match (self.scheme.as_deref(), self.signing_time, self.authentic_time) {
            (Some("notary.x509"), Some(at), None) => Signing::X509 { at },
            (Some("notary.x509.signingAuthority"), None, Some(at)) => Signing::Authority { at },
            (Some(scheme @ ("notary.x509" | "notary.x509.signingAuthority")), ..) => {
                return Err(malformed(format!("the signing scheme {scheme} has one time, and not the other's")));
            }
            (scheme, ..) => return Err(unsupported(format!("the signing scheme {scheme:?} is not supported"))),
        };
        self.check_critical(signing)?;
        let (Signing::X509 { at } | Signing::Authority { at }) = signing;
        match self.expiry {
            Some(expiry) if expiry <= at => Err(malformed("it expires before it is signed")),
            expiry => Ok(Attributes { signing, expiry }),
        }
    }

    /// Exactly those that must be critical are; of any other it is not known what it would ask for.
    fn check_critical(&self, signing: Signing) -> Result<(), Defect> {
        let mut required = vec![SCHEME];
        required.extend(self.expiry.map(|_| EXPIRY));
        match signing {
            Signing::Authority { .. } => required.push(AUTHENTIC_TIME),
            Signing::X509 { .. } => {}
        }
        let unknown = self.critical.iter().find(|name| !required.contains(&name.as_str()));
        if let Some(name) = unknown {
            let why = if name.starts_with(PLUGIN) { ": plugins cannot be run here" } else { "" };
            return Err(unsupported(format!("the critical attribute {name} is not supported{why}")));
        }
        let missing = required.iter().find(|name| !self.critical.iter().any(|critical| critical == *name));
        match missing {
            Some(name) => Err(malformed(format!("the attribute {name} is not marked critical"))),
            None if self.critical.len() > required.len() => Err(malformed("an attribute is marked critical twice")),
            None => Ok(()),
        }
    }
}

fn unsupported(text: impl Into<String>) -> Defect {
    Defect::new(FlawKind::Unsupported, text)
}
