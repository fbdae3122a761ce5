//! Whom to believe: trust domains with their roots and rules, and long-lived keys, as one immutable snapshot, which is
//! swapped as a whole.
//!
//! Domains are never merged: what one proves, no other vouches for. This module reads files once, when a snapshot is
//! loaded, and knows no clock and no evidence.

mod built_in;
mod domain;
#[cfg(fuzzing)]
pub mod fuzzing;
mod key;
mod metrics;
mod notation;
mod public_key;
mod refresh;
mod root;
mod root_source;
mod settings;
mod snapshot;
mod sources;
mod tuf;

pub use built_in::BuiltIn;
pub use domain::Domain;
pub use key::Key;
pub use notation::NotationStore;
pub(crate) use notation::NotationStoreKind;
pub(crate) use public_key::{KeyKind, PublicKey, Scheme, hash_of};
pub use refresh::{RefreshNow, Refresher};
pub use root_source::{Anchor, Place, RootSource, SourceError, TufSource};
pub use settings::{DomainSettings, KeySettings, NotationSettings, Requirement, TufSettings, WithoutLog};
pub use snapshot::{Epoch, Trust, TrustError};
pub use tuf::{Fetch, FetchError, Folder};

/// The snapshot of the moment.
pub type Current = crate::current::Current<Trust>;
