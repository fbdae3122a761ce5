//! Signatures of the Notary Project, in both of its formats.

use std::fs;

use bonafide::evidence::{Content, Evidence, Form, NotationFormat};
use bonafide::limits;
use bonafide::trust::{DomainSettings, NotationSettings};
use bonafide::verify::{Certificate, Claim, Fact, FlawKind, LogProof, Signer};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::format::CLAIM;
use super::{Bed, source};
use crate::support::authority::certificate::{CODE_SIGNING, Certified, SERVER, TIME_STAMPING, Validity, pem};
use crate::support::authority::key::{Key, KeySize};
use crate::support::authority::notation::{
    AUTHENTIC_TIME, CERTIFICATE_SIGN, DIGITAL_SIGNATURE, Draft, EXPIRY, Format, Holder, Notary, Profile, SCHEME,
    SIGNING_TIME, Sealed,
};
use crate::support::authority::timestamp::{Named, TimestampAuthority};

pub(super) const FORMATS: [Format; 2] = [Format::Jws, Format::Cose];
const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Which stores a domain has, and the certificates in them.
#[derive(Default)]
struct Stores<'a> {
    ca: &'a [&'a [u8]],
    signing_authority: &'a [&'a [u8]],
    tsa: &'a [&'a [u8]],
}

impl Bed {
    fn trusting_notary(mut self, name: &str, stores: &Stores<'_>) -> Self {
        let write = |store: &str, certificates: &[&[u8]]| {
            let path = self.folder.path().join(format!("{name}-{store}.pem"));
            fs::write(&path, certificates.iter().map(|der| pem(der)).collect::<String>()).unwrap();
            if certificates.is_empty() { Vec::new() } else { vec![path] }
        };
        let settings = NotationSettings {
            ca: write("ca", stores.ca),
            signing_authority: write("signing_authority", stores.signing_authority),
            tsa: write("tsa", stores.tsa),
        };
        self.domains.push(DomainSettings::of_notation(name, settings));
        self
    }

    /// Trusts the root of `notary` to certify who signs.
    pub(super) fn with_notary(self, notary: &Notary) -> Self {
        self.trusting_notary("acme", &Stores { ca: &[&notary.root.certificate], ..Stores::default() })
    }

    pub(super) fn draft<'a>(&self, notary: &'a Notary, format: Format) -> Draft<'a> {
        notary.draft(format, &self.image.manifest, self.image.media_type, self.authority.time())
    }

    /// In both formats, refused for a flaw of this kind whose text says so.
    #[track_caller]
    fn refuses_draft(&self, notary: &Notary, change: impl Fn(&mut Draft<'_>), kind: FlawKind, text: &str) {
        for format in FORMATS {
            let mut draft = self.draft(notary, format);
            change(&mut draft);
            self.refuses(&evidence(&draft.seal(), format), kind, text);
        }
    }
}

pub(super) fn evidence(sealed: &Sealed, format: Format) -> Evidence {
    let format = match format {
        Format::Jws => NotationFormat::Jws,
        Format::Cose => NotationFormat::Cose,
    };
    Evidence {
        source: source(),
        found_in: None,
        content: Content::Notation { envelope: sealed.to_bytes().into(), format },
    }
}

fn jws(text: String) -> Evidence {
    Evidence {
        source: source(),
        found_in: None,
        content: Content::Notation { envelope: text.into(), format: NotationFormat::Jws },
    }
}

fn certificate(fact: &Fact) -> &Certificate {
    match fact.signer() {
        Signer::Certificate(certificate) => certificate,
        Signer::Key { name } => panic!("signed by key {name}"),
    }
}

fn notary() -> Notary {
    Notary::new("acme")
}

#[test]
fn a_signature_is_proved_in_both_formats() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    for (format, form) in [(Format::Jws, Form::NotationJws), (Format::Cose, Form::NotationCose)] {
        let fact = bed.proves(&evidence(&bed.draft(&notary, format).seal(), format));
        assert_eq!((fact.form(), fact.claim(), fact.subject()), (form, &Claim::Signature, bed.digest()));
        assert_eq!((fact.log(), fact.signed_at()), (LogProof::None, None));
        let signer = certificate(&fact);
        assert_eq!(&*signer.trust, "acme");
        assert_eq!(&*signer.issuer, "C=US, ST=WA, L=Seattle, O=acme, CN=acme");
        assert_eq!(&*signer.subject, "C=US, ST=WA, L=Seattle, O=acme, CN=signer");
    }
}

