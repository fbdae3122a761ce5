//! What an upstream published about a digest. Untrusted: this module parses and proves nothing.

mod ancestry;
mod attestation;
mod base_image;
mod claim;
mod cyclonedx;
mod layer;
mod list;
mod media;
mod packages;
mod piece;
mod purl;
mod quoted;
mod scan;
mod simple_signing;
mod slsa;
mod spdx;
mod statement;
mod strict;
mod summary;
mod tag;
mod text;
mod vex;

pub use attestation::{Attestation, UnsignedStatement, attestation_manifests, unsigned_statements};
pub use base_image::{BaseImage, BaseImages};
pub use claim::{Dependency, Malformed, Package, Predicate, Provenance, Sbom, SbomFormat, SlsaVersion, Statement};
pub use layer::{Layer, Via, layers};
pub use media::{is_evidence_blob, is_evidence_manifest, says_to_be_evidence};
pub use piece::{Content, CosignMaterial, Evidence, Form, NotationFormat, Source};
pub use purl::{Purl, canonical_purl};
pub(crate) use quoted::unquoted;
pub use scan::{Finding, Scan, Severity};
pub use simple_signing::SimpleSigning;
pub use strict::read_strictly;
pub use summary::{Summary, SummaryResult};
pub use tag::{attestation_tag, referrers_tag, signature_tag, subject_of_tag};
pub use vex::{Vex, VexStatement, VexStatus};
