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
    ) -> Result<(), FactsError> {
        let id = identifier(&image.repository, image.digest);
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(KEEP))?;
        if !keep_image(&mut transaction, id, image, now).await? {
            return Ok(());
        }
        forget_packages(&mut transaction, id).await?;
        for rows in packages.chunks(ROWS) {
            let mut insert = QueryBuilder::<Database>::new("INSERT INTO packages (name, version, image, purl) ");
            insert.push_values(rows, |mut row, package| {
                row.push_bind(&package.name).push_bind(&package.version).push_bind(id).push_bind(&package.purl);
            });
            insert.build().execute(&mut *transaction).await.map_err(failed(KEEP))?;
        }
        forget_first(&mut transaction).await?;
        transaction.commit().await.map_err(failed(KEEP))
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

/// Forgets the images that were admitted first, down to as many as are kept.
async fn forget_first(connection: &mut SqliteConnection) -> Result<(), FactsError> {
    const COUNT: &str = "SELECT COUNT(*) FROM images";
    const FIRST: &str = "SELECT id FROM images ORDER BY admitted_at, id LIMIT $1";
    let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *connection).await.map_err(failed(KEEP))?;
    let excess = (count - i64::from(IMAGES)).max(0);
    let first = sqlx::query_scalar(FIRST).bind(excess).fetch_all(&mut *connection).await;
    for id in first.map_err(failed(KEEP))? {
        forget_packages(connection, id).await?;
        let query = sqlx::query("DELETE FROM images WHERE id = $1").bind(id);
        query.execute(&mut *connection).await.map_err(failed(KEEP))?;
    }
    Ok(())
}

/// The beginning of a digest over all that tells an image from others.
pub(super) fn identifier(repository: &Repository, digest: Digest) -> i64 {
    let hex = Digest::of(format!("{repository}@{digest}").as_bytes()).hex();
    hex.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default().cast_signed()
}

fn holder(row: &SqliteRow) -> Result<Holder, FactsError> {
    let text = |index| column::<String>(row, index, READ);
    let admitted: i64 = row.try_get(4).map_err(failed(READ))?;
    let broken = |text: String| FactsError::Row { action: READ, text };
    let repository = format!("{}/{}", text(1)?, text(2)?);
    Ok(Holder {
        repository: repository.parse().map_err(|_| broken(repository))?,
        digest: digest(text(3)?, READ)?,
        purl: text(0)?,
        admitted_at: Timestamp::from_microsecond(admitted).map_err(|_| broken(admitted.to_string()))?,
    })
}