#[test]
fn keys_of_every_allowed_kind_sign() {
    let keys = [
        Key::p256("signer"),
        Key::p384("signer"),
        Key::p521("signer"),
        Key::rsa(),
        Key::rsa_of(KeySize::Rsa3072),
        Key::rsa_of(KeySize::Rsa4096),
    ];
    for key in keys {
        let notary = Notary::with_key("acme", key);
        let bed = Bed::new().with_notary(&notary);
        for format in FORMATS {
            bed.proves(&evidence(&bed.draft(&notary, format).seal(), format));
        }
    }
}

#[test]
fn an_algorithm_that_does_not_go_with_the_key_is_refused() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    let named = |name: &'static str| move |it: &mut Draft<'_>| it.algorithm = name;
    bed.refuses_draft(&notary, named("ES384"), FlawKind::Signature, "do not go with");
    bed.refuses_draft(&notary, named("PS256"), FlawKind::Signature, "do not go with");
    bed.refuses_draft(&notary, named("RS256"), FlawKind::Unsupported, "not supported");
    for other in ["none", "HS256", "EdDSA"] {
        let draft = bed.draft(&notary, Format::Jws).with(|it| it.algorithm = other);
        bed.refuses(&evidence(&draft.seal(), Format::Jws), FlawKind::Unsupported, "not supported");
    }
}

#[test]
fn a_changed_envelope_is_refused() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    for format in FORMATS {
        let good = bed.draft(&notary, format).seal();
        let flipped = good.clone().with(|it| it.signature[10] ^= 1);
        bed.refuses(&evidence(&flipped, format), FlawKind::Signature, "does not fit");
        let swapped = good.with(|it| it.payload.push(b' '));
        bed.refuses(&evidence(&swapped, format), FlawKind::Signature, "does not fit");
    }
    let mut envelope = bed.draft(&notary, Format::Jws).seal().to_jws();
    let other = bed.draft(&notary, Format::Jws).until(bed.now() + DAY).seal().to_jws();
    envelope["protected"] = other["protected"].clone();
    bed.refuses(&jws(envelope.to_string()), FlawKind::Signature, "does not fit");
}

#[test]
fn a_signature_of_something_else_is_refused() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    for (member, value, text) in [
        (
            "digest",
            json!("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
            "not about sha256:",
        ),
        ("size", json!(1), "the manifest has"),
        ("mediaType", json!("application/vnd.oci.image.index.v1+json"), "it is about"),
    ] {
        let change = |it: &mut Draft<'_>| it.payload["targetArtifact"][member] = value.clone();
        bed.refuses_draft(&notary, change, FlawKind::Subject, text);
    }
    let nothing = |it: &mut Draft<'_>| it.payload = json!({});
    bed.refuses_draft(&notary, nothing, FlawKind::Malformed, "targetArtifact");
}

#[test]
fn payloads_and_schemes_of_other_kinds_are_refused() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    let typed = |it: &mut Draft<'_>| it.content_type = "application/json";
    bed.refuses_draft(&notary, typed, FlawKind::Unsupported, "payloads of type");
    let scheme = |it: &mut Draft<'_>| it.scheme = "notary.x509.other";
    bed.refuses_draft(&notary, scheme, FlawKind::Unsupported, "signing scheme");
}

