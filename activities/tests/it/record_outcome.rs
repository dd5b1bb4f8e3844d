//! `calls.record_outcome` and `calls.mark_answered`.

use activities::calls::{admit, mark_answered, record_outcome};
use domain::call_log::RunEnd;
use domain::facts::DialEvent;
use domain::status::{Outcome, Reason};
use serde_json::{Value, json};
use workflows::activities::calls::RecordInput;

use crate::support::{
    Prospect, RUN, Service, User, admit_input, cancelled, conversation_ref, dump, failed_by_user,
    minutes_after, rejected, report, reported, requeued, run_ended, said, said_of, talk, talked,
};

fn voicemail() -> RecordInput {
    said("p1-id-1", [talk(0), DialEvent::Voicemail])
}

async fn conversation(service: &Service) -> Value {
    let query = "select status, outcome, reason, recorded_at is not null as recorded
        from conversations";
    service.row(query).await
}

async fn prospect(service: &Service) -> Value {
    let query = "select status, rescheduled_for at time zone 'UTC' as due,
        times_rescheduled as times, last_contacted is not null as contacted from prospects";
    service.row(query).await
}

fn stands(status: &str, due: Option<&str>, times: i32) -> Value {
    json!({"status": status, "due": due, "times": times, "contacted": true})
}

#[tokio::test]
async fn each_outcome_updates_its_prospect_and_is_recorded_once() {
    let service = Service::start().await;
    let tomorrow = "2025-02-26T14:00:00";
    let failed = run_ended("p1-id-1", true, rejected());
    for (record, status, outcome, reason, moved, minutes) in [
        (
            reported("p1-id-1", Outcome::AppointmentSet),
            "COMPLETED",
            json!("APPOINTMENT_SET"),
            None,
            stands("BOOKED", None, 0),
            4,
        ),
        (
            reported("p1-id-1", Outcome::CallbackRequested),
            "COMPLETED",
            json!("CALLBACK_REQUESTED"),
            None,
            stands("RESCHEDULED", Some(tomorrow), 1),
            4,
        ),
        (
            reported("p1-id-1", Outcome::NotInterested),
            "COMPLETED",
            json!("NOT_INTERESTED"),
            None,
            stands("NOT_INTERESTED", None, 0),
            4,
        ),
        (
            reported("p1-id-1", Outcome::DoNotCall),
            "COMPLETED",
            json!("DO_NOT_CALL"),
            None,
            stands("DO_NOT_CALL", None, 0),
            4,
        ),
        (
            voicemail(),
            "COMPLETED",
            json!("NO_RESPONSE"),
            Some("voicemail"),
            stands("NOT_RESPONDED", None, 0),
            0,
        ),
        (
            failed,
            "FAILED",
            json!("FAILED"),
            Some("rejected_by_provider"),
            stands("FAILED", None, 0),
            0,
        ),
        (
            talked("p1-id-1", 61),
            "COMPLETED",
            Value::Null,
            Some("no_report"),
            stands("NOT_RESPONDED", None, 0),
            2,
        ),
    ] {
        service.place_call().await;
        if status == "FAILED" {
            service.execute("update dials set state = 'NOT_PLACED', provider_call_id = null").await;
        }
        let mut tables = Vec::new();
        for _ in 0..2 {
            let recorded = record_outcome::run(&service.calls, &record).await.unwrap();
            assert_eq!(recorded.minutes, minutes, "{outcome}");
            let row = json!({"status": status, "outcome": outcome, "reason": reason,
                "recorded": true});
            assert_eq!(conversation(&service).await, row);
            assert_eq!(prospect(&service).await, moved, "{outcome}");
            assert_eq!(service.minutes_left("sub-user1-id").await, i64::from(600 - minutes));
            tables.push(dump(&service).await);
        }
        assert_eq!(tables[0], tables[1], "{outcome}");
        let appointments = service
            .rows("select notes, appointment_time at time zone 'UTC' as time from appointments")
            .await;
        let expected = (outcome == "APPOINTMENT_SET")
            .then(|| json!({"notes": "As agreed.", "time": tomorrow}));
        assert_eq!(appointments, Vec::from_iter(expected), "{outcome}");
        let suppressed = service.rows("select user_id, phone from suppressions").await;
        let expected = (outcome == "DO_NOT_CALL")
            .then(|| json!({"user_id": "user1-id", "phone": "+1234567890"}));
        assert_eq!(suppressed, Vec::from_iter(expected), "{outcome}");
        if status == "FAILED" {
            continue;
        }
        let dial = service.row("select state, closed_at is not null as over from dials").await;
        assert_eq!(dial, json!({"state": "PLACED", "over": true}), "{outcome}");
    }
}

