//! What a repository, or whoever stands before it, may try: the old root stays, and the look counts as failed.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::tuf::{TARGET, key_id, public, sign, sign_as, target_path};
use crate::trust::{WEEK, World};

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// A world whose repository has replaced the root, what it had published before, and the new root.
fn replaced() -> (World, BTreeMap<String, Vec<u8>>, String) {
    let mut world = World::new();
    let old = world.repository.files.clone();
    let other = world.other_root();
    world.repository.replace(&other);
    world.publish();
    (world, old, other)
}

#[tokio::test]
async fn pitfall_12_a_timestamp_that_is_rolled_back_is_refused() {
    let (mut world, old, other) = replaced();
    let fresh = world.started().await;
    assert!(fresh.trusts(&other));
    world.repository.files = old;
    world.publish();
    fresh.now.ask().await;
    assert!(fresh.trusts(&other));
    assert!(fresh.count("failed") > 0);
}

#[tokio::test]
async fn pitfall_12_a_rollback_is_refused_after_a_restart_too() {
    let (mut world, old, other) = replaced();
    drop(world.started().await);
    world.repository.files = old;
    world.publish();
    let fresh = world.started().await;
    assert!(fresh.trusts(&other));
    assert!(fresh.count("failed") > 0);
}

#[tokio::test]
async fn pitfall_12_a_snapshot_that_is_rolled_back_is_refused() {
    let (mut world, old, other) = replaced();
    let fresh = world.started().await;
    // Whoever holds the key of timestamps alone.
    world.repository.versions.timestamp += 1;
    world.repository.versions.snapshot = 1;
    let timestamp = world.repository.timestamp_metadata(&old["1.snapshot.json"]);
    world.repository.files.insert("timestamp.json".to_owned(), timestamp);
    world.publish();
    fresh.now.ask().await;
    assert!(fresh.trusts(&other));
    assert!(fresh.count("failed") > 0);
}

#[tokio::test]
async fn pitfall_12_targets_that_are_rolled_back_are_refused() {
    let (mut world, old, other) = replaced();
    let fresh = world.started().await;
    // Whoever holds the keys of timestamps and snapshots, and not those of targets.
    world.repository.versions.timestamp += 1;
    world.repository.versions.snapshot += 1;
    world.repository.versions.targets = 1;
    let snapshot = world.repository.snapshot_metadata(&old["1.targets.json"]);
    let timestamp = world.repository.timestamp_metadata(&snapshot);
    let name = format!("{}.snapshot.json", world.repository.versions.snapshot);
    world.repository.files.extend([(name, snapshot), ("timestamp.json".to_owned(), timestamp)]);
    world.publish();
    fresh.now.ask().await;
    assert!(fresh.trusts(&other));
    assert!(fresh.count("failed") > 0);
}

#[tokio::test]
async fn a_repository_that_is_frozen_is_noticed_when_its_timestamp_ends() {
    let world = World::new();
    let fresh = world.started().await;
    assert_eq!(fresh.count("failed"), 0);
    let end = fresh.metric("bonafide_trust_expires_timestamp_seconds{domain=\"corp\",what=\"metadata\"}");
    world.clock.advance(WEEK + WEEK);
    fresh.now.ask().await;
    assert_eq!(fresh.count("failed"), 1);
    assert!(fresh.trusts(&world.root()), "an end says nothing against what was trusted before");
    assert_eq!(fresh.metric("bonafide_trust_expires_timestamp_seconds{domain=\"corp\",what=\"metadata\"}"), end);
}

#[tokio::test]
async fn metadata_that_has_ended_brings_no_root() {
    let world = World::new();
    world.clock.advance(WEEK + WEEK);
    let fresh = world.started().await;
    assert!(fresh.awaits());
    assert!(fresh.count("failed") > 0);
}

#[tokio::test]
async fn a_trusted_root_of_other_bytes_than_its_hash_is_refused() {
    let mut world = World::new();
    world
        .refuses(|world| {
            let other = world.other_root();
            // Of the same length: only the hash can tell.
            let spoilt = other.replacen("2021", "2020", 1).into_bytes();
            world.repository.files.insert(target_path(TARGET, other.as_bytes()), spoilt);
        })
        .await;
}

