//! What a signature is about: the descriptor of a manifest.

use serde::Deserialize;

use crate::evidence::read_strictly;
use crate::verify::defect::Defect;
use crate::verify::{FlawKind, Subject};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    target_artifact: Target,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    media_type: String,
    digest: String,
    size: u64,
}

/// The part of a manifest that says what it is. Docker's and OCI's say so, older OCI ones may not.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: Option<String>,
}

/// Checks that `payload` is about `subject`: its digest, its size, and the type that it has by its own account.
///
/// # Errors
/// [`FlawKind::Subject`] if it is about something else.
pub(super) fn check(payload: &[u8], subject: &Subject<'_>) -> Result<(), Defect> {
    let Payload { target_artifact: target } = read_strictly(payload)?;
    let other = |text: String| Err(Defect::new(FlawKind::Subject, text));
    if target.digest != subject.digest.to_string() {
        return other(format!("it is about {:?}, not about {}", target.digest, subject.digest));
    }
    if target.size != subject.manifest.len() as u64 {
        return other(format!("it is about {} bytes, the manifest has {}", target.size, subject.manifest.len()));
    }
    let own = serde_json::from_slice::<Manifest>(subject.manifest).ok().and_then(|manifest| manifest.media_type);
    match own {
        Some(own) if own != target.media_type => other(format!("it is about {:?}, not {own:?}", target.media_type)),
        Some(_) | None => Ok(()),
    }
}
