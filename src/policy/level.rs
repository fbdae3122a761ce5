//! The SLSA build level of a provenance, and why it is not higher: for people. Rules hold the same level against what
//! they demand.

use std::fmt;

use serde::Serialize;

use crate::policy::builder::all_built_in;
use crate::policy::provenance::level_of;
use crate::verify::Fact;

/// The SLSA build level (v1.0) of a provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Level {
    /// 0 to 3.
    pub level: u8,
    /// What keeps it from the next level; nothing does at 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_higher: Option<Shortfall>,
}

/// What keeps a provenance from a higher level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shortfall {
    /// Nobody signed it.
    Unsigned,
    /// It and the certificate of its signer contradict each other, so that nothing in it is believed.
    ClaimsDisagree,
    /// It is signed, but by no builder that is known.
    UnknownBuilder,
    /// It is signed by a known builder that was not called by a released version.
    UnreleasedBuilder,
    /// It was built on a machine that does not belong to the build platform.
    SelfHostedRunner,
    /// It is signed by a workflow of the source repository itself.
    SelfAttested,
    /// Its builder vouches for no more.
    Builder,
}

impl Level {
    /// The highest that SLSA v1.0 knows for builds.
    pub(super) const HIGHEST: u8 = 3;

    /// Of a provenance that nobody signed, such as the one that BuildKit puts into an index.
    pub const UNSIGNED: Self = Self::short(0, Shortfall::Unsigned);

    pub(super) const fn short(level: u8, why: Shortfall) -> Self {
        Self { level, why_not_higher: Some(why) }
    }

    /// The level of `fact`, by the builders that are built in; none if it is no provenance.
    pub fn of(fact: &Fact) -> Option<Self> {
        // The patterns that are built in are globs: see the tests.
        level_of(&all_built_in().ok()?, fact)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why_not_higher {
            None => write!(f, "{}", self.level),
            Some(why) => write!(f, "{}: {why}", self.level),
        }
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "no signature proves it",
            Self::ClaimsDisagree => "it contradicts the certificate of its signer",
            Self::UnknownBuilder => "its signer is no builder that is known",
            Self::UnreleasedBuilder => "its builder was not called by a released version such as @refs/tags/v2.1.0",
            Self::SelfHostedRunner => "built on a self-hosted runner, which is level 1 at most",
            Self::SelfAttested => "signed by a workflow of the source repository itself, which is level 2 at most",
            Self::Builder => "its builder vouches for no more",
        })
    }
}
