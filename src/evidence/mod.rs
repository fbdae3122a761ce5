//! What an upstream published about a digest. Untrusted: this module parses and proves nothing.

mod claim;
mod piece;

pub use claim::{Dependency, Malformed, Package, Predicate, Provenance, Sbom, SbomFormat, SlsaVersion, Statement};
pub use piece::{Content, CosignMaterial, Evidence, Form, Source};
