//! The error body of the distribution specification.

use serde::Serialize;

/// A code of the distribution specification ("Error Codes"), and the HTTP status that goes with it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The blob is not there.
    BlobUnknown,
    /// The digest is misspelt or of another algorithm.
    DigestInvalid,
    /// The manifest is not there.
    ManifestUnknown,
    /// The manifest at the upstream cannot be served.
    ManifestInvalid,
    /// The repository name or the tag is misspelt.
    NameInvalid,
    /// No such repository or upstream.
    NameUnknown,
    /// Refused by policy.
    Denied,
    /// The method or route is none of a pull-only mirror.
    Unsupported,
    /// Too many requests, here or at the upstream.
    TooManyRequests,
    /// Could not be decided now; not of the specification, which has no code for it.
    Unavailable,
}

impl ErrorCode {
    /// The code as the specification spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// `{"errors":[{"code","message","detail"}]}`, the only shape of error that clients print.
#[derive(Debug, Serialize)]
pub struct ErrorBody {
    errors: [ErrorEntry; 1],
}

#[derive(Debug, Serialize)]
struct ErrorEntry {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<serde_json::Value>,
}

impl ErrorBody {
    /// A body with `code` and `message`.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { errors: [ErrorEntry { code: code.as_str(), message: message.into(), detail: None }] }
    }

    /// The same with a `detail` that programs can read.
    #[must_use]
    pub fn with_detail(mut self, detail: serde_json::Value) -> Self {
        let [entry] = &mut self.errors;
        entry.detail = Some(detail);
        self
    }

    /// The body as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and a `Value` always serialise; an empty body would still be a refusal.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