#[test]
fn critical_attributes_must_be_understood_and_marked() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    let unknown = |it: &mut Draft<'_>| {
        it.others.push(("com.example.other", "text"));
        it.critical.push("com.example.other");
    };
    bed.refuses_draft(&notary, unknown, FlawKind::Unsupported, "com.example.other");
    let plugin = |it: &mut Draft<'_>| {
        it.others.push(("io.cncf.notary.verificationPlugin", "com.example.plugin"));
        it.critical.push("io.cncf.notary.verificationPlugin");
    };
    bed.refuses_draft(&notary, plugin, FlawKind::Unsupported, "plugins cannot be run");
    let far = "2040-01-01T00:00:00Z".parse().unwrap();
    let unmarked = |it: &mut Draft<'_>| {
        it.expiry = Some(far);
        it.critical = vec![EXPIRY];
    };
    bed.refuses_draft(&notary, unmarked, FlawKind::Malformed, SCHEME);
    let unmarked = |it: &mut Draft<'_>| it.expiry = Some(far);
    bed.refuses_draft(&notary, unmarked, FlawKind::Malformed, EXPIRY);
    let unmarked = |it: &mut Draft<'_>| {
        it.sign_as_authority();
        it.critical = vec![SCHEME];
    };
    bed.refuses_draft(&notary, unmarked, FlawKind::Malformed, AUTHENTIC_TIME);
    let absent = |it: &mut Draft<'_>| it.critical = vec![SCHEME, EXPIRY];
    bed.refuses_draft(&notary, absent, FlawKind::Unsupported, EXPIRY);
    let twice = |it: &mut Draft<'_>| it.critical = vec![SCHEME, SCHEME];
    bed.refuses_draft(&notary, twice, FlawKind::Malformed, "twice");
    for format in FORMATS {
        let others = bed.draft(&notary, format).with(|it| it.others.push(("com.example.other", "text")));
        bed.proves(&evidence(&others.seal(), format));
    }
}

#[test]
fn each_scheme_has_its_own_time() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    let both = |it: &mut Draft<'_>| it.authentic_time = it.signing_time;
    bed.refuses_draft(&notary, both, FlawKind::Malformed, "has one time");
    let none = |it: &mut Draft<'_>| it.signing_time = None;
    bed.refuses_draft(&notary, none, FlawKind::Malformed, "has one time");
    let other = |it: &mut Draft<'_>| {
        it.sign_as_authority();
        it.signing_time = it.authentic_time;
    };
    bed.refuses_draft(&notary, other, FlawKind::Malformed, "has one time");
    let draft = bed.draft(&notary, Format::Cose).with(|it| {
        it.signing_time = None;
        it.others.push((SIGNING_TIME, "2025-06-01T12:00:00Z"));
    });
    bed.refuses(&evidence(&draft.seal(), Format::Cose), FlawKind::Malformed, "is no time");
}

#[test]
fn a_signature_counts_until_it_expires() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    let expiry = bed.now() + SECOND;
    for format in FORMATS {
        let evidence = evidence(&bed.draft(&notary, format).until(expiry).seal(), format);
        let fact = bed.proves(&evidence);
        assert!(fact.holds_at(bed.now()) && !fact.holds_at(expiry));
        let flaw = bed.check_at(&evidence, expiry).unwrap_err();
        assert!(flaw.kind == FlawKind::Timestamp && flaw.text.contains("expired"), "{flaw:?}");
    }
    let before = |it: &mut Draft<'_>| it.expire_at(bed.authority.time());
    bed.refuses_draft(&notary, before, FlawKind::Malformed, "expires before");
}

#[test]
fn without_a_timestamp_the_chain_must_be_valid_now() {
    let bed = Bed::new();
    let end = bed.now() + SECOND;
    let short = |it: &mut Profile| it.validity = Validity { from: it.validity.from, to: end };
    let notary = Notary::signing_as("acme", Profile::signer("signer").with(short), Key::p256("signer"));
    let bed = bed.with_notary(&notary);
    for format in FORMATS {
        let evidence = evidence(&bed.draft(&notary, format).seal(), format);
        let fact = bed.proves(&evidence);
        assert!(fact.holds_at(end) && !fact.holds_at(end + SECOND));
        let flaw = bed.check_at(&evidence, end + SECOND).unwrap_err();
        assert!(flaw.kind == FlawKind::Certificate && flaw.text.contains("is valid from"), "{flaw:?}");
    }
}

/// A notary whose signer's certificate ended an hour after it signed.
fn expired(bed: &Bed) -> Notary {
    let validity = Validity { from: bed.authority.time() - DAY, to: bed.authority.time() + HOUR };
    let profile = Profile::signer("signer").with(|it| it.validity = validity);
    Notary::signing_as("acme", profile, Key::p256("signer"))
}

