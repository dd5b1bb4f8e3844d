use devstack::Postgres;
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn what_was_committed_is_there_after_a_kill_and_a_restart() {
    let mut postgres = Postgres::throw_away().await.unwrap();
    let url = postgres.create_database("books").await.unwrap();
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
async fn the_shared_server_gives_every_test_a_database_of_its_own() {
    let postgres = Postgres::shared().await.unwrap();
    let (first, second) =
        tokio::try_join!(postgres.fresh_database("own"), postgres.fresh_database("own")).unwrap();
    assert_ne!(first, second);
    for url in [first, second] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("create table mine ()").execute(&mut connection).await.unwrap();
        let encoding: String =
            sqlx::query_scalar("show server_encoding").fetch_one(&mut connection).await.unwrap();
        assert_eq!(encoding, "UTF8");
    }
}
