//! Statements as large as bills of materials are: sigstore-verify is not handed those, so all that it would refuse is
//! refused here, and for the same kind of reason.

use bonafide::evidence::Evidence;
use bonafide::limits;
use bonafide::oci::Digest;
use jiff::SignedDuration;

use super::ways::newest;
use super::{Bed, build, layer};
use crate::support::authority::certificate::SERVER;
use crate::support::authority::key::Key;
use crate::support::authority::signed::Signed;
use crate::support::authority::signer::{EntryKind, Signer};
use crate::support::authority::statement::Statement;

/// The same, of a size that sigstore-verify is not handed.
fn large(statement: Statement) -> Statement {
    statement.with(|predicate| predicate["padding"] = "x".repeat(limits::STATEMENT_TREE_BYTES).into())
}

fn signs(bed: &Bed) -> Signer<'_> {
    bed.authority.keyless(&build().identity())
}

fn another(bed: &Bed) -> Signed {
    signs(bed).attest(&bed.statement().also_about(Digest::of(b"another")))
}

/// Something that is wrong with evidence whose statement is given.
type Wrong = (&'static str, fn(&Bed, &Statement) -> Evidence);

const WRONGS: [Wrong; 20] = [
    ("a broken signature", |bed, it| newest(&signs(bed).attest(it).with_broken_signature())),
    ("a signature of another statement", |bed, it| newest(&another(bed).with_payload(it.to_bytes()))),
    ("a foreign certificate", |bed, it| newest(&signs(bed).with_foreign_certificate().attest(it))),
    ("a certificate of a server", |bed, it| newest(&signs(bed).certified_for(SERVER).attest(it))),
    ("a certificate of another", |bed, it| newest(&signs(bed).attest(it).with_credential_of(&another(bed)))),
    ("a certificate that had run out", |bed, it| {
        let later = bed.authority.time() + SignedDuration::from_hours(1);
        newest(&signs(bed).logged_at(later).attest(it))
    }),
    ("no certificate timestamp", |bed, it| newest(&signs(bed).without_sct().attest(it))),
    ("a foreign certificate timestamp", |bed, it| newest(&signs(bed).with_foreign_sct().attest(it))),
    ("no log entry", |bed, it| newest(&signs(bed).without_log().attest(it))),
    ("a timestamp for a log entry", |bed, it| newest(&signs(bed).timestamped().without_log().attest(it))),
    ("a foreign log", |bed, it| newest(&signs(bed).with_foreign_log().attest(it))),
    ("a log entry of another", |bed, it| newest(&signs(bed).attest(it).with_entry_of(&another(bed)))),
    ("a log entry of another, intoto 0.0.2", |bed, it| {
        let signs = signs(bed).logged_as(EntryKind::IntotoV2);
        newest(&signs.attest(it).with_entry_of(&signs.attest(&bed.statement())))
    }),
    ("a broken promise", |bed, it| newest(&signs(bed).attest(it).with_broken_promise())),
    ("a broken promise in a layer", |bed, it| layer(&signs(bed).attest(it).with_broken_promise())),
    ("a broken inclusion proof", |bed, it| newest(&signs(bed).attest(it).with_broken_inclusion_proof())),
    ("a broken checkpoint", |bed, it| newest(&signs(bed).attest(it).with_broken_checkpoint())),
    ("no timestamp in Rekor v2", |bed, it| newest(&signs(bed).in_rekor_v2().without_timestamp().attest(it))),
    ("a foreign timestamp in Rekor v2", |bed, it| {
        newest(&signs(bed).in_rekor_v2().with_foreign_timestamp().attest(it))
    }),
    ("another image", |bed, it| {
        let subjects = Statement::signature(Digest::of(b"another")).subjects;
        newest(&signs(bed).attest(&Statement { subjects, ..it.clone() }))
    }),
];

#[test]
fn a_large_statement_is_refused_for_what_a_small_one_is_refused() {
    let bed = Bed::new();
    let (small, large) = (bed.statement(), large(bed.statement()));
    for (name, publish) in WRONGS {
        let [small, large] = [&small, &large].map(|statement| bed.check(&publish(&bed, statement)).unwrap_err());
        assert_eq!(small.kind, large.kind, "{name}: {} or {}", small.text, large.text);
    }
}

#[test]
fn a_large_statement_is_proved_as_a_small_one_is() {
    let key = Key::p256("release");
    let bed = Bed::new().with_key("release", &key);
    let keyed = bed.authority.with_key(&key);
    let all = [signs(&bed), signs(&bed).in_rekor_v2(), signs(&bed).logged_as(EntryKind::IntotoV2), keyed];
    for signs in all {
        let [small, large] =
            [bed.statement(), large(bed.statement())].map(|it| bed.proves(&newest(&signs.attest(&it))));
        assert_eq!(
            (small.signer(), small.signed_at(), small.log(), small.claim()),
            (large.signer(), large.signed_at(), large.log(), large.claim())
        );
    }
}