#[test]
fn a_timestamp_of_a_trusted_authority_proves_when_it_was_signed() {
    let bed = Bed::new();
    let notary = expired(&bed);
    let root = bed.authority.timestamps.root.certificate.clone();
    let stores = Stores { ca: &[&notary.root.certificate], tsa: &[&root], ..Stores::default() };
    let bed = bed.trusting_notary("acme", &stores);
    let time = bed.authority.time();
    for format in FORMATS {
        let sealed = bed.draft(&notary, format).seal();
        let stamped = |at: Timestamp| {
            let token = bed.authority.timestamps.token_over(&sealed.signature, at);
            evidence(&sealed.clone().with(|it| it.timestamp = Some(token)), format)
        };
        let fact = bed.proves(&stamped(time));
        // The authority's clock is accurate to a second.
        assert_eq!((fact.log(), fact.signed_at()), (LogProof::TimestampOnly, Some(time + SECOND)));
        assert!(fact.holds_at(Timestamp::MAX));
        bed.refuses(&evidence(&sealed, format), FlawKind::Certificate, "is valid from");
        bed.refuses(&stamped(time + DAY), FlawKind::Certificate, "is valid from");
        bed.refuses(&stamped(bed.now() + DAY), FlawKind::Timestamp, "yet to come");
    }
}

#[test]
fn most_timestamp_authorities_of_the_world_have_rsa_keys() {
    for size in [KeySize::Rsa2048, KeySize::Rsa3072] {
        let rsa = || Key::rsa_of(size);
        let (ours, other) =
            (TimestampAuthority::with_keys("a", rsa(), rsa()), TimestampAuthority::with_keys("a", rsa(), rsa()));
        let bed = Bed::new();
        let notary = expired(&bed);
        let root = ours.root.certificate.clone();
        let stores = Stores { ca: &[&notary.root.certificate], tsa: &[&root], ..Stores::default() };
        let bed = bed.trusting_notary("acme", &stores);
        let time = bed.authority.time();
        let sealed = bed.draft(&notary, Format::Jws).seal();
        let stamped = |token| evidence(&sealed.clone().with(|it| it.timestamp = Some(token)), Format::Jws);
        let token = ours.token_over(&sealed.signature, time);
        assert_eq!(bed.proves(&stamped(token.clone())).signed_at(), Some(time + SECOND));
        let mut broken = token;
        *broken.last_mut().unwrap() ^= 1;
        bed.refuses(&stamped(broken), FlawKind::Timestamp, "does not fit");
        bed.refuses(&stamped(other.token_over(&sealed.signature, time)), FlawKind::Timestamp, "not trusted");
    }
}

/// A bed whose authority stamps as `set` says, a signature, and it with such a timestamp.
fn stamped_as(set: impl FnOnce(&mut TimestampAuthority)) -> (Bed, Evidence) {
    let (mut bed, notary) = (Bed::new(), notary());
    set(&mut bed.authority.timestamps);
    let root = bed.authority.timestamps.root.certificate.clone();
    let stores = Stores { ca: &[&notary.root.certificate], tsa: &[&root], ..Stores::default() };
    let bed = bed.trusting_notary("acme", &stores);
    let sealed = bed.draft(&notary, Format::Jws).seal();
    let token = bed.authority.timestamps.token_over(&sealed.signature, bed.authority.time());
    (bed, evidence(&sealed.with(|it| it.timestamp = Some(token)), Format::Jws))
}

#[test]
fn a_timestamp_may_name_its_authority_by_the_identifier_of_its_key() {
    let (bed, stamped) = stamped_as(|stamps| stamps.named = Named::ByKey);
    assert_eq!(bed.proves(&stamped).signed_at(), Some(bed.authority.time() + SECOND));
    // Named by its key is one certificate, and not any that is there.
    let (bed, stamped) = stamped_as(|stamps| {
        stamps.named = Named::ByKey;
        stamps.leaf.key = Key::p256("another");
    });
    bed.refuses(&stamped, FlawKind::Timestamp, "the certificate of its signer is not in it");
}

#[test]
fn a_timestamp_has_at_most_so_many_certificates() {
    let with = |count: usize| {
        let beside = |number: usize| Certified::root(&number.to_string(), Key::p256(&number.to_string()));
        stamped_as(|stamps| stamps.beside = (2..count).map(beside).collect())
    };
    let (bed, stamped) = with(limits::CERTIFICATES);
    bed.proves(&stamped);
    let (bed, stamped) = with(limits::CERTIFICATES + 1);
    bed.refuses(&stamped, FlawKind::TooMuch, "a timestamp has 17 certificates");
}

