//! Predicates of vulnerability scans, of every type that is read.
#![no_main]

use bonafide_fuzz::predicate::read;
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::predicates("vuln")), |bytes: &[u8]| {
    for kind in ["https://cosign.sigstore.dev/attestation/vuln/v1", "https://in-toto.io/attestation/vulns/v0.2"] {
        read(kind, bytes);
    }
});
