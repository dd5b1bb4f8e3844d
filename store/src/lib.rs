//! All SQL of the service. One function per statement or transaction step, named for its effect.

pub mod decisions;
pub mod dials;
pub mod guard;
pub mod imports;
pub mod lines;
pub mod numbers;
pub mod outcomes;
pub mod plans;
pub mod rules;
pub mod story;
pub mod suppressions;
pub mod sweeps;
pub mod users;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool, Postgres};

/// The database could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The statement failed, or the connection did.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A column holds a word that this version does not know.
    #[error("database: {0} holds the unknown word {1:?}")]
    UnknownWord(&'static str, String),
}

/// Longest pause within a transaction, after which the database ends it: a process that stands still must not keep
/// rows locked from the others.
const LONGEST_PAUSE: &str = "15s";

/// Longest wait for a connection; an activity that gets none is tried again.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection that the functions of this crate take.
pub use sqlx::PgConnection as Connection;

/// A transaction; dropped without a commit it leaves no trace.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

/// Connections to the database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Opens connections; the first is made at once, so that a wrong address is told early.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.options([("idle_in_transaction_session_timeout", LONGEST_PAUSE)]);
        // One by hand first: the pool would try again and tell in the end that time ran out.
        options.connect().await?.close().await?;
        let pool = PgPoolOptions::new().max_connections(16).acquire_timeout(PATIENCE);
        let pool = pool.connect_with(options).await?;
        Ok(Self { pool })
    }

    /// Takes connections that are open already.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Brings the tables to this version. Safe to run from several workers at once.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        sqlx::migrate!("../migrations").run(&self.pool).await
    }

    /// Starts a transaction; dropped without a commit it leaves no trace.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(self.pool.begin().await?)
    }
}

/// Reads a word of the database into its type.
pub(crate) fn word<T>(
    column: &'static str,
    text: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    parse(text).ok_or_else(|| StoreError::UnknownWord(column, text.to_owned()))
}