#[test]
fn a_timestamp_that_does_not_hold_is_refused() {
    let notary = notary();
    let bed = Bed::new();
    let root = bed.authority.timestamps.root.certificate.clone();
    let stores = Stores { ca: &[&notary.root.certificate], tsa: &[&root], ..Stores::default() };
    let bed = bed.trusting_notary("acme", &stores);
    let time = bed.authority.time();
    let sealed = bed.draft(&notary, Format::Jws).seal();
    let token = bed.authority.timestamps.token_over(&sealed.signature, time);
    let mut broken = token.clone();
    *broken.last_mut().unwrap() ^= 1;
    for (token, text) in [
        (bed.authority.timestamps.token_over(b"something else", time), "about something else"),
        (bed.authority.foreign().timestamps.token_over(&sealed.signature, time), "not trusted"),
        (broken, "does not fit"),
        (b"token".to_vec(), "cannot be read"),
    ] {
        let stamped = sealed.clone().with(|it| it.timestamp = Some(token));
        bed.refuses(&evidence(&stamped, Format::Jws), FlawKind::Timestamp, text);
    }
    let claim = sealed.clone().with(|it| it.timestamp = Some(CLAIM.to_vec()));
    bed.refuses(&evidence(&claim, Format::Jws), FlawKind::Malformed, "a length in it claims more");
    bed.proves(&evidence(&sealed.with(|it| it.timestamp = Some(token)), Format::Jws));
}

#[test]
fn a_timestamp_that_was_changed_after_it_was_signed_is_refused() {
    let notary = notary();
    let bed = Bed::new();
    let root = bed.authority.timestamps.root.certificate.clone();
    let stores = Stores { ca: &[&notary.root.certificate], tsa: &[&root], ..Stores::default() };
    let bed = bed.trusting_notary("acme", &stores);
    let sealed = bed.draft(&notary, Format::Jws).seal();
    let mut token = bed.authority.timestamps.token_over(&sealed.signature, bed.authority.time());
    let (stated, earlier) = (b"20250601120000Z", b"20240601120000Z");
    let at = token.windows(stated.len()).position(|window| window == stated).unwrap();
    token[at..at + earlier.len()].copy_from_slice(earlier);
    let stamped = sealed.with(|it| it.timestamp = Some(token));
    bed.refuses(&evidence(&stamped, Format::Jws), FlawKind::Timestamp, "was changed after it was signed");
}

#[test]
fn only_a_certificate_for_stamping_alone_stamps() {
    let notary = notary();
    for purposes in [(false, &[TIME_STAMPING][..]), (true, &[TIME_STAMPING, CODE_SIGNING]), (true, &[CODE_SIGNING])] {
        let mut bed = Bed::new();
        let stamps = &mut bed.authority.timestamps;
        stamps.leaf = stamps.root.stamper_for("stamps", Key::p256("stamps"), Validity::long(), purposes);
        let root = stamps.root.certificate.clone();
        let stores = Stores { ca: &[&notary.root.certificate], tsa: &[&root], ..Stores::default() };
        let bed = bed.trusting_notary("acme", &stores);
        let sealed = bed.draft(&notary, Format::Jws).seal();
        let token = bed.authority.timestamps.token_over(&sealed.signature, bed.authority.time());
        let stamped = sealed.with(|it| it.timestamp = Some(token));
        bed.refuses(&evidence(&stamped, Format::Jws), FlawKind::Timestamp, "not for stamping alone");
    }
}

#[test]
fn a_timestamp_that_nobody_can_check_proves_no_time() {
    let bed = Bed::new();
    let notary = expired(&bed);
    let bed = bed.with_notary(&notary);
    let sealed = bed.draft(&notary, Format::Jws).seal();
    let token = bed.authority.timestamps.token_over(&sealed.signature, bed.authority.time());
    let stamped = sealed.with(|it| it.timestamp = Some(token));
    bed.refuses(&evidence(&stamped, Format::Jws), FlawKind::Certificate, "is valid from");
}