#[tokio::test]
async fn facts_of_a_call_are_stored() {
    let service = Service::with_placed_call().await;
    let leg_started = DialEvent::LegStarted { carrier_call_id: "v3:leg".to_owned() };
    let record = RecordInput {
        transcript: Some("Agent: Hello?".to_owned()),
        ..said("p1-id-1", [leg_started, talk(240), report(Outcome::NotInterested)])
    };
    record_outcome::run(&service.calls, &record).await.unwrap();
    assert_eq!(
        service
            .row(
                "select notes, transcript, talk_secs, answered_at at time zone 'UTC' as answered,
                ended_at at time zone 'UTC' as ended from conversations"
            )
            .await,
        json!({"notes": "As agreed.", "transcript": "Agent: Hello?", "talk_secs": 240,
            "answered": "2025-02-25T14:00:30", "ended": "2025-02-25T14:04:30"})
    );
    let dial = service.row("select provider_call_id, carrier_call_id from dials").await;
    assert_eq!(dial, json!({"provider_call_id": "provider-1", "carrier_call_id": "v3:leg"}));
}

#[tokio::test]
async fn collected_transcript_is_not_replaced() {
    let service = Service::with_placed_call().await;
    service.execute("update conversations set transcript = 'Agent: collected'").await;
    let record = RecordInput { transcript: Some("sent along".to_owned()), ..talked("p1-id-1", 60) };
    record_outcome::run(&service.calls, &record).await.unwrap();
    let kept = service.row("select transcript from conversations").await;
    assert_eq!(kept, json!({"transcript": "Agent: collected"}));
}

#[tokio::test]
async fn charge_is_limited_by_the_reservation() {
    let service = Service::with_placed_call().await;
    let recorded = record_outcome::run(&service.calls, &talked("p1-id-1", 3_600)).await.unwrap();
    assert_eq!(recorded.minutes, 10);
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -10"]);
    assert_eq!(service.minutes_left("sub-user1-id").await, 590);
}

#[tokio::test]
async fn requeued_call_leaves_its_prospect_unchanged() {
    for reason in [Reason::Denied, Reason::TooLate, Reason::Abandoned] {
        let service = Service::start().await;
        service.due_call(User::default(), Prospect::default()).await;
        service.admit("p1-id-1").await;
        let record = run_ended("p1-id-1", true, requeued(reason));
        for _ in 0..2 {
            record_outcome::run(&service.calls, &record).await.unwrap();
            let row = json!({"status": "CANCELLED", "outcome": null, "reason": reason.into_str(),
                "recorded": true});
            assert_eq!(conversation(&service).await, row);
            let untouched = json!({"status": "INITIAL", "due": null, "times": 0,
                "contacted": false});
            assert_eq!(prospect(&service).await, untouched);
            assert_eq!(service.entries().await, ["reserve -10", "release 10"]);
            let dial = service.row("select state, closed_at is not null as over from dials").await;
            assert_eq!(dial, json!({"state": "NOT_PLACED", "over": true}));
        }
    }
}

/// A request whose answer was lost.
async fn sent() -> Service {
    let service = Service::with_placed_call().await;
    service.execute("update dials set state = 'SENT', provider_call_id = null").await;
    service
}

async fn dial(service: &Service) -> Value {
    service.row("select state, closed_at is not null as over from dials").await
}

