//! The configuration file with all rules: an error names a line that the file has.
#![no_main]

use std::path::Path;

use bonafide::config::{BUILT_IN, Config, Environment};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text, world};
use libfuzzer_sys::fuzz_target;

fn examples() -> Vec<Vec<u8>> {
    let pages = ["configuration.md", "policy.md", "upstreams.md", "evidence.md"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let pages = pages.map(|page| std::fs::read_to_string(folder.join(page)).unwrap_or_default());
    let blocks = pages.iter().flat_map(|page| page.split("```toml\n").skip(1));
    let blocks = blocks.filter_map(|block| Some(block.split("```").next()?.as_bytes().to_vec()));
    blocks.chain([BUILT_IN.as_bytes().to_vec(), world::CONFIG.as_bytes().to_vec()]).collect()
}

fuzz_target!(init: seeds::plant(examples), |bytes: &[u8]| {
    let parse = || Config::parse(text(bytes), "fuzz", Path::new("/nonexistent"), &Environment::default());
    drop(within(Bound::RULES, bytes.len(), parse));
});
