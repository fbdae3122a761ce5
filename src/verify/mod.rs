//! `Evidence` -> `Fact` or `Flaw`: the cryptography, and what it binds to which digest.
//!
//! Pure: bytes, trust and the time go in, values come out. Depends on no policy.

mod fact;

pub use fact::{Certificate, Claim, Coverage, Fact, Flaw, FlawKind, LogProof, Proof, Signer};