#[tokio::test]
async fn a_trusted_root_of_another_length_is_refused() {
    let mut world = World::new();
    world
        .refuses(|world| {
            let other = world.other_root();
            world.repository.files.insert(target_path(TARGET, other.as_bytes()), format!("{other} ").into_bytes());
        })
        .await;
}

#[tokio::test]
async fn metadata_of_other_bytes_than_its_hash_is_refused() {
    for role in ["snapshot", "targets"] {
        let mut world = World::new();
        world
            .refuses(|world| {
                let metadata = world.repository.files.get_mut(&format!("2.{role}.json")).unwrap();
                metadata.push(b'\n');
            })
            .await;
    }
}

#[tokio::test]
async fn pitfall_12_targets_with_fewer_signatures_than_their_threshold_are_refused() {
    let mut world = World::new();
    world
        .refuses(|world| {
            world.repository.keys.targets.truncate(1);
            world.repository.publish();
        })
        .await;
}

#[tokio::test]
async fn a_signature_twice_is_no_second_signer() {
    let mut world = World::new();
    world
        .refuses(|world| {
            world.repository.keys.targets = vec!["targets a", "targets a"];
            world.repository.publish();
        })
        .await;
}

#[tokio::test]
async fn pitfall_12_one_key_under_two_names_is_no_second_signer() {
    let mut world = World::new();
    // The root says that two may sign targets, and means one, who signs twice.
    world.repository.versions.root = 2;
    let mut root = parsed(&world.repository.root_metadata(&[]))["signed"].clone();
    root["keys"][key_id("alias")] = public("targets a");
    root["roles"]["targets"]["keyids"] = json!([key_id("targets a"), key_id("alias")]);
    let root = sign(&root, &["root a", "root b", "root c"]);
    world
        .refuses(|world| {
            world.repository.files.insert("2.root.json".to_owned(), root);
            let targets = parsed(&world.repository.targets_metadata())["signed"].clone();
            let both = [("targets a", "targets a"), ("alias", "targets a")];
            world.repository.publish_with(sign_as(&targets, &both));
        })
        .await;
}

#[tokio::test]
async fn trust_does_not_begin_with_one_key_under_two_names() {
    let mut world = World::new();
    let mut root = parsed(&world.repository.root_metadata(&[]))["signed"].clone();
    root["keys"][key_id("alias")] = public("timestamp");
    root["roles"]["timestamp"]["keyids"] = json!([key_id("timestamp"), key_id("alias")]);
    world.anchor = sign(&root, &["root a", "root b"]);
    let error = world.open(world.domain("url = 'http://tuf.test'")).await.err().unwrap();
    assert!(error.to_string().contains("names one key twice"), "{error}");
}

#[tokio::test]
async fn a_root_that_its_predecessor_did_not_sign_is_refused() {
    let mut world = World::new();
    world
        .refuses(|world| {
            world.repository.keys.root = vec!["thief a", "thief b", "thief c"];
            world.repository.versions.root = 2;
            let root = world.repository.root_metadata(&["thief a", "thief b", "thief c"]);
            world.repository.files.insert("2.root.json".to_owned(), root);
        })
        .await;
}

#[tokio::test]
async fn a_key_that_a_newer_root_took_away_signs_nothing_more() {
    let mut world = World::new();
    world
        .refuses(|world| {
            world.repository.rotate(|keys| keys.timestamp = "timestamp 2");
            // The timestamp of the stolen key is still there.
        })
        .await;
}

#[tokio::test]
async fn pitfall_12_a_root_that_skips_a_version_is_refused() {
    let mut world = World::new();
    world
        .refuses(|world| {
            world.repository.versions.root = 3;
            let root = world.repository.root_metadata(&["root a", "root b"]);
            world.repository.files.insert("2.root.json".to_owned(), root);
        })
        .await;
}

