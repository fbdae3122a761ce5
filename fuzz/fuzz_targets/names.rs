//! Names, tags, digests and references: what is read is written as it was read, and read again as the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bonafide::evidence::{attestation_tag, subject_of_tag};
use bonafide::oci::{Digest, Image, Reference, RepositoryName, Tag, UpstreamName};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "docker.io/library/nginx:1.27\nlocalhost:5000/a/b-c__d.e@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nv1.2.3\n\
    sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nghcr.io\n[::1]:443\nfystacklabs/apex\n\
    sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.sig";

fn read<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    assert_eq!(read.to_string().parse().ok().as_ref(), Some(&read), "{text}");
    Some(read)
}

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    within(Bound::PARSER, bytes.len(), || {
        let text = text(bytes);
        read::<Digest>(text);
        read::<RepositoryName>(text);
        read::<UpstreamName>(text);
        read::<Reference>(text);
        read::<Image>(text);
        if let Some(subject) = read::<Tag>(text).and_then(|tag| subject_of_tag(&tag)) {
            assert_eq!(subject_of_tag(&attestation_tag(subject)), Some(subject));
        }
    });
});