#[test]
fn a_signing_authority_states_the_time() {
    let bed = Bed::new();
    let notary = expired(&bed);
    let stores = Stores { signing_authority: &[&notary.root.certificate], ..Stores::default() };
    let bed = bed.trusting_notary("acme", &stores);
    let time = bed.authority.time();
    for format in FORMATS {
        let fact = bed.proves(&evidence(&bed.draft(&notary, format).by_authority().seal(), format));
        assert_eq!((fact.log(), fact.signed_at()), (LogProof::None, Some(time)));
        assert!(fact.holds_at(Timestamp::MAX));
    }
    let at = |time: Timestamp| {
        move |it: &mut Draft<'_>| {
            it.sign_as_authority();
            it.authentic_time = Some(time);
        }
    };
    bed.refuses_draft(&notary, at(time + DAY), FlawKind::Certificate, "is valid from");
    bed.refuses_draft(&notary, at(bed.now() + DAY), FlawKind::Timestamp, "yet to come");
    // A certificate is valid from the first to the last second of its validity.
    for (edge, outside) in [(time - DAY, time - DAY - SECOND), (time + HOUR, time + HOUR + SECOND)] {
        let mut draft = bed.draft(&notary, Format::Jws);
        at(edge)(&mut draft);
        bed.proves(&evidence(&draft.seal(), Format::Jws));
        bed.refuses_draft(&notary, at(outside), FlawKind::Certificate, "is valid from");
    }
}

#[test]
fn an_authority_of_one_store_proves_nothing_in_the_scheme_of_another() {
    let notary = notary();
    let root: &[&[u8]] = &[&notary.root.certificate];
    let ca = Bed::new().trusting_notary("acme", &Stores { ca: root, ..Stores::default() });
    for format in FORMATS {
        let stated = evidence(&ca.draft(&notary, format).by_authority().seal(), format);
        ca.refuses(&stated, FlawKind::Certificate, "trust store for signing_authority");
    }
    let authority = Bed::new().trusting_notary("acme", &Stores { signing_authority: root, ..Stores::default() });
    authority.refuses_draft(&notary, |_| {}, FlawKind::Certificate, "trust store for ca");
    let other = Notary::new("other");
    let stores = Stores { ca: &[&other.root.certificate], tsa: root, ..Stores::default() };
    Bed::new().trusting_notary("acme", &stores).refuses_draft(&notary, |_| {}, FlawKind::Certificate, "ca");
}

#[test]
fn domains_are_not_merged() {
    let (notary, other) = (notary(), Notary::new("other"));
    Bed::new().refuses_draft(&notary, |_| {}, FlawKind::Certificate, "no trust domain is configured");
    Bed::new().with_notary(&other).refuses_draft(&notary, |_| {}, FlawKind::Certificate, "CN=acme issuer");
    let bed = Bed::new().with_notary(&notary);
    let bed = bed.trusting_notary("again", &Stores { ca: &[&notary.root.certificate], ..Stores::default() });
    let facts = bed.check(&evidence(&bed.draft(&notary, Format::Cose).seal(), Format::Cose)).unwrap();
    assert_eq!(facts.iter().map(|fact| &*certificate(fact).trust).collect::<Vec<_>>(), ["acme", "again"]);
}

#[test]
fn a_trusted_intermediate_is_trust_enough_and_a_trusted_leaf_is_not() {
    let notary = notary();
    let bed = Bed::new();
    let bed = bed.trusting_notary("acme", &Stores { ca: &[&notary.issuer.certificate], ..Stores::default() });
    let fact = bed.proves(&evidence(&bed.draft(&notary, Format::Jws).seal(), Format::Jws));
    assert_eq!(&*certificate(&fact).issuer, "C=US, ST=WA, L=Seattle, O=acme, CN=acme issuer");
    let leaf = Stores { ca: &[&notary.signer.certificate], ..Stores::default() };
    let bed = Bed::new().trusting_notary("acme", &leaf);
    bed.refuses_draft(&notary, |_| {}, FlawKind::Certificate, "is in the trust store");
}

#[test]
fn a_trusted_signer_may_certify_itself() {
    let signer = Holder::alone(Profile::signer("signer"), Key::p256("signer"));
    let trusting = |holder: &Holder| {
        Bed::new().trusting_notary("acme", &Stores { ca: &[&holder.certificate], ..Stores::default() })
    };
    let notary = notary();
    let bed = trusting(&signer);
    for format in FORMATS {
        let mut draft = bed.draft(&notary, format);
        draft.chain = vec![signer.certificate.clone()];
        draft.key = &signer.key;
        bed.proves(&evidence(&draft.seal(), format));
        trusting(&Holder::alone(Profile::signer("other"), Key::p256("other"))).refuses(
            &evidence(&draft.seal(), format),
            FlawKind::Certificate,
            "is in the trust store",
        );
    }
}

