//! The state of the database server, for checks of an installation.

use chrono::{DateTime, Utc};
use sqlx::migrate::{AppliedMigration, Migrate as _};

use crate::{OpenError, Store, StoreError};

/// What the service's session finds at the server.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// The version, as 16.4.
    pub version: String,
    pub role: String,
    /// Whether the server or the role can't write.
    pub is_read_only: bool,
    /// Settings that lose committed rows when the machine crashes, as `fsync = off`.
    pub unsafe_settings: Vec<String>,
    /// The sessions that this role may open in total.
    pub max_sessions: i32,
    /// The open sessions of all clients, without this one.
    pub other_sessions: i64,
    /// The server's clock.
    pub now: DateTime<Utc>,
    /// Whether the role may create tables in the schema, as migrations do.
    pub can_create: bool,
    /// Rights on tables that the role lacks, as `update on dials`.
    pub missing_rights: Vec<String>,
}

/// How the migrations of this build compare to those of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationState {
    /// The number of migrations of this build.
    pub total: usize,
    /// Not applied yet.
    pub pending: Vec<i64>,
    /// Applied by a build that this one does not know.
    pub unknown: Vec<i64>,
    /// Applied with another text.
    pub changed: Vec<i64>,
    /// Interrupted in the middle.
    pub failed: Option<i64>,
}

impl Store {
    /// Reads the state of the server.
    pub async fn server_state(&self) -> Result<ServerState, StoreError> {
        let mut conn = self.read().await?;
        let row = sqlx::query!(
            r#"select current_setting('server_version') as "version!", current_user::text as "role!",
                pg_is_in_recovery() or (select setting = 'on' from pg_settings
                    where name = 'default_transaction_read_only') as "is_read_only!",
                array(select name || ' = off' from pg_settings
                    where name in ('fsync', 'full_page_writes') and setting = 'off') as "unsafe_settings!",
                least(
                    (select sum(case name when 'max_connections' then setting::int else -setting::int end)
                        from pg_settings where name in ('max_connections',
                            'superuser_reserved_connections', 'reserved_connections')),
                    (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user),
                    (select nullif(datconnlimit, -1) from pg_database where datname = current_database())
                )::int as "max_sessions!",
                (select count(*) from pg_stat_activity where backend_type = 'client backend'
                    and pid <> pg_backend_pid()) as "other_sessions!",
                clock_timestamp() as "now!",
                coalesce(has_schema_privilege(current_schema(), 'create'),
                    has_database_privilege(current_database(), 'create')) as "can_create!",
                array(select r || ' on ' || c.relname
                    from pg_class c, unnest(array['select', 'insert', 'update', 'delete']) r
                    where c.relnamespace = to_regnamespace(current_schema()) and c.relkind = 'r'
                        and (c.relname <> '_sqlx_migrations' or r = 'select')
                        and not has_table_privilege(c.oid, r)
                    order by c.relname, r) as "missing_rights!: Vec<String>""#
        )
        .fetch_one(&mut *conn)
        .await?;
        Ok(ServerState {
            version: row.version.split_whitespace().next().unwrap_or_default().to_owned(),
            role: row.role,
            is_read_only: row.is_read_only,
            unsafe_settings: row.unsafe_settings,
            max_sessions: row.max_sessions,
            other_sessions: row.other_sessions,
            now: row.now,
            can_create: row.can_create,
            missing_rights: row.missing_rights,
        })
    }

    /// Compares the migrations of this build to those of the database, and changes nothing.
    pub async fn migration_state(&self) -> Result<MigrationState, OpenError> {
        let migrator = sqlx::migrate!("../migrations");
        let mut conn = self.pool.acquire().await?;
        let exists = "select to_regclass('_sqlx_migrations') is not null";
        let exists: bool = sqlx::query_scalar(exists).fetch_one(&mut *conn).await?;
        let mut state = MigrationState { total: migrator.iter().count(), ..Default::default() };
        let mut applied = Vec::new();
        if exists {
            state.failed = conn.dirty_version(&migrator.table_name).await?;
            applied = conn.list_applied_migrations(&migrator.table_name).await?;
        }
        for migration in migrator.iter() {
            let known = |applied: &&AppliedMigration| applied.version == migration.version;
            match applied.iter().find(known) {
                None => state.pending.push(migration.version),
                Some(applied) if applied.checksum != migration.checksum => {
                    state.changed.push(migration.version);
                }
                Some(_) => {}
            }
        }
        let versions = applied.iter().map(|migration| migration.version);
        state.unknown = versions.filter(|version| !migrator.version_exists(*version)).collect();
        Ok(state)
    }

    /// Lets a role use the tables of the service without owning them: a worker that applies no migrations needs no
    /// right to create tables.
    ///
    /// # Errors
    ///
    /// The role does not exist, or this one may not grant.
    pub async fn grant_to(&self, role: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // `format` quotes the name.
        let grants = sqlx::query_scalar!(
            r#"select format(statement, current_schema(), $1::text) as "grant!" from unnest(array[
                'grant usage on schema %1$I to %2$I',
                'grant select, insert, update, delete on all tables in schema %1$I to %2$I',
                'grant execute on all functions in schema %1$I to %2$I',
                'revoke insert, update, delete on _sqlx_migrations from %2$I'
            ]) statement"#,
            role
        )
        .fetch_all(&mut *tx)
        .await?;
        for grant in grants {
            sqlx::raw_sql(sqlx::AssertSqlSafe(grant)).execute(&mut *tx).await?;
        }
        tx.commit().await
    }
}