#[tokio::test]
async fn prospect_of_a_call_that_was_never_placed_cools_down() {
    let service = sent().await;
    let record = said("p1-id-1", [DialEvent::NeverPlaced]);
    record_outcome::run(&service.calls, &record).await.unwrap();
    let row = json!({"status": "CANCELLED", "outcome": null, "reason": "never_placed",
        "recorded": true});
    assert_eq!(conversation(&service).await, row);
    assert_eq!(dial(&service).await, json!({"state": "NOT_PLACED", "over": true}));
    let cooling_down =
        "select status, next_call_at > now() - interval '10 years' as cools_down from prospects";
    assert_eq!(service.row(cooling_down).await, json!({"status": "INITIAL", "cools_down": true}));
}

#[tokio::test]
async fn event_that_proves_a_call_occupies_its_line_again() {
    let service = sent().await;
    record_outcome::run(&service.calls, &said("p1-id-1", [DialEvent::NeverPlaced])).await.unwrap();
    let proof = DialEvent::LegStarted { carrier_call_id: "v3:leg".to_owned() };
    record_outcome::run(&service.calls, &said("p1-id-1", [proof])).await.unwrap();
    assert_eq!(dial(&service).await, json!({"state": "PLACED", "over": false}));
    assert_eq!(conversation(&service).await["reason"], "never_placed");
    let recorded = record_outcome::run(&service.calls, &talked("p1-id-1", 61)).await.unwrap();
    assert_eq!((recorded.minutes, recorded.reason), (2, Some(Reason::NoReport)));
    assert_eq!(dial(&service).await, json!({"state": "PLACED", "over": true}));
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -2"]);
}

#[tokio::test]
async fn word_of_the_users_system_closes_the_conversation_but_not_the_dial() {
    for word in [
        failed_by_user("p1-id-1"),
        said_of(None, "p1-id-1", [DialEvent::Completed { talk_secs: Some(240) }]),
    ] {
        let service = Service::with_placed_call().await;
        let recorded = record_outcome::run(&service.calls, &word).await.unwrap();
        assert!(recorded.closed);
        assert_eq!(recorded.minutes, 0, "nothing is charged before the dial is over");
        assert_eq!(dial(&service).await, json!({"state": "PLACED", "over": false}));
        assert_eq!(service.entries().await, ["reserve -10"]);
        // Its longest possible end passes, and nobody has reported the end.
        let later = service.calls_at(minutes_after(30));
        let expired = RecordInput { events: vec![], ..word };
        record_outcome::run(&later, &expired).await.unwrap();
        assert_eq!(dial(&service).await, json!({"state": "PLACED", "over": true}));
    }
}

#[tokio::test]
async fn nothing_is_charged_for_a_call_that_the_provider_never_had() {
    for state in ["INTENDED", "NOT_PLACED"] {
        let service = Service::with_placed_call().await;
        service
            .execute(format!("update dials set state = '{state}', provider_call_id = null"))
            .await;
        let word = said_of(None, "p1-id-1", [DialEvent::Completed { talk_secs: Some(240) }]);
        let recorded = record_outcome::run(&service.calls, &word).await.unwrap();
        assert_eq!((recorded.closed, recorded.minutes), (true, 0), "{state}");
        assert_eq!(service.entries().await, ["reserve -10", "release 10"]);
    }
}

#[tokio::test]
async fn times_of_the_users_system_do_not_change_the_charge() {
    let service = Service::with_placed_call().await;
    let early = DialEvent::Connected { at: Some(minutes_after(-10)) };
    record_outcome::run(&service.calls, &said_of(None, "p1-id-1", [early])).await.unwrap();
    let recorded = record_outcome::run(&service.calls, &talked("p1-id-1", 240)).await.unwrap();
    assert_eq!(recorded.minutes, 4);
}