#[tokio::test]
async fn a_root_without_end_is_not_swallowed() {
    let mut world = World::new();
    world.refuses(|world| drop(world.repository.files.insert("2.root.json".to_owned(), vec![b' '; 1 << 20]))).await;
}

#[tokio::test]
async fn a_timestamp_without_end_is_not_swallowed() {
    let mut world = World::new();
    world
        .refuses(|world| {
            let mut timestamp = world.repository.files["timestamp.json"].clone();
            timestamp.resize(1 << 20, b' ');
            world.repository.files.insert("timestamp.json".to_owned(), timestamp);
        })
        .await;
}

#[tokio::test]
async fn a_trusted_root_that_says_it_is_huge_is_not_even_asked_for() {
    let mut world = World::new();
    let huge = Bytes::from(vec![b' '; 2 << 20]);
    world
        .refuses(|world| {
            world.repository.replace(std::str::from_utf8(&huge).unwrap());
        })
        .await;
    let path = target_path(TARGET, &huge);
    assert!(!world.place.asked().contains(&path));
}

#[tokio::test]
async fn no_name_leads_out_of_the_repository() {
    let mut world = World::new();
    world
        .refuses(|world| {
            // Consistent snapshots put the hash into the name, and who says that it is one?
            world.repository.advance();
            let mut targets = parsed(&world.repository.targets_metadata())["signed"].clone();
            targets["targets"][TARGET]["hashes"]["sha256"] = json!("../../secret");
            let targets = sign(&targets, &["targets a", "targets b"]);
            let snapshot = world.repository.snapshot_metadata(&targets);
            let timestamp = world.repository.timestamp_metadata(&snapshot);
            let version = world.repository.versions.targets;
            world.repository.files.extend([
                (format!("{version}.targets.json"), targets),
                (format!("{version}.snapshot.json"), snapshot),
                ("timestamp.json".to_owned(), timestamp),
            ]);
        })
        .await;
    let asked = world.place.asked();
    assert!(!asked.iter().any(|path| path.contains("..") || path.starts_with('/')), "{asked:?}");
}

#[tokio::test]
async fn a_repository_that_lists_no_trusted_root_is_refused() {
    let mut world = World::new();
    world
        .refuses(|world| {
            world.repository.advance();
            world.repository.targets.clear();
            world.repository.publish();
        })
        .await;
}

#[tokio::test]
async fn a_trusted_root_that_cannot_be_used_is_refused_and_not_remembered() {
    for unusable in ["no json".to_owned(), r#"{"mediaType": "m"}"#.to_owned()] {
        let mut world = World::new();
        world.refuses(|world| world.repository.replace(&unusable)).await;
        world.place.set_down(true);
        assert!(world.start().await.trusts(&world.root()));
    }
}

#[tokio::test]
async fn what_is_remembered_under_another_beginning_of_trust_counts_for_nothing() {
    let mut world = World::new();
    drop(world.started().await);
    world.repository.keys.root = vec!["other a", "other b", "other c"];
    world.anchor = world.repository.root_metadata(&["other a", "other b"]);
    // Its own keys for everything: nothing that the first one signed holds.
    let mut root = parsed(&world.anchor)["signed"].clone();
    root["keys"][key_id("other timestamp")] = public("other timestamp");
    root["roles"]["timestamp"]["keyids"] = json!([key_id("other timestamp")]);
    world.anchor = sign(&root, &["other a", "other b"]);
    world.place.set_down(true);
    assert!(world.start().await.awaits());
}

#[tokio::test]
async fn what_was_remembered_and_tampered_with_counts_for_nothing() {
    let world = World::new();
    drop(world.started().await);
    world.place.set_down(true);
    let path = world.folder.path().join("trust").join("corp.json");
    let remembered = std::fs::read_to_string(&path).unwrap();
    assert!(world.start().await.trusts(&world.root()));
    for tampered in
        [remembered.replace("authority.test", "authority.evil"), remembered[..500].to_owned(), String::new()]
    {
        std::fs::write(&path, tampered).unwrap();
        assert!(world.start().await.awaits());
    }
}
