//! Content-addressed bytes: kept by their digest, hashed while they arrive, fetched once however many ask.
//!
//! What is committed here hashes to its name. This module never decides who may read it: that is the gate's.

mod ages;
mod breakage;
mod disk;
mod error;
mod file;
mod flight;
mod flights;
mod hashing;
mod housekeeping;
mod intake;
mod length;
mod library;
mod memory;
mod metrics;
mod origin;
mod passage;
mod reader;
mod settings;
mod shelf;
mod soundness;
mod store;
mod supply;
mod usage;
mod watched;

pub use error::{ContentError, FlightError};
pub use housekeeping::{Amount, Condition, Kept, Pruned, Seen};
pub use length::Length;
pub use library::Library;
pub use origin::{Origin, OriginBody};
pub use reader::Reader;
pub use settings::{ByteSize, ByteSizeError, Settings};
pub use store::{Committed, ContentStore, Draft, Inventory, Item, ReadAt, Retention, Stored, Version};
