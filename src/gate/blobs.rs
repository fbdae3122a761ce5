//! Which manifests reach a blob, and how many bytes it may have by what they say.
//!
//! Manifests may disagree about that, by mistake or to harm each other. Those that are refused do not count; of the others none
//! takes a blob from what names it rightly.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::time::Duration;

use crate::content::{ContentError, Length, Reader};
use crate::facts::{Grant, GrantKind};
use crate::gate::Gate;
use crate::gate::admitted::{Admitted, RETRY_AFTER, Refusal, Size};
use crate::gate::judge::{Judge, Judged, Target, more_hopeful};
use crate::gate::live::Live;
use crate::limits::MANIFEST_BYTES;
use crate::oci::{Digest, ErrorCode, Repository};
use crate::upstream::Unavailable;

impl Admitted {
    /// How many bytes it has by all manifests that admit it, if it is a blob about which they agree.
    pub fn declared_size(&self) -> Option<u64> {
        match &self.size {
            Size::Declared(sizes) => <[u64; 1]>::try_from(sizes.as_slice()).ok().map(|[only]| only),
            Size::Manifest => None,
        }
    }

    /// Why its bytes cannot be had: the upstream has lost it, or it cannot be read or fetched now.
    pub fn unreadable(&self, error: &io::Error) -> Refusal {
        let Self { repository, digest, .. } = self;
        if error.kind() == io::ErrorKind::NotFound {
            return Refusal::not_found(ErrorCode::BlobUnknown, format_args!("{repository}@{digest}"));
        }
        let text = format!("{repository}@{digest} cannot be read: {error}");
        Refusal::Undecided { text, retry_after: asked_to_wait(error).unwrap_or(RETRY_AFTER), judged: None }
    }
}

/// How long an upstream asks to wait, if that is what is behind `error`.
fn asked_to_wait(error: &io::Error) -> Option<Duration> {
    let outermost = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    let mut causes = successors(outermost, |&error| error.source());
    causes.find_map(|cause| cause.downcast_ref::<Unavailable>())?.retry_after
}

impl Gate {
    /// The bytes of an admitted blob: kept here, or on their way from the upstream.
    ///
    /// # Errors
    /// [`Refusal::Undecided`] if they cannot be fetched or read now, [`Refusal::Invalid`] if there are more or fewer than any
    /// manifest that admits it says.
    pub async fn blob(&self, admitted: &Admitted) -> Result<Reader, Refusal> {
        let Admitted { repository, digest, size, .. } = admitted;
        match size {
            Size::Declared(sizes) => self.blob_of_one_of(sizes, repository, *digest).await,
            Size::Manifest => self.fetch_blob(repository, *digest, Length::AtMost(MANIFEST_BYTES)).await,
        }
    }

    /// The blob `digest`. Where there are several `sizes`, what is kept here tells the right one, and what is fetched.
    async fn blob_of_one_of(&self, sizes: &[u64], repository: &Repository, digest: Digest) -> Result<Reader, Refusal> {
        let most = Length::AtMost(sizes.iter().copied().max().unwrap_or(0));
        let length = match sizes {
            [only] => Length::Exactly(*only),
            _ => self.content.kept_size(digest).await?.map_or(most, |kept| closest(kept, sizes)),
        };
        let mut reader = self.fetch_blob(repository, digest, length).await?;
        // Whoever reads hears it again, if that could not be found out.
        if length == most
            && let Ok(size) = reader.size().await
            && !sizes.contains(&size)
        {
            return Err(ContentError::Length { digest, size }.into());
        }
        Ok(reader)
    }

    /// The verdict on a blob by what reaches it, with each size that one of those declares that admit it.
    pub(in crate::gate) async fn judge_blob(
        &self,
        judge: &Judge<Live<'_>>,
        target: &Target<'_>,
    ) -> Result<Option<(Judged, Vec<u64>)>, Refusal> {
        let grants = self.granted(&target.image.repository, target.digest, GrantKind::Blob).await?;
        let (mut best, mut admitting, mut failure) = (None, Vec::new(), None);
        // Once a size is admitted, whoever else declares it need not be judged.
        for size in sizes(&grants) {
            let roots = grants.iter().filter(|grant| grant.size == size).map(|grant| grant.root);
            match judge.judge_roots(target, roots).await {
                Ok(judged) => {
                    admitting.extend(judged.as_ref().filter(|judged| judged.admits()).map(|_| size));
                    best = more_hopeful(best, judged);
                }
                Err(refusal) => failure = Some(refusal),
            }
        }
        match failure {
            Some(refusal) if admitting.is_empty() => Err(refusal),
            Some(_) | None => Ok(best.map(|best| (best, admitting))),
        }
    }
}

/// The length to read what is kept by, of which there are `kept` bytes. If that is none of the `sizes`, it is damaged, or all of
/// them are wrong: whoever reads it by any of them finds out which.
fn closest(kept: u64, sizes: &[u64]) -> Length {
    let fitting = sizes.iter().find(|size| **size == kept).or(sizes.first());
    Length::Exactly(fitting.copied().unwrap_or(0))
}

/// Each size that is in `grants`, once.
fn sizes(grants: &[Grant]) -> Vec<u64> {
    let mut sizes = Vec::with_capacity(1);
    for grant in grants {
        if !sizes.contains(&grant.size) {
            sizes.push(grant.size);
        }
    }
    sizes
}
