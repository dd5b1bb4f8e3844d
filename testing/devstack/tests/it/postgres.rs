use devstack::Postgres;
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn committed_rows_survive_kill_and_restart() {
    let mut postgres = Postgres::start_temporary().await.unwrap();
    let url = postgres.create_database("notes").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("create table notes (text text); insert into notes values ('kept')")
        .execute(&mut connection)
        .await
        .unwrap();

    postgres.kill9().await.unwrap();
    postgres.restart().await.unwrap();

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let text: String =
        sqlx::query_scalar("select text from notes").fetch_one(&mut connection).await.unwrap();
    assert_eq!(text, "kept");
}

#[tokio::test]
async fn unique_databases_of_shared_server_are_distinct() {
    let postgres = Postgres::shared().await.unwrap();
    let (first, second) = tokio::try_join!(
        postgres.create_unique_database("own"),
        postgres.create_unique_database("own")
    )
    .unwrap();
    assert_ne!(first, second);
    for url in [first, second] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("create table t ()").execute(&mut connection).await.unwrap();
        let encoding: String =
            sqlx::query_scalar("show server_encoding").fetch_one(&mut connection).await.unwrap();
        assert_eq!(encoding, "UTF8");
    }
}
