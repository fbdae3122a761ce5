//! Whom to believe, while it changes.

mod swap;
