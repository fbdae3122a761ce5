//! The public-good instance's own repository, as it was recorded.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide::trust::DomainSettings;

use crate::support::mirror::HandClock;
use crate::trust::World;

const BUILT_IN: &[u8] = include_bytes!("../../../src/trust/anchors/public-good.json");

fn recorded() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/trust/tuf-public-good");
    path.is_dir().then_some(path)
}

#[tokio::test]
async fn the_recorded_public_repository_leads_to_its_trusted_root_and_to_the_built_in_beginning() {
    let Some(folder) = recorded() else {
        eprintln!("NOT RUN: ../shared/corpus/trust/tuf-public-good is not there");
        return;
    };
    let read = |path: &str| fs::read(folder.join(path)).unwrap();
    let mut world = World::new();
    world.clock = HandClock::at("2026-08-26T00:00:00Z".parse().unwrap());
    let metadata = world.place.clone();
    for version in 6..=15 {
        metadata.set(&format!("{version}.root.json"), read(&format!("metadata/root_history/{version}.root.json")));
    }
    metadata.set("16.root.json", BUILT_IN);
    metadata.set("timestamp.json", read("metadata/timestamp.json"));
    metadata.set("165.snapshot.json", read("metadata/snapshot.json"));
    metadata.set("14.targets.json", read("metadata/targets.json"));
    let root = read("targets/trusted_root.json");
    metadata.set(&crate::support::tuf::target_path("trusted_root.json", &root), root.clone());
    // The first whose keys are written as they are now.
    world.anchor = read("metadata/root_history/5.root.json");
    let domain: DomainSettings = world.domain("url = 'http://tuf.test'");
    let fresh = world.open(domain).await.unwrap();
    fresh.now.ask().await;
    assert!(fresh.trusts(std::str::from_utf8(&root).unwrap()));
    assert!(world.place.asked().contains(&"17.root.json".to_owned()), "up to the built-in one, and on");
}
