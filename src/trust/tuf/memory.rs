//! What was fetched and proven last, in one file: from it comes the root after a restart, and the versions below which
//! nothing is taken.
//!
//! One file, replaced as a whole: what is in it belongs together. Names that a repository chose are keys in it, and never
//! names of files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error, MetadataStore, Repository};

use crate::oci::Digest;

/// Files of a repository by name, as they were proven. Clones share them.
#[derive(Debug, Clone, Default)]
pub(in crate::trust::tuf) struct Memory(Arc<Mutex<Files>>);

/// As they are in the file. Metadata is JSON, and so is a trusted root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Files(BTreeMap<String, String>);

impl Memory {
    /// What `path` holds; nothing if there is no such file.
    pub(in crate::trust::tuf) fn read(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self(Arc::new(Mutex::new(serde_json::from_slice(&bytes)?)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Puts all of it in place of what `path` holds: after a loss of power, one or the other is there.
    pub(in crate::trust::tuf) fn write(&self, path: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(&*self.files())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder)?;
        let unfinished = path.with_extension("new");
        let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(folder)?.sync_all()
    }

    pub(in crate::trust::tuf) fn is_empty(&self) -> bool {
        self.files().0.is_empty()
    }

    /// Nothing that can panic runs under this lock, and it is never held across an await.
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str, most: u64) -> FetchFuture<'static> {
        let found = self.files().0.get(name).map(|text| text.as_bytes().to_vec());
        let fits = found.as_ref().is_none_or(|bytes| u64::try_from(bytes.len()).is_ok_and(|length| length <= most));
        Box::pin(async move { if fits { Ok(found) } else { Err(Error::transport("it is too large")) } })
    }
}

impl MetadataStore for Memory {
    fn load(&self, name: &str) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        Ok(self.files().0.get(name).map(|text| text.as_bytes().to_vec()))
    }

    fn store(&self, name: &str, bytes: &[u8]) -> sigstore_tuf::Result<()> {
        // Each snapshot comes by its version too: nobody looks for those, and they would add up.
        if unversioned(name) != name {
            return Ok(());
        }
        let text = str::from_utf8(bytes).map_err(|_| Error::Malformed(format!("{name} is no text")))?;
        self.files().0.insert(name.to_owned(), text.to_owned());
        Ok(())
    }
}

/// The files once more, for whoever proves them again without a network.
impl Repository for Memory {
    fn fetch_metadata<'a>(&'a self, name: &'a str, most: u64) -> FetchFuture<'a> {
        // The roots that are there were taken before anybody asks for one more.
        if name.ends_with("root.json") { Box::pin(async { Ok(None) }) } else { self.find(unversioned(name), most) }
    }

    fn fetch_target<'a>(&'a self, _: &'a str, _: u64) -> FetchFuture<'a> {
        // It would have been found by its name.
        Box::pin(async { Ok(None) })
    }
}

/// `9.snapshot.json` without its version.
fn unversioned(name: &str) -> &str {
    let Some((version, rest)) = name.split_once('.') else { return name };
    let is_version = !version.is_empty() && version.bytes().all(|c| c.is_ascii_digit());
    if is_version && rest.contains('.') { rest } else { name }
}

/// The file for the domain `name` in `folder`: the name itself if no file system can take offence, else its digest.
pub(in crate::trust::tuf) fn file_of(folder: &Path, name: &str) -> PathBuf {
    /// Names up to here are names of files everywhere.
    const LONGEST: usize = 100;
    let is_safe = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_".contains(&c);
    if !name.is_empty() && name.len() <= LONGEST && name.bytes().all(is_safe) {
        folder.join(format!("{name}.json"))
    } else {
        folder.join(format!("sha256-{}.json", Digest::of(name.as_bytes()).hex()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(files: &[(&str, &str)]) -> Memory {
        let memory = Memory::default();
        for (name, text) in files {
            memory.store(name, text.as_bytes()).unwrap();
        }
        memory
    }

    #[test]
    fn what_was_written_is_read_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust").join("corp.json");
        assert!(Memory::read(&path).unwrap().is_empty());
        memory(&[("timestamp.json", "{}")]).write(&path).unwrap();
        let newer = memory(&[("timestamp.json", "{\"version\":2}"), ("root_history/2.root.json", "{}")]);
        newer.write(&path).unwrap();
        assert_eq!(*Memory::read(&path).unwrap().files(), *newer.files());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn names_of_a_repository_are_never_names_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust").join("corp.json");
        memory(&[("../../escaped.json", "{}"), ("/escaped.json", "{}")]).write(&path).unwrap();
        let entries = fs::read_dir(folder.path()).unwrap().chain(fs::read_dir(path.parent().unwrap()).unwrap());
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["trust", "corp.json"]);
    }

    #[test]
    fn a_domain_whatever_its_name_has_a_file_of_its_own_in_the_folder() {
        let folder = Path::new("/trust");
        assert_eq!(file_of(folder, "public-good"), Path::new("/trust/public-good.json"));
        let all = ["corp", "Corp", "../corp", "..", "", "a/b", "corp.json", "c\0", &"c".repeat(300)];
        let files: std::collections::BTreeSet<_> = all.iter().map(|name| file_of(folder, name)).collect();
        assert_eq!(files.len(), all.len());
        for file in files {
            assert_eq!(file.parent(), Some(folder));
            assert!(file.file_name().unwrap().len() < 200, "{file:?}");
        }
    }

    #[test]
    fn versions_are_left_off() {
        assert_eq!(unversioned("12.snapshot.json"), "snapshot.json");
        assert_eq!(unversioned("snapshot.json"), "snapshot.json");
        assert_eq!(unversioned("1.json"), "1.json");
        assert_eq!(unversioned("root_history/2.root.json"), "root_history/2.root.json");
    }
}