#[tokio::test]
async fn report_ends_a_call_that_waits_and_not_one_that_talks() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    let by_user = said_of(None, "p1-id-1", [report(Outcome::DoNotCall)]);
    assert!(record_outcome::run(&service.calls, &by_user).await.unwrap().closed);
    let admission = admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap();
    assert!(format!("{admission:?}").contains("AlreadyRecorded"), "{admission:?}");
    let service = Service::with_placed_call().await;
    let said = said("p1-id-1", [report(Outcome::DoNotCall)]);
    assert!(!record_outcome::run(&service.calls, &said).await.unwrap().closed);
    // The number is suppressed at once.
    assert_eq!(service.rows("select phone from suppressions").await.len(), 1);
}

#[tokio::test]
async fn every_report_is_found_in_the_notes() {
    let service = Service::with_placed_call().await;
    record_outcome::run(&service.calls, &reported("p1-id-1", Outcome::AppointmentSet))
        .await
        .unwrap();
    let lesser = said("p1-id-1", [report(Outcome::CallbackRequested)]);
    record_outcome::run(&service.calls, &lesser).await.unwrap();
    let noted = "As agreed.\nalso reported: CALLBACK_REQUESTED for 2025-02-26 14:00 UTC by the agent: As agreed.";
    assert_eq!(service.row("select notes from conversations").await, json!({"notes": noted}));
    assert_eq!(service.row("select notes from appointments").await, json!({"notes": noted}));
}

#[tokio::test]
async fn requeued_callback_stays_due() {
    let service = Service::start().await;
    let callback = Prospect::default().callback_at("2025-02-25T14:00:00Z");
    service.due_call(User::default(), callback).await;
    let too_late = run_ended("p1-id-1", false, requeued(Reason::TooLate));
    record_outcome::run(&service.calls, &too_late).await.unwrap();
    let kept = json!({"status": "RESCHEDULED", "due": "2025-02-25T14:00:00", "times": 0,
        "contacted": false});
    assert_eq!(prospect(&service).await, kept);
}

#[tokio::test]
async fn cancelled_call_charges_its_talk_and_only_touches_the_prospect() {
    let service = Service::start().await;
    for (secs, entries, contacted) in [
        (0, &["reserve -10", "release 10"][..], false),
        (90, &["reserve -10", "release 10", "charge -2"], true),
    ] {
        service.place_call().await;
        let record = cancelled("p1-id-1", secs);
        for _ in 0..2 {
            record_outcome::run(&service.calls, &record).await.unwrap();
            let row = json!({"status": "CANCELLED", "outcome": null,
                "reason": "cancelled_by_operator", "recorded": true});
            assert_eq!(conversation(&service).await, row);
            let untouched = json!({"status": "INITIAL", "due": null, "times": 0,
                "contacted": contacted});
            assert_eq!(prospect(&service).await, untouched);
            assert_eq!(service.entries().await, entries);
        }
    }
}

#[tokio::test]
async fn outcome_replaces_a_lesser_end_but_not_the_reverse() {
    let service = Service::with_placed_call().await;
    let never_placed = said("p1-id-1", [DialEvent::NeverPlaced]);
    record_outcome::run(&service.calls, &never_placed).await.unwrap();
    record_outcome::run(&service.calls, &reported("p1-id-1", Outcome::AppointmentSet))
        .await
        .unwrap();
    let booked = json!({"status": "COMPLETED", "outcome": "APPOINTMENT_SET", "reason": null,
        "recorded": true});
    for lesser in [
        never_placed,
        run_ended("p1-id-1", true, requeued(Reason::Denied)),
        run_ended("p1-id-1", true, RunEnd::Cancelled),
    ] {
        let recorded = record_outcome::run(&service.calls, &lesser).await.unwrap();
        assert_eq!(recorded.minutes, 4);
        assert_eq!(conversation(&service).await, booked);
    }
    assert_eq!(prospect(&service).await["status"], "BOOKED");
}

#[tokio::test]
async fn callback_after_the_first_record_counts() {
    let service = Service::with_placed_call().await;
    record_outcome::run(&service.calls, &talked("p1-id-1", 240)).await.unwrap();
    for _ in 0..2 {
        record_outcome::run(&service.calls, &reported("p1-id-1", Outcome::CallbackRequested))
            .await
            .unwrap();
        assert_eq!(prospect(&service).await, stands("RESCHEDULED", Some("2025-02-26T14:00:00"), 1));
    }
}

