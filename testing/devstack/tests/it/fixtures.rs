use devstack::fixtures::{Prospect, User};
use sqlx::PgPool;

#[tokio::test]
async fn fixtures_in_a_migrated_database_are_rows_of_the_users_views() {
    let database =
        PgPool::connect(&devstack::create_migrated_database().await.unwrap()).await.unwrap();
    User { minutes: 5, ..User::new("u") }.insert(&database).await.unwrap();
    let prospect = Prospect::new("p").of_user("u").phone_ending(212, 7);
    prospect.callback_at("2025-02-25T15:00:00Z").insert(&database).await.unwrap();

    let row: (String, String, i32) = sqlx::query_as(
        r#"SELECT p.phone, p.status::text, s.minutesLeft
        FROM "Prospect" p JOIN "Subscription" s ON s.userId = p.userId"#,
    )
    .fetch_one(&database)
    .await
    .unwrap();
    assert_eq!(row, ("+12125550107".to_owned(), "RESCHEDULED".to_owned(), 5));
}
