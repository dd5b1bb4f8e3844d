//! `worker suppress`, and what the table of suppressions takes.

use std::fmt::Write as _;

use domain::ids::UserId;
use serde_json::json;
use worker::csv_file::CsvFile;
use worker::import::ImportError;
use worker::suppress::{SuppressOptions, Suppressed, suppress};

use crate::support::{Service, User};

async fn suppressed(
    service: &Service,
    file: &str,
    user_id: Option<&UserId>,
) -> Result<Suppressed, ImportError> {
    let file = CsvFile::parse(file.as_bytes())?;
    let options = SuppressOptions { user_id, region: "US", reason: "a letter", dry_run: false };
    suppress(&service.store, &file, &options, |_| {}).await
}

#[tokio::test]
async fn list_or_table_of_numbers_is_suppressed() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    let list = "(212) 555-0100\n+12125550101\n212.555.0100\nnobody\n212-555-0102 x7\n";
    let done = suppressed(&service, list, None).await.unwrap();
    assert_eq!((done.inserted, done.known, done.skipped.len()), (2, 1, 2));
    assert_eq!((done.skipped[0].line, done.skipped[1].line), (4, 5));
    let user = UserId::new("user1-id");
    let table = "name;Phone\nAnn;2125550100\nBen;+4930555010\n";
    let done = suppressed(&service, table, Some(&user)).await.unwrap();
    assert_eq!((done.inserted, done.known, done.skipped.len()), (2, 0, 0));
    let rows = service.rows("select user_id, phone, reason from suppressions order by id").await;
    assert_eq!(
        rows,
        [
            json!({"user_id": null, "phone": "+12125550100", "reason": "a letter"}),
            json!({"user_id": null, "phone": "+12125550101", "reason": "a letter"}),
            json!({"user_id": "user1-id", "phone": "+12125550100", "reason": "a letter"}),
            json!({"user_id": "user1-id", "phone": "+4930555010", "reason": "a letter"}),
        ]
    );
    for (file, user, words) in [
        ("a,b\n1,2\n", None, "`phone` among them"),
        ("2125550100\n", Some(UserId::new("nobody")), "no user \"nobody\""),
    ] {
        let error = suppressed(&service, file, user.as_ref()).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn long_list_is_suppressed_at_once() {
    let service = Service::start().await;
    let mut list = String::new();
    (0..12_000).for_each(|n| writeln!(list, "+1212{:07}", 2_000_000 + n).unwrap());
    let done = suppressed(&service, &list, None).await.unwrap();
    assert_eq!((done.inserted, done.known, done.skipped.len()), (12_000, 0, 0));
}

/// A row that matches no number or no user would protect nobody.
#[tokio::test]
async fn suppression_that_would_match_nobody_is_refused_with_a_hint() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    let insert = async |user: Option<&str>, phone: &str| {
        sqlx::query("insert into suppressions (user_id, phone, reason) values ($1, $2, 'test')")
            .bind(user)
            .bind(phone)
            .execute(&service.database)
            .await
    };
    for phone in [
        "(212) 555-0123",
        "2125550124",
        " +12125550125",
        "+12125550126\n",
        "1-212-555-0127",
        "+1 212.555.0128",
        "0049 30 555010",
        "+49 (30) 555011",
        "\u{a0}+12125550129\t",
        "+1234567890",
    ] {
        insert(None, phone).await.unwrap_or_else(|error| panic!("{phone:?}: {error}"));
    }
    for phone in [
        "",
        " ",
        "letters",
        "555-0123",
        "+1",
        "+0125550123",
        "+1234567890123456",
        "0301234567",
        "1125550123",
        "+12125550123 x5",
        "+12125550123 ext. 5",
        "tel:+12125550123",
        "+1２125550123",
        "+12125550123;+12125550124",
        "00",
        "011 44 20 7946 0000",
        "12125550123456",
        "+1\n2125550123",
    ] {
        let error = insert(None, phone).await.err().unwrap_or_else(|| panic!("{phone:?} is taken"));
        assert!(error.to_string().contains("is no telephone number"), "{phone:?}: {error}");
    }
    insert(Some("user1-id"), "+12125550123").await.unwrap();
    let error = insert(Some("user9-id"), "+12125550123").await.unwrap_err().to_string();
    assert!(error.contains("'user9-id' is the id of no user"), "{error}");
    let update = sqlx::query("update suppressions set phone = 'gone'").execute(&service.database);
    assert!(update.await.is_err());
}
