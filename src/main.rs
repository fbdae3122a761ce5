//! The `bonafide` binary: see `bonafide --help`.

fn main() {}
