//! The guard: the last word before a phone rings.

use chrono::TimeDelta;
use domain::status::{Outcome, Reason};
use serde_json::json;
use workflows::activities::calls::{Admission, Closing, Record};

use crate::support::{
    NOW, Prospect, RUN, Service, User, admitted, asks, at, dump, minutes_after, reported, talked,
};

fn refused(admission: &Admission) -> &str {
    match admission {
        Admission::Refused { objection, why } => {
            assert!(why.ends_with('.'), "{why}");
            objection
        }
        other => panic!("not refused: {other:?}"),
    }
}

async fn due() -> Service {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service
}

#[tokio::test]
async fn a_call_that_is_admitted_holds_a_dial_a_line_and_its_minutes() {
    let service = due().await;
    let dial = admitted(service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap());
    assert_eq!(
        (dial.dial_id.as_str(), dial.join_timeout_secs, dial.max_duration_secs),
        ("p1-id-1.1", 50, 600)
    );
    assert_eq!(
        service
            .row(
                "select id, conversation_id, user_id, prospect_id, sequence, state, phone,
                subscription_id, reserved_minutes, dial_deadline at time zone 'UTC' as dial_deadline,
                sent_at, closed_at, provider_call_id from dials"
            )
            .await,
        json!({"id": "p1-id-1.1", "conversation_id": "p1-id-1", "user_id": "user1-id",
            "prospect_id": "p1-id", "number": 1, "state": "INTENDED", "phone": "+1234567890",
            "subscription_id": "sub-user1-id", "reserved_minutes": 10,
            "dial_deadline": "2025-02-25T14:15:00", "sent_at": null, "closed_at": null,
            "provider_call_id": null})
    );
    assert_eq!(service.entries().await, ["reserve -10"]);
    assert_eq!(service.minutes_left("sub-user1-id").await, 590);
    let status = service.row("select status, recorded_at from conversations").await;
    assert_eq!(status, json!({"status": "DIALING", "recorded_at": null}));
}

#[tokio::test]
async fn the_guard_asked_twice_gives_the_same_dial_and_reserves_once() {
    let service = due().await;
    let first = admitted(service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap());
    let tables = dump(&service).await;
    let later = service.calls_at(minutes_after(5));
    assert_eq!(admitted(later.decide(&asks("p1-id-1", RUN)).await.unwrap()), first);
    assert_eq!(dump(&service).await, tables);
    assert_eq!(service.entries().await, ["reserve -10"]);
}

#[tokio::test]
async fn every_circumstance_refuses_on_its_own_and_leaves_no_trace() {
    let service = Service::start().await;
    for (change, objection) in [
        ("update prospects set status = 'DO_NOT_CALL'", "prospect_not_callable"),
        ("update prospects set status = 'BOOKED'", "prospect_not_callable"),
        ("update prospects set status = 'NOT_INTERESTED'", "prospect_not_callable"),
        ("update prospects set phone = '5550100'", "phone_invalid"),
        (
            "insert into suppressions (user_id, phone, reason)
                values ('user1-id', '+1234567890', 'asked')",
            "suppressed",
        ),
        (
            "insert into suppressions (user_id, phone, reason)
                values (null, '+1234567890', 'a list')",
            "suppressed",
        ),
        ("update plans set per_day = 0", "daily_limit"),
        ("update subscriptions set minutes_left = 0", "no_minutes"),
        ("update subscriptions set status = 'CANCELLED'", "user_deleted"),
        ("delete from agent_settings", "user_deleted"),
        ("update advanced_settings set time_zone = 'Nowhere'", "user_deleted"),
        ("delete from users", "user_deleted"),
        ("delete from prospects", "prospect_deleted"),
        ("update prospects set time_zone = 'Nowhere'", "prospect_zone_unknown"),
        ("update prospects set time_zone = 'America/Los_Angeles'", "outside_hours"),
        ("update advanced_settings set start_at = '11:00'", "outside_hours"),
        ("update script_settings set initial = 'Hi {nickname}'", "script_invalid"),
        ("update agent_settings set first_message = 'Hi {companyName}'", "script_invalid"),
        ("update conversations set status = 'COMPLETED', recorded_at = now()", "already_recorded"),
        ("delete from conversations", "already_recorded"),
    ] {
        service.clear().await;
        service.due_call(User::default(), Prospect::default()).await;
        service.execute(change).await;
        let tables = dump(&service).await;
        let admission = service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap();
        assert_eq!(refused(&admission), objection, "{change}");
        assert_eq!(dump(&service).await, tables, "{change}");
    }
}

#[tokio::test]
async fn another_users_list_of_numbers_does_not_count() {
    let service = due().await;
    service
        .execute(
            "insert into suppressions (user_id, phone, reason)
            values ('another', '+1234567890', 'asked')",
        )
        .await;
    service.admit("p1-id-1").await;
}

#[tokio::test]
async fn a_script_that_cannot_be_read_out_is_refused_with_the_placeholder_named() {
    let service = due().await;
    service.execute("update script_settings set initial = 'Hi {nickname}'").await;
    let Admission::Refused { why, .. } = service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap()
    else {
        panic!("not refused")
    };
    assert_eq!(
        why,
        "the script holds the unknown placeholder {nickname}; \
        use {prospectName}, {userName} or {companyName}."
    );
}

