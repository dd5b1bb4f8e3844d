//! `calls.apply_late_event`.

use activities::calls::{admit, apply_late_event, record_outcome};
use chrono::TimeDelta;
use domain::BlockReason;
use domain::call_log::RunEnd;
use domain::facts::DialEvent;
use domain::ids::ConversationId;
use domain::report::{Report, ReportSource, ReportedOutcome};
use domain::status::Outcome;
use serde_json::{Value, json};
use workflows::activities::calls::{LateEventInput, LateEventResult, RecordInput};

use crate::support::{
    self, NOW, Prospect, RUN, Service, User, admit_input, admitted, at, dump, minutes_after,
    reported, run_ended, said, said_of, talk, talked,
};

/// A placed call with this record.
async fn recorded(record: RecordInput) -> Service {
    let service = Service::with_provider().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    service.execute("update dials set state = 'SENT', sent_at = intended_at").await;
    record_outcome::run(&service.calls, &record).await.unwrap();
    service
}

fn unanswered() -> RecordInput {
    support::unanswered("p1-id-1")
}

fn never_placed() -> RecordInput {
    said("p1-id-1", [DialEvent::NeverPlaced])
}

/// Cancelled, and its longest possible end has passed.
fn cancelled() -> RecordInput {
    run_ended("p1-id-1", true, RunEnd::Cancelled)
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
    for (record, minutes) in [(unanswered(), 0), (never_placed(), 0), (talked("p1-id-1", 240), 4)] {
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
async fn times_of_the_provider_correct_the_charge_by_the_word_of_the_users_system() {
    for (first, later, entry) in [(60, 240, "correct -3"), (300, 61, "correct 3")] {
        let completed = DialEvent::Completed { talk_secs: Some(first) };
        let service = recorded(said_of(None, "p1-id-1", [completed])).await;
        // The longest possible end passes without an event of the provider.
        let expired = service.calls_at(minutes_after(60));
        let nothing = RecordInput::new(ConversationId::new("p1-id-1"));
        record_outcome::run(&expired, &nothing).await.unwrap();
        assert_eq!(apply_late(&service, ended(later)).await, LateEventResult::Amended);
        assert_eq!(conversation(&service).await["talk_secs"], later);
        assert_eq!(service.entries().await[3], entry);
        let minutes = (later + 59) / 60;
        assert_eq!(service.minutes_left("sub-user1-id").await, 600 - minutes);
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
    apply_late(&service, json!({"kind": "started", "providerCallId": "provider-1"})).await;
    let tables = dump(&service).await;
    for event in [
        ended(240),
        json!({"kind": "reported", "outcome": "APPOINTMENT_SET", "notes": "As agreed.",
            "time": minutes_after(24 * 60)}),
        json!({"kind": "started", "providerCallId": "provider-1"}),
        json!({"kind": "answered", "at": "2025-02-25T14:00:30Z"}),
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
async fn event_of_an_open_conversation_without_workflow_is_recorded_at_once() {
    let service = Service::with_provider().await;
    service.due_call(User::default(), Prospect::default()).await;
    assert_eq!(
        hear_of(&service, "unknown-1", ended(60)).await,
        LateEventResult::UnknownConversation
    );
    let word = json!({"kind": "completed", "report": {"outcome": "DO_NOT_CALL"}});
    // A deleted conversation; only the user of its prospect may say something of it.
    for (user, suppressed) in [("user2-id", 0), ("user1-id", 1)] {
        let message = json!({"userId": user, "event": word});
        let input = LateEventInput { conversation_id: ConversationId::new("p1-id-7"), message };
        let applied = apply_late_event::run(&service.calls, &input).await.unwrap();
        assert_eq!(applied, LateEventResult::UnknownConversation);
        assert_eq!(service.rows("select phone from suppressions").await.len(), suppressed);
    }
    service.execute("delete from suppressions").await;
    service.execute("update prospects set status = 'INITIAL'").await;
    let message = json!({"userId": "user1-id", "event": word});
    let input = LateEventInput { conversation_id: ConversationId::new("p1-id-1"), message };
    let applied = apply_late_event::run(&service.calls, &input).await.unwrap();
    assert_eq!(applied, LateEventResult::Amended);
    assert_eq!(conversation(&service).await["outcome"], "DO_NOT_CALL");
    assert_eq!(service.rows("select phone from suppressions").await.len(), 1);
    let admission = admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap();
    assert!(format!("{admission:?}").contains("AlreadyRecorded"), "{admission:?}");
}

#[tokio::test]
async fn message_with_an_unknown_word_is_kept_for_a_newer_build() {
    let service = recorded(unanswered()).await;
    let unknown = json!({"kind": "reported", "outcome": "WRONG_NUMBER"});
    assert_eq!(apply_late(&service, unknown.clone()).await, LateEventResult::Unchanged);
    let kept = service.row("select message from unread_messages").await;
    assert_eq!(kept["message"]["event"], unknown);
}

/// A newer build has stored a word that this build does not know: this build must not record without it.
#[tokio::test]
async fn entry_of_a_newer_build_stops_the_record() {
    let service = recorded(reported("p1-id-1", Outcome::NotInterested)).await;
    let newer = r#"update call_events set event = '{"kind": "reported", "outcome": "MOVED", "source": "agent"}'
        where event->>'kind' = 'reported'"#;
    service.execute(newer).await;
    let before = dump(&service).await;
    let error = record_outcome::run(&service.calls, &talked("p1-id-1", 60)).await.unwrap_err();
    assert!(error.to_string().contains("MOVED"), "{error}");
    assert_eq!(dump(&service).await, before);
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

/// A user's system or a message may name any time; the agent is asked for another one.
#[tokio::test]
async fn callback_for_a_time_before_the_call_is_due_after_the_cool_down() {
    for (time, due) in [
        ("2024-02-25T14:30:00Z", "2025-02-26T14:04:30"),
        ("2025-02-25T14:00:00Z", "2025-02-26T14:04:30"),
        ("2025-02-25T14:10:00Z", "2025-02-25T14:10:00"),
    ] {
        let (service, time) = (recorded(talked("p1-id-1", 240)).await, Some(at(time)));
        let outcome = Outcome::CallbackRequested;
        let report = ReportedOutcome { outcome, time, notes: None };
        let report = DialEvent::Reported(Report::new(report, ReportSource::User).unwrap());
        record_outcome::run(&service.calls, &said("p1-id-1", [report])).await.unwrap();
        let due_at = "select rescheduled_for at time zone 'UTC' as due from prospects";
        assert_eq!(service.row(due_at).await["due"], due);
        assert_eq!(prospect(&service).await, "RESCHEDULED");
    }
}

#[tokio::test]
async fn late_end_proves_that_a_lost_dial_was_placed() {
    let service = recorded(never_placed()).await;
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
    let noted = "Very angry.\nalso reported: APPOINTMENT_SET for 2025-02-26 14:00 UTC by the agent: As agreed.";
    assert_eq!(notes, json!({"notes": noted}));
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
    let second = [talk(240), support::report(Outcome::NotInterested)];
    let second = said_of(Some("p1-id-1.2"), "p1-id-1", second);
    // Late events of the first dial do not close the second, live one.
    record_outcome::run(&later, &unanswered()).await.unwrap();
    let live = service.row("select closed_at, state from dials where sequence = 2").await;
    assert_eq!(live, json!({"closed_at": null, "state": "SENT"}));
    record_outcome::run(&later, &second).await.unwrap();
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
    let service = recorded(never_placed()).await;
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
    let second = said_of(Some("p1-id-1.2"), "p1-id-1", [talk(0)]);
    record_outcome::run(&later, &second).await.unwrap();
    assert_eq!(apply_late(&service, report("DO_NOT_CALL")).await, LateEventResult::Amended);
    assert_eq!(service.rows("select phone from suppressions").await.len(), 1);
    let status = service.row("select status from prospects").await;
    assert_eq!(status, json!({"status": "DO_NOT_CALL"}));
}

/// After a reset, a run that waits receives what the user's system and the agent say of the earlier dial.
#[tokio::test]
async fn what_is_said_while_a_reset_run_waits_is_recorded() {
    let completed = DialEvent::Completed { talk_secs: None };
    for said in [
        said_of(None, "p1-id-1", [completed, support::report(Outcome::AppointmentSet)]),
        said("p1-id-1", [support::report(Outcome::AppointmentSet), talk(180)]),
    ] {
        let service = recorded(unanswered()).await;
        service.execute("update users set paused_at = now()").await;
        let later = service.calls_at(minutes_after(10));
        admit::run(&later, &admit_input("p1-id-1", "run-2")).await.unwrap();
        assert!(record_outcome::run(&later, &said).await.unwrap().closed);
        assert_eq!(conversation(&service).await["outcome"], "APPOINTMENT_SET");
        assert_eq!(prospect(&service).await, "BOOKED");
        assert_eq!(service.rows("select * from appointments").await.len(), 1);
    }
}

/// An attempt that was held up writes when all is over.
#[tokio::test]
async fn held_up_record_changes_nothing() {
    let service = recorded(unanswered()).await;
    apply_late(&service, report("APPOINTMENT_SET")).await;
    apply_late(&service, ended(60)).await;
    let tables = dump(&service).await;
    record_outcome::run(&service.calls, &unanswered()).await.unwrap();
    assert_eq!(dump(&service).await, tables);
}

#[tokio::test]
async fn opt_out_deletes_an_earlier_appointment() {
    let service = recorded(reported("p1-id-1", Outcome::AppointmentSet)).await;
    assert_eq!(service.rows("select * from appointments").await.len(), 1);
    assert_eq!(apply_late(&service, report("DO_NOT_CALL")).await, LateEventResult::Amended);
    assert_eq!(service.rows("select * from appointments").await, Vec::<Value>::new());
}
