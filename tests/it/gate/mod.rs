//! What a rule says beyond its requirements, and rules that change, through the whole program.

mod attestation;
mod audit;
pub(crate) mod bases;
pub(crate) mod bases_of_sboms;
mod children;
mod evidence_from;
mod pulls;
mod reload;
mod rounds;
mod stale;
mod update;
