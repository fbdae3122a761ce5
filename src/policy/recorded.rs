//! Facts that somebody wrote down, to try rules on. They are no proof: a file says what its last editor wanted.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::oci::{Digest, Reference, Repository, Tag};
use crate::policy::{Decision, Policy, Request, Verdict};
use crate::verify::{Coverage, Fact, Flaw, Proof};

/// What is known of one image, as `bonafide inspect --record` writes it down and `bonafide policy test` reads it.
///
/// A [`Proof`] is what [`crate::verify`] found out. This was one once, or was never: so it lets none out. It can be
/// written, read, and judged as if it were true, and nothing that serves takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "File", into = "File")]
pub struct RecordedFacts {
    repository: Repository,
    tags: Vec<Tag>,
    proof: Proof,
}

/// Why recorded facts are not of the image that they should be judged as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtherImage {
    /// Of another repository: the same evidence proves nothing there.
    #[error("the facts were recorded of {recorded}, and say nothing of {asked}")]
    Repository {
        /// Where they were recorded.
        recorded: Repository,
        /// Where they should count.
        asked: Repository,
    },
    /// Of another digest.
    #[error("the facts were recorded of {recorded}, and say nothing of {asked}")]
    Digest {
        /// What they are about.
        recorded: Digest,
        /// What they should be about.
        asked: Digest,
    },
}

/// The file. Its order of keys and of facts is always the same, so that two of them can be compared line by line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    repository: String,
    digest: Digest,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<Digest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<Repository>,
    tags: Vec<Tag>,
    collected_at: Timestamp,
    coverage: Coverage,
    facts: Vec<Arc<Fact>>,
    flaws: Vec<Flaw>,
}

/// The form of the file. Another number is for a form that this program could not read as it was meant.
const FORMAT: &str = "bonafide-recorded-facts/1";

impl RecordedFacts {
    /// What `proof` says of an image of `repository`, asked for by `reference`.
    pub fn of(repository: &Repository, reference: &Reference, proof: &Proof) -> Self {
        let tags = match reference {
            Reference::Tag(tag) => vec![tag.clone()],
            Reference::Digest(_) => Vec::new(),
        };
        let mut proof = proof.clone();
        proof.facts.sort_by_cached_key(|fact| (fact.source(), format!("{:?}", fact.signer())));
        proof.flaws.sort_by(|a, b| (a.source, &a.text).cmp(&(b.source, &b.text)));
        Self { repository: repository.clone(), tags, proof }
    }

    /// An image about which nothing is published.
    pub fn none(repository: Repository, digest: Digest, collected_at: Timestamp) -> Self {
        let proof = Proof {
            subject: digest,
            children: Vec::new(),
            elsewhere: Vec::new(),
            facts: Vec::new(),
            flaws: Vec::new(),
            coverage: Coverage::Complete,
            collected_at,
        };
        Self { repository, tags: Vec::new(), proof }
    }

    /// The repository that they were recorded in.
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The digest that they are about.
    pub const fn digest(&self) -> Digest {
        self.proof.subject
    }

    /// The tags that this digest had.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// When the evidence was collected.
    pub const fn collected_at(&self) -> Timestamp {
        self.proof.collected_at
    }

    /// What `policy` would say at `now` of a request for `reference` in `repository`, if all this were proven. By digest it
    /// is judged as a request is: under no tag, and under each tag that it had.
    ///
    /// # Errors
    /// [`OtherImage`] if it is not the image that was recorded. A tag may be another: that is what tags do.
    pub fn judge(
        &self,
        policy: &Policy,
        repository: &Repository,
        reference: &Reference,
        now: Timestamp,
    ) -> Result<Verdict, OtherImage> {
        if *repository != self.repository {
            return Err(OtherImage::Repository { recorded: self.repository.clone(), asked: repository.clone() });
        }
        let judge = |tag| policy.judge(&Request { repository, tag, digest: self.digest() }, Some(&self.proof), now);
        match reference {
            Reference::Tag(tag) => Ok(judge(Some(tag))),
            Reference::Digest(digest) if *digest == self.digest() => {
                Ok(self.tags.iter().map(|tag| judge(Some(tag))).fold(judge(None), more_hopeful))
            }
            Reference::Digest(digest) => Err(OtherImage::Digest { recorded: self.digest(), asked: *digest }),
        }
    }
}

/// The verdict that admits, else the one that is undecided, else the first.
fn more_hopeful(first: Verdict, second: Verdict) -> Verdict {
    match (first.decision, second.decision) {
        (Decision::Refuse, Decision::Admit | Decision::Undecided) | (Decision::Undecided, Decision::Admit) => second,
        (Decision::Admit | Decision::Undecided | Decision::Refuse, _) => first,
    }
}

impl From<RecordedFacts> for File {
    fn from(recorded: RecordedFacts) -> Self {
        let Proof { subject, children, elsewhere, facts, flaws, coverage, collected_at } = recorded.proof;
        Self {
            format: FORMAT.to_owned(),
            repository: recorded.repository.to_string(),
            digest: subject,
            children,
            elsewhere,
            tags: recorded.tags,
            collected_at,
            coverage,
            facts,
            flaws,
        }
    }
}

/// About the image, or about what its index lists.
fn is_about(fact: &Fact, file: &File) -> bool {
    fact.subject() == file.digest || (fact.through().is_some() && file.children.contains(&fact.subject()))
}

impl TryFrom<File> for RecordedFacts {
    type Error = String;

    fn try_from(file: File) -> Result<Self, String> {
        if file.format != FORMAT {
            return Err(format!(
                "the format is {:?}, and only {FORMAT} can be read: record the facts again with bonafide inspect --record",
                file.format
            ));
        }
        let repository = file.repository.parse().map_err(|error| format!("repository: {error}"))?;
        if let Some(fact) = file.facts.iter().find(|fact| !is_about(fact, &file)) {
            return Err(format!("a fact is about {}, and not about {}", fact.subject(), file.digest));
        }
        let proof = Proof {
            subject: file.digest,
            children: file.children,
            elsewhere: file.elsewhere,
            facts: file.facts,
            flaws: file.flaws,
            coverage: file.coverage,
            collected_at: file.collected_at,
        };
        Ok(Self { repository, tags: file.tags, proof })
    }
}
