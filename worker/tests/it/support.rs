//! A database with rows, and queries on it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use store::Store;

pub use devstack::fixtures::{Prospect, User};

/// The time in most tests: 9:00 in New York, the start of the calling window.
pub const NOW: &str = "2025-02-25T14:00:00Z";

/// Parses an RFC 3339 time.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A database of its own.
pub struct Service {
    pub database: PgPool,
    pub store: Store,
}

impl Service {
    /// An empty database.
    pub async fn start() -> Self {
        let url = devstack::create_migrated_database().await.unwrap();
        let database = PgPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
        let store = Store::connect(&url.parse().unwrap(), 4).await.unwrap();
        Self { store, database }
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
