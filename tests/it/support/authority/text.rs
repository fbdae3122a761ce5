//! Base64 and canonical JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Canonical JSON (RFC 8785) of what the authority writes: sorted keys, no white space. `serde_json` sorts the keys of
/// a `Value` by itself.
pub(crate) fn canonical(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}
