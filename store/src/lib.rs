//! All SQL of the service: one function per statement or transaction step, named for its effect.
//!
//! The functions take and return row types of this crate or types of `domain`, never payloads of Temporal.

pub mod candidates;
pub mod conversations;
pub mod decisions;
pub mod dials;
pub mod imports;
pub mod lines;
pub mod outcomes;
pub mod phone_state;
pub mod plans;
pub mod prospect_history;
pub mod prospects;
pub mod rules;
pub mod suppressions;
pub mod sweeps;
pub mod users;

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool, Postgres};

/// A connection that the functions of this crate take.
pub use sqlx::PgConnection as Connection;

/// A transaction; dropped without a commit it is rolled back.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unreachable, or a statement failed.
    #[error(transparent)]
    Database(sqlx::Error),
    /// A statement violates this constraint: repeating it does not help.
    #[error("the database constraint {constraint} is violated: {source}")]
    Constraint {
        constraint: String,
        #[source]
        source: sqlx::Error,
    },
    /// A column contains a value that this build does not know, for example one of a newer build.
    #[error("database: the column {column} contains the unknown value {value:?}")]
    UnknownVariant { column: &'static str, value: String },
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
    fn from(source: sqlx::Error) -> Self {
        let constraint = source.as_database_error().and_then(|error| error.constraint());
        match constraint.map(str::to_owned) {
            Some(constraint) => Self::Constraint { constraint, source },
            None => Self::Database(source),
        }
    }
}

/// The maximum pause within a transaction, after which the database ends it: a process that hangs must not keep rows
/// locked.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "15s";
/// The maximum time to wait for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_CONNECTIONS: u32 = 16;

/// A pool of connections to the database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Opens a pool. The first connection is made at once.
    ///
    /// # Errors
    ///
    /// The URL is invalid, or the database can't be reached.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let timeout = ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT);
        let options = options.options([timeout]);
        // One connection outside the pool first: the pool would retry and report only a timeout.
        options.connect().await?.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    /// Uses an open pool.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Applies the migrations. Safe to run from several workers at once.
    ///
    /// # Errors
    ///
    /// A migration fails, or the database has a migration that this build does not know.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        sqlx::migrate!("../migrations").run(&self.pool).await
    }

    /// Starts a transaction.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// A connection for reads that need no transaction.
    pub async fn read(&self) -> Result<sqlx::pool::PoolConnection<Postgres>, StoreError> {
        Ok(self.pool.acquire().await?)
    }
}

/// Parses an enum of the database.
pub(crate) fn parse_enum<T: FromStr>(column: &'static str, value: &str) -> Result<T, StoreError> {
    value.parse().map_err(|_| StoreError::UnknownVariant { column, value: value.to_owned() })
}
