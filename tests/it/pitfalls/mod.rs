//! The ways in which other verifiers were wrong, each with the advisories in which that was paid for, and tests that
//! fail when the check against it is deleted (`tests/mutants` deletes them one by one).
//!
//! Single checks have their tests beside their modules (`verify`, `policy`, `hostile`); what is here makes each mistake
//! in every form that evidence has.

mod judgement;
mod proof;
mod service;
