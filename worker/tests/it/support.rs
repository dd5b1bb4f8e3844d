//! A database with rows, and queries on it.

#[path = "../../../activities/tests/it/support/database.rs"]
mod database;
#[path = "../../../activities/tests/it/support/moments.rs"]
mod moments;
#[path = "../../../activities/tests/it/support/rows.rs"]
#[allow(dead_code, reason = "the tests here need a part of it")]
mod rows;

use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use store::Store;

pub use database::fresh_tables;
pub use moments::{NOW, at};
pub use rows::{Prospect, User};

/// A database of its own.
pub struct Service {
    pub database: PgPool,
    pub store: Store,
}

impl Service {
    /// An empty database.
    pub async fn start() -> Self {
        let url = fresh_tables().await;
        let database = PgPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
        Self { store: Store::new(database.clone()), database }
    }

    /// Executes statements.
    pub async fn execute(&self, statements: &'static str) {
        sqlx::raw_sql(statements).execute(&self.database).await.unwrap();
    }

    /// The rows of a query as JSON.
    pub async fn rows(&self, query: &str) -> Vec<Value> {
        let query = format!("select to_jsonb(found) from ({query}) found");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&self.database).await.unwrap()
    }
}
