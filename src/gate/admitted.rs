//! The proof token that the front door demands, and what it answers with instead.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::gate::detail::bounded;
use crate::oci::{Digest, ErrorCode, Repository};
use crate::policy::{RequirementKind, Verdict, VerdictView};

/// Leave to send the bytes of one digest of one repository. Only the gate makes it, out of a verdict that admits a root
/// from which the digest is reached.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub(in crate::gate) repository: Repository,
    pub(in crate::gate) digest: Digest,
    pub(in crate::gate) root: Digest,
    pub(in crate::gate) size: Size,
    pub(in crate::gate) grants: Grants,
}

/// What an admitted manifest grants to its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gate) enum Grants {
    /// What it names.
    Reached,
    /// Nothing: it is not proven itself, and each of its children is to be judged by itself.
    Nothing,
}

/// How many bytes an admitted digest may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gate) enum Size {
    /// As many as a manifest says that reaches it and admits it: several where such manifests disagree.
    Declared(Vec<u64>),
    /// A manifest's bound.
    Manifest,
}

impl Admitted {
    /// Where it is served.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What is served.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest whose verdict admits it: itself, or what reaches it.
    pub fn root(&self) -> Digest {
        self.root
    }
}

/// No image for you: the three ways to say so, and why.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// It was judged, and refused.
    Denied(Box<Denial>),
    /// The upstream does not have it.
    NotFound {
        /// What is not there.
        code: ErrorCode,
        /// The same in words.
        text: String,
    },
    /// The upstream has it, and it can never be served.
    Invalid {
        /// Why, in words.
        text: String,
    },
    /// It could not be decided now; asking again may help.
    Undecided {
        /// Why, in words.
        text: String,
        /// When to ask again.
        retry_after: Duration,
        /// What was found out all the same, if it came to be judged.
        judged: Option<Box<Unsettled>>,
    },
}

/// A verdict that is neither yes nor no, since not all evidence could be asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsettled {
    /// What was judged.
    pub digest: Digest,
    /// Which requirements are met, and which are not.
    pub verdict: Verdict,
}

/// A refusal by policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// What was asked for: an image, or a repository where its tags were.
    pub name: String,
    /// What the tag meant, if it was asked for by one and that had to be found out.
    pub digest: Option<Digest>,
    /// What was decided.
    pub verdict: Verdict,
}

/// How long a client is asked to wait where the upstream named no time.
pub(in crate::gate) const RETRY_AFTER: Duration = Duration::from_secs(10);

impl Refusal {
    pub(in crate::gate) fn undecided(text: impl fmt::Display) -> Self {
        Self::Undecided { text: text.to_string(), retry_after: RETRY_AFTER, judged: None }
    }

    /// The same of a verdict.
    pub(in crate::gate) fn unsettled(text: String, digest: Digest, verdict: Verdict) -> Self {
        Self::Undecided { text, retry_after: RETRY_AFTER, judged: Some(Box::new(Unsettled { digest, verdict })) }
    }

    pub(in crate::gate) fn not_found(code: ErrorCode, what: impl fmt::Display) -> Self {
        Self::NotFound { code, text: format!("{what} is not at the upstream") }
    }

    pub(in crate::gate) fn no_manifest(repository: &Repository, digest: Digest) -> Self {
        Self::not_found(ErrorCode::ManifestUnknown, format_args!("{repository}@{digest}"))
    }

    pub(in crate::gate) fn denied(name: impl fmt::Display, digest: Option<Digest>, verdict: Verdict) -> Self {
        Self::Denied(Box::new(Denial { name: name.to_string(), digest, verdict }))
    }

    /// Why, in words: one line.
    pub fn text(&self) -> String {
        match self {
            Self::Denied(denial) => denial.message(),
            Self::NotFound { text, .. } | Self::Invalid { text } | Self::Undecided { text, .. } => text.clone(),
        }
    }
}

impl Denial {
    /// One line that a person can act on, since that is all that docker or kubelet prints:
    /// `<image>@<digest> is not proven: <the most telling reason>. <the rule's message>`.
    pub fn message(&self) -> String {
        let at = self.digest.filter(|digest| !self.name.ends_with(&digest.to_string()));
        let at = at.map(|digest| format!("@{digest}")).unwrap_or_default();
        let mut message = format!("{}{at} is not proven: {}", self.name, self.reason());
        if let Some(more) = &self.verdict.message {
            message.push_str(". ");
            message.push_str(more);
        }
        message
    }

    /// The verdict for programs, as in `bonafide verify --json`, but no longer than 64 KiB.
    pub fn detail(&self) -> Value {
        bounded(verdict_json(&self.name, self.digest, &self.verdict))
    }

    fn reason(&self) -> String {
        match self.verdict.most_telling() {
            Some((RequirementKind::Rule, reason)) => reason.text.clone(),
            Some((kind, reason)) => format!("{kind}: {}", reason.text),
            None => "refused by policy".to_owned(),
        }
    }
}

/// The JSON of one verdict (`policy.md`, "Commands").
pub(in crate::gate) fn verdict_json(image: &str, digest: Option<Digest>, verdict: &Verdict) -> Value {
    let mut value = json!({ "image": image, "digest": digest });
    if let (Value::Object(object), Ok(Value::Object(judged))) =
        (&mut value, serde_json::to_value(VerdictView::from(verdict)))
    {
        object.extend(judged);
    }
    value
}
