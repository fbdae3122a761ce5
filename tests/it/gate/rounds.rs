//! How many times a client that asks for something unknown waits for the upstream: round trips, one after the other.

use bonafide::evidence::{attestation_tag, referrers_tag, signature_tag};
use bonafide::oci::Digest;
use http::StatusCode;

use crate::support::authority::Authority;
use crate::support::authority::seed::{self, RULE, Release};
use crate::support::content::Repositories;
use crate::support::mirror::{Answer, Mirror, world};
use crate::support::registry::{Referrers, Registry};

const REPOSITORY: &str = "fystacklabs/apex";
const TAG: &str = "v1.2.3";

/// A mirror of a registry with one release, which nobody has asked for yet, and what holds the answers back.
struct Cold {
    registry: Registry,
    mirror: Mirror,
    digest: Digest,
}

impl Cold {
    async fn new(publish: impl Fn(&Authority, &mut Repositories, &str, &str) -> Release) -> Self {
        let (authority, registry) = (Authority::new("corp"), Registry::start().await);
        let mut repositories = Repositories::default();
        let release = publish(&authority, &mut repositories, REPOSITORY, TAG);
        registry.publish(repositories);
        let mirror = Mirror::start(&authority, &format!("{}{RULE}", world(&registry))).await;
        registry.hold();
        Self { registry, mirror, digest: release.image.digest() }
    }

    async fn pull(&self) -> Answer {
        self.mirror.get(&format!("/v2/{REPOSITORY}/manifests/{TAG}")).await
    }

    async fn resolve(&self) {
        self.registry.answer_round(&["HEAD /v2/fystacklabs/apex/manifests/v1.2.3"]).await;
    }

    /// The manifest, and everywhere that evidence may be, at once.
    async fn look_everywhere(&self) {
        let Self { digest, .. } = self;
        let everywhere = [
            format!("GET /v2/{REPOSITORY}/manifests/{digest}"),
            format!("GET /v2/{REPOSITORY}/referrers/{digest}"),
            format!("GET /v2/{REPOSITORY}/manifests/{}", referrers_tag(*digest)),
            format!("HEAD /v2/{REPOSITORY}/manifests/{}", signature_tag(*digest)),
            format!("HEAD /v2/{REPOSITORY}/manifests/{}", attestation_tag(*digest)),
        ];
        self.registry.answer_round(&everywhere.each_ref().map(String::as_str)).await;
    }

    /// What is at the upstream under `tag`.
    fn at(&self, tag: impl std::fmt::Display) -> Digest {
        let mut found = None;
        self.registry
            .edit(REPOSITORY, |content| found = content.manifests.get(&tag.to_string()).map(|it| Digest::of(it)));
        found.unwrap()
    }
}

#[tokio::test]
async fn a_verdict_by_cosigns_tags_takes_four_round_trips() {
    let cold = Cold::new(seed::era_a).await;
    let carriers = [cold.at(signature_tag(cold.digest)), cold.at(attestation_tag(cold.digest))];
    let upstream = async {
        cold.resolve().await;
        cold.look_everywhere().await;
        let carriers = carriers.map(|digest| format!("GET /v2/{REPOSITORY}/manifests/{digest}"));
        cold.registry.answer_round(&carriers.each_ref().map(String::as_str)).await;
        cold.registry.answer_round(&["GET /v2/fystacklabs/apex/blobs/"; 3]).await;
    };
    let (answer, ()) = tokio::join!(cold.pull(), upstream);
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_verdict_by_referrers_takes_four_round_trips() {
    for api in [Referrers::Served, Referrers::Absent] {
        let cold = Cold::new(seed::era_b).await;
        cold.registry.set_referrers(api);
        let upstream = async {
            cold.resolve().await;
            cold.look_everywhere().await;
            // Two bundles, and the provenance that is still under a tag.
            cold.registry.answer_round(&["GET /v2/fystacklabs/apex/manifests/sha256:"; 3]).await;
            cold.registry.answer_round(&["GET /v2/fystacklabs/apex/blobs/"; 3]).await;
        };
        let (answer, ()) = tokio::join!(cold.pull(), upstream);
        assert_eq!(answer.status, StatusCode::OK, "{api:?}");
    }
}

#[tokio::test]
async fn attestation_manifests_that_nobody_signed_take_no_further_one() {
    let cold = Cold::new(seed::era_a_buildkit).await;
    let upstream = async {
        cold.resolve().await;
        cold.look_everywhere().await;
        // What is under the tags, and whether somebody signed the attestation manifests of two platforms: four looks each.
        let mut third = vec!["GET /v2/fystacklabs/apex/manifests/sha256:"; 2];
        third.extend(["GET /v2/fystacklabs/apex/referrers/"; 2]);
        third.extend(["GET /v2/fystacklabs/apex/manifests/sha256-"; 2]);
        third.extend(["HEAD /v2/fystacklabs/apex/manifests/sha256-"; 4]);
        cold.registry.answer_round(&third).await;
        cold.registry.answer_round(&["GET /v2/fystacklabs/apex/blobs/"; 3]).await;
    };
    let (answer, ()) = tokio::join!(cold.pull(), upstream);
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn many_clients_at_once_cost_one_verdict() {
    let cold = Cold::new(seed::era_a).await;
    let clients = futures_util::future::join_all((0..64).map(|_| cold.pull()));
    let upstream = async {
        cold.resolve().await;
        cold.look_everywhere().await;
        cold.registry.answer_round(&["GET /v2/fystacklabs/apex/manifests/sha256:"; 2]).await;
        cold.registry.answer_round(&["GET /v2/fystacklabs/apex/blobs/"; 3]).await;
    };
    let (answers, ()) = tokio::join!(clients, upstream);
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    let proofs = cold.mirror.metric("bonafide_proving_seconds_count").await;
    assert!((proofs - 1.0).abs() < f64::EPSILON, "{proofs}");
}
