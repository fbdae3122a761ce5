//! Who was served what, in the same database.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::packages::identifier;
use super::{Sqlite, column, failed};
use crate::facts::error::FactsError;
use crate::facts::pulls::{PULLS, Pull, PullStore};
use crate::oci::{Digest, Repository};

const KEEP: &str = "keep who pulled what";
const READ: &str = "read who pulled an image";

#[async_trait]
impl PullStore for Sqlite {
    async fn keep_pulls(&self, pulls: &[Pull]) -> Result<(), FactsError> {
        const SQL: &str = "INSERT INTO pulls (image, client, last_at) VALUES ($1, $2, $3) \
             ON CONFLICT (image, client) DO UPDATE SET last_at = excluded.last_at WHERE pulls.last_at < excluded.last_at";
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(KEEP))?;
        for pull in pulls {
            let query = sqlx::query(SQL)
                .bind(identifier(&pull.repository, pull.digest))
                .bind(pull.client.to_string())
                .bind(pull.at.as_microsecond());
            query.execute(&mut *transaction).await.map_err(failed(KEEP))?;
        }
        forget_oldest(&mut transaction, PULLS).await?;
        transaction.commit().await.map_err(failed(KEEP))
    }

    async fn pulls_of(&self, repository: &Repository, digest: Digest, most: u32) -> Result<Vec<Pull>, FactsError> {
        const SQL: &str = "SELECT client, last_at FROM pulls WHERE image = $1 ORDER BY last_at DESC, client LIMIT $2";
        let query = sqlx::query(SQL).bind(identifier(repository, digest)).bind(i64::from(most));
        let rows = query.fetch_all(&self.readers).await.map_err(failed(READ))?;
        let pull = |row: &_| {
            let broken = |text: String| FactsError::Row { action: READ, text };
            let client: String = column(row, 0, READ)?;
            let last: i64 = row.try_get(1).map_err(failed(READ))?;
            Ok(Pull {
                repository: repository.clone(),
                digest,
                client: client.parse().map_err(|_| broken(client))?,
                at: Timestamp::from_microsecond(last).map_err(|_| broken(last.to_string()))?,
            })
        };
        rows.iter().map(pull).collect()
    }
}

/// Forgets the oldest pulls, down to `most`.
async fn forget_oldest(connection: &mut SqliteConnection, most: u32) -> Result<(), FactsError> {
    const COUNT: &str = "SELECT COUNT(*) FROM pulls";
    const FORGET: &str = "DELETE FROM pulls WHERE (image, client) IN \
         (SELECT image, client FROM pulls ORDER BY last_at, image, client LIMIT $1)";
    let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *connection).await.map_err(failed(KEEP))?;
    let excess = count - i64::from(most);
    if excess > 0 {
        sqlx::query(FORGET).bind(excess).execute(connection).await.map_err(failed(KEEP))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(client: u8, second: i64) -> Pull {
        Pull {
            repository: "docker.io/acme/app".parse().unwrap(),
            digest: Digest::of(b"app"),
            client: [10, 0, 0, client].into(),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[tokio::test]
    async fn of_each_client_the_latest_pull_is_kept_and_of_all_the_latest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path()).await.unwrap();
        store.keep_pulls(&[pull(1, 5), pull(2, 3), pull(3, 1), pull(1, 4)]).await.unwrap();
        let kept = async |most| store.pulls_of(&pull(1, 0).repository, Digest::of(b"app"), most).await.unwrap();
        assert_eq!(kept(2).await, [pull(1, 5), pull(2, 3)]);
        forget_oldest(&mut store.writer.acquire().await.unwrap(), 2).await.unwrap();
        assert_eq!(kept(9).await, [pull(1, 5), pull(2, 3)]);
        assert_eq!(store.pulls_of(&pull(1, 0).repository, Digest::of(b"other"), 9).await.unwrap(), []);
    }
}
