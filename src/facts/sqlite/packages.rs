//! The index of packages, in the same database.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite as Database, SqliteConnection};

use super::{Sqlite, column, digest, failed};
use crate::facts::error::FactsError;
use crate::facts::packages::{Contained, Holder, IMAGES, IndexedPackage, PackageStore};
use crate::oci::{Digest, Repository};

/// Rows in one statement: far below the 32,766 values that SQLite binds at most.
const ROWS: usize = 1000;
const KEEP: &str = "keep the packages of an image";
const READ: &str = "read which images contain a package";

#[async_trait]
impl PackageStore for Sqlite {
    async fn keep_packages(
        &self,
        image: &Contained,
        packages: &[IndexedPackage],
        now: Timestamp,
    ) -> Result<Vec<(Repository, Digest)>, FactsError> {
        let id = identifier(&image.repository, image.digest);
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(KEEP))?;
        if !keep_image(&mut transaction, id, image, now).await? {
            return Ok(Vec::new());
        }
        forget_packages(&mut transaction, id).await?;
        for rows in packages.chunks(ROWS) {
            let mut insert = QueryBuilder::<Database>::new("INSERT INTO packages (name, version, image, purl) ");
            insert.push_values(rows, |mut row, package| {
                row.push_bind(&package.name).push_bind(&package.version).push_bind(id).push_bind(&package.purl);
            });
            insert.build().execute(&mut *transaction).await.map_err(failed(KEEP))?;
        }
        let forgotten = forget_first(&mut transaction, IMAGES).await?;
        transaction.commit().await.map_err(failed(KEEP))?;
        Ok(forgotten)
    }

    async fn holders(&self, name: &str, version: Option<&str>, most: u32) -> Result<Vec<Holder>, FactsError> {
        const SQL: &str = "SELECT packages.purl, images.upstream, images.repository, images.digest, images.admitted_at \
             FROM packages JOIN images ON images.id = packages.image \
             WHERE packages.name = $1 AND ($2 IS NULL OR packages.version = $2) \
             ORDER BY images.admitted_at DESC, images.upstream, images.repository, images.digest, packages.purl LIMIT $3";
        let query = sqlx::query(SQL).bind(name).bind(version).bind(i64::from(most));
        let rows = query.fetch_all(&self.readers).await.map_err(failed(READ))?;
        rows.iter().map(holder).collect()
    }
}

/// Whether the packages of the image are to be written: it was not there, or proven at another time.
async fn keep_image(
    connection: &mut SqliteConnection,
    id: i64,
    image: &Contained,
    now: Timestamp,
) -> Result<bool, FactsError> {
    const SQL: &str = "INSERT INTO images (id, upstream, repository, digest, proven_at, admitted_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET proven_at = excluded.proven_at \
         WHERE images.proven_at <> excluded.proven_at";
    let done = sqlx::query(SQL)
        .bind(id)
        .bind(image.repository.upstream.as_str())
        .bind(image.repository.name.as_str())
        .bind(image.digest.to_string())
        .bind(image.proven_at.as_microsecond())
        .bind(now.as_microsecond())
        .execute(connection)
        .await
        .map_err(failed(KEEP))?;
    Ok(done.rows_affected() > 0)
}

async fn forget_packages(connection: &mut SqliteConnection, id: i64) -> Result<(), FactsError> {
    let query = sqlx::query("DELETE FROM packages WHERE image = $1").bind(id);
    query.execute(connection).await.map_err(failed(KEEP))?;
    Ok(())
}

/// Forgets the images that were admitted first, down to as many as are kept, and returns them.
async fn forget_first(connection: &mut SqliteConnection, kept: u32) -> Result<Vec<(Repository, Digest)>, FactsError> {
    const COUNT: &str = "SELECT COUNT(*) FROM images";
    const FIRST: &str = "SELECT id, upstream, repository, digest FROM images ORDER BY admitted_at, id LIMIT $1";
    let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *connection).await.map_err(failed(KEEP))?;
    let excess = (count - i64::from(kept)).max(0);
    let first = sqlx::query(FIRST).bind(excess).fetch_all(&mut *connection).await.map_err(failed(KEEP))?;
    let mut forgotten = Vec::new();
    for row in &first {
        let id: i64 = row.try_get(0).map_err(failed(KEEP))?;
        forget_packages(connection, id).await?;
        let query = sqlx::query("DELETE FROM images WHERE id = $1").bind(id);
        query.execute(&mut *connection).await.map_err(failed(KEEP))?;
        forgotten.push(image(row, KEEP)?);
    }
    Ok(forgotten)
}

/// The image in the second to fourth columns.
fn image(row: &SqliteRow, action: &'static str) -> Result<(Repository, Digest), FactsError> {
    let text = |index| column::<String>(row, index, action);
    let repository = format!("{}/{}", text(1)?, text(2)?);
    let parsed = repository.parse().map_err(|_| FactsError::Row { action, text: repository })?;
    Ok((parsed, digest(text(3)?, action)?))
}

/// The beginning of a digest over all that tells an image from others.
pub(super) fn identifier(repository: &Repository, digest: Digest) -> i64 {
    let hex = Digest::of(format!("{repository}@{digest}").as_bytes()).hex();
    hex.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default().cast_signed()
}

fn holder(row: &SqliteRow) -> Result<Holder, FactsError> {
    let (repository, digest) = image(row, READ)?;
    let admitted: i64 = row.try_get(4).map_err(failed(READ))?;
    let broken = |_| FactsError::Row { action: READ, text: admitted.to_string() };
    Ok(Holder {
        repository,
        digest,
        purl: column(row, 0, READ)?,
        admitted_at: Timestamp::from_microsecond(admitted).map_err(broken)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contained(name: &str) -> (Contained, Vec<IndexedPackage>) {
        let image = Contained {
            repository: "docker.io/acme/app".parse().unwrap(),
            digest: Digest::of(name.as_bytes()),
            proven_at: Timestamp::UNIX_EPOCH,
            packages: Vec::new(),
        };
        let (purl, version) = ("pkg:npm/axios@1.14.1".to_owned(), "1.14.1".to_owned());
        (image, vec![IndexedPackage { name: "npm/axios".to_owned(), version, purl }])
    }

    #[tokio::test]
    async fn the_images_that_are_forgotten_are_those_that_were_admitted_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).await.unwrap();
        for (second, name) in [(2, "b"), (1, "a"), (3, "c")] {
            let (image, packages) = contained(name);
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(store.keep_packages(&image, &packages, now).await.unwrap(), []);
        }
        let mut transaction = store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let forgotten = forget_first(&mut transaction, 1).await.unwrap();
        transaction.commit().await.unwrap();
        let images = ["a", "b"].map(|name| contained(name).0);
        assert_eq!(forgotten, images.map(|image| (image.repository, image.digest)));
        let holders = store.holders("npm/axios", None, 10).await.unwrap();
        assert_eq!(holders.iter().map(|holder| holder.digest).collect::<Vec<_>>(), [Digest::of(b"c")]);
    }
}