#[tokio::test]
async fn what_is_missing_of_a_user_is_named() {
    let service = due().await;
    service.execute("delete from script_settings").await;
    let Admission::Refused { why, .. } = service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap()
    else {
        panic!("not refused")
    };
    assert!(why.contains("no ScriptSetting"), "{why}");
}

#[tokio::test]
async fn a_call_is_refused_a_quarter_of_an_hour_after_its_slot() {
    let service = due().await;
    let late = service.calls_at(at(NOW) + TimeDelta::minutes(15) + TimeDelta::seconds(1));
    assert_eq!(refused(&late.decide(&asks("p1-id-1", RUN)).await.unwrap()), "too_late");
    let just = service.calls_at(at(NOW) + TimeDelta::minutes(14));
    admitted(just.decide(&asks("p1-id-1", RUN)).await.unwrap());
}

#[tokio::test]
async fn what_passes_soon_is_waited_for() {
    for (change, minutes, until, words) in [
        ("select 1", -5, at(NOW), "slot has not come"),
        (
            "update advanced_settings set start_at = '09:10'",
            0,
            minutes_after(10),
            "the client's hours",
        ),
    ] {
        let service = due().await;
        service.execute(change).await;
        let calls = service.calls_at(minutes_after(minutes));
        match calls.decide(&asks("p1-id-1", RUN)).await.unwrap() {
            Admission::Later { until: later, why } => {
                assert_eq!(later, until, "{change}");
                assert!(why.contains(words), "{why}");
            }
            other => panic!("{change}: {other:?}"),
        }
        assert!(service.entries().await.is_empty());
    }
}

#[tokio::test]
async fn a_pause_is_waited_for_and_then_over() {
    for table in ["users", "service"] {
        let service = due().await;
        service.execute(format!("update {table} set paused_at = now()")).await;
        let waits = service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap();
        assert!(matches!(waits, Admission::Later { .. }), "{waits:?}");
        service.execute(format!("update {table} set paused_at = null")).await;
        service.admit("p1-id-1").await;
    }
}

#[tokio::test]
async fn a_second_call_waits_for_the_only_line() {
    let service = due().await;
    service.due_call_of(Prospect::new("p2-id")).await;
    let calls = service.calls_with(at(NOW), 1);
    admitted(calls.decide(&asks("p1-id-1", RUN)).await.unwrap());
    // The one that has the line keeps it.
    admitted(calls.decide(&asks("p1-id-1", RUN)).await.unwrap());
    match calls.decide(&asks("p2-id-1", RUN)).await.unwrap() {
        Admission::Later { until, why } => {
            assert!(until > at(NOW) && until < minutes_after(1), "{until}");
            assert_eq!(why, "Waiting for a line, 1st in the queue.");
        }
        other => panic!("{other:?}"),
    }
    calls.settle(&talked("p1-id-1", 10)).await.unwrap();
    admitted(calls.decide(&asks("p2-id-1", RUN)).await.unwrap());
}

#[tokio::test]
async fn a_reservation_is_no_larger_than_what_is_left() {
    let service = Service::start().await;
    service.due_call(User { minutes: 3, ..User::default() }, Prospect::default()).await;
    let dial = admitted(service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap());
    assert_eq!(dial.max_duration_secs, 180);
    assert_eq!(service.minutes_left("sub-user1-id").await, 0);
    // What it holds itself is no reason to refuse it.
    assert_eq!(admitted(service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap()), dial);
}

#[tokio::test]
async fn calls_made_today_count_and_those_of_yesterday_do_not() {
    for (sent, admits) in [("2025-02-25T04:59:59Z", true), ("2025-02-25T05:00:00Z", false)] {
        let service = Service::start().await;
        service.due_call(User { per_day: 1, ..User::default() }, Prospect::default()).await;
        service.due_call_of(Prospect::new("p2-id")).await;
        let (dial, moment) = (service.admit("p1-id-1").await, at(sent));
        let mut tx = service.store.begin().await.unwrap();
        store::dials::mark_sent(&mut tx, &dial, moment).await.unwrap();
        tx.commit().await.unwrap();
        service.calls.settle(&talked("p1-id-1", 10)).await.unwrap();
        let admission = service.calls.decide(&asks("p2-id-1", RUN)).await.unwrap();
        assert_eq!(matches!(admission, Admission::Admitted(_)), admits, "{admission:?}");
    }
}

