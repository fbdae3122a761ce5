//! What is served while a tag has moved to what is not proven (`on_unproven_update`).

use crate::gate::admitted::Refusal;
use crate::gate::judge::{Judge, Passed, Target};
use crate::gate::sources::Sources;
use crate::oci::Tag;
use crate::policy::Mode;

impl<S: Sources> Judge<S> {
    /// `passed` about what `tag` means now, which is remembered if it was proven; where it is not admitted, the digest
    /// that was last admitted for this tag of this repository, if that is admitted at this moment.
    ///
    /// What cannot be decided counts as unproven too: an outage at the upstream stops no node that could run what ran.
    pub(in crate::gate) async fn or_last_admitted(
        &self,
        target: &Target<'_>,
        tag: &Tag,
        passed: Result<Passed, Refusal>,
    ) -> Result<Passed, Refusal> {
        match passed {
            Ok(passed) => {
                self.remember(target, tag, &passed).await?;
                Ok(passed)
            }
            // Rare, and as large as all else that deciding takes.
            Err(refusal) => Box::pin(self.last_admitted(target, tag, refusal)).await,
        }
    }

    /// An exception proves nothing, so it does not take the place of what is proven.
    async fn remember(&self, target: &Target<'_>, tag: &Tag, passed: &Passed) -> Result<(), Refusal> {
        if passed.judged.verdict.mode == Some(Mode::Enforce) {
            self.sources.note_admitted(&target.image.repository, tag, target.digest).await?;
        }
        Ok(())
    }

    async fn last_admitted(&self, target: &Target<'_>, tag: &Tag, refusal: Refusal) -> Result<Passed, Refusal> {
        let last = self.sources.last_admitted(&target.image.repository, tag).await?;
        let Some(digest) = last.filter(|last| *last != target.digest) else { return Err(refusal) };
        match self.decide_digest(&Target { digest, ..target.clone() }).await {
            Ok(passed) => Ok(Passed { instead_of: Some(Box::new(refusal)), ..passed }),
            // What was asked for is what there is to be told about.
            Err(_) => Err(refusal),
        }
    }
}
