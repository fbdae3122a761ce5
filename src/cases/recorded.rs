//! Decisions out of recorded facts: by the judge that the gate asks, with answers out of a file.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::gate::{Child, Explanation, Judge, Refusal, Sources};
use crate::oci::{Digest, ErrorCode, Image, Repository, Tag, UpstreamName};
use crate::policy::{OtherImage, Policy, RecordedFacts, Request, Verdict};
use crate::upstream::{Names, UpstreamError};

/// What decides cases: the rules of a configuration, and the names of its upstreams.
#[derive(Debug)]
pub struct Rules {
    policy: Arc<Policy>,
    upstreams: Names,
}

/// A file, and the time at which it is asked.
struct Recorded<'a> {
    facts: &'a RecordedFacts,
    upstreams: &'a Names,
    now: Timestamp,
}

impl Rules {
    /// Those of `config`, of which nothing else is looked at.
    ///
    /// # Errors
    /// [`UpstreamError`] if two upstreams share a name.
    pub fn of(config: Config) -> Result<Self, UpstreamError> {
        Ok(Self { upstreams: Names::new(&config.upstreams)?, policy: Arc::new(config.policy) })
    }

    /// What the gate would decide at `now` about `image`, if all of `facts` were so.
    ///
    /// # Errors
    /// [`OtherImage`] if it is not the image that was recorded.
    pub async fn explain(
        &self,
        facts: &RecordedFacts,
        image: &Image,
        now: Timestamp,
    ) -> Result<Explanation, OtherImage> {
        facts.check_is(&image.repository, &image.reference)?;
        let recorded = Recorded { facts, upstreams: &self.upstreams, now };
        Ok(Judge::new(Arc::clone(&self.policy), recorded).explain(image, facts.digest()).await)
    }
}

impl<'a> Recorded<'a> {
    fn find(&self, of: &Repository, digest: Digest) -> Result<&'a RecordedFacts, Refusal> {
        let image = format!("{of}@{digest}");
        match self.facts.find(of, digest) {
            Some(facts) => Ok(facts),
            None if self.facts.lacks(of, digest) => {
                let text = format!("{image} is not at the upstream");
                Err(Refusal::NotFound { code: ErrorCode::ManifestUnknown, text })
            }
            None => Err(unrecorded(&format!("nothing is recorded of {image}"))),
        }
    }
}

fn unrecorded(text: &str) -> Refusal {
    let text = format!("{text}: record the image again with bonafide inspect --record");
    Refusal::Undecided { text, retry_after: Duration::ZERO, judged: None }
}

/// Nothing is noted: a file is read, and nothing else happens.
impl<'a> Sources for Recorded<'a> {
    type Proof = &'a RecordedFacts;

    fn now(&self) -> Timestamp {
        self.now
    }

    fn canonical(&self, upstream: &UpstreamName) -> Option<&UpstreamName> {
        self.upstreams.canonical(upstream)
    }

    async fn verdict(
        &self,
        policy: &Arc<Policy>,
        request: &Request<'_>,
        proof: Option<&Self::Proof>,
    ) -> Result<Verdict, Refusal> {
        Ok(match proof {
            Some(facts) => facts.verdict(policy, request, self.now),
            None => policy.judge(request, None, self.now),
        })
    }

    async fn proof(&self, of: &Repository, digest: Digest) -> Result<Self::Proof, Refusal> {
        self.find(of, digest)
    }

    async fn newer(&self, _: &Repository, _: Digest, _: &Self::Proof) -> Result<Option<Self::Proof>, Refusal> {
        Ok(None)
    }

    async fn roots(&self, of: &Repository, digest: Digest) -> Result<Vec<Digest>, Refusal> {
        Ok(self.facts.find(of, digest).map(|facts| facts.roots().to_vec()).unwrap_or_default())
    }

    async fn tags_of(&self, of: &Repository, digest: Digest) -> Result<Arc<[Tag]>, Refusal> {
        Ok(self.facts.find(of, digest).map(RecordedFacts::tags).unwrap_or_default().into())
    }

    async fn children(&self, of: &Repository, digest: Digest) -> Result<Vec<Child>, Refusal> {
        let images = self.find(of, digest)?.images();
        let images = images.ok_or_else(|| unrecorded(&format!("the images of {of}@{digest} are not recorded")))?;
        Ok(images
            .iter()
            .map(|image| Child { digest: image.digest, size: 0, platform: image.platform.clone() })
            .collect())
    }

    async fn last_admitted(&self, of: &Repository, tag: &Tag) -> Result<Option<Digest>, Refusal> {
        let is_it = self.facts.repository() == of && self.facts.tags().contains(tag);
        Ok(self.facts.last_admitted().filter(|_| is_it))
    }

    async fn check_presence(&self, of: &Repository, digest: Digest) -> Result<(), Refusal> {
        self.find(of, digest).map(|_| ())
    }

    async fn note_seen(&self, _: &Repository, _: &Tag, _: &[Child]) -> Result<(), Refusal> {
        Ok(())
    }

    async fn note_child(&self, _: &Repository, _: &Child) -> Result<(), Refusal> {
        Ok(())
    }

    async fn note_judged(&self, _: (&Repository, Digest), _: &Verdict, _: &Self::Proof) {}

    async fn note_admitted(&self, _: &Repository, _: &Tag, _: Digest) -> Result<(), Refusal> {
        Ok(())
    }
}
