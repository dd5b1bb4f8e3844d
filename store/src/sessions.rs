//! The pool of database sessions: nothing in it waits without a limit.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};
use tokio::time::timeout;

use crate::OpenError;

/// Settings of every session; the first four are those of PostgreSQL, the others of its TCP connections. They win over those of the role and of the database.
const SETTINGS: [(&str, &str); 8] = [
    // A row that a user keeps locked stops one call, not a session.
    ("lock_timeout", "3s"),
    ("statement_timeout", "20s"),
    // A process that hangs must not keep rows locked.
    ("idle_in_transaction_session_timeout", "5s"),
    // A dial is `SENT` on disk before its request leaves.
    ("synchronous_commit", "on"),
    // The database gives up a client that vanished, and frees its locks.
    ("tcp_keepalives_idle", "10s"),
    ("tcp_keepalives_interval", "5s"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];
/// Settings of the session that migrates: it waits for another worker that migrates, for long statements, and while a busy
/// machine delays the next one.
const MIGRATION_SETTINGS: [(&str, &str); 3] = [
    ("lock_timeout", "0"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
];

/// The maximum time to wait for a free session.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum time to wait for a new session, and for the answer of an idle one. A session that does not answer is
/// closed: the network may have lost it without a word.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// The oldest PostgreSQL that has what the statements and constraints need, such as `nulls not distinct`.
const MIN_VERSION: i32 = 150_000;
/// How often sessions are checked until the database counts as not answering.
const CHECKS: usize = 3;
/// The maximum time for all migrations, and for other workers that migrate first.
pub(crate) const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);

pub(crate) fn session_options(options: PgConnectOptions) -> PgConnectOptions {
    options.options(SETTINGS)
}

pub(crate) fn migration_options(options: PgConnectOptions) -> PgConnectOptions {
    options.options(MIGRATION_SETTINGS)
}

/// What is wrong with a connection pooler.
const DROPPED: &str = "the sessions do not have the service's settings, such as lock_timeout: a \
    connection pooler drops them; connect to PostgreSQL itself, or give the role these settings \
    (docs/operations.md)";
const SHARED: &str = "a connection pooler gives each transaction another session; connect to \
    PostgreSQL itself, or use the pooler's session mode";
const REFUSED: &str = "a connection pooler does not take the settings of the service's sessions; connect \
    to PostgreSQL itself, or see docs/operations.md, \"PostgreSQL\"";

/// The error of a connection, in other words if it is that of a pooler.
pub(crate) fn explain(error: sqlx::Error) -> OpenError {
    let text = error.as_database_error().map(|error| error.message().to_owned());
    let text = text.unwrap_or_default();
    if text.starts_with("unsupported startup parameter") {
        OpenError::UnusableSessions(REFUSED)
    } else if text.starts_with("prepared statement") {
        OpenError::UnusableSessions(SHARED)
    } else {
        OpenError::Unreachable(error)
    }
}

/// Checks that the settings hold, and that a session is one of the server: a pooler may drop the settings, or give each
/// transaction another session.
///
/// # Errors
///
/// A pooler is in between that the service can't work with.
pub(crate) async fn check(options: &PgConnectOptions) -> Result<(), OpenError> {
    for _ in 1..CHECKS {
        match try_check(options).await {
            // A session that falls silent is replaced by another one.
            Err(OpenError::Unreachable(sqlx::Error::Io(error)))
                if error.kind() == std::io::ErrorKind::TimedOut => {}
            checked => return checked,
        }
    }
    try_check(options).await
}

async fn try_check(options: &PgConnectOptions) -> Result<(), OpenError> {
    let mut conn = within_limit(options.connect()).await?;
    let settings = "select pg_backend_pid(), current_setting('server_version_num')::int,
        current_setting('server_version'), array[current_setting('lock_timeout'),
        current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'),
        current_setting('synchronous_commit')]";
    let (before, number, version, found): (i32, i32, String, Vec<String>) =
        within_limit(sqlx::query_as(settings).fetch_one(&mut conn)).await?;
    if number < MIN_VERSION {
        return Err(OpenError::TooOld(version));
    }
    if found.iter().zip(SETTINGS).any(|(found, (_, wanted))| found != wanted) {
        return Err(OpenError::UnusableSessions(DROPPED));
    }
    // Another client takes the server's session that was used last, if there is a pooler that shares them.
    let pid = || sqlx::query_scalar::<_, i32>("select pg_backend_pid()");
    let mut other = within_limit(options.connect()).await?;
    let mut occupied = within_limit(other.begin()).await?;
    within_limit(pid().fetch_one(&mut *occupied)).await?;
    let after = within_limit(pid().fetch_one(&mut conn)).await?;
    if before == after { Ok(()) } else { Err(OpenError::UnusableSessions(SHARED)) }
}

/// Opens a pool whose sessions are checked when they are taken and when they come back.
pub(crate) async fn open_pool(
    options: PgConnectOptions,
    max_sessions: u32,
) -> Result<PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(max_sessions)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // The pool's own check has no time limit.
        .test_before_acquire(false)
        .before_acquire(|session, _| Box::pin(answers(session)))
        // An attempt that was stopped in the middle of a statement returns its session. The pool would wait for the
        // answer to that statement.
        .after_release(|session, _| Box::pin(answers(session)))
        .connect_with(options)
        .await
}

/// Opens a pool of one session, for a listener. A dead listener keeps its session until the kernel gives it up.
pub(crate) async fn open_single(options: PgConnectOptions) -> Result<PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
}

/// Waits for an answer of the database, but not for ever.
pub(crate) async fn within_limit<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(|_| Err(no_answer()))
}

pub(crate) fn no_answer() -> sqlx::Error {
    let text = format!("the database does not answer within {ANSWER_TIMEOUT:?}");
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}

/// Waits for the end of the migrations, but not for ever: the session may be dead.
pub(crate) async fn within_migration_timeout(
    migrations: impl Future<Output = Result<(), MigrateError>>,
) -> Result<(), MigrateError> {
    match timeout(MIGRATION_TIMEOUT, migrations).await {
        Ok(result) => result,
        Err(_) => {
            let text = format!(
                "they did not end within {MIGRATION_TIMEOUT:?}: another session holds the lock of the \
                migrations or of a table (see pg_stat_activity), or this session is dead; start again"
            );
            Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text)).into())
        }
    }
}

/// Sends what is pending, such as a rollback, and waits for the answer.
async fn answers(session: &mut PgConnection) -> Result<bool, sqlx::Error> {
    within_limit(session.ping()).await.map(|()| true)
}
