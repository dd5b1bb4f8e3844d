//! What a user deletes, and when.

use activities::calls::record_outcome;
use domain::status::Outcome;
use serde_json::json;

use crate::support::{Prospect, Service, User, reported, talked};

#[tokio::test]
async fn deleted_rows_do_not_prevent_the_record() {
    let service = Service::start().await;
    for (change, status) in [
        ("delete from prospects", "COMPLETED"),
        ("delete from users", "COMPLETED"),
        ("delete from subscriptions", "COMPLETED"),
    ] {
        service.place_call().await;
        service.execute(change).await;
        for _ in 0..2 {
            record_outcome::run(&service.calls, &reported("p1-id-1", Outcome::AppointmentSet))
                .await
                .unwrap();
        }
        let row = service.row("select status from conversations").await;
        assert_eq!(row, json!({"status": status}), "{change}");
    }
}

#[tokio::test]
async fn conversation_deleted_before_the_request_releases_its_minutes() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    service.execute(r#"DELETE FROM "Conversation""#).await;
    record_outcome::run(&service.calls, &talked("p1-id-1", 0)).await.unwrap();
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);
}

/// Otherwise its phone could be dialled again while it rings.
#[tokio::test]
async fn live_call_is_deleted_only_once_it_is_over() {
    let service = Service::with_placed_call().await;
    for state in ["SENT", "PLACED"] {
        service.execute(format!("update dials set state = '{state}'")).await;
        for delete in
            [r#"DELETE FROM "Conversation""#, "delete from conversations", "delete from dials"]
        {
            let error = service.try_execute(delete).await.unwrap_err().to_string();
            assert!(
                error.contains("the call of conversation p1-id-1 is live"),
                "{delete}: {error}"
            );
        }
    }
    record_outcome::run(&service.calls, &talked("p1-id-1", 10)).await.unwrap();
    assert_eq!(service.execute(r#"DELETE FROM "Conversation""#).await, 1);
}

#[tokio::test]
async fn opt_out_counts_although_its_conversation_was_deleted() {
    let service = Service::with_placed_call().await;
    record_outcome::run(&service.calls, &talked("p1-id-1", 10)).await.unwrap();
    service.execute(r#"DELETE FROM "Conversation""#).await;
    let other = reported("p1-id-1", Outcome::NotInterested);
    record_outcome::run(&service.calls, &other).await.unwrap();
    assert_eq!(service.row("select status from prospects").await["status"], "NOT_RESPONDED");
    for _ in 0..2 {
        let opt_out = reported("p1-id-1", Outcome::DoNotCall);
        record_outcome::run(&service.calls, &opt_out).await.unwrap();
        let rows = "select p.status, s.user_id, s.phone, s.conversation_id from prospects p
            join suppressions s on s.phone = p.phone";
        let expected = json!({"status": "DO_NOT_CALL", "user_id": "user1-id",
            "phone": "+1234567890", "conversation_id": "p1-id-1"});
        assert_eq!(service.row(rows).await, expected);
    }
}
