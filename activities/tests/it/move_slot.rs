//! Moving the slot of a call that waits.

use chrono::{DateTime, Utc};
use serde_json::json;
use workflows::activities::calls::{MoveSlotInput, Moved};

use crate::support::{NOW, Prospect, Service, User, at, minutes_after, talked};

fn to(slot: Option<DateTime<Utc>>) -> MoveSlotInput {
    MoveSlotInput { conversation_id: "p1-id-1".to_owned(), slot }
}

async fn waiting() -> Service {
    let service = Service::start().await;
    waits(&service).await;
    service
}

/// Puts a call there that waits.
async fn waits(service: &Service) {
    service.due_call(User::default(), Prospect::default()).await;
    service.execute("update conversations set slot = '2025-02-25T14:20:00Z'").await;
}

async fn not_moved(service: &Service, slot: Option<DateTime<Utc>>) -> String {
    match service.calls.move_slot_of(&to(slot)).await.unwrap() {
        Moved::Not { why } => why,
        Moved::To { slot } => panic!("moved to {slot}"),
    }
}

#[tokio::test]
async fn a_call_that_waits_is_moved_to_where_its_hours_allow() {
    let service = waiting().await;
    for _ in 0..2 {
        match service.calls.move_slot_of(&to(Some(minutes_after(120)))).await.unwrap() {
            Moved::To { slot } => assert_eq!(slot, minutes_after(120)),
            Moved::Not { why } => panic!("{why}"),
        }
    }
    let row =
        service.row("select slot at time zone 'UTC' as slot, status from conversations").await;
    assert_eq!(row, json!({"slot": "2025-02-25T16:00:00", "status": "SCHEDULED"}));
}

#[tokio::test]
async fn a_call_without_a_given_moment_is_moved_to_now() {
    let service = waiting().await;
    match service.calls.move_slot_of(&to(None)).await.unwrap() {
        Moved::To { slot } => assert!(slot >= at(NOW) && slot < minutes_after(1), "{slot}"),
        Moved::Not { why } => panic!("{why}"),
    }
    service.admit("p1-id-1").await;
}

#[tokio::test]
async fn a_moment_at_which_no_call_may_be_made_is_refused_with_the_reason() {
    for (slot, words) in [
        (minutes_after(-1), "is in the past"),
        (
            minutes_after(8 * 60),
            "outside calling hours; the next moment within them is \
            2025-02-26T14:00:00Z",
        ),
        (minutes_after(366 * 24 * 60), "more than a year ahead"),
    ] {
        let service = waiting().await;
        let why = not_moved(&service, Some(slot)).await;
        assert!(why.contains(words), "{why}");
        let row = service.row("select slot at time zone 'UTC' as slot from conversations").await;
        assert_eq!(row, json!({"slot": "2025-02-25T14:20:00"}));
    }
}

#[tokio::test]
async fn a_call_that_no_longer_waits_is_not_moved() {
    let service = waiting().await;
    service.execute("update conversations set slot = '2025-02-25T14:00:00Z'").await;
    service.admit("p1-id-1").await;
    assert!(not_moved(&service, None).await.contains("it is DIALING"));
    service.calls.settle(&talked("p1-id-1", 10)).await.unwrap();
    assert!(not_moved(&service, None).await.contains("it is COMPLETED"));
    service.execute("delete from conversations").await;
    assert!(not_moved(&service, None).await.contains("no longer exists"));
}

#[tokio::test]
async fn a_call_of_which_something_is_missing_is_not_moved() {
    let service = Service::start().await;
    for (change, words) in [
        ("delete from prospects", "the prospect no longer exists"),
        ("delete from users", "the user no longer exists"),
        ("delete from script_settings", "no ScriptSetting"),
        ("update subscriptions set status = 'PAUSED'", "no active subscription"),
        ("update prospects set time_zone = 'Nowhere'", "\"Nowhere\" is unknown"),
    ] {
        service.clear().await;
        waits(&service).await;
        service.execute(change).await;
        let why = not_moved(&service, Some(minutes_after(60))).await;
        assert!(why.contains(words), "{change}: {why}");
    }
}
