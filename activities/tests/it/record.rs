//! The records of a call that is over.

use domain::status::{Outcome, Reason};
use serde_json::{Value, json};
use workflows::activities::calls::{Closing, Record};

use crate::support::{Prospect, RUN, Service, User, asks, dump, minutes_after, reported, talked};

/// A call that was placed.
async fn placed() -> Service {
    let service = Service::start().await;
    place(&service).await;
    service
}

/// Empties the tables and puts a call there that was placed.
async fn place(service: &Service) {
    service.clear().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    service
        .execute(
            "update dials set state = 'PLACED', sent_at = intended_at,
            provider_call_id = 'provider-1'",
        )
        .await;
}

fn unanswered(reason: Reason) -> Record {
    Record { outcome: Some(Outcome::NoResponse), reason: Some(reason), ..talked("p1-id-1", 0) }
}

fn closed(closing: Closing, reason: Reason) -> Record {
    Record { closing, reason: Some(reason), outcome: None, ..talked("p1-id-1", 0) }
}

async fn conversation(service: &Service) -> Value {
    let query = "select status, outcome, reason, recorded_at is not null as settled
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
async fn each_outcome_moves_its_prospect_and_is_recorded_once() {
    let service = Service::start().await;
    let tomorrow = "2025-02-26T14:00:00";
    let failed = Record {
        outcome: Some(Outcome::Failed),
        reason: Some(Reason::RefusedByProvider),
        notes: Some("In its words.".to_owned()),
        ..talked("p1-id-1", 0)
    };
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
            unanswered(Reason::Voicemail),
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
        place(&service).await;
        let mut tables = Vec::new();
        for _ in 0..2 {
            let settled = service.calls.settle(&record).await.unwrap();
            assert_eq!(settled.minutes, minutes, "{outcome}");
            let row = json!({"status": status, "outcome": outcome, "reason": reason,
                "settled": true});
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
        let dial = service.row("select state, closed_at is not null as over from dials").await;
        assert_eq!(dial, json!({"state": "PLACED", "over": true}), "{outcome}");
    }
}

#[tokio::test]
async fn the_facts_of_a_call_are_kept() {
    let service = placed().await;
    let record = Record {
        transcript: Some("Agent: Hello?".to_owned()),
        carrier_call_id: Some("v3:leg".to_owned()),
        ..reported("p1-id-1", Outcome::NotInterested)
    };
    service.calls.settle(&record).await.unwrap();
    assert_eq!(
        service
            .row(
                "select notes, transcript, talk_secs, answered_at at time zone 'UTC' as joined,
                ended_at at time zone 'UTC' as ended from conversations"
            )
            .await,
        json!({"notes": "As agreed.", "transcript": "Agent: Hello?", "talk_secs": 240,
            "joined": "2025-02-25T14:00:30", "ended": "2025-02-25T14:04:30"})
    );
    let dial = service.row("select provider_call_id, carrier_call_id from dials").await;
    assert_eq!(dial, json!({"provider_call_id": "provider-1", "carrier_call_id": "v3:leg"}));
}

#[tokio::test]
async fn a_transcript_that_was_collected_is_not_replaced() {
    let service = placed().await;
    service.execute("update conversations set transcript = 'Agent: collected'").await;
    let record = Record { transcript: Some("sent along".to_owned()), ..talked("p1-id-1", 60) };
    service.calls.settle(&record).await.unwrap();
    let kept = service.row("select transcript from conversations").await;
    assert_eq!(kept, json!({"transcript": "Agent: collected"}));
}

#[tokio::test]
async fn no_call_is_charged_more_than_was_reserved_for_it() {
    let service = placed().await;
    let settled = service.calls.settle(&talked("p1-id-1", 3_600)).await.unwrap();
    assert_eq!(settled.minutes, 10);
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -10"]);
    assert_eq!(service.minutes_left("sub-user1-id").await, 590);
}

#[tokio::test]
async fn a_call_that_is_given_back_leaves_its_prospect_as_it_was() {
    for reason in [Reason::NotAdmitted, Reason::TooLate, Reason::NeverPlaced] {
        let service = Service::start().await;
        service.due_call(User::default(), Prospect::default()).await;
        service.admit("p1-id-1").await;
        let record = Record {
            never_placed: reason == Reason::NeverPlaced,
            ..closed(Closing::GivenBack, reason)
        };
        if record.never_placed {
            service.execute("update dials set state = 'SENT', sent_at = intended_at").await;
        }
        for _ in 0..2 {
            service.calls.settle(&record).await.unwrap();
            let row = json!({"status": "CANCELLED", "outcome": null, "reason": reason.as_str(),
                "settled": true});
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

#[tokio::test]
async fn a_promised_call_that_is_given_back_stays_promised() {
    let service = Service::start().await;
    let promised = Prospect::default().callback_at("2025-02-25T14:00:00Z");
    service.due_call(User::default(), promised).await;
    service.calls.settle(&closed(Closing::GivenBack, Reason::TooLate)).await.unwrap();
    let kept = json!({"status": "RESCHEDULED", "due": "2025-02-25T14:00:00", "times": 0,
        "contacted": false});
    assert_eq!(prospect(&service).await, kept);
}

#[tokio::test]
async fn a_cancelled_call_is_charged_for_its_talk_and_changes_nothing_else_of_the_prospect() {
    let service = Service::start().await;
    for (secs, entries, contacted) in [
        (0, &["reserve -10", "release 10"][..], false),
        (90, &["reserve -10", "release 10", "charge -2"], true),
    ] {
        place(&service).await;
        let record = Record {
            closing: Closing::Cancelled,
            reason: Some(Reason::CancelledByOperator),
            ..talked("p1-id-1", secs)
        };
        for _ in 0..2 {
            service.calls.settle(&record).await.unwrap();
            let row = json!({"status": "CANCELLED", "outcome": null,
                "reason": "cancelled_by_operator", "settled": true});
            assert_eq!(conversation(&service).await, row);
            let untouched = json!({"status": "INITIAL", "due": null, "times": 0,
                "contacted": contacted});
            assert_eq!(prospect(&service).await, untouched);
            assert_eq!(service.entries().await, entries);
        }
    }
}

#[tokio::test]
async fn an_outcome_replaces_a_lesser_ending_but_no_lesser_ending_an_outcome() {
    let service = placed().await;
    service.calls.settle(&closed(Closing::GivenBack, Reason::NeverPlaced)).await.unwrap();
    service.calls.settle(&reported("p1-id-1", Outcome::AppointmentSet)).await.unwrap();
    let booked = json!({"status": "COMPLETED", "outcome": "APPOINTMENT_SET", "reason": null,
        "settled": true});
    for lesser in [
        closed(Closing::GivenBack, Reason::NeverPlaced),
        closed(Closing::Cancelled, Reason::CancelledByOperator),
    ] {
        let settled = service.calls.settle(&lesser).await.unwrap();
        assert_eq!(settled.minutes, 4);
        assert_eq!(conversation(&service).await, booked);
    }
    assert_eq!(prospect(&service).await["status"], "BOOKED");
}

#[tokio::test]
async fn a_callback_that_is_heard_of_after_the_first_record_counts_too() {
    let service = placed().await;
    service.calls.settle(&talked("p1-id-1", 240)).await.unwrap();
    for _ in 0..2 {
        service.calls.settle(&reported("p1-id-1", Outcome::CallbackRequested)).await.unwrap();
        assert_eq!(prospect(&service).await, stands("RESCHEDULED", Some("2025-02-26T14:00:00"), 1));
    }
}

#[tokio::test]
async fn one_who_asked_not_to_be_called_stays_so_whatever_comes() {
    let service = Service::start().await;
    for outcome in [
        Outcome::AppointmentSet,
        Outcome::CallbackRequested,
        Outcome::NotInterested,
        Outcome::NoResponse,
        Outcome::Failed,
    ] {
        place(&service).await;
        service.execute("update prospects set status = 'DO_NOT_CALL'").await;
        service.calls.settle(&reported("p1-id-1", outcome)).await.unwrap();
        assert_eq!(prospect(&service).await["status"], "DO_NOT_CALL", "{outcome}");
    }
}

#[tokio::test]
async fn a_call_that_ends_before_it_was_dialled_is_settled_all_the_same() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    let record = Record { talk_secs: 240, ..reported("p1-id-1", Outcome::AppointmentSet) };
    for _ in 0..2 {
        let settled = service.calls.settle(&record).await.unwrap();
        assert_eq!(settled.minutes, 0, "nothing was reserved for it");
    }
    assert_eq!(prospect(&service).await["status"], "BOOKED");
    assert_eq!(service.rows("select * from appointments").await.len(), 1);
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);
}

#[tokio::test]
async fn a_number_is_suppressed_even_if_the_call_was_never_dialled_by_us() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.calls.settle(&reported("p1-id-1", Outcome::DoNotCall)).await.unwrap();
    assert_eq!(
        service.rows("select user_id, phone from suppressions").await,
        [json!({"user_id": "user1-id", "phone": "+1234567890"})]
    );
}

#[tokio::test]
async fn others_with_a_suppressed_number_are_not_called_either() {
    let service = placed().await;
    let same_number = Prospect { id: "p2-id".to_owned(), ..Prospect::default() };
    service.due_call_of(same_number).await;
    service.calls.settle(&reported("p1-id-1", Outcome::DoNotCall)).await.unwrap();
    let admission = service.calls.decide(&asks("p2-id-1", RUN)).await.unwrap();
    assert!(format!("{admission:?}").contains("suppressed"), "{admission:?}");
}

#[tokio::test]
async fn what_was_deleted_meanwhile_keeps_no_call_from_being_settled() {
    let service = Service::start().await;
    for (change, status) in [
        ("delete from prospects", Some("COMPLETED")),
        ("delete from users", Some("COMPLETED")),
        ("delete from subscriptions", Some("COMPLETED")),
        ("delete from conversations", None),
    ] {
        place(&service).await;
        service.execute(change).await;
        for _ in 0..2 {
            service.calls.settle(&reported("p1-id-1", Outcome::AppointmentSet)).await.unwrap();
        }
        let rows = service.rows("select status from conversations").await;
        let expected = status.map(|status| json!({"status": status}));
        assert_eq!(rows, Vec::from_iter(expected), "{change}");
    }
}

#[tokio::test]
async fn a_conversation_that_is_deleted_under_way_keeps_no_minutes() {
    let service = placed().await;
    service.execute(r#"DELETE FROM "Conversation""#).await;
    service.calls.settle(&talked("p1-id-1", 0)).await.unwrap();
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);
}

#[tokio::test]
async fn somebody_who_answers_is_shown_only_while_it_rings() {
    let service = placed().await;
    for _ in 0..2 {
        service.calls.show_answered("p1-id-1").await.unwrap();
        assert_eq!(conversation(&service).await["status"], "IN_PROGRESS");
    }
    service.calls.settle(&talked("p1-id-1", 10)).await.unwrap();
    service.calls.show_answered("p1-id-1").await.unwrap();
    assert_eq!(conversation(&service).await["status"], "COMPLETED");
    service.calls.show_answered("unknown").await.unwrap();
}

#[tokio::test]
async fn a_call_settled_many_times_at_once_is_charged_once() {
    let service = placed().await;
    let (early, record) = (service.calls_at(minutes_after(5)), talked("p1-id-1", 240));
    let settled = futures::future::join_all((0..6).map(|_| early.settle(&record))).await;
    assert!(settled.into_iter().all(|settled| settled.unwrap().minutes == 4));
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -4"]);
}

/// The provider answered that it has no room, which took the note back, and rang all the same.
#[tokio::test]
async fn a_call_that_rang_against_the_providers_word_is_settled_and_charged() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    let provider_call_id = Some("provider-1".to_owned());
    let record = Record { provider_call_id, ..reported("p1-id-1", Outcome::NotInterested) };
    service.calls.settle(&record).await.unwrap();
    let dial = service.row("select state, sent_at is not null as sent from dials").await;
    assert_eq!(dial, json!({"state": "PLACED", "sent": true}));
    assert_eq!(service.minutes_left("sub-user1-id").await, 596);
}
