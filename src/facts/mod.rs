//! What was found out and must outlive a request: proofs, grants, and what tags meant. Memory over a database.
//!
//! It remembers; it neither proves nor judges.

mod error;
mod held;
mod memory;
mod metrics;
mod packages;
mod proving;
mod pulls;
mod settings;
mod sqlite;
mod store;

pub use error::FactsError;
pub use held::Grants;
pub use memory::Facts;
pub use packages::{Contained, Holder, IndexedPackage, PackageStore};
pub use pulls::{Pull, PullStore};
pub use settings::Settings;
pub use store::{FactStore, Grant, GrantKind, ProofKey, Resolution};
