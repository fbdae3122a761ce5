//! The registries that images come from: the port, and its HTTP client.

mod port;

pub use port::{BlobStream, RemoteManifest, TagPage, Unavailable, UnavailableKind, Upstream};
