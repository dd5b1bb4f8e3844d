//! Sessions of the database: locks, dead connections, attempts whose time is up.

use std::time::{Duration, SystemTime};

use activities::calls::{admit, record_outcome};
use devstack::{FaultProxy, create_migrated_database};
use futures::future::join_all;
use sqlx::migrate::Migrate as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::deadline::{DeadlinePassed, run_until};
use store::{Store, StoreError};
use url::Url;

use crate::support::{Prospect, RUN, Service, TIMEOUT, User, admit_input, eventually, talked};

/// As many attempts as sessions of a worker, and some more.
const ATTEMPTS: usize = 24;
const SLEEP: &str = "select pg_sleep(600)";
/// The statement with which a session waits for the lock of the migrations.
const LOCK: &str = "SELECT pg_advisory_lock($1)";
/// The first statement that reads the applied migrations.
const READ_MIGRATIONS: &str =
    "SELECT version FROM _sqlx_migrations WHERE success = false ORDER BY version LIMIT 1";

fn after(wait: Duration) -> SystemTime {
    SystemTime::now() + wait
}

async fn statement(store: &Store, statement: &str) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await?;
    tx.commit().await
}

/// A store whose connections go through a proxy, and a direct connection.
async fn proxied_store() -> (FaultProxy, Store, PgConnection) {
    let url = create_migrated_database().await.unwrap();
    let direct = PgConnection::connect(&url).await.unwrap();
    let (proxy, store) = proxied(&url).await;
    (proxy, store, direct)
}

/// A store that reaches its database through a proxy.
async fn proxied(url: &str) -> (FaultProxy, Store) {
    let mut url = Url::parse(url).unwrap();
    let proxy = FaultProxy::start(url.port_or_known_default().unwrap()).await.unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    (proxy, Store::connect(&url.as_str().parse().unwrap(), 16).await.unwrap())
}

