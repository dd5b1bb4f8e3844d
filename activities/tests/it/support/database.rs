//! Databases with our tables, one for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use devstack::Postgres;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::Store;
use tokio::sync::OnceCell;

/// The address of a new database with empty tables.
///
/// The migrations run once; every other database is a copy.
pub async fn fresh_tables() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let server = Postgres::shared().await.unwrap();
    let template = TEMPLATE.get_or_init(|| migrated(server)).await;
    let name = format!("{template}_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let copy = format!("create database {name} template {template}");
    sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    server.url(&name)
}

/// The name of a database with our tables, to which nobody is connected.
async fn migrated(server: &Postgres) -> String {
    let url = server.fresh_database("activities").await.unwrap();
    let pool = PgPoolOptions::new().connect(&url).await.unwrap();
    Store::new(pool.clone()).migrate().await.unwrap();
    pool.close().await;
    url.rsplit('/').next().unwrap().to_owned()
}
