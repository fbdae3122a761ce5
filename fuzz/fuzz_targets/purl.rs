//! Package URLs: the canonical spelling of a canonical spelling is itself.
#![no_main]

use bonafide::evidence::canonical_purl;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "pkg:npm/axios@1.14.1\npkg:npm/%40angular/core@17.0.0\npkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie\n\
    pkg:golang/github.com/nats-io/nats.go@v1.48.0#sub/path\npkg:pypi/Django_x@1.0\npkg:maven/org.apache/commons@1%2B1";

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    within(Bound::PARSER, bytes.len(), || {
        if let Some(canonical) = canonical_purl(text(bytes)) {
            assert_eq!(canonical_purl(&canonical), Some(canonical.clone()), "{canonical}");
        }
    });
});
