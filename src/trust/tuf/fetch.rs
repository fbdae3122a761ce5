//! What a TUF repository is asked for: the port, and a folder that stands in for a site.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;

/// A place with files, none of which is believed.
#[async_trait]
pub trait Fetch: fmt::Debug + Send + Sync {
    /// The file at `path`, which is plain (no `..`, no empty part) and relative; none if there is none. Never more than
    /// `most` bytes are taken, whatever the place says of their number.
    ///
    /// # Errors
    /// [`FetchError`] if the place cannot be asked, or sends more.
    async fn fetch(&self, path: &str, most: u64) -> Result<Option<Bytes>, FetchError>;
}

/// A file could not be fetched: which, from where and why, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// A folder that is laid out as a repository.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The repository in `path`.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

#[async_trait]
impl Fetch for Folder {
    async fn fetch(&self, path: &str, most: u64) -> Result<Option<Bytes>, FetchError> {
        // Where the medium is not there, nothing is known of what is on it.
        if !self.0.is_dir() {
            return Err(FetchError(format!("there is no folder {}", self.0.display())));
        }
        let path = self.0.join(path);
        let name = path.display().to_string();
        let reading = spawn_blocking(move || read(&path, most)).await;
        let failed = |error: &dyn fmt::Display| FetchError(format!("cannot read {name}: {error}"));
        reading.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

fn read(path: &Path, most: u64) -> io::Result<Option<Bytes>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
        return Ok(Some(bytes.into()));
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_up_to_its_bound_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "four").unwrap();
        let fetch = Folder::new(folder.path());
        assert_eq!(fetch.fetch("a", 4).await.unwrap().unwrap(), "four");
        assert!(fetch.fetch("a", 3).await.unwrap_err().0.contains("more than 3 bytes"));
        assert_eq!(fetch.fetch("b", 4).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_says_nothing_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let fetch = Folder::new(&folder.path().join("unmounted"));
        assert!(fetch.fetch("a", 4).await.is_err());
    }
}
