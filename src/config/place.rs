//! Where the configuration and what is stored are, as far as the environment says.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the environment says of places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `BONAFIDE_CONFIG`
    pub config: Option<PathBuf>,
    /// `/var/lib/bonafide`, if this user may write there.
    pub system_folder: Option<PathBuf>,
    /// `STATE_DIRECTORY`, as systemd sets it: the first of a list.
    pub state_directory: Option<PathBuf>,
    /// `XDG_STATE_HOME`
    pub state_home: Option<PathBuf>,
    /// `HOME`
    pub home: Option<PathBuf>,
}

const SYSTEM_FOLDER: &str = "/var/lib/bonafide";
const ROOT: u32 = 0;

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let first = |list: PathBuf| env::split_paths(&list).next();
        Self {
            config: path("BONAFIDE_CONFIG"),
            system_folder: may_write(Path::new(SYSTEM_FOLDER)).then(|| SYSTEM_FOLDER.into()),
            state_directory: path("STATE_DIRECTORY").and_then(first),
            state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
        }
    }

    /// Where things are stored unless the configuration says: the system's folder for whoever may write there, else the
    /// one that the service manager made, else one of the user's own.
    pub(super) fn state_folder(&self) -> PathBuf {
        let system = self.system_folder.clone();
        let given = system.or_else(|| self.state_directory.clone());
        let own = || {
            let state = self.state_home.clone().or_else(|| Some(self.home.as_ref()?.join(".local/state")));
            state.map(|state| state.join("bonafide"))
        };
        given.or_else(own).unwrap_or_else(|| SYSTEM_FOLDER.into())
    }
}

/// Whether this user is root, or owns the folder. Asked of the kernel's files, since nothing may be made just to look.
fn may_write(folder: &Path) -> bool {
    let Ok(process) = fs::metadata("/proc/self") else { return false };
    let owner = fs::metadata(folder).map(|folder| folder.uid());
    process.uid() == ROOT || owner.is_ok_and(|owner| owner == process.uid())
}
