//! Bonafide: a pull-through OCI registry that serves only images it can prove.
//!
//! `Evidence -> Fact -> Verdict -> Admitted -> bytes`. A module imports only modules of earlier layers; the table is
//! in `tests/it/architecture.rs`, the tour in `docs/architecture.md`.

pub mod admin;
pub mod app;
pub mod cases;
pub mod cli;
pub mod clock;
pub mod config;
pub mod content;
pub mod current;
pub mod evidence;
pub mod facts;
pub mod feeds;
mod flights;
pub mod front;
pub mod gate;
mod lengths;
pub mod limits;
pub mod listen;
pub mod lookups;
pub mod misspelt;
pub mod oci;
pub mod piece;
pub mod policy;
mod remembered;
mod shortage;
pub mod telemetry;
pub mod trust;
pub mod upstream;
pub mod verify;
