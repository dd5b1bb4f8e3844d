//! All SQL of the service: one function per statement or transaction step, named for its effect.
//!
//! The functions take and return row types of this crate or types of `domain`, never payloads of Temporal.

pub mod call_events;
pub mod candidates;
pub mod conversations;
pub mod database_url;
pub mod deadline;
pub mod decisions;
pub mod dials;
mod error_text;
pub mod imports;
pub mod lines;
pub mod outcomes;
pub mod phone_state;
pub mod plans;
pub mod prospect_history;
pub mod prospects;
pub mod provider_rejections;
pub mod rules;
pub mod server;
mod sessions;
pub mod suppressions;
pub mod sweeps;
pub mod users;

use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::time::SystemTime;

use sqlx::migrate::{AppliedMigration, Migrate as _, MigrateError, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgPool, Postgres};
use tokio::time::timeout;

use database_url::DatabaseUrl;
use deadline::DeadlinePassed;

/// How often the applied migrations are read until the database counts as not answering.
const MIGRATION_READS: usize = 5;

/// A connection that the functions of this crate take.
pub use sqlx::PgConnection as Connection;

/// A transaction; dropped without a commit it is rolled back.
#[derive(Debug)]
pub struct Transaction {
    inner: sqlx::Transaction<'static, Postgres>,
    deadline: Option<SystemTime>,
}

impl Transaction {
    /// Commits, unless the deadline of the attempt that began the transaction has passed.
    pub async fn commit(self) -> Result<(), StoreError> {
        if self.deadline.is_some_and(|deadline| SystemTime::now() >= deadline) {
            return Err(DeadlinePassed.into());
        }
        Ok(self.inner.commit().await?)
    }
}

impl Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.inner
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unreachable, or a statement failed.
    #[error("{}{}", error_text::describe(.0), error_text::remedy(.0))]
    Database(sqlx::Error),
    /// A statement violates this constraint: repeating it does not help.
    #[error("the database constraint {constraint} is violated: {}", error_text::describe(.cause))]
    Constraint { constraint: String, cause: sqlx::Error },
    /// A column contains a value that this build does not know, for example one of a newer build.
    #[error(
        "the column {column} contains {value:?}, which this build does not know; if a newer build has \
        written it, run a worker of that build"
    )]
    UnknownVariant { column: &'static str, value: String },
    #[error("a value can't be stored as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    DeadlinePassed(#[from] DeadlinePassed),
}

impl StoreError {
    /// Whether the database can't be reached or does not accept work: the statement is not to blame.
    pub fn is_unavailable(&self) -> bool {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
        match self {
            Self::Database(
                Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed,
            ) => true,
            // 08 connection exception, 40 deadlock, 53 insufficient resources, 57P a shutdown.
            Self::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                ["08", "40", "53", "57P"].iter().any(|class| code.starts_with(class))
            }),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(cause: sqlx::Error) -> Self {
        let constraint = cause.as_database_error().and_then(|error| error.constraint());
        match constraint.map(str::to_owned) {
            Some(constraint) => Self::Constraint { constraint, cause },
            None => Self::Database(cause),
        }
    }
}

/// Why the database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}{}", error_text::describe(.0), error_text::remedy(.0))]
    Unreachable(sqlx::Error),
    #[error("{}{}", error_text::describe(.0), error_text::remedy_of_migration(.0))]
    Migrate(MigrateError),
    /// The server is older than the service's statements need.
    #[error("the server is PostgreSQL {0}; the service needs PostgreSQL 15 or newer")]
    TooOld(String),
    /// The sessions are not as the service needs them: a pooler is in between.
    #[error("{0}")]
    UnusableSessions(&'static str),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        sessions::explain(error)
    }
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        Self::Migrate(error)
    }
}

/// A pool of connections to the database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    schema: Option<String>,
}

