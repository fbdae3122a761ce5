//! The words of the OCI specifications: names, digests, references, manifests, error bodies.
//!
//! Everything that crosses an edge of the program is parsed here once; inside, only these types travel. This module
//! does no I/O and knows nothing of evidence or policy.

mod digest;
mod error;
mod image;
mod manifest;
mod name;
mod spelling;

pub use digest::{Digest, DigestError, Hasher};
pub use error::{ErrorBody, ErrorCode};
pub use image::{Image, ImageError, Reference, ReferenceError, Repository};
pub use manifest::{Descriptor, Manifest, ManifestError, MediaType, digest_of, parse_manifest};
pub use name::{NameError, RepositoryName, Tag, UpstreamName};
