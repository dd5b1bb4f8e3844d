//! `calls.apply_late_event`.

use activities::calls::{admit, apply_late_event, record_outcome};
use activities::failure::Failure;
use chrono::TimeDelta;
use domain::BlockReason;
use domain::ids::{ConversationId, DialId};
use domain::status::{Disposition, Outcome, Reason};
use serde_json::{Value, json};
use workflows::activities::calls::{CallRecord, LateEventInput, LateEventResult};

use crate::support::{
    NOW, Prospect, Service, User, admit_input, admitted, at, dump, minutes_after, reported, talked,
    with_summary,
};

/// A placed call with this record.
async fn recorded(record: CallRecord) -> Service {
    let service = Service::with_provider().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    service.execute("update dials set state = 'SENT', sent_at = intended_at").await;
    record_outcome::run(&service.calls, &record).await.unwrap();
    service
}

fn unanswered() -> CallRecord {
    let reason = Some(Reason::NoAnswer);
    with_summary(talked("p1-id-1", 0), |s| {
        s.outcome = Some(Outcome::NoResponse);
        s.reason = reason;
        s.answered_at = None;
        s.ended_at = None;
    })
}

fn requeued() -> CallRecord {
    CallRecord {
        disposition: Disposition::Requeued,
        never_placed: true,
        ..with_summary(unanswered(), |s| {
            s.reason = Some(Reason::NeverPlaced);
            s.outcome = None;
        })
    }
}

fn cancelled() -> CallRecord {
    let reason = Some(Reason::CancelledByOperator);
    CallRecord {
        disposition: Disposition::Cancelled,
        ..with_summary(unanswered(), |s| {
            s.reason = reason;
            s.outcome = None;
        })
    }
}

fn ended(secs: i64) -> Value {
    let answered = at(NOW) + TimeDelta::seconds(30);
    json!({"kind": "ended", "providerCallId": "provider-1", "reason": "callee_hung_up",
        "answeredAt": answered, "endedAt": answered + TimeDelta::seconds(secs)})
}

fn report(outcome: &str) -> Value {
    json!({"kind": "reported", "outcome": outcome, "time": minutes_after(24 * 60)})
}

async fn apply_late(service: &Service, event: Value) -> LateEventResult {
    hear_of(service, "p1-id-1", event).await
}

async fn hear_of(service: &Service, id: &str, event: Value) -> LateEventResult {
    let message = json!({"dialId": format!("{id}.1"), "event": event});
    let input = LateEventInput { conversation_id: ConversationId::new(id), message };
    let later = service.calls_at(minutes_after(120));
    let applied = apply_late_event::run(&later, &input).await.unwrap();
    let tables = dump(service).await;
    let again = apply_late_event::run(&later, &input).await.unwrap();
    assert_ne!(again, LateEventResult::Amended, "a repeated event changes nothing");
    assert_eq!(dump(service).await, tables);
    applied
}

async fn conversation(service: &Service) -> Value {
    let query = "select status, outcome, reason, talk_secs from conversations
        where id = 'p1-id-1'";
    service.row(query).await
}

