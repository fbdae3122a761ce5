//! The registries that images come from: the port, and its HTTP client.
//!
//! A question of the port (`remote`, `download`) is asked of each address (`ways`) with `patience`, as an `exchange`
//! (`questions`; redirects, `login`) of single requests (`transport`, `connector`), as far as the `weather` there lets them
//! (`room`, `breaker`). Nothing an upstream says is believed about content: whoever keeps bytes hashes
//! them.

mod address;
mod answers;
mod breaker;
mod challenge;
mod connector;
mod credentials;
mod download;
mod evidence_from;
mod exchange;
#[cfg(fuzzing)]
pub mod fuzzing;
mod login;
mod metrics;
mod names;
mod pace;
mod patience;
mod port;
mod questions;
mod quota;
mod remote;
mod resolver;
mod room;
mod settings;
mod site;
mod transport;
mod trouble;
mod turns;
mod upstreams;
mod ways;
mod weather;

pub use address::{AddressError, check_address};
pub use connector::Proxy;
pub use credentials::CredentialsError;
pub use evidence_from::EvidencePlace;
pub use names::Names;
pub use patience::{Pause, RealPause};
pub use port::{BlobPart, BlobStream, RemoteManifest, TagPage, Unavailable, UnavailableKind, Upstream};
pub use settings::{AuthSettings, Settings};
pub use site::Site;
pub use upstreams::{Surroundings, UpstreamError, Upstreams};