/// Waits until this many sessions are in `statement`.
async fn wait_for_sessions(direct: &mut PgConnection, statement: &str, count: usize) {
    eventually(TIMEOUT, "the sessions are in use", async || {
        let found: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
            where datname = current_database() and query = $1 and state = 'active'",
        )
        .bind(statement)
        .fetch_one(&mut *direct)
        .await?;
        Ok((usize::try_from(found)? >= count).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn settings_of_a_session_win_over_role_and_database() {
    let url = create_migrated_database().await.unwrap();
    let mut direct = PgConnection::connect(&url).await.unwrap();
    let database: String =
        sqlx::query_scalar("select current_database()").fetch_one(&mut direct).await.unwrap();
    for setting in ["synchronous_commit = off", "lock_timeout = 0", "statement_timeout = 0"] {
        for whose in
            [format!("database {database}"), format!("role postgres in database {database}")]
        {
            let alter = format!("alter {whose} set {setting}");
            sqlx::query(AssertSqlSafe(alter)).execute(&mut direct).await.unwrap();
        }
    }
    let store = Store::connect(&url.parse().unwrap(), 16).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for (setting, expected) in [
        ("synchronous_commit", "on"),
        ("lock_timeout", "3s"),
        ("statement_timeout", "20s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("tcp_user_timeout", "10000"),
        ("tcp_keepalives_idle", "10"),
    ] {
        let shown: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(shown, expected, "{setting}");
    }
}

#[tokio::test]
async fn store_migrates_a_database_of_a_newer_build() {
    let url = create_migrated_database().await.unwrap();
    let store = Store::connect(&url.parse().unwrap(), 16).await.unwrap();
    assert_eq!(store.migrate().await.unwrap(), [0_i64; 0]);
    let newer = "insert into _sqlx_migrations (version, description, success, checksum,
        execution_time) values (29990101000000, 'of a newer build', true, '\\x00', 1)";
    statement(&store, newer).await.unwrap();
    assert_eq!(store.migrate().await.unwrap(), [29_990_101_000_000]);
}

/// For example a worker that was killed while it migrated, and whose connection died without a word.
#[tokio::test]
async fn migrated_database_needs_no_lock_of_the_migrations() {
    let url = create_migrated_database().await.unwrap();
    let mut dead = PgConnection::connect(&url).await.unwrap();
    dead.lock().await.unwrap();
    let store = Store::connect(&url.parse().unwrap(), 16).await.unwrap();
    let migrated = tokio::time::timeout(TIMEOUT, store.migrate()).await;
    assert_eq!(migrated.unwrap().unwrap(), [0_i64; 0]);
    statement(&store, "delete from _sqlx_migrations").await.unwrap();
    let mut direct = PgConnection::connect(&url).await.unwrap();
    tokio::select! {
        migrated = store.migrate() => panic!("migrated without the lock: {migrated:?}"),
        () = wait_for_sessions(&mut direct, LOCK, 1) => {}
    }
}

/// A worker that starts while the network loses its connections.
#[tokio::test]
async fn migrations_are_read_on_another_session_if_one_falls_silent() {
    let url = create_migrated_database().await.unwrap();
    let (proxy, store) = proxied(&url).await;
    let mut direct = PgConnection::connect(&url).await.unwrap();
    let mut holder = PgConnection::connect(&url).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    let locked = "lock table _sqlx_migrations in access exclusive mode";
    sqlx::query(locked).execute(&mut *lock).await.unwrap();
    let silence = async {
        wait_for_sessions(&mut direct, READ_MIGRATIONS, 1).await;
        assert!(proxy.silence() > 0);
        lock.rollback().await.unwrap();
    };
    let migrated = tokio::time::timeout(TIMEOUT, store.migrate());
    let (migrated, ()) = tokio::join!(migrated, silence);
    assert_eq!(migrated.unwrap().unwrap(), [0_i64; 0]);
}

#[tokio::test]
async fn attempt_does_not_commit_after_its_deadline() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    let deadline = after(Duration::from_millis(500));
    let attempt = async {
        let mut tx = service.store.begin().await?;
        sqlx::query("delete from conversations").execute(&mut *tx).await?;
        // As in a process that is suspended: no timer fires meanwhile.
        while SystemTime::now() < deadline {
            std::hint::spin_loop();
        }
        tx.commit().await
    };
    let result = run_until(deadline, attempt).await;
    assert!(matches!(result, Ok(Err(StoreError::DeadlinePassed(_)))), "{result:?}");
    assert_eq!(service.rows("select id from conversations").await.len(), 1);
}

#[tokio::test]
async fn connection_for_reads_does_not_write() {
    let service = Service::start().await;
    let mut conn = service.store.read().await.unwrap();
    let written = sqlx::query("delete from users").execute(&mut *conn).await.unwrap_err();
    assert!(written.to_string().contains("read-only transaction"), "{written}");
}

#[tokio::test]
async fn attempt_is_stopped_at_its_deadline_and_its_session_ends() {
    let (_proxy, store, mut direct) = proxied_store().await;
    let attempts =
        (0..ATTEMPTS).map(|_| run_until(after(Duration::from_secs(1)), statement(&store, SLEEP)));
    for result in join_all(attempts).await {
        assert!(matches!(result, Err(DeadlinePassed)), "{result:?}");
    }
    run_until(after(Duration::from_secs(4)), statement(&store, "select 1")).await.unwrap().unwrap();
    eventually(TIMEOUT, "no statement is left", async || {
        let left: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and query = $1
            and state = 'active'",
        )
        .bind(SLEEP)
        .fetch_one(&mut direct)
        .await?;
        Ok((left == 0).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn dead_sessions_in_use_are_given_up() {
    let (proxy, store, mut direct) = proxied_store().await;
    let attempts: Vec<_> = (0..ATTEMPTS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                run_until(after(Duration::from_secs(3)), statement(&store, SLEEP)).await
            })
        })
        .collect();
    wait_for_sessions(&mut direct, SLEEP, 16).await;
    assert!(proxy.silence() >= 16);
    for attempt in join_all(attempts).await {
        attempt.unwrap().unwrap_err();
    }
    run_until(after(Duration::from_secs(5)), statement(&store, "select 1")).await.unwrap().unwrap();
}

#[tokio::test]
async fn dead_idle_sessions_are_replaced() {
    let (proxy, store, _beside) = proxied_store().await;
    let sessions = join_all((0..16).map(|_| store.begin())).await;
    drop(sessions);
    proxy.silence();
    let attempts =
        (0..16).map(|_| run_until(after(Duration::from_secs(5)), statement(&store, "select 1")));
    for attempt in join_all(attempts).await {
        attempt.unwrap().unwrap();
    }
}

#[tokio::test]
async fn dead_listener_is_noticed() {
    let (proxy, store, mut direct) = proxied_store().await;
    let mut listener = store.listen_for_suppressions().await.unwrap();
    listener.wait(Duration::ZERO).await.unwrap();
    proxy.silence();
    let wait = listener.wait(Duration::from_millis(100));
    tokio::time::timeout(Duration::from_secs(5), wait).await.unwrap().unwrap_err();

    let mut listener = store.listen_for_suppressions().await.unwrap();
    let suppress = "insert into suppressions (phone, reason) values ('+12125550142', 'asked')";
    sqlx::query(suppress).execute(&mut direct).await.unwrap();
    let notice = listener.wait(Duration::from_secs(600));
    tokio::time::timeout(TIMEOUT, notice).await.unwrap().unwrap();
}

/// Admits the call of another user while a user keeps rows locked, with attempts and retries as in Temporal.
async fn admit_beside_a_lock(service: &Service, lock: &str) {
    let mut direct = service.database.acquire().await.unwrap();
    let mut tx = direct.begin().await.unwrap();
    sqlx::query(AssertSqlSafe(lock.to_owned())).execute(&mut *tx).await.unwrap();
    let calls = (0..ATTEMPTS).map(|number| (number, format!("u1-p{number}-1")));
    let blocked = join_all(calls.map(|(number, id)| async move {
        let (admission, record) = (admit_input(&id, RUN), talked(&id, 10));
        let mut backoff = Duration::from_secs(1);
        loop {
            let attempt = async {
                // Half of the calls have been dialled, and are recorded.
                if number % 2 == 0 {
                    admit::run(&service.calls, &admission).await.is_ok()
                } else {
                    record_outcome::run(&service.calls, &record).await.is_ok()
                }
            };
            if let Ok(true) = run_until(after(Duration::from_secs(14)), attempt).await {
                return;
            }
            tokio::time::sleep(backoff).await;
            backoff *= 2;
        }
    }));
    let other = admit_input("u2-p-1", RUN);
    let other = eventually(Duration::from_secs(10), "the other call is admitted", async || {
        Ok(Some(admit::run(&service.calls, &other).await?))
    });
    tokio::select! {
        biased;
        _ = blocked => {
            // Nothing waits for this lock.
            admit::run(&service.calls, &admit_input("u2-p-1", RUN)).await.unwrap();
        }
        _ = other => {}
    }
    tx.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_that_a_user_locks_stop_no_call_of_another_user() {
    let service = Service::start().await;
    for table in [
        "users where id = 'u1'",
        "subscriptions where user_id = 'u1'",
        "prospects where user_id = 'u1'",
        "settings where user_id = 'u1'",
        "advanced_settings where setting_id = 'set-u1'",
        "script_settings where setting_id = 'set-u1'",
        "agent_settings where setting_id = 'set-u1'",
        "conversations where user_id = 'u1'",
    ] {
        service.clear().await;
        for user in ["u1", "u2"] {
            User { per_day: 100, ..User::new(user) }.insert(&service.database).await.unwrap();
        }
        for number in 0..ATTEMPTS {
            service.due_call_of(Prospect::new(format!("u1-p{number}")).of_user("u1")).await;
        }
        service.due_call_of(Prospect::new("u2-p").of_user("u2")).await;
        let lock = format!("select 1 from {table} for update");
        admit_beside_a_lock(&service, &lock).await;
    }
}
