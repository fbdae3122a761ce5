//! Who signs: what Fulcio would write into a certificate for an OIDC token.

use std::collections::BTreeMap;

use serde_json::Value;

/// GitHub's issuer of tokens for workflows.
pub(crate) const GITHUB: &str = "https://token.actions.githubusercontent.com";

const FORGE: &str = "https://github.com/";

/// A subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Uri(String),
    Email(String),
    /// An `otherName`: of which kind, and the name.
    Other(&'static str, String),
    /// None at all, as no certificate authority should issue.
    Missing,
}

/// The claims of a certificate: its subject and Fulcio's extensions 1.3.6.1.4.1.57264.1.n by n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) subject: Subject,
    /// 1 to 6, raw; 8 and above, DER `UTF8String`.
    pub(crate) claims: BTreeMap<u8, String>,
}

/// A build on GitHub: which source, at which reference, by which workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Build {
    /// Such as `fystack/apex`.
    pub(crate) repository: String,
    /// Such as `refs/tags/v1.2.3`.
    pub(crate) reference: String,
    /// Hexadecimal.
    pub(crate) commit: String,
    /// Such as `.github/workflows/release.yml`.
    pub(crate) workflow: String,
    /// Such as `push`.
    pub(crate) trigger: String,
}

/// The reusable workflow of the SLSA project that makes provenance for containers.
pub(crate) const CONTAINER_GENERATOR: &str =
    "slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml";

impl Build {
    /// The build of `repository` at `reference` by its `.github/workflows/release.yml`, on a push.
    pub(crate) fn of(repository: &str, reference: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            reference: reference.to_owned(),
            commit: bonafide::oci::Digest::of(repository.as_bytes()).hex()[..40].to_owned(),
            workflow: ".github/workflows/release.yml".to_owned(),
            trigger: "push".to_owned(),
        }
    }

    /// The URI of the source repository.
    pub(crate) fn source(&self) -> String {
        format!("{FORGE}{}", self.repository)
    }

    /// The URI of its workflow at its reference.
    pub(crate) fn workflow_uri(&self) -> String {
        format!("{FORGE}{}/{}@{}", self.repository, self.workflow, self.reference)
    }

    /// Who signs when the workflow of the repository signs by itself.
    pub(crate) fn identity(&self) -> Identity {
        self.signed_by(&self.workflow_uri(), &self.commit)
    }

    /// Who signs when the job runs the reusable workflow `path` (owner, repository and file) at `reference`.
    pub(crate) fn identity_through(&self, path: &str, reference: &str) -> Identity {
        let commit = bonafide::oci::Digest::of(path.as_bytes()).hex()[..40].to_owned();
        self.signed_by(&builder(path, reference), &commit)
    }

    fn signed_by(&self, signer: &str, signer_commit: &str) -> Identity {
        let owner = self.repository.split('/').next().unwrap();
        let claims: [(u8, &str); 20] = [
            (1, GITHUB),
            (2, &self.trigger),
            (3, &self.commit),
            (4, "Release"),
            (5, &self.repository),
            (6, &self.reference),
            (8, GITHUB),
            (9, signer),
            (10, signer_commit),
            (11, "github-hosted"),
            (12, &self.source()),
            (13, &self.commit),
            (14, &self.reference),
            (15, "1001"),
            (16, &format!("{FORGE}{owner}")),
            (17, "1002"),
            (18, &self.workflow_uri()),
            (19, &self.commit),
            (20, &self.trigger),
            (21, &format!("{}/actions/runs/1003/attempts/1", self.source())),
        ];
        let claims = claims.into_iter().map(|(number, text)| (number, text.to_owned())).collect();
        Identity { subject: Subject::Uri(signer.to_owned()), claims }.with_claim(22, "public")
    }
}

/// The URI of the reusable workflow `path` at `reference`.
pub(crate) fn builder(path: &str, reference: &str) -> String {
    format!("{FORGE}{path}@{reference}")
}

