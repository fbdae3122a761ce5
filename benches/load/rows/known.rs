//! Row 9: what a million known digests cost: a start after `kill -9`, and memory.

use std::path::Path;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::Effort;
use crate::bed::Bed;
use crate::compare::{Figures, print};
use crate::process::SERVERS;
use crate::systems::System;
use crate::systems::bonafide::{Place, start_at};
use crate::systems::cold::folder_for;

const MANY: u64 = 1_000_000;
/// How many of them are asked for first: what has bounds of its own is full then, such as the caches of the database, and
/// what the upstream is known not to have.
const FIRST: u64 = 20_000;
/// How many are asked for after them, so that they are in memory.
const ASKED: u64 = 60_000;

pub(crate) fn million(bed: &Bed, effort: Effort) {
    let (few, many) = (folder_for(bed, "few"), folder_for(bed, "many"));
    for folder in [&few, &many] {
        // What is known of the one image is what is known of the others.
        drop(started(bed, folder).0);
    }
    fill(&many, MANY);
    let turn = |folder: &Path| -> Figures { figures(bed, folder) };
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        small.push(turn(&few));
        large.push(turn(&many));
    }
    print("9  a start after kill -9, to the first answer", &["1,000,000 known", "1 known"], &[large, small]);
    print("9  memory of what was asked for", &["bonafide"], &[vec![weight(bed, &many)]]);
}

/// Kills it while it answers, and starts it again.
fn figures(bed: &Bed, folder: &Path) -> Figures {
    let (mut system, _) = started(bed, folder);
    let mut connection = system.client(bed).connect();
    connection.get(&bed.manifest_path()).unwrap();
    system.process.kill();
    let (_system, milliseconds) = started(bed, folder);
    vec![("ms", milliseconds)]
}

/// A start, and how long it took until the manifest was there, in milliseconds.
fn started(bed: &Bed, folder: &Path) -> (System, f64) {
    let start = Instant::now();
    let place = Place { storage: folder, upstream: &bed.upstream, cores: SERVERS };
    let system = start_at(bed, place).unwrap();
    let mut connection = system.client(bed).connect();
    let length = connection.get(&bed.manifest_path()).unwrap();
    connection.skip(length).unwrap();
    (system, start.elapsed().as_secs_f64() * 1e3)
}

/// Writes down what is known of the one image for as many others.
fn fill(folder: &Path, count: u64) {
    let proofs = "INSERT INTO proofs (upstream, repository, digest, epoch, proof) \
        SELECT upstream, repository, digest, epoch, replace(proof, known, digest) FROM others";
    let grants = "INSERT INTO grants (upstream, repository, digest, root, kind, size, granted_at) \
        SELECT upstream, repository, digest, digest, 'manifest', 1500, 1 FROM others";
    let others = format!(
        "WITH RECURSIVE counted(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < {count}), \
         others AS (SELECT upstream, repository, digest AS known, printf('sha256:%064x', number) AS digest, epoch, proof \
         FROM counted, (SELECT * FROM proofs LIMIT 1)) "
    );
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.join("facts.sqlite"));
        let mut database = SqliteConnection::connect_with(&options).await.unwrap();
        let row = sqlx::query("SELECT length(proof) FROM proofs LIMIT 1").fetch_one(&mut database).await.unwrap();
        println!("\n9  {count} proofs of {} bytes each are written down", row.get::<i64, _>(0));
        for insert in [grants, proofs] {
            // Common table expressions stand before the statement that they are for.
            let (head, select) = insert.split_once(" SELECT ").unwrap();
            let sql = format!("{head} {others} SELECT {select}");
            sqlx::query(AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
        }
        database.close().await.unwrap();
    });
}

/// Asks for manifests that the upstream does not have: what is known of them is read, judged and held all the same.
fn weight(bed: &Bed, folder: &Path) -> Figures {
    let (system, _) = started(bed, folder);
    let at_rest = system.process.anonymous_memory();
    let mut connection = system.client(bed).connect();
    let mut ask = |numbers| {
        for number in numbers {
            let path = bed.manifest_path().replace(&bed.manifest.to_string(), &format!("sha256:{number:064x}"));
            connection.miss(&path);
        }
        system.process.anonymous_memory()
    };
    let (first, all): (f64, f64) = (ask(1..=FIRST), ask(FIRST + 1..=FIRST + ASKED));
    vec![
        ("B/asked", (all - first) * 1024.0 / ASKED as f64),
        ("MiB at rest", at_rest / 1024.0),
        ("MiB at first", first / 1024.0),
        ("B/known", all * 1024.0 / MANY as f64),
    ]
}
