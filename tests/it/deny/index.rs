//! Which admitted images contain a package.

use std::path::Path;
use std::sync::Arc;

use bonafide::clock::SystemClock;
use bonafide::evidence::{Package, canonical_purl};
use bonafide::facts::{Contained, Facts, Settings};
use bonafide::oci::Digest;
use jiff::Timestamp;
use prometheus::Registry;

async fn open(folder: &Path) -> Arc<Facts> {
    let settings = Settings { path: folder.to_owned() };
    Arc::new(Facts::open(&settings, Arc::new(SystemClock), &Registry::new()).await.unwrap())
}

fn image(name: &str, proven_at: i64, purls: &[&str]) -> Contained {
    let package = |purl: &&str| Package { purl: canonical_purl(purl).map(Into::into), ..Package::default() };
    Contained {
        repository: "docker.io/acme/app".parse().unwrap(),
        digest: Digest::of(name.as_bytes()),
        proven_at: Timestamp::from_second(proven_at).unwrap(),
        packages: vec![purls.iter().map(package).collect()],
    }
}

/// Writes what waits, and stops once it is all written.
async fn write(facts: &Arc<Facts>, image: Contained, purl: &str) {
    facts.index(image);
    let written = async {
        while facts.who_has(purl).await.unwrap().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = Arc::clone(facts).write_index() => {}
        () = written => {}
    }
}

#[tokio::test]
async fn an_admitted_image_is_found_by_its_packages_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let purls = ["pkg:npm/axios@1.14.1", "pkg:npm/@acme/core@1.0.0", "pkg:deb/debian/curl@8.0-1?distro=debian-12"];
    write(&open(folder.path()).await, image("one", 1, &purls), "pkg:npm/axios").await;
    let facts = open(folder.path()).await;
    for (purl, found) in [
        ("pkg:npm/axios@1.14.1", 1),
        ("pkg:npm/axios", 1),
        ("pkg:NPM/Axios@1.14.1", 1),
        ("pkg:npm/%40acme/core", 1),
        ("pkg:deb/debian/curl@8.0-1", 1),
        ("pkg:npm/axios@1.14.10", 0),
        ("pkg:npm/axi", 0),
        ("pkg:pypi/axios", 0),
    ] {
        let holders = facts.who_has(purl).await.unwrap().unwrap();
        assert_eq!(holders.len(), found, "{purl}");
        assert!(holders.iter().all(|holder| holder.digest == Digest::of(b"one")));
    }
    assert!(facts.who_has("axios").await.unwrap().is_none(), "no package URL");
}

#[tokio::test]
async fn what_was_proven_anew_takes_the_place_of_what_was() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path()).await, image("one", 1, &["pkg:npm/a@1.0.0"]), "pkg:npm/a").await;
    let facts = open(folder.path()).await;
    write(&facts, image("one", 2, &["pkg:npm/b@1.0.0"]), "pkg:npm/b").await;
    assert_eq!(facts.who_has("pkg:npm/a").await.unwrap().unwrap(), []);
    assert_eq!(facts.who_has("pkg:npm/b").await.unwrap().unwrap().len(), 1);
}
