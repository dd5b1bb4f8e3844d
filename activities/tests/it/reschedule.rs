//! `calls.reschedule`.

use activities::calls::{admit, record_outcome, reschedule};
use chrono::{DateTime, Utc};
use domain::ids::ConversationId;
use serde_json::json;
use workflows::activities::calls::{RescheduleInput, RescheduleResult};

use crate::support::{NOW, Prospect, RUN, Service, User, admit_input, at, minutes_after, talked};

fn to(slot: Option<DateTime<Utc>>) -> RescheduleInput {
    RescheduleInput { conversation_id: ConversationId::new("p1-id-1"), slot }
}

async fn waiting() -> Service {
    let service = Service::start().await;
    waits(&service).await;
    service
}

/// Inserts a waiting call.
async fn waits(service: &Service) {
    service.due_call(User::default(), Prospect::default()).await;
    service.execute("update conversations set slot = '2025-02-25T14:20:00Z'").await;
}

async fn rejected(service: &Service, slot: Option<DateTime<Utc>>) -> String {
    match reschedule::run(&service.calls, &to(slot)).await.unwrap() {
        RescheduleResult::Rejected { detail } => detail,
        RescheduleResult::Rescheduled { slot } => panic!("moved to {slot}"),
    }
}

#[tokio::test]
async fn waiting_call_is_rescheduled_within_its_hours() {
    let service = waiting().await;
    for _ in 0..2 {
        match reschedule::run(&service.calls, &to(Some(minutes_after(120)))).await.unwrap() {
            RescheduleResult::Rescheduled { slot } => assert_eq!(slot, minutes_after(120)),
            RescheduleResult::Rejected { detail } => panic!("{detail}"),
        }
    }
    let row =
        service.row("select slot at time zone 'UTC' as slot, status from conversations").await;
    assert_eq!(row, json!({"slot": "2025-02-25T16:00:00", "status": "SCHEDULED"}));
}

#[tokio::test]
async fn repeated_reschedule_gets_the_same_answer_after_its_slot() {
    let service = waiting().await;
    let slot = minutes_after(1);
    let later = service.calls_at(minutes_after(2));
    for calls in [&service.calls, &later] {
        match reschedule::run(calls, &to(Some(slot))).await.unwrap() {
            RescheduleResult::Rescheduled { slot: moved } => assert_eq!(moved, slot),
            RescheduleResult::Rejected { detail } => panic!("{detail}"),
        }
    }
    admit::run(&later, &admit_input("p1-id-1", RUN)).await.unwrap();
    match reschedule::run(&later, &to(Some(slot))).await.unwrap() {
        RescheduleResult::Rescheduled { slot: moved } => assert_eq!(moved, slot),
        RescheduleResult::Rejected { detail } => panic!("{detail}"),
    }
}

#[tokio::test]
async fn reschedule_without_a_slot_moves_to_now() {
    let service = waiting().await;
    match reschedule::run(&service.calls, &to(None)).await.unwrap() {
        RescheduleResult::Rescheduled { slot } => {
            assert!(slot >= at(NOW) && slot < minutes_after(1), "{slot}")
        }
        RescheduleResult::Rejected { detail } => panic!("{detail}"),
    }
    service.admit("p1-id-1").await;
}

#[tokio::test]
async fn slot_outside_hours_is_rejected_with_the_reason() {
    for (slot, words) in [
        (minutes_after(-1), "is in the past"),
        (
            minutes_after(8 * 60),
            "outside calling hours; the next allowed time is \
            2025-02-26T14:00:00Z",
        ),
        (minutes_after(366 * 24 * 60), "more than a year ahead"),
    ] {
        let service = waiting().await;
        let detail = rejected(&service, Some(slot)).await;
        assert!(detail.contains(words), "{detail}");
        let row = service.row("select slot at time zone 'UTC' as slot from conversations").await;
        assert_eq!(row, json!({"slot": "2025-02-25T14:20:00"}));
    }
}

#[tokio::test]
async fn call_that_no_longer_waits_is_not_rescheduled() {
    let service = waiting().await;
    service.execute("update conversations set slot = '2025-02-25T14:00:00Z'").await;
    service.admit("p1-id-1").await;
    assert!(rejected(&service, None).await.contains("status is DIALING"));
    record_outcome::run(&service.calls, &talked("p1-id-1", 10)).await.unwrap();
    assert!(rejected(&service, None).await.contains("status is COMPLETED"));
    service.execute("delete from conversations").await;
    assert!(rejected(&service, None).await.contains("no longer exists"));
}

#[tokio::test]
async fn call_with_deleted_rows_is_not_rescheduled() {
    let service = Service::start().await;
    for (change, words) in [
        ("delete from prospects", "the prospect no longer exists"),
        ("delete from users", "The user no longer exists"),
        ("delete from script_settings", "no ScriptSetting"),
        ("update subscriptions set status = 'PAUSED'", "no active subscription"),
        ("update prospects set time_zone = 'Nowhere'", "\"Nowhere\" is unknown"),
    ] {
        service.clear().await;
        waits(&service).await;
        service.execute(change).await;
        let detail = rejected(&service, Some(minutes_after(60))).await;
        assert!(detail.contains(words), "{change}: {detail}");
    }
}
