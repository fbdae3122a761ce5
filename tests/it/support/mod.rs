//! What the integration tests and the examples share.

#[expect(dead_code, reason = "the tests and each example use different parts of it")]
pub(crate) mod authority;
pub(crate) mod content;
#[cfg_attr(not(test), expect(dead_code, reason = "for the tests"))]
pub(crate) mod mirror;
#[cfg_attr(not(test), expect(dead_code, reason = "a toolbox: not every tool is in use everywhere"))]
pub(crate) mod registry;
#[cfg(test)]
pub(crate) mod tuf;
