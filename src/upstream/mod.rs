//! The registries that images come from: the port, and its HTTP client.

mod port;
mod settings;

pub use port::{BlobStream, RemoteManifest, TagPage, Unavailable, UnavailableKind, Upstream};
pub use settings::{AuthSettings, Settings};