impl Store {
    /// Opens a pool. The first connection is made at once.
    ///
    /// # Errors
    ///
    /// The database can't be reached, or a pooler between does not keep sessions.
    pub async fn connect(url: &DatabaseUrl, max_sessions: u32) -> Result<Self, OpenError> {
        // Sqlx checks a certificate with the provider of the process. If there is one, it stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = sessions::session_options(url.options.clone());
        // Connections outside the pool first: the pool would retry and report only a timeout.
        sessions::check(&options).await?;
        let pool = sessions::open_pool(options, max_sessions).await?;
        Ok(Self { pool, schema: url.schema.clone() })
    }

    /// Applies the migrations. Safe to run from several workers at once. Returns the versions of the applied migrations
    /// that this build does not know: a newer build was here, and left the tables usable for this one.
    ///
    /// # Errors
    ///
    /// A migration fails, has failed before, or takes longer than ten minutes; or the database does not answer.
    pub async fn migrate(&self) -> Result<Vec<i64>, OpenError> {
        let mut migrator = sqlx::migrate!("../migrations");
        migrator.set_ignore_missing(true);
        let mut applied = self.applied_migrations(&migrator).await?;
        // Most starts find nothing to apply. They must not wait for the lock of a session that migrates: it may be dead.
        if !is_complete(&migrator, &applied) {
            let options = sessions::migration_options((*self.pool.connect_options()).clone());
            let mut conn = sessions::within_limit(options.connect()).await?;
            if let Some(schema) = &self.schema {
                // The name is plain, see `DatabaseUrl`.
                let create = AssertSqlSafe(format!("create schema if not exists {schema}"));
                sqlx::raw_sql(create).execute(&mut conn).await?;
            }
            sessions::within_migration_timeout(migrator.run(&mut conn)).await?;
            applied = self.applied_migrations(&migrator).await?;
        }
        let versions = applied.into_iter().map(|migration| migration.version);
        Ok(versions.filter(|version| !migrator.version_exists(*version)).collect())
    }

    /// Reads the migrations that are applied; none if they can't be read or one has failed: the migrator says why.
    async fn applied_migrations(
        &self,
        migrator: &Migrator,
    ) -> Result<Vec<AppliedMigration>, sqlx::Error> {
        for _ in 0..MIGRATION_READS {
            let mut conn = self.pool.acquire().await?;
            let read = async {
                let dirty = conn.dirty_version(&migrator.table_name).await?;
                let applied = conn.list_applied_migrations(&migrator.table_name).await?;
                Ok::<_, MigrateError>(if dirty.is_none() { applied } else { Vec::new() })
            };
            // A session that falls silent is replaced by another one.
            if let Ok(read) = timeout(sessions::ANSWER_TIMEOUT, read).await {
                return Ok(read.unwrap_or_default());
            }
        }
        Err(sessions::no_answer())
    }

    /// Whether the traffic with the database is encrypted.
    pub async fn is_encrypted(&self) -> Result<bool, StoreError> {
        let encrypted =
            "select coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)";
        Ok(sqlx::query_scalar(encrypted).fetch_one(&self.pool).await?)
    }

    /// Starts a transaction. It has the deadline of the attempt that begins it, see [`deadline::run_until`].
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let deadline = deadline::current();
        Ok(Transaction { inner: self.pool.begin().await?, deadline })
    }

    /// Starts a transaction that can't write, and so has no deadline.
    pub async fn read(&self) -> Result<Transaction, StoreError> {
        Ok(Transaction { inner: self.pool.begin_with("begin read only").await?, deadline: None })
    }
}

/// Whether all migrations are applied, as this build has them.
fn is_complete(migrator: &Migrator, applied: &[AppliedMigration]) -> bool {
    migrator.iter().all(|migration| {
        applied.iter().any(|applied| {
            applied.version == migration.version && applied.checksum == migration.checksum
        })
    })
}

/// Parses an enum of the database.
pub(crate) fn parse_enum<T: FromStr>(column: &'static str, value: &str) -> Result<T, StoreError> {
    value.parse().map_err(|_| StoreError::UnknownVariant { column, value: value.to_owned() })
}
