//! What the integration tests and the examples share.

#[expect(dead_code, reason = "the tests and each example use different parts of it")]
pub(crate) mod authority;
pub(crate) mod content;
#[cfg_attr(not(test), expect(dead_code, reason = "for the tests"))]
pub(crate) mod mirror;
#[expect(dead_code, reason = "a toolbox: not every tool is in use yet")]
pub(crate) mod registry;
