//! The test authority of the integration tests.

#[path = "../../tests/it/support/authority/mod.rs"]
pub(crate) mod authority;
#[path = "../../tests/it/support/content.rs"]
pub(crate) mod content;
#[path = "../../tests/it/support/tuf.rs"]
pub(crate) mod tuf;
