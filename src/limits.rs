//! Bounds on what strangers send: each a constant with its reason.
//!
//! Junk may cost bounded time and memory, and nothing else (`docs/limits.md`).

use std::time::Duration;

/// Most that is received at once from an upstream over HTTP/1.1, where that much is there: what each piece costs, in
/// acknowledgements and on its way from task to task, is worth more than what its bytes cost. It also bounds the head of an answer.
pub const RECEIVED_BYTES: u32 = 2 * 1024 * 1024;
/// Largest manifest or index: the distribution specification asks registries to take at least 4 MiB, and no client
/// pushes more.
pub const MANIFEST_BYTES: u64 = 4 * 1024 * 1024;
/// Largest piece of evidence, SBOM attestations aside.
pub const EVIDENCE_BYTES: u64 = 8 * 1024 * 1024;
/// Largest SBOM attestation: those of big distributions reach 45 MB.
pub const SBOM_BYTES: u64 = 64 * 1024 * 1024;
/// Largest signature of the Notary Project: a few certificates of 2 KiB and a timestamp of 6 KiB; each byte of CBOR may
/// take 32 once it is parsed.
pub const NOTATION_BYTES: u64 = 256 * 1024;
/// Largest config blob of an evidence manifest: cosign's lists one digest for each layer.
pub const EVIDENCE_CONFIG_BYTES: u64 = 256 * 1024;
/// Most evidence manifests and layers looked at for one digest; what is beyond is left out, and said so. A thousand pieces of
/// junk hide nothing, and cost about a second of one core, once.
pub const EVIDENCE_PIECES: usize = 1024;
/// Most evidence manifests served for one digest: each is fetched and looked at before.
pub const SERVED_EVIDENCE: usize = 64;
/// Most bytes of evidence manifests held at once for one digest, of tags and of referrers each: annotations can be as large as
/// the manifest.
pub const EVIDENCE_MANIFEST_BYTES: u64 = 32 * 1024 * 1024;
/// Most attestation manifests beside one image that are followed: one for each platform, and indexes have up to twenty.
pub const ATTESTATION_MANIFESTS: usize = 64;
/// Most bytes of evidence held at once for one digest: one large SBOM and much beside it.
pub const EVIDENCE_TOTAL_BYTES: u64 = 128 * 1024 * 1024;
/// Most bytes of statements that attestation manifests beside one image prove, counted once for each of their signers.
pub const RELAYED_BYTES: u64 = 2 * EVIDENCE_TOTAL_BYTES;
/// Most bytes of evidence held at once for all digests: four of the largest, or hundreds of ordinary ones.
pub const EVIDENCE_MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// Most pages of a referrers list that are read.
pub const REFERRER_PAGES: usize = 64;
/// Most log entries in one bundle: each costs a signature check (sigstore-verify has no bound of its own).
pub const LOG_ENTRIES: usize = 32;
/// Most signed timestamps in one bundle.
pub const TIMESTAMPS: usize = 16;
/// Most certificates in the chain of one bundle: Sigstore's has three.
pub const CERTIFICATES: usize = 16;
/// Most subjects of one statement; release pipelines list a few hundred files.
pub const SUBJECTS: usize = 1024;
/// Most digests of one subject.
pub const DIGESTS_PER_SUBJECT: usize = 32;
/// Most objects in a bundle or a statement. Bills of materials have one in 80 to 190 bytes, and each costs about 650
/// bytes of memory while a signature is checked.
pub const JSON_OBJECTS: usize = 600_000;
/// Most values in a bundle or a statement. Bills of materials have one in 23 bytes and more.
pub const JSON_VALUES: usize = 3_000_000;
/// Largest statement that is handed to sigstore-verify, which keeps it as a tree of values, up to a hundred times its size.
/// What is larger is a bill of materials, and is checked here, by the same means.
pub const STATEMENT_TREE_BYTES: usize = 1024 * 1024;
/// Most packages read out of one SBOM.
pub const PACKAGES: usize = 200_000;
/// Most children of an index, and most layers of an image.
pub const DESCRIPTORS: usize = 1024;
/// Most images of an unproven index that are judged for it: official images are for some ten platforms, and each costs its
/// own evidence. What is beyond is judged when it is asked for, and opens no index.
pub const INDEX_CHILDREN: usize = 32;
/// Longest line of images built from images that is judged: distributions, runtimes and platforms stack up to five.
pub const BASE_DEPTH: usize = 8;
/// Most base images that are judged for one request, however they branch: a build of many stages has a dozen.
pub const BASE_IMAGES: usize = 64;
/// Most images, and most lines of descent, that are kept while one SBOM is read: one of an index lists an image, its base
/// image and some dozen layers for each platform.
pub const SBOM_ANCESTORS: usize = 4096;
/// Deepest JSON that is parsed; `serde_json` stops at 128 by itself.
pub const JSON_DEPTH: usize = 128;
/// Most members of one JSON object: no statement or SBOM comes near, and each costs memory while it is read.
pub const JSON_MEMBERS: usize = 65_536;
/// Most granted manifests of one repository that are looked through for a blob that none grants yet: a few images of
/// some platforms each.
pub const GRANTED_MANIFESTS: u32 = 128;
/// Most roots that one grant is judged under.
pub const ROOTS_PER_GRANT: usize = 32;
/// Longest that collecting and checking the evidence of one digest may take. Clients wait 75 s and more for a manifest.
pub const PROVING_TIME: Duration = Duration::from_mins(1);
/// How long a refusal stands before the evidence is collected anew: signatures arrive after images, and a node retries.
pub const REFUSAL_TTL: Duration = Duration::from_secs(30);