#[tokio::test]
async fn attempts_are_counted_by_the_requests_that_left() {
    let service = due().await;
    service.execute("update advanced_settings set max_attempts = 1").await;
    service.admit("p1-id-1").await;
    // Admitted and given back: nothing has left.
    let back = Record { closing: Closing::GivenBack, ..talked("p1-id-1", 0) };
    service.calls.settle(&back).await.unwrap();
    for number in [2, 3] {
        let next = format!(
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            values ('p1-id-{number}', 'user1-id', 'p1-id', {number}, '{NOW}', 'test')"
        );
        service.execute(next).await;
        let admission = service.calls.decide(&asks(&format!("p1-id-{number}"), RUN)).await.unwrap();
        if number == 3 {
            assert_eq!(refused(&admission), "attempts_used_up");
            break;
        }
        service.execute("update dials set state = 'SENT', sent_at = intended_at where sequence = 1 and closed_at is null").await;
        service.calls.settle(&talked("p1-id-2", 0)).await.unwrap();
    }
}

#[tokio::test]
async fn a_dial_that_may_ring_is_taken_up_whatever_the_guard_would_say_now() {
    let service = due().await;
    let dial = service.admit("p1-id-1").await;
    service.execute("update dials set state = 'SENT', sent_at = intended_at").await;
    service.execute("update prospects set status = 'DO_NOT_CALL'").await;
    service.execute("delete from settings").await;
    let much_later = service.calls_at(minutes_after(600));
    assert_eq!(admitted(much_later.decide(&asks("p1-id-1", RUN)).await.unwrap()).dial_id, dial);
    assert_eq!(service.entries().await, ["reserve -10"]);
}

#[tokio::test]
async fn a_dial_that_has_not_left_is_decided_anew() {
    let service = due().await;
    service.admit("p1-id-1").await;
    service.execute("update prospects set status = 'DO_NOT_CALL'").await;
    let admission = service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap();
    assert_eq!(refused(&admission), "prospect_not_callable");
}

#[tokio::test]
async fn a_settled_call_in_which_nothing_was_agreed_is_made_again_after_a_reset() {
    let service = due().await;
    service.admit("p1-id-1").await;
    let unanswered = Record { outcome: Some(Outcome::NoResponse), ..talked("p1-id-1", 0) };
    service.calls.settle(&unanswered).await.unwrap();
    let later = service.calls_at(minutes_after(60));
    let again = admitted(later.decide(&asks("p1-id-1", "run-2")).await.unwrap());
    assert_eq!(again.dial_id, "p1-id-1.2");
    assert_eq!(
        service.row("select status, outcome, reason, recorded_at from conversations").await,
        json!({"status": "DIALING", "outcome": null, "reason": null, "recorded_at": null})
    );
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "reserve -10"]);
}

/// A client's system declared the call failed; the provider has not said that it ended.
#[tokio::test]
async fn a_call_whose_phone_may_still_ring_is_not_made_again() {
    let service = due().await;
    service.admit("p1-id-1").await;
    service.execute("update dials set state = 'PLACED', sent_at = intended_at").await;
    let failed = Record {
        outcome: Some(Outcome::Failed),
        reason: Some(Reason::ReportedFailure),
        joined: None,
        ended: None,
        ..talked("p1-id-1", 0)
    };
    service.calls.settle(&failed).await.unwrap();
    for (minutes, again) in [(1, false), (14, false), (16, true)] {
        let calls = service.calls_at(minutes_after(minutes));
        let admission = calls.decide(&asks("p1-id-1", &format!("run-{minutes}"))).await.unwrap();
        assert_eq!(matches!(admission, Admission::Admitted(_)), again, "{minutes}: {admission:?}");
    }
}

/// The provider has said so: it may be made again at once.
#[tokio::test]
async fn a_failed_call_that_ended_is_made_again_at_once() {
    let service = due().await;
    service.admit("p1-id-1").await;
    service.execute("update dials set state = 'PLACED', sent_at = intended_at").await;
    let failed = Record {
        outcome: Some(Outcome::Failed),
        reason: Some(Reason::ReportedFailure),
        ..talked("p1-id-1", 0)
    };
    service.calls.settle(&failed).await.unwrap();
    let again = service.calls_at(minutes_after(1)).decide(&asks("p1-id-1", "run-2")).await.unwrap();
    assert_eq!(admitted(again).dial_id, "p1-id-1.2");
}

#[tokio::test]
async fn a_settled_call_keeps_its_records_if_it_may_not_be_made_again() {
    let service = Service::start().await;
    for (outcome, change) in [
        (Outcome::AppointmentSet, "select 1"),
        (Outcome::NotInterested, "select 1"),
        (Outcome::DoNotCall, "select 1"),
        (Outcome::NoResponse, "update prospects set status = 'DO_NOT_CALL'"),
        (Outcome::NoResponse, "update service set paused_at = now()"),
        (
            Outcome::NoResponse,
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
                values ('p1-id-2', 'user1-id', 'p1-id', 2, now(), 'next')",
        ),
    ] {
        service.clear().await;
        service.due_call(User::default(), Prospect::default()).await;
        service.admit("p1-id-1").await;
        service.calls.settle(&reported("p1-id-1", outcome)).await.unwrap();
        service.execute(change).await;
        let tables = dump(&service).await;
        let admission = service.calls.decide(&asks("p1-id-1", "run-2")).await.unwrap();
        assert!(!matches!(admission, Admission::Admitted(_)), "{outcome}: {admission:?}");
        assert_eq!(dump(&service).await, tables, "{outcome}, {change}");
    }
}
