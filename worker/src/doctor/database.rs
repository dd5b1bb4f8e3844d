//! Checks of PostgreSQL.

use anyhow::Result;
use chrono::Utc;
use store::Store;
use store::server::MigrationState;

use super::Report;
use crate::config::DatabaseConfig;

/// Sessions that are left for other clients, such as `psql`.
const SPARE_SESSIONS: i64 = 5;

/// Checks the server and the tables. Returns whether the tables can be read.
pub(super) async fn check(
    config: &DatabaseConfig,
    store: &Store,
    report: &mut Report,
) -> Result<bool> {
    let url = config.url()?;
    let state = store.server_state().await?;
    report.compare_clock("PostgreSQL", state.now, Utc::now());
    if state.is_read_only {
        report.fail(
            "the server is read-only: it is a replica, or default_transaction_read_only is on; set \
            DATABASE_URL to the primary server",
        );
    }
    for setting in &state.unsafe_settings {
        report.fail(format!(
            "{setting}: a crash of the machine loses rows that were committed, so that a phone may \
            ring twice; set it to on in postgresql.conf"
        ));
    }
    if !url.is_local() && !store.is_encrypted().await? {
        report.warn(
            "DATABASE_URL leads to another machine without TLS: names, numbers and transcripts are \
            readable on the way; add ?sslmode=verify-full",
        );
    }
    let wanted = i64::from(config.database_max_connections);
    if wanted + SPARE_SESSIONS > i64::from(state.max_sessions) {
        report.fail(format!(
            "the worker may open {wanted} connections (DATABASE_MAX_CONNECTIONS), but the server \
            takes {} of this role; lower it, or raise max_connections of the server",
            state.max_sessions
        ));
    } else if state.other_sessions + SPARE_SESSIONS > i64::from(state.max_sessions) {
        report.warn(format!(
            "{} of the server's {} connections are in use; raise its max_connections, or lower \
            DATABASE_MAX_CONNECTIONS of the workers",
            state.other_sessions, state.max_sessions
        ));
    }
    if !state.missing_rights.is_empty() {
        report.fail(format!(
            "the role {} lacks rights: {}; grant them as the owner of the tables, or with `worker \
            migrate --grant-to {}`",
            state.role,
            shorten(&state.missing_rights),
            state.role
        ));
    }
    let migrations = store.migration_state().await?;
    let is_migrated = check_migrations(&migrations, state.can_create, report);
    if report.findings.is_empty() {
        report.ok(format!(
            "PostgreSQL {} at {}, {} migrations, {} of {} connections in use",
            state.version,
            url.server(),
            migrations.total,
            state.other_sessions,
            state.max_sessions
        ));
    }
    let can_read = !state.missing_rights.iter().any(|right| right.starts_with("select "));
    Ok(is_migrated && can_read && !state.is_read_only)
}

/// Checks the migrations. Returns whether all are applied.
fn check_migrations(state: &MigrationState, can_create: bool, report: &mut Report) -> bool {
    if let Some(failed) = state.failed {
        report.fail(format!(
            "the migration {failed} was interrupted; restore the database from before it, or finish \
            it by hand (docs/operations.md, \"PostgreSQL\")"
        ));
    }
    if !state.changed.is_empty() {
        report.fail(format!(
            "the migrations {:?} were applied with another text than this build has; use the build \
            that migrated the database, or another database",
            state.changed
        ));
    }
    if !state.unknown.is_empty() {
        report.warn(format!(
            "the migrations {:?} are of a newer build; run a worker of that build",
            state.unknown
        ));
    }
    match (&state.pending[..], can_create) {
        ([], _) => {}
        (pending, true) => report.warn(format!(
            "{} of {} migrations are not applied; `worker migrate` or the start of a worker applies \
            them",
            pending.len(),
            state.total
        )),
        (pending, false) => report.fail(format!(
            "{} of {} migrations are not applied, and this role may not create tables; run `worker \
            migrate` as the owner of the schema",
            pending.len(),
            state.total
        )),
    }
    state.failed.is_none() && state.pending.is_empty()
}

/// The first items of a list.
fn shorten(items: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = items.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
