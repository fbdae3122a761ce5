//! Facts that somebody wrote down, to try rules on. They are no proof: a file says what its last editor wanted.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::oci::{Digest, Reference, Repository, Tag};
use crate::policy::{Policy, Request, Verdict};
use crate::verify::{Coverage, Fact, Few, Flaw, Proof, Several};

/// What is known of one image, and of the others that its verdict may depend on, as `bonafide inspect --record` writes it
/// down and `bonafide policy test` reads it.
///
/// A [`Proof`] is what [`crate::verify`] found out. This was one once, or was never: so it lets none out. It can be
/// written, read, and judged as if it were true, and nothing that serves takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "File", into = "File")]
pub struct RecordedFacts {
    repository: Repository,
    tags: Vec<Tag>,
    proof: Proof,
    roots: Vec<Digest>,
    images: Option<Vec<RecordedImage>>,
    last_admitted: Option<Digest>,
    others: Vec<Self>,
    absent: Vec<(Repository, Digest)>,
}

/// One image of an index that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedImage {
    /// Which one it is.
    pub digest: Digest,
    /// What it is for, such as `linux/amd64`; empty if the index does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub platform: String,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reached_from: Vec<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    images: Option<Vec<RecordedImage>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_admitted: Option<Digest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<RecordedFacts>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    absent: Vec<String>,
}

/// The form of the file. Another number is for a form that this program could not read as it was meant.
const FORMAT: &str = "bonafide-recorded-facts/1";

impl RecordedFacts {
    /// What `proof` says of an image of `repository` that has `tags`. Nothing is said of any other image.
    pub fn of(repository: &Repository, tags: &[Tag], proof: &Proof) -> Self {
        let mut proof = proof.clone();
        proof.facts.sort_by_cached_key(|fact| (fact.source(), format!("{:?}", fact.signer())));
        proof.flaws.sort_by(|a, b| (a.source, &a.text).cmp(&(b.source, &b.text)));
        Self {
            repository: repository.clone(),
            tags: tags.to_vec(),
            proof,
            roots: Vec::new(),
            images: None,
            last_admitted: None,
            others: Vec::new(),
            absent: Vec::new(),
        }
    }

    /// An image about which nothing is published.
    pub fn none(repository: &Repository, digest: Digest, collected_at: Timestamp) -> Self {
        let proof = Proof {
            subject: digest,
            children: Few::default(),
            elsewhere: Few::default(),
            facts: Several::default(),
            flaws: Few::default(),
            coverage: Coverage::Complete,
            collected_at,
        };
        Self::of(repository, &[], &proof).in_an_index(Vec::new(), Vec::new())
    }

    /// The same of what is reached from `roots`, and is an index of `images`; of none, if it is no index.
    #[must_use]
    pub fn in_an_index(self, roots: Vec<Digest>, images: Vec<RecordedImage>) -> Self {
        Self { roots, images: Some(images), ..self }
    }

    /// The same with the digest that was last admitted for its tag, and the other images that its verdict may depend on:
    /// what is known of them, and which of them are not there.
    #[must_use]
    pub fn beside(
        self,
        last_admitted: Option<Digest>,
        mut others: Vec<Self>,
        mut absent: Vec<(Repository, Digest)>,
    ) -> Self {
        others.sort_by(|a, b| (&a.repository, a.digest()).cmp(&(&b.repository, b.digest())));
        absent.sort();
        Self { last_admitted, others, absent, ..self }
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

    /// The digests that were judged, and reach this one.
    pub fn roots(&self) -> &[Digest] {
        &self.roots
    }

    /// The images of the index that it is, if that was recorded.
    pub fn images(&self) -> Option<&[RecordedImage]> {
        self.images.as_deref()
    }

    /// The digest that was last admitted for its tag.
    pub const fn last_admitted(&self) -> Option<Digest> {
        self.last_admitted
    }

    /// How many other images are recorded with it.
    pub const fn others(&self) -> usize {
        self.others.len()
    }

    /// What is recorded of `digest` in `repository`: this, or one of the others.
    pub fn find(&self, repository: &Repository, digest: Digest) -> Option<&Self> {
        let is_it = |facts: &&Self| facts.digest() == digest && facts.repository == *repository;
        std::iter::once(self).chain(&self.others).find(is_it)
    }

    /// Whether `repository` did not have `digest`.
    pub fn lacks(&self, repository: &Repository, digest: Digest) -> bool {
        self.absent.iter().any(|(of, absent)| *absent == digest && of == repository)
    }

    /// Whether it is the image that was recorded: `repository` is, and the digest if there is one. A tag may be another:
    /// that is what tags do.
    ///
    /// # Errors
    /// [`OtherImage`] if it is not.
    pub fn check_is(&self, repository: &Repository, reference: &Reference) -> Result<(), OtherImage> {
        if *repository != self.repository {
            return Err(OtherImage::Repository { recorded: self.repository.clone(), asked: repository.clone() });
        }
        match reference {
            Reference::Digest(digest) if *digest != self.digest() => {
                Err(OtherImage::Digest { recorded: self.digest(), asked: *digest })
            }
            Reference::Digest(_) | Reference::Tag(_) => Ok(()),
        }
    }

    /// What `policy` would say at `now` of `request`, if all that is recorded of its digest were proven.
    pub fn verdict(&self, policy: &Policy, request: &Request<'_>, now: Timestamp) -> Verdict {
        policy.judge(request, Some(&self.proof), now)
    }
}

impl From<RecordedFacts> for File {
    fn from(recorded: RecordedFacts) -> Self {
        let Proof { subject, children, elsewhere, facts, flaws, coverage, collected_at } = recorded.proof;
        Self {
            format: FORMAT.to_owned(),
            repository: recorded.repository.to_string(),
            digest: subject,
            children: children.into(),
            elsewhere: elsewhere.into(),
            tags: recorded.tags,
            collected_at,
            coverage,
            facts: facts.into(),
            flaws: flaws.into(),
            reached_from: recorded.roots,
            images: recorded.images,
            last_admitted: recorded.last_admitted,
            others: recorded.others,
            absent: recorded.absent.iter().map(|(repository, digest)| format!("{repository}@{digest}")).collect(),
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
        if file.others.iter().any(|other| !other.others.is_empty()) {
            return Err("others: one of them has others of its own".to_owned());
        }
        let absent = file.absent.iter().map(|text| absent(text)).collect::<Result<_, _>>()?;
        let proof = Proof {
            subject: file.digest,
            children: file.children.into(),
            elsewhere: file.elsewhere.into(),
            facts: file.facts.into(),
            flaws: file.flaws.into(),
            coverage: file.coverage,
            collected_at: file.collected_at,
        };
        Ok(Self {
            repository,
            tags: file.tags,
            proof,
            roots: file.reached_from,
            images: file.images,
            last_admitted: file.last_admitted,
            others: file.others,
            absent,
        })
    }
}

/// `repository@digest`.
fn absent(text: &str) -> Result<(Repository, Digest), String> {
    let parts = text.rsplit_once('@').and_then(|(of, digest)| Some((of.parse().ok()?, digest.parse().ok()?)));
    parts.ok_or_else(|| format!("absent: {text:?} is not of the form repository@sha256:.."))
}