#[test]
fn a_chain_is_complete_and_in_order() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    let [leaf, issuer, root] = [&notary.signer, &notary.issuer, &notary.root].map(|holder| holder.certificate.clone());
    let of = |chain: &[&Vec<u8>]| {
        let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
        move |it: &mut Draft<'_>| it.chain.clone_from(&chain)
    };
    let kind = FlawKind::Certificate;
    bed.refuses_draft(&notary, of(&[&leaf]), kind, "not complete");
    bed.refuses_draft(&notary, of(&[&leaf, &issuer]), kind, "not complete");
    bed.refuses_draft(&notary, of(&[&leaf, &root]), kind, "not certified");
    bed.refuses_draft(&notary, of(&[&leaf, &root, &issuer]), kind, "");
    bed.refuses_draft(&notary, of(&[&leaf, &issuer, &issuer, &root]), kind, "");
    let other = Notary::new("other");
    let stranger = other.issuer.certificate;
    bed.refuses_draft(&notary, of(&[&leaf, &stranger, &root]), kind, "not certified");
    bed.refuses_draft(&notary, of(&[]), FlawKind::Malformed, "no certificate");
    bed.refuses_draft(&notary, of(&[&leaf, &CLAIM.to_vec()]), FlawKind::Malformed, "a length in it claims more");
    bed.refuses_draft(&notary, of(&[&leaf; 16]), kind, "");
    bed.refuses_draft(&notary, of(&[&leaf; 17]), FlawKind::TooMuch, "17 certificates");
}

/// Whoever makes a root of their own can put any certificate into a chain below it.
#[test]
fn a_trusted_certificate_that_did_not_certify_the_signer_proves_nothing() {
    let (notary, key) = (notary(), || Key::p256("stranger issuer"));
    let root = Holder::alone(Profile::authority("stranger", 2), Key::p384("stranger root"));
    let issuer = root.certify(Profile::authority("stranger issuer", 0), key());
    let signer = issuer.certify(Profile::signer("signer"), Key::p256("stranger"));
    let bed = Bed::new().with_notary(&notary);
    let trusted = &notary.root.certificate;
    for format in FORMATS {
        let mut draft = bed.draft(&notary, format);
        draft.key = &signer.key;
        draft.chain = [&signer.certificate, &issuer.certificate, trusted, &root.certificate].map(Clone::clone).to_vec();
        bed.refuses(&evidence(&draft.seal(), format), FlawKind::Certificate, "a part of the chain alone");
        draft.chain = [&signer.certificate, &issuer.certificate, &root.certificate].map(Clone::clone).to_vec();
        bed.refuses(&evidence(&draft.seal(), format), FlawKind::Certificate, "is in the trust store");
    }
}

#[test]
fn a_signature_from_the_future_proves_nothing() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    let later = |it: &mut Draft<'_>| it.signing_time = Some(bed.now() + DAY);
    bed.refuses_draft(&notary, later, FlawKind::Timestamp, "yet to come");
}

#[test]
fn a_signers_certificate_is_for_signing_code_alone() {
    for (change, text) in [
        ((|it| it.constraints = Some((true, None))) as fn(&mut Profile), "authorities do not sign"),
        (|it| it.key_usage = None, "does not say critically"),
        (|it| it.key_usage = Some((false, DIGITAL_SIGNATURE)), "does not say critically"),
        (|it| it.key_usage = Some((true, [5, 0x20])), "digital signatures alone"),
        (|it| it.key_usage = Some((true, [2, 0x84])), "digital signatures alone"),
        (|it| it.purposes = vec![SERVER], "signing code alone"),
        (|it| it.purposes = vec![CODE_SIGNING, SERVER], "signing code alone"),
        (|it| it.purposes = vec![CODE_SIGNING, TIME_STAMPING], "signing code alone"),
        (|it| it.subject.push(("2.5.4.10", "acme.example".to_owned())), "twice"),
    ] {
        let notary = Notary::signing_as("acme", Profile::signer("signer").with(change), Key::p256("signer"));
        let bed = Bed::new().with_notary(&notary);
        bed.refuses_draft(&notary, |_| {}, FlawKind::Certificate, text);
    }
    for change in [
        (|it| it.constraints = None) as fn(&mut Profile),
        |it| it.purposes.clear(),
        |it| it.key_usage = Some((true, [6, 0xc0])),
    ] {
        let notary = Notary::signing_as("acme", Profile::signer("signer").with(change), Key::p256("signer"));
        let bed = Bed::new().with_notary(&notary);
        bed.proves(&evidence(&bed.draft(&notary, Format::Jws).seal(), Format::Jws));
    }
}