impl Identity {
    /// A person with an e-mail address, known to `issuer`.
    pub(crate) fn email(address: &str, issuer: &str) -> Self {
        Self { subject: Subject::Email(address.to_owned()), claims: issuer_claims(issuer) }
    }

    /// A machine with a URI, known to `issuer`.
    pub(crate) fn uri(uri: &str, issuer: &str) -> Self {
        Self { subject: Subject::Uri(uri.to_owned()), claims: issuer_claims(issuer) }
    }

    /// A user with a name of the kind `kind`, known to `issuer`.
    pub(crate) fn other(kind: &'static str, name: &str, issuer: &str) -> Self {
        Self { subject: Subject::Other(kind, name.to_owned()), claims: issuer_claims(issuer) }
    }

    /// The identity that Fulcio reads out of the claims of a token, GitHub's or any other.
    pub(crate) fn of_token(token: &Value) -> Option<Self> {
        let claim = |name: &str| token.get(name).and_then(Value::as_str);
        let issuer = claim("iss")?;
        let subject = match (claim("email"), claim("job_workflow_ref")) {
            (Some(address), _) => Subject::Email(address.to_owned()),
            (None, Some(workflow)) => Subject::Uri(format!("{FORGE}{workflow}")),
            (None, None) => Subject::Uri(claim("sub")?.to_owned()),
        };
        let mut identity = Self { subject, claims: issuer_claims(issuer) };
        for (number, prefix, name) in TOKEN_CLAIMS {
            if let Some(text) = claim(name) {
                identity.claims.insert(*number, format!("{prefix}{text}"));
            }
        }
        if let (Some(repository), Some(run)) = (claim("repository"), claim("run_id")) {
            let attempt = claim("run_attempt").unwrap_or("1");
            let uri = format!("{FORGE}{repository}/actions/runs/{run}/attempts/{attempt}");
            identity.claims.insert(21, uri);
        }
        Some(identity)
    }

    /// The same with extension `number` set to `text`.
    #[must_use]
    pub(crate) fn with_claim(mut self, number: u8, text: &str) -> Self {
        self.claims.insert(number, text.to_owned());
        self
    }

    /// The same without extension `number`.
    #[must_use]
    pub(crate) fn without_claim(mut self, number: u8) -> Self {
        self.claims.remove(&number);
        self
    }

    /// The same without a subject alternative name.
    #[must_use]
    pub(crate) fn without_subject(mut self) -> Self {
        self.subject = Subject::Missing;
        self
    }

    /// The subject as text, as policies name it.
    pub(crate) fn subject(&self) -> &str {
        match &self.subject {
            Subject::Uri(text) | Subject::Email(text) | Subject::Other(_, text) => text,
            Subject::Missing => "",
        }
    }

    /// The issuer, as policies name it.
    pub(crate) fn issuer(&self) -> &str {
        self.claims.get(&8).or(self.claims.get(&1)).map_or("", String::as_str)
    }
}

fn issuer_claims(issuer: &str) -> BTreeMap<u8, String> {
    BTreeMap::from([(1, issuer.to_owned()), (8, issuer.to_owned())])
}

/// Which claim of GitHub's token becomes which extension, and what Fulcio puts before it.
const TOKEN_CLAIMS: &[(u8, &str, &str)] = &[
    (2, "", "event_name"),
    (3, "", "sha"),
    (4, "", "workflow"),
    (5, "", "repository"),
    (6, "", "ref"),
    (9, FORGE, "job_workflow_ref"),
    (10, "", "job_workflow_sha"),
    (11, "", "runner_environment"),
    (12, FORGE, "repository"),
    (13, "", "sha"),
    (14, "", "ref"),
    (15, "", "repository_id"),
    (16, FORGE, "repository_owner"),
    (17, "", "repository_owner_id"),
    (18, FORGE, "workflow_ref"),
    (19, "", "workflow_sha"),
    (20, "", "event_name"),
    (22, "", "repository_visibility"),
];
