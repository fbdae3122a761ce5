//! Payloads of simple signing: the digest that is read is one that the text has.
#![no_main]

use bonafide::evidence::SimpleSigning;
use bonafide_fuzz::evidence::SIMPLE_SIGNING;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fn payloads() -> Vec<Vec<u8>> {
    let layers = seeds::layers(SIMPLE_SIGNING);
    layers.iter().filter_map(|layer| Some(layer.split(|byte| *byte == 0).next()?.to_vec())).collect()
}

fuzz_target!(init: seeds::plant(payloads), |bytes: &[u8]| {
    drop(within(Bound::PARSER, bytes.len(), || SimpleSigning::parse(bytes)));
});
