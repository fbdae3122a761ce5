//! The same decision for people: what `bonafide verify` and `bonafide inspect` print.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::evidence::{attestation_tag, signature_tag};
use crate::gate::admitted::{Refusal, verdict_json};
use crate::gate::{Decided, Gate};
use crate::oci::{Digest, Image, Repository, Tag};
use crate::policy::{Decision, Verdict};
use crate::verify::Proof;

/// The verdict on one image, with its reasons.
#[derive(Debug)]
pub struct Explanation {
    /// What was asked for.
    pub image: Image,
    /// What that was, if it could be found out.
    pub digest: Option<Digest>,
    /// What was decided.
    pub decision: Decision,
    /// The requirements, if it was judged.
    pub verdict: Option<Verdict>,
    /// Why it was not judged, or what a refused client reads; of what is admitted in place of what was asked for, why
    /// that is not.
    pub text: Option<String>,
}

/// Everything that is known of one image, without a policy.
#[derive(Debug)]
pub struct Inspection {
    /// What was asked for.
    pub image: Image,
    /// What that was.
    pub digest: Digest,
    /// The facts and the flaws.
    pub proof: Arc<Proof>,
    /// The tags that keep evidence about it, and the manifests that they name.
    pub tags: Vec<(Tag, Digest)>,
}

impl Gate {
    /// Judges `image` as [`Gate::admit`] does, and keeps the reasons.
    pub async fn explain(&self, image: &Image) -> Explanation {
        let decided = match self.configured(image) {
            Ok(image) => self.decide(&image).await,
            Err(refusal) => Err(refusal),
        };
        let decided = decided.map(|Decided { admitted, verdict, instead_of }| (admitted.digest(), verdict, instead_of));
        Explanation::of(image, decided)
    }

    /// Collects and checks the evidence about `image` anew.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] or [`Refusal::Undecided`]; never [`Refusal::Denied`], since no policy is asked.
    pub async fn inspect(&self, image: &Image) -> Result<Inspection, Refusal> {
        let image = self.configured(image)?;
        let digest = self.resolve(&image).await?;
        let proof = self.prove(&image.repository, digest, &self.trust.snapshot()).await?;
        let tags = self.evidence_tags(&image.repository, digest).await?;
        Ok(Inspection { image, digest, proof, tags })
    }

    /// The tags under which evidence about `digest` is kept. One that cannot be asked for now is left out: the proof says so.
    async fn evidence_tags(&self, repository: &Repository, digest: Digest) -> Result<Vec<(Tag, Digest)>, Refusal> {
        let upstream = self.upstream(&repository.upstream)?;
        let mut tags = Vec::new();
        for tag in [signature_tag(digest), attestation_tag(digest)] {
            if let Ok(Some(manifest)) = upstream.resolve(&repository.name, &tag).await {
                tags.push((tag, manifest));
            }
        }
        Ok(tags)
    }

    /// `image` under the name that its upstream is configured by: rules know no other.
    fn configured(&self, image: &Image) -> Result<Image, Refusal> {
        let Repository { upstream, name } = &image.repository;
        let Some(upstream) = self.upstreams.names().canonical(upstream) else { return Err(self.no_upstream(upstream)) };
        let repository = Repository::new(upstream.clone(), name.clone());
        Ok(Image { repository, reference: image.reference.clone() })
    }
}

impl Explanation {
    /// What was decided: the digest that is admitted, by which verdict, and in place of what; or no image.
    pub(in crate::gate) fn of(
        image: &Image,
        decided: Result<(Digest, Verdict, Option<Box<Refusal>>), Refusal>,
    ) -> Self {
        let explain = |digest, decision, verdict, text| Self { image: image.clone(), digest, decision, verdict, text };
        match decided {
            Ok((digest, verdict, instead_of)) => {
                let text = instead_of.map(|refusal| {
                    format!("{}. In its place what was last admitted for this tag is served", refusal.text())
                });
                explain(Some(digest), Decision::Admit, Some(verdict), text)
            }
            Err(Refusal::Denied(denial)) => {
                let text = denial.message();
                explain(denial.digest, Decision::Refuse, Some(denial.verdict), Some(text))
            }
            Err(Refusal::Undecided { text, judged: Some(judged), .. }) => {
                explain(Some(judged.digest), Decision::Undecided, Some(judged.verdict), Some(text))
            }
            Err(refusal @ (Refusal::NotFound { .. } | Refusal::Invalid { .. } | Refusal::Undecided { .. })) => {
                explain(None, Decision::Undecided, None, Some(refusal.text()))
            }
        }
    }

    /// The explanation for programs (`policy.md`, "Commands").
    pub fn to_json(&self) -> Value {
        match &self.verdict {
            Some(verdict) => {
                let mut json = verdict_json(&self.image.to_string(), self.digest, verdict);
                if let (Decision::Admit, Some(text), Value::Object(object)) = (self.decision, &self.text, &mut json) {
                    object.insert("instead_of".to_owned(), json!(text));
                }
                json
            }
            None => json!({
                "image": self.image.to_string(),
                "digest": self.digest,
                "decision": self.decision,
                "rule": null,
                "mode": null,
                "requirements": [],
                "error": self.text,
            }),
        }
    }
}