#[tokio::test]
async fn opted_out_prospect_stays_opted_out() {
    let service = Service::start().await;
    for outcome in [
        Outcome::AppointmentSet,
        Outcome::CallbackRequested,
        Outcome::NotInterested,
        Outcome::NoResponse,
        Outcome::Failed,
    ] {
        service.place_call().await;
        service.execute("update prospects set status = 'DO_NOT_CALL'").await;
        record_outcome::run(&service.calls, &reported("p1-id-1", outcome)).await.unwrap();
        assert_eq!(prospect(&service).await["status"], "DO_NOT_CALL", "{outcome}");
    }
}

#[tokio::test]
async fn call_that_ends_before_its_dial_is_recorded() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    let completed = DialEvent::Completed { talk_secs: Some(240) };
    let record = said_of(None, "p1-id-1", [completed, report(Outcome::AppointmentSet)]);
    for _ in 0..2 {
        let recorded = record_outcome::run(&service.calls, &record).await.unwrap();
        assert_eq!(recorded.minutes, 0, "nothing was reserved for it");
    }
    assert_eq!(prospect(&service).await["status"], "BOOKED");
    assert_eq!(service.rows("select * from appointments").await.len(), 1);
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);
}

#[tokio::test]
async fn number_is_suppressed_without_a_dial() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    record_outcome::run(&service.calls, &reported("p1-id-1", Outcome::DoNotCall)).await.unwrap();
    assert_eq!(
        service.rows("select user_id, phone from suppressions").await,
        [json!({"user_id": "user1-id", "phone": "+1234567890"})]
    );
}

#[tokio::test]
async fn other_prospects_with_a_suppressed_number_are_not_called() {
    let service = Service::with_placed_call().await;
    let same_number = Prospect { id: "p2-id".to_owned(), ..Prospect::default() };
    service.due_call_of(same_number).await;
    record_outcome::run(&service.calls, &reported("p1-id-1", Outcome::DoNotCall)).await.unwrap();
    let admission = admit::run(&service.calls, &admit_input("p2-id-1", RUN)).await.unwrap();
    assert!(format!("{admission:?}").contains("Suppressed"), "{admission:?}");
}

#[tokio::test]
async fn only_a_ringing_conversation_is_marked_answered() {
    let service = Service::with_placed_call().await;
    for _ in 0..2 {
        mark_answered::run(&service.calls, &conversation_ref("p1-id-1")).await.unwrap();
        assert_eq!(conversation(&service).await["status"], "IN_PROGRESS");
    }
    record_outcome::run(&service.calls, &talked("p1-id-1", 10)).await.unwrap();
    mark_answered::run(&service.calls, &conversation_ref("p1-id-1")).await.unwrap();
    assert_eq!(conversation(&service).await["status"], "COMPLETED");
    mark_answered::run(&service.calls, &conversation_ref("unknown")).await.unwrap();
}

#[tokio::test]
async fn concurrent_records_charge_once() {
    let service = Service::with_placed_call().await;
    let (early, record) = (service.calls_at(minutes_after(5)), talked("p1-id-1", 240));
    let recorded =
        futures::future::join_all((0..6).map(|_| record_outcome::run(&early, &record))).await;
    assert!(recorded.into_iter().all(|recorded| recorded.unwrap().minutes == 4));
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -4"]);
}

/// The provider answered that it is busy, so the dial was reset, and the phone rang all the same.
#[tokio::test]
async fn call_that_rang_after_a_rejection_is_recorded_and_charged() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    let record = reported("p1-id-1", Outcome::NotInterested);
    record_outcome::run(&service.calls, &record).await.unwrap();
    let dial = service.row("select state, sent_at is not null as sent from dials").await;
    assert_eq!(dial, json!({"state": "PLACED", "sent": true}));
    assert_eq!(service.minutes_left("sub-user1-id").await, 596);
}
