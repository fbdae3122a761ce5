//! Whom to believe: trust domains with their roots and rules, and long-lived keys, as one immutable snapshot, which is
//! swapped as a whole.
//!
//! Domains are never merged: what one proves, no other vouches for. This module reads files once, when a snapshot is
//! loaded, and knows no clock and no evidence.

mod domain;
mod key;
mod notation;
mod public_key;
mod root;
mod settings;
mod snapshot;

pub use domain::Domain;
pub use key::Key;
pub use notation::NotationStore;
pub(crate) use notation::NotationStoreKind;
pub(crate) use public_key::{KeyKind, PublicKey, Scheme};
pub use settings::{DomainSettings, KeySettings, NotationSettings, Requirement, RootSource, SourceError, WithoutLog};
pub use snapshot::{Epoch, Trust, TrustError};

/// The snapshot of the moment.
pub type Current = crate::current::Current<Trust>;
