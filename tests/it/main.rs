//! The integration tests: one binary, no network beyond 127.0.0.1, no other programs, no root.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod architecture;
mod authority;
mod cases;
mod cli;
mod config;
mod content;
mod corpus;
mod counted;
mod deny;
mod documentation;
mod durability;
mod evidence_corpus;
mod facts;
mod fanout;
mod faults;
mod gate;
mod hostile;
mod housekeeping;
mod ingest;
mod mutants;
mod notation;
mod origin;
mod pitfalls;
mod policies;
mod policy;
mod policy_corpus;
mod pull;
mod said;
mod schema;
mod seed;
mod server;
mod stranger;
mod support;
mod trust;
mod upstream;
mod verify;