#[test]
fn an_authoritys_certificate_is_for_signing_certificates() {
    for (change, text) in [
        ((|it| it.constraints = None) as fn(&mut Profile), "is not an authority's"),
        (|it| it.constraints = Some((false, None)), "is not an authority's"),
        (|it| it.key_usage = None, "does not say critically"),
        (|it| it.key_usage = Some((true, DIGITAL_SIGNATURE)), "not for signing certificates"),
        (|it| it.key_usage = Some((false, CERTIFICATE_SIGN)), "does not say critically"),
    ] {
        let mut notary = notary();
        let profile = Profile::authority("issuer", 0).with(change);
        notary.issuer = notary.root.certify(profile, Key::p256("issuer"));
        notary.signer = notary.issuer.certify(Profile::signer("signer"), Key::p256("signer"));
        let bed = Bed::new().with_notary(&notary);
        bed.refuses_draft(&notary, |_| {}, FlawKind::Certificate, text);
    }
    let mut notary = notary();
    notary.root = Holder::alone(Profile::authority("acme", 0), Key::p384("root"));
    notary.issuer = notary.root.certify(Profile::authority("issuer", 0), Key::p256("issuer"));
    notary.signer = notary.issuer.certify(Profile::signer("signer"), Key::p256("signer"));
    let bed = Bed::new().with_notary(&notary);
    bed.refuses_draft(&notary, |_| {}, FlawKind::Certificate, "so long a chain");
}

#[test]
fn a_key_that_may_not_sign_is_refused() {
    let notary = Notary::with_key("acme", Key::ed25519("signer"));
    let bed = Bed::new().with_notary(&notary);
    let named = |it: &mut Draft<'_>| it.algorithm = "ES256";
    bed.refuses_draft(&notary, named, FlawKind::Signature, "do not go with");
}

#[test]
fn no_part_of_a_name_passes_for_another() {
    let sly = |it: &mut Profile| it.subject = vec![("2.5.4.10", "acme, CN=release".to_owned())];
    let notary = Notary::signing_as("acme", Profile::signer("signer").with(sly), Key::p256("signer"));
    let bed = Bed::new().with_notary(&notary);
    let fact = bed.proves(&evidence(&bed.draft(&notary, Format::Jws).seal(), Format::Jws));
    assert_eq!(&*certificate(&fact).subject, "O=acme\\, CN=release");
}

#[test]
fn what_is_no_envelope_is_malformed() {
    let notary = notary();
    let bed = Bed::new().with_notary(&notary);
    let good = bed.draft(&notary, Format::Jws).seal().to_jws();
    bed.refuses(&jws("{}".to_owned()), FlawKind::Malformed, "payload");
    let twice = good.to_string().replacen('{', "{\"payload\":\"e30\",", 1);
    bed.refuses(&jws(twice), FlawKind::Malformed, "");
    for member in ["payload", "protected", "signature"] {
        let mut padded = good.clone();
        padded[member] = json!(format!("{}=", good[member].as_str().unwrap()));
        bed.refuses(&jws(padded.to_string()), FlawKind::Malformed, "not base64url");
    }
    let cose = bed.draft(&notary, Format::Cose).seal().to_bytes();
    let raw = |bytes: Vec<u8>| Evidence {
        source: source(),
        found_in: None,
        content: Content::Notation { envelope: bytes.into(), format: NotationFormat::Cose },
    };
    for bytes in [Vec::new(), cose[1..].to_vec(), cose[..cose.len() - 1].to_vec(), [&cose[..], &[0]].concat()] {
        bed.refuses(&raw(bytes), FlawKind::Malformed, "not a COSE_Sign1");
    }
    bed.refuses(&raw(vec![0xd2; 256 * 1024]), FlawKind::Malformed, "not a COSE_Sign1");
    bed.refuses(&raw(vec![0xd2; 256 * 1024 + 1]), FlawKind::TooMuch, "262145 bytes");
}
