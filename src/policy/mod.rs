//! Rules, and what they say of proven facts: pure, total, in microseconds.

mod verdict;

pub use verdict::{Decision, Mode, Reason, ReasonCode, Requirement, RequirementKind, Verdict};
