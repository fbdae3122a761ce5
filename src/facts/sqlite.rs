//! Facts in an SQLite database: one file, safe after a loss of power.
//!
//! The statements are SQL that PostgreSQL understands as well. Whatever is written is on the disk when the write
//! returns (`synchronous = FULL`): a client that got a manifest must get its layers after a crash too.

mod packages;
mod pulls;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr};

use crate::facts::error::FactsError;
use crate::facts::store::{FactStore, Grant, GrantKind, ProofKey, Resolution};
use crate::limits;
use crate::oci::{Digest, Repository, Tag};

/// How long a write waits for another process, such as `bonafide verify` beside `bonafide serve`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that read at the same time; each is a thread and a page cache of 2 MB.
const READERS: u32 = 4;
/// The versions of the tables, each a step from the one before. What is here was run somewhere: add, never change.
const VERSIONS: [(i64, &str, &str); 4] = [
    (1, "facts", include_str!("migrations/sqlite/0001_facts.sql")),
    (2, "admissions", include_str!("migrations/sqlite/0002_admissions.sql")),
    (3, "packages", include_str!("migrations/sqlite/0003_packages.sql")),
    (4, "pulls", include_str!("migrations/sqlite/0004_pulls.sql")),
];

/// The database. One connection writes, so that writers queue here and not in the file's lock.
#[derive(Debug)]
pub(super) struct Sqlite {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Sqlite {
    /// Opens the database `facts.sqlite` in `folder`, or makes it.
    pub(super) async fn open(folder: &Path) -> Result<Self, FactsError> {
        let path = folder.join("facts.sqlite");
        prepare(folder, &path).map_err(|source| FactsError::Folder { path: path.clone(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = pool(1).connect_with(options.clone()).await.map_err(|source| opening(&path, source))?;
        migrate(&writer).await.map_err(|error| migrating(&path, error))?;
        let readers = pool(READERS).connect_with(options).await.map_err(|source| opening(&path, source))?;
        Ok(Self { readers, writer })
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).idle_timeout(None).max_lifetime(None)
}

/// Makes the file before the database does, so that nobody else can read who pulls what. Its journal gets the same mode.
fn prepare(folder: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

async fn migrate(writer: &SqlitePool) -> Result<(), MigrateError> {
    let migrations = VERSIONS.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.to_vec()).run(writer).await
}

fn migrating(path: &Path, error: MigrateError) -> FactsError {
    if let MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) = error {
        return opening(path, source);
    }
    FactsError::Version { path: path.into(), source: error }
}

fn opening(path: &Path, source: sqlx::Error) -> FactsError {
    let path: PathBuf = path.into();
    if is_damage(&source) { FactsError::Damaged { path, source } } else { FactsError::Open { path, source } }
}

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB`, extended codes included (SQLite, "Result and Error Codes").
fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

#[async_trait]
impl FactStore for Sqlite {
    async fn proof(&self, key: &ProofKey) -> Result<Option<String>, FactsError> {
        const SQL: &str =
            "SELECT proof FROM proofs WHERE upstream = $1 AND repository = $2 AND digest = $3 AND epoch = $4";
        sqlx::query_scalar(SQL)
            .bind(key.repository.upstream.as_str())
            .bind(key.repository.name.as_str())
            .bind(key.digest.to_string())
            .bind(key.epoch.hex())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read a proof"))
    }

    async fn keep_proof(&self, key: &ProofKey, proof: String) -> Result<(), FactsError> {
        const SQL: &str = "INSERT INTO proofs (upstream, repository, digest, epoch, proof) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (upstream, repository, digest, epoch) DO UPDATE SET proof = excluded.proof";
        sqlx::query(SQL)
            .bind(key.repository.upstream.as_str())
            .bind(key.repository.name.as_str())
            .bind(key.digest.to_string())
            .bind(key.epoch.hex())
            .bind(proof)
            .execute(&self.writer)
            .await
            .map_err(failed("keep a proof"))?;
        Ok(())
    }

    async fn forget_epochs_except(&self, epoch: Digest, most: u32) -> Result<u64, FactsError> {
        const SQL: &str = "DELETE FROM proofs WHERE (upstream, repository, digest, epoch) IN \
             (SELECT upstream, repository, digest, epoch FROM proofs WHERE epoch < $1 OR epoch > $1 LIMIT $2)";
        let query = sqlx::query(SQL).bind(epoch.hex()).bind(i64::from(most));
        let done = query.execute(&self.writer).await.map_err(failed("forget old proofs"))?;
        Ok(done.rows_affected())
    }

    async fn grants(&self, repository: &Repository, digest: Digest) -> Result<Vec<Grant>, FactsError> {
        const SQL: &str = "SELECT root, kind, size FROM grants WHERE upstream = $1 AND repository = $2 AND digest = $3 \
             ORDER BY granted_at DESC, root LIMIT $4";
        let rows = sqlx::query(SQL)
            .bind(repository.upstream.as_str())
            .bind(repository.name.as_str())
            .bind(digest.to_string())
            .bind(i64::try_from(limits::ROOTS_PER_GRANT).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(failed(READ_GRANTS))?;
        rows.iter().map(read_grant).collect()
    }

    async fn granted_manifests(&self, repository: &Repository, most: u32) -> Result<Vec<(Digest, Digest)>, FactsError> {
        const SQL: &str = "SELECT digest, root FROM grants WHERE upstream = $1 AND repository = $2 AND kind = $3 \
             ORDER BY granted_at DESC, digest, root LIMIT $4";
        let rows: Vec<(String, String)> = sqlx::query_as(SQL)
            .bind(repository.upstream.as_str())
            .bind(repository.name.as_str())
            .bind(kind_name(GrantKind::Manifest))
            .bind(i64::from(most))
            .fetch_all(&self.readers)
            .await
            .map_err(failed(READ_GRANTS))?;
        let read = |(manifest, root)| Ok((digest(manifest, READ_GRANTS)?, digest(root, READ_GRANTS)?));
        rows.into_iter().map(read).collect()
    }

    async fn keep_grants(
        &self,
        repository: &Repository,
        root: Digest,
        reached: &[(Digest, GrantKind, u64)],
        now: Timestamp,
    ) -> Result<(), FactsError> {
        const SQL: &str = "INSERT INTO grants (upstream, repository, digest, root, kind, size, granted_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (upstream, repository, digest, root, kind) \
             DO UPDATE SET size = excluded.size, granted_at = excluded.granted_at";
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(KEEP_GRANTS))?;
        for (digest, kind, size) in reached {
            sqlx::query(SQL)
                .bind(repository.upstream.as_str())
                .bind(repository.name.as_str())
                .bind(digest.to_string())
                .bind(root.to_string())
                .bind(kind_name(*kind))
                .bind(size_column(*size))
                .bind(now.as_microsecond())
                .execute(&mut *transaction)
                .await
                .map_err(failed(KEEP_GRANTS))?;
        }
        transaction.commit().await.map_err(failed(KEEP_GRANTS))
    }

    async fn resolution(&self, repository: &Repository, tag: &Tag) -> Result<Option<Resolution>, FactsError> {
        const SQL: &str =
            "SELECT digest, resolved_at FROM resolutions WHERE upstream = $1 AND repository = $2 AND tag = $3";
        let row = sqlx::query(SQL)
            .bind(repository.upstream.as_str())
            .bind(repository.name.as_str())
            .bind(tag.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed(READ_TAG))?;
        row.as_ref().map(read_resolution).transpose()
    }

    async fn keep_resolution(
        &self,
        repository: &Repository,
        tag: &Tag,
        resolution: Resolution,
    ) -> Result<(), FactsError> {
        const MEANS: &str = "INSERT INTO resolutions (digest, resolved_at, upstream, repository, tag) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (upstream, repository, tag) \
             DO UPDATE SET digest = excluded.digest, resolved_at = excluded.resolved_at";
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(KEEP_TAG))?;
        for sql in [MEANS, SEEN] {
            let query = of_tag(sql, resolution.digest, resolution.resolved_at, repository, tag);
            query.execute(&mut *transaction).await.map_err(failed(KEEP_TAG))?;
        }
        transaction.commit().await.map_err(failed(KEEP_TAG))
    }

    async fn keep_seen(
        &self,
        repository: &Repository,
        tag: &Tag,
        digests: &[Digest],
        now: Timestamp,
    ) -> Result<(), FactsError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(KEEP_TAG))?;
        for digest in digests {
            let query = of_tag(SEEN, *digest, now, repository, tag);
            query.execute(&mut *transaction).await.map_err(failed(KEEP_TAG))?;
        }
        transaction.commit().await.map_err(failed(KEEP_TAG))
    }

    async fn last_admitted(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, FactsError> {
        const SQL: &str = "SELECT digest FROM admissions WHERE upstream = $1 AND repository = $2 AND tag = $3";
        let text: Option<String> = sqlx::query_scalar(SQL)
            .bind(repository.upstream.as_str())
            .bind(repository.name.as_str())
            .bind(tag.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed(READ_ADMISSION))?;
        text.map(|text| digest(text, READ_ADMISSION)).transpose()
    }

    async fn keep_last_admitted(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: Digest,
        now: Timestamp,
    ) -> Result<(), FactsError> {
        const SQL: &str = "INSERT INTO admissions (digest, admitted_at, upstream, repository, tag) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (upstream, repository, tag) \
             DO UPDATE SET digest = excluded.digest, admitted_at = excluded.admitted_at";
        let query = of_tag(SQL, digest, now, repository, tag);
        query.execute(&self.writer).await.map_err(failed(KEEP_ADMISSION))?;
        Ok(())
    }

    async fn tags_of(&self, repository: &Repository, digest: Digest, most: u32) -> Result<Vec<Tag>, FactsError> {
        const SQL: &str = "SELECT tag FROM tags WHERE upstream = $1 AND repository = $2 AND digest = $3 \
             ORDER BY seen_at DESC, tag LIMIT $4";
        let tags: Vec<String> = sqlx::query_scalar(SQL)
            .bind(repository.upstream.as_str())
            .bind(repository.name.as_str())
            .bind(digest.to_string())
            .bind(i64::from(most))
            .fetch_all(&self.readers)
            .await
            .map_err(failed(READ_TAG))?;
        tags.into_iter().map(|tag| tag.parse().map_err(|_| FactsError::Row { action: READ_TAG, text: tag })).collect()
    }
}

/// That a digest was seen under a tag.
const SEEN: &str = "INSERT INTO tags (digest, seen_at, upstream, repository, tag) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (upstream, repository, digest, tag) DO UPDATE SET seen_at = excluded.seen_at";

const READ_GRANTS: &str = "read the grants of a digest";
const KEEP_GRANTS: &str = "keep what an image reaches";
const READ_TAG: &str = "read what a tag means";
const KEEP_TAG: &str = "keep what a tag means";
const READ_ADMISSION: &str = "read what was last admitted for a tag";
const KEEP_ADMISSION: &str = "keep what was last admitted for a tag";

/// The statement `sql` about a digest, a time, and a tag.
fn of_tag<'q>(
    sql: &'static str,
    digest: Digest,
    at: Timestamp,
    repository: &'q Repository,
    tag: &'q Tag,
) -> Query<'q, sqlx::Sqlite, SqliteArguments> {
    sqlx::query(sql)
        .bind(digest.to_string())
        .bind(at.as_microsecond())
        .bind(repository.upstream.as_str())
        .bind(repository.name.as_str())
        .bind(tag.as_str())
}

fn failed(action: &'static str) -> impl FnOnce(sqlx::Error) -> FactsError {
    move |source| FactsError::Database { action, source }
}

fn read_grant(row: &SqliteRow) -> Result<Grant, FactsError> {
    let (root, kind): (String, String) = (column(row, 0, READ_GRANTS)?, column(row, 1, READ_GRANTS)?);
    let size: i64 = column(row, 2, READ_GRANTS)?;
    Ok(Grant { root: digest(root, READ_GRANTS)?, kind: kind_named(kind)?, size: size.unsigned_abs() })
}

fn read_resolution(row: &SqliteRow) -> Result<Resolution, FactsError> {
    let at: i64 = column(row, 1, READ_TAG)?;
    let resolved_at = Timestamp::from_microsecond(at);
    Ok(Resolution {
        digest: digest(column(row, 0, READ_TAG)?, READ_TAG)?,
        resolved_at: resolved_at.map_err(|_| FactsError::Row { action: READ_TAG, text: at.to_string() })?,
    })
}

fn column<'r, T>(row: &'r SqliteRow, index: usize, action: &'static str) -> Result<T, FactsError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(index).map_err(failed(action))
}

fn digest(text: String, action: &'static str) -> Result<Digest, FactsError> {
    text.parse().map_err(|_| FactsError::Row { action, text })
}

fn kind_name(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Manifest => "manifest",
        GrantKind::Blob => "blob",
    }
}

fn kind_named(name: String) -> Result<GrantKind, FactsError> {
    match name.as_str() {
        "manifest" => Ok(GrantKind::Manifest),
        "blob" => Ok(GrantKind::Blob),
        _ => Err(FactsError::Row { action: READ_GRANTS, text: name }),
    }
}

/// SQL has no unsigned numbers. What claims to be larger than all disks is not there anyway.
fn size_column(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FULL` is 2 (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
    #[tokio::test]
    async fn what_is_written_is_on_the_disk_when_the_write_returns() {
        let folder = tempfile::tempdir().unwrap();
        let database = Sqlite::open(folder.path()).await.unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&database.writer).await.unwrap();
        assert_eq!(synchronous, 2);
    }
}