async fn prospect(service: &Service) -> String {
    let row = service.row("select status from prospects").await;
    row["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn late_appointment_is_recorded() {
    for record in [unanswered(), requeued(), talked("p1-id-1", 240)] {
        let minutes = record.summary.talk_secs / 60;
        let service = recorded(record).await;
        assert_eq!(apply_late(&service, report("APPOINTMENT_SET")).await, LateEventResult::Amended);
        let row = conversation(&service).await;
        assert_eq!(
            (&row["status"], &row["outcome"]),
            (&json!("COMPLETED"), &json!("APPOINTMENT_SET"))
        );
        assert_eq!(prospect(&service).await, "BOOKED");
        assert_eq!(
            service
                .rows("select appointment_time at time zone 'UTC' as time from appointments")
                .await,
            [json!({"time": "2025-02-26T14:00:00"})]
        );
        assert_eq!(service.minutes_left("sub-user1-id").await, 600 - minutes);
    }
}

#[tokio::test]
async fn late_talk_is_charged_once() {
    let service = recorded(unanswered()).await;
    assert_eq!(apply_late(&service, ended(240)).await, LateEventResult::Amended);
    assert_eq!(
        conversation(&service).await,
        json!({"status": "COMPLETED", "outcome": null, "reason": "no_report", "talk_secs": 240})
    );
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -4"]);
    assert_eq!(apply_late(&service, report("NOT_INTERESTED")).await, LateEventResult::Amended);
    assert_eq!(service.minutes_left("sub-user1-id").await, 596);
}

#[tokio::test]
async fn late_talk_of_another_length_corrects_the_charge() {
    // The provider's times replace those of the user's system.
    for (first, later, entry) in [(60, 240, "correct -3"), (300, 61, "correct 3")] {
        let by_user = with_summary(talked("p1-id-1", 0), |s| {
            s.answered_at = None;
            s.ended_at = None;
            s.talk_secs = first;
        });
        let service = recorded(by_user).await;
        assert_eq!(apply_late(&service, ended(later)).await, LateEventResult::Amended);
        assert_eq!(conversation(&service).await["talk_secs"], later);
        assert_eq!(service.entries().await[3], entry);
        let minutes = (later + 59) / 60;
        assert_eq!(service.minutes_left("sub-user1-id").await, 600 - minutes);
        assert_eq!(apply_late(&service, ended(later)).await, LateEventResult::Unchanged);
        assert_eq!(service.entries().await.len(), 4);
    }
}

#[tokio::test]
async fn late_talk_without_balance_charges_nothing() {
    let service = recorded(unanswered()).await;
    service.execute(r#"UPDATE "Subscription" SET minutesLeft = 1"#).await;
    assert_eq!(apply_late(&service, ended(240)).await, LateEventResult::Amended);
    assert_eq!(service.minutes_left("sub-user1-id").await, 0);
    let entries = service.entries().await;
    for _ in 0..3 {
        record_outcome::run(&service.calls, &talked("p1-id-1", 240)).await.unwrap();
    }
    assert_eq!(service.entries().await, entries);
}

#[tokio::test]
async fn recorded_event_changes_nothing() {
    let service = recorded(reported("p1-id-1", Outcome::AppointmentSet)).await;
    let tables = dump(&service).await;
    for event in [
        ended(240),
        json!({"kind": "reported", "outcome": "APPOINTMENT_SET", "notes": "As agreed.",
            "time": minutes_after(24 * 60)}),
        json!({"kind": "started", "providerCallId": "provider-1"}),
        json!({"kind": "answered", "at": "2025-02-25T14:00:30Z"}),
        json!({"kind": "exploded"}),
        json!("nonsense"),
    ] {
        assert_eq!(
            apply_late(&service, event.clone()).await,
            LateEventResult::Unchanged,
            "{event}"
        );
    }
    assert_eq!(dump(&service).await, tables);
}

#[tokio::test]
async fn event_of_unknown_conversation_is_reported_and_of_open_one_retried() {
    let service = Service::with_provider().await;
    service.due_call(User::default(), Prospect::default()).await;
    assert_eq!(
        hear_of(&service, "unknown-1", ended(60)).await,
        LateEventResult::UnknownConversation
    );
    service.admit("p1-id-1").await;
    let message = json!({"dialId": "p1-id-1.1", "event": ended(60)});
    let input = LateEventInput { conversation_id: ConversationId::new("p1-id-1"), message };
    assert!(matches!(
        apply_late_event::run(&service.calls, &input).await,
        Err(Failure::NotRecorded(_))
    ));
    assert_eq!(conversation(&service).await["status"], "DIALING");
}

#[tokio::test]
async fn late_talk_of_a_cancelled_call_is_charged_and_it_stays_cancelled() {
    let service = recorded(cancelled()).await;
    assert_eq!(apply_late(&service, ended(90)).await, LateEventResult::Amended);
    assert_eq!(
        conversation(&service).await,
        json!({"status": "CANCELLED", "outcome": null, "reason": "cancelled_by_operator",
            "talk_secs": 90})
    );
    assert_eq!(prospect(&service).await, "INITIAL");
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -2"]);
}

#[tokio::test]
async fn late_report_of_a_cancelled_call_is_its_outcome() {
    let service = recorded(cancelled()).await;
    apply_late(&service, ended(90)).await;
    assert_eq!(apply_late(&service, report("APPOINTMENT_SET")).await, LateEventResult::Amended);
    let row = conversation(&service).await;
    assert_eq!((&row["status"], &row["outcome"]), (&json!("COMPLETED"), &json!("APPOINTMENT_SET")));
    assert_eq!(row["talk_secs"], 90);
    assert_eq!(prospect(&service).await, "BOOKED");
}

#[tokio::test]
async fn late_opt_out_outranks_every_outcome() {
    for outcome in [Outcome::AppointmentSet, Outcome::CallbackRequested, Outcome::NotInterested] {
        let service = recorded(reported("p1-id-1", outcome)).await;
        assert_eq!(apply_late(&service, report("DO_NOT_CALL")).await, LateEventResult::Amended);
        assert_eq!(conversation(&service).await["outcome"], "DO_NOT_CALL");
        assert_eq!(prospect(&service).await, "DO_NOT_CALL");
        assert_eq!(service.rows("select * from suppressions").await.len(), 1);
        assert_eq!(service.minutes_left("sub-user1-id").await, 596);
    }
}

#[tokio::test]
async fn late_callback_counts_once() {
    let service = recorded(unanswered()).await;
    assert_eq!(apply_late(&service, report("CALLBACK_REQUESTED")).await, LateEventResult::Amended);
    assert_eq!(
        service.row("select status, times_rescheduled as times from prospects").await,
        json!({"status": "RESCHEDULED", "times": 1})
    );
}

#[tokio::test]
async fn late_event_does_not_remove_known_facts() {
    let answered = at(NOW) + TimeDelta::seconds(30);
    let known = with_summary(reported("p1-id-1", Outcome::NotInterested), |s| {
        s.answered_at = Some(answered);
        s.ended_at = None;
        s.talk_secs = 60;
    });
    let service = recorded(known).await;
    apply_late(&service, report("DO_NOT_CALL")).await;
    assert_eq!(
        service
            .row("select answered_at at time zone 'UTC' as answered, talk_secs from conversations")
            .await,
        json!({"answered": "2025-02-25T14:00:30", "talk_secs": 60})
    );
}

#[tokio::test]
async fn late_end_proves_that_a_lost_dial_was_placed() {
    let service = recorded(requeued()).await;
    assert_eq!(apply_late(&service, ended(60)).await, LateEventResult::Amended);
    assert_eq!(
        service.row("select state, provider_call_id as call from dials").await,
        json!({"state": "PLACED", "call": "provider-1"})
    );
}

#[tokio::test]
async fn late_event_of_an_earlier_call_keeps_the_result_of_a_later_one() {
    for (outcome, status) in [
        (Outcome::AppointmentSet, "BOOKED"),
        (Outcome::NotInterested, "NOT_INTERESTED"),
        (Outcome::CallbackRequested, "RESCHEDULED"),
        (Outcome::DoNotCall, "DO_NOT_CALL"),
    ] {
        let service = recorded(unanswered()).await;
        let next = format!(
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            values ('p1-id-2', 'user1-id', 'p1-id', 2, '{NOW}', 'next')"
        );
        service.execute(next).await;
        service.execute("update prospects set next_call_at = null").await;
        service.admit("p1-id-2").await;
        let sent = "update dials set state = 'SENT', sent_at = intended_at
            where conversation_id = 'p1-id-2'";
        service.execute(sent).await;
        record_outcome::run(&service.calls, &reported("p1-id-2", outcome)).await.unwrap();
        let before = service.row("select status, rescheduled_for from prospects").await;
        apply_late(&service, ended(60)).await;
        assert_eq!(prospect(&service).await, status);
        assert_eq!(service.row("select status, rescheduled_for from prospects").await, before);
    }
}

#[tokio::test]
async fn repeated_late_report_does_not_undo_a_later_change() {
    let service = recorded(unanswered()).await;
    apply_late(&service, report("CALLBACK_REQUESTED")).await;
    service.execute("update prospects set status = 'NOT_INTERESTED'").await;
    apply_late(&service, report("CALLBACK_REQUESTED")).await;
    assert_eq!(prospect(&service).await, "NOT_INTERESTED");
}

#[tokio::test]
async fn late_report_that_supersedes_another_is_applied_once() {
    let service = recorded(reported("p1-id-1", Outcome::AppointmentSet)).await;
    let event = json!({"kind": "reported", "outcome": "DO_NOT_CALL", "notes": "Very angry."});
    assert_eq!(apply_late(&service, event).await, LateEventResult::Amended);
    let notes = service.row("select notes from conversations").await;
    assert_eq!(notes, json!({"notes": "Very angry.\nalso reported: APPOINTMENT_SET"}));
}

#[tokio::test]
async fn late_event_of_an_earlier_dial_is_not_charged_to_a_later_one() {
    let service = recorded(unanswered()).await;
    let later = service.calls_at(minutes_after(10));
    assert_eq!(
        admitted(admit::run(&later, &admit_input("p1-id-1", "run-2")).await.unwrap()).dial_id,
        "p1-id-1.2"
    );
    service
        .execute("update dials set state = 'SENT', sent_at = intended_at where sequence = 2")
        .await;
    let talk = CallRecord {
        dial_id: Some(DialId::new("p1-id-1.2")),
        ..with_summary(reported("p1-id-1", Outcome::NotInterested), |s| {
            s.answered_at = Some(minutes_after(11));
            s.ended_at = Some(minutes_after(15));
        })
    };
    // Late events of the first dial do not affect the second, live one.
    let stale = reported("p1-id-1", Outcome::AppointmentSet);
    record_outcome::run(&later, &stale).await.unwrap();
    let live = service.row("select closed_at, state from dials where sequence = 2").await;
    assert_eq!(live, json!({"closed_at": null, "state": "SENT"}));
    record_outcome::run(&later, &talk).await.unwrap();
    // The event names the first dial: its talk is charged, and the outcome stays.
    assert_eq!(apply_late(&service, ended(60)).await, LateEventResult::Amended);
    let first = "select sum(minutes) as minutes from minute_ledger
        where dial_id = 'p1-id-1.1' and kind in ('charge', 'correct')";
    assert_eq!(service.row(first).await, json!({"minutes": -1}));
    let second = "select sum(minutes) as minutes from minute_ledger
        where dial_id = 'p1-id-1.2' and kind in ('charge', 'correct')";
    assert_eq!(service.row(second).await, json!({"minutes": -4}));
    assert_eq!(conversation(&service).await["talk_secs"], 240);
}

#[tokio::test]
async fn late_talk_starts_the_cool_down() {
    let service = recorded(requeued()).await;
    assert_eq!(apply_late(&service, ended(60)).await, LateEventResult::Amended);
    let planned = service.plan("next", "user1-id", minutes_after(150)).await;
    assert_eq!((planned.calls.len(), planned.skipped[&BlockReason::CoolingDown]), (0, 1));
}

#[tokio::test]
async fn opt_out_on_an_earlier_dial_is_kept() {
    let service = recorded(unanswered()).await;
    let later = service.calls_at(minutes_after(10));
    admitted(admit::run(&later, &admit_input("p1-id-1", "run-2")).await.unwrap());
    service.execute("update dials set state = 'SENT', sent_at = intended_at").await;
    let dial_id = Some(DialId::new("p1-id-1.2"));
    record_outcome::run(&later, &CallRecord { dial_id, ..unanswered() }).await.unwrap();
    assert_eq!(apply_late(&service, report("DO_NOT_CALL")).await, LateEventResult::Amended);
    assert_eq!(service.rows("select phone from suppressions").await.len(), 1);
    let status = service.row("select status from prospects").await;
    assert_eq!(status, json!({"status": "DO_NOT_CALL"}));
}

/// After a reset, a run without a dial records an event of the user's system again.
#[tokio::test]
async fn run_without_dial_does_not_change_a_recorded_call() {
    let service = recorded(reported("p1-id-1", Outcome::CallbackRequested)).await;
    let tables = dump(&service).await;
    let ignorant = CallRecord { dial_id: None, ..unanswered() };
    record_outcome::run(&service.calls, &ignorant).await.unwrap();
    assert_eq!(dump(&service).await, tables);
    // An opt-out is the exception: it was answered with 2xx and is kept.
    let opt_out = CallRecord { dial_id: None, ..reported("p1-id-1", Outcome::DoNotCall) };
    record_outcome::run(&service.calls, &opt_out).await.unwrap();
    assert_eq!(service.rows("select phone from suppressions").await.len(), 1);
    let status = service.row("select status from prospects").await;
    assert_eq!(status, json!({"status": "DO_NOT_CALL"}));
}

#[tokio::test]
async fn opt_out_deletes_an_earlier_appointment() {
    let service = recorded(reported("p1-id-1", Outcome::AppointmentSet)).await;
    assert_eq!(service.rows("select * from appointments").await.len(), 1);
    assert_eq!(apply_late(&service, report("DO_NOT_CALL")).await, LateEventResult::Amended);
    assert_eq!(service.rows("select * from appointments").await, Vec::<Value>::new());
}
