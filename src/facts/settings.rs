//! Where facts are kept, as the configuration says.

use std::path::PathBuf;

use serde::Deserialize;

/// Where facts are kept: the facts' share of `[storage]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder of all that is stored; the database is the file `facts.sqlite` in it. Made if it is not there.
    pub path: PathBuf,
}
