//! Granting what was not asked for hop by hop.
//!
//! A manifest grants what it names when it is served. A node that holds the manifests of an image from before asks for
//! the tag by HEAD, and then for the layers that it lacks; the manifests between are never served to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::gate::Gate;
use crate::gate::admitted::Refusal;
use crate::gate::serve::reached;
use crate::limits::{GRANTED_MANIFESTS, REFUSAL_TTL};
use crate::oci::{Digest, Repository, parse_manifest};

/// When each repository was last looked through: a client that makes up digests costs one look in [`REFUSAL_TTL`], and
/// hides nothing that is granted after it. Only repositories of which something was admitted are in it.
#[derive(Debug, Default)]
pub(in crate::gate) struct Looks(Mutex<HashMap<Repository, Arc<Look>>>);

/// A granted manifest, and its root.
type Granted = (Digest, Digest);

/// The looks at one repository: one at a time, and whoever waited for one need not look again.
#[derive(Debug)]
struct Look {
    turn: Semaphore,
    last: Mutex<Option<(Timestamp, Vec<Granted>)>>,
}

impl Looks {
    fn of(&self, repository: &Repository) -> Arc<Look> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let look = looks.entry(repository.clone()).or_insert_with(|| Arc::new(Look::new()));
        Arc::clone(look)
    }
}

impl Look {
    fn new() -> Self {
        Self { turn: Semaphore::new(1), last: Mutex::new(None) }
    }

    /// Whether just these manifests were looked through just now.
    fn is_recent(&self, now: Timestamp, granted: &[Granted]) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |(at, seen): &(Timestamp, Vec<Granted>)| {
            now.duration_since(*at).unsigned_abs() < REFUSAL_TTL && *seen == granted
        };
        last.as_ref().is_some_and(is_same)
    }

    fn done(&self, now: Timestamp, granted: Vec<Granted>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, granted));
    }
}

impl Gate {
    /// Grants what the granted manifests of `repository` name, to the roots that they are granted to; nothing if that
    /// was done just now.
    ///
    /// # Errors
    /// [`Refusal::Undecided`] if one of them cannot be fetched: what it names is not known to be unreachable.
    pub(in crate::gate) async fn reach_further(&self, repository: &Repository) -> Result<(), Refusal> {
        let granted = self.facts.granted_manifests(repository, GRANTED_MANIFESTS).await?;
        if granted.is_empty() {
            return Ok(());
        }
        let look = self.looks.of(repository);
        let _turn = look.turn.acquire().await.map_err(Refusal::undecided)?;
        if look.is_recent(self.clock.now(), &granted) {
            return Ok(());
        }
        for &(manifest, root) in &granted {
            self.reach_from(repository, manifest, root).await?;
        }
        look.done(self.clock.now(), granted);
        Ok(())
    }

    async fn reach_from(&self, repository: &Repository, manifest: Digest, root: Digest) -> Result<(), Refusal> {
        let upstream = self.upstream(&repository.upstream)?;
        let bytes = self.manifests.bytes(&upstream, repository, manifest).await?;
        // A platform that the upstream does not have, or that is no manifest, names nothing.
        let Some(manifest) = bytes.and_then(|bytes| parse_manifest(&bytes).ok()) else { return Ok(()) };
        Ok(self.facts.grant(repository, root, &reached(&manifest)?).await?)
    }
}
