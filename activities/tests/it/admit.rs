//! `calls.admit`.

use activities::calls::{admit, record_outcome};
use chrono::TimeDelta;
use domain::ids::{ConversationId, DialId};
use domain::status::{Outcome, Reason};
use serde_json::json;
use workflows::activities::calls::{Admission, RecordInput};

use crate::support::{
    NOW, Prospect, RUN, Service, User, admit_input, admitted, at, dump, failed_by_user,
    minutes_after, reported, requeued, run_ended, talked, unanswered,
};

fn denied(admission: &Admission) -> &'static str {
    match admission {
        Admission::Denied { reason, detail } => {
            assert!(detail.ends_with('.'), "{detail}");
            reason.into_str()
        }
        other => panic!("not denied: {other:?}"),
    }
}

async fn due() -> Service {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service
}

#[tokio::test]
async fn admitted_call_has_a_dial_a_line_and_reserved_minutes() {
    let service = due().await;
    let dial = admitted(admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap());
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
            "prospect_id": "p1-id", "sequence": 1, "state": "INTENDED", "phone": "+1234567890",
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
async fn repeated_admission_returns_the_same_dial_and_reserves_once() {
    let service = due().await;
    let first = admitted(admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap());
    let tables = dump(&service).await;
    let later = service.calls_at(minutes_after(5));
    assert_eq!(admitted(admit::run(&later, &admit_input("p1-id-1", RUN)).await.unwrap()), first);
    assert_eq!(dump(&service).await, tables);
    assert_eq!(service.entries().await, ["reserve -10"]);
}

#[tokio::test]
async fn every_rule_denies_on_its_own_and_writes_no_dial() {
    let service = Service::start().await;
    for (change, reason) in [
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
        ("update subscriptions set status = 'CANCELLED'", "no_active_subscription"),
        ("delete from agent_settings", "settings_missing"),
        ("update advanced_settings set time_zone = 'Nowhere'", "window_invalid"),
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
        let admission = admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap();
        assert_eq!(denied(&admission), reason, "{change}");
        assert_eq!(dump(&service).await, tables, "{change}");
    }
}

#[tokio::test]
async fn suppression_of_another_user_does_not_count() {
    let service = due().await;
    User::new("user2-id").insert(&service.database).await.unwrap();
    service
        .execute(
            "insert into suppressions (user_id, phone, reason)
            values ('user2-id', '+1234567890', 'asked')",
        )
        .await;
    service.admit("p1-id-1").await;
}

#[tokio::test]
async fn script_with_unknown_placeholder_denies_and_names_it() {
    let service = due().await;
    service.execute("update script_settings set initial = 'Hi {nickname}'").await;
    let Admission::Denied { detail, .. } =
        admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap()
    else {
        panic!("not denied")
    };
    assert_eq!(
        detail,
        "The user's scripts can't be filled in: the script contains the unknown placeholder {nickname}; \
        use {prospectName}, {userName}, {companyName} or {custom.<column>}, and no other braces."
    );
}

#[tokio::test]
async fn missing_setting_denies_and_is_named() {
    let service = due().await;
    service.execute("delete from script_settings").await;
    let Admission::Denied { detail, .. } =
        admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap()
    else {
        panic!("not denied")
    };
    assert!(detail.contains("no ScriptSetting"), "{detail}");
}

#[tokio::test]
async fn call_is_denied_15_minutes_after_its_slot() {
    let service = due().await;
    let late = service.calls_at(at(NOW) + TimeDelta::minutes(15) + TimeDelta::seconds(1));
    assert_eq!(denied(&admit::run(&late, &admit_input("p1-id-1", RUN)).await.unwrap()), "too_late");
    let just = service.calls_at(at(NOW) + TimeDelta::minutes(14));
    admitted(admit::run(&just, &admit_input("p1-id-1", RUN)).await.unwrap());
}

#[tokio::test]
async fn contact_by_hand_after_the_plan_denies_and_callback_overrides_it() {
    for (status, admits) in [("INITIAL", false), ("NOT_RESPONDED", false), ("RESCHEDULED", true)] {
        for contact in
            ["last_contacted = '2025-02-25 13:59Z'", "next_call_at = '2025-02-25 14:30Z'"]
        {
            let service = due().await;
            service.execute(format!("update prospects set status = '{status}', {contact}")).await;
            let admission = admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap();
            match admits {
                true => drop(admitted(admission)),
                false => assert_eq!(denied(&admission), "cooling_down", "{status}, {contact}"),
            }
        }
    }
}

#[tokio::test]
async fn block_that_ends_soon_defers() {
    for (change, minutes, until, words) in [
        ("select 1", -5, at(NOW), "slot is in the future"),
        (
            "update advanced_settings set start_at = '09:10'",
            0,
            minutes_after(10),
            "the user's window",
        ),
    ] {
        let service = due().await;
        service.execute(change).await;
        let calls = service.calls_at(minutes_after(minutes));
        match admit::run(&calls, &admit_input("p1-id-1", RUN)).await.unwrap() {
            Admission::Deferred { until: later, detail } => {
                assert_eq!(later, until, "{change}");
                assert!(detail.contains(words), "{detail}");
            }
            other => panic!("{change}: {other:?}"),
        }
        assert!(service.entries().await.is_empty());
    }
}

#[tokio::test]
async fn pause_defers_until_it_ends() {
    for table in ["users", "service"] {
        let service = due().await;
        service.execute(format!("update {table} set paused_at = now()")).await;
        let waits = admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap();
        assert!(matches!(waits, Admission::Deferred { .. }), "{waits:?}");
        service.execute(format!("update {table} set paused_at = null")).await;
        service.admit("p1-id-1").await;
    }
}

#[tokio::test]
async fn second_call_waits_for_the_only_line() {
    let service = due().await;
    service.due_call_of(Prospect::new("p2-id")).await;
    let calls = service.calls_with(at(NOW), 1);
    admitted(admit::run(&calls, &admit_input("p1-id-1", RUN)).await.unwrap());
    // The call that has the line keeps it.
    admitted(admit::run(&calls, &admit_input("p1-id-1", RUN)).await.unwrap());
    match admit::run(&calls, &admit_input("p2-id-1", RUN)).await.unwrap() {
        Admission::Deferred { until, detail } => {
            assert!(until > at(NOW) && until < minutes_after(1), "{until}");
            assert_eq!(detail, "Waiting for a line, position 1 in the queue.");
        }
        other => panic!("{other:?}"),
    }
    record_outcome::run(&calls, &talked("p1-id-1", 10)).await.unwrap();
    admitted(admit::run(&calls, &admit_input("p2-id-1", RUN)).await.unwrap());
}

#[tokio::test]
async fn reservation_is_limited_by_the_balance() {
    let service = Service::start().await;
    service.due_call(User { minutes: 3, ..User::default() }, Prospect::default()).await;
    let dial = admitted(admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap());
    assert_eq!(dial.max_duration_secs, 180);
    assert_eq!(service.minutes_left("sub-user1-id").await, 0);
    // Its own reservation does not count against it.
    assert_eq!(
        admitted(admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap()),
        dial
    );
}

#[tokio::test]
async fn daily_limit_counts_the_calls_of_today_only() {
    for (sent, admits) in [("2025-02-25T04:59:59Z", true), ("2025-02-25T05:00:00Z", false)] {
        let service = Service::start().await;
        service.due_call(User { per_day: 1, ..User::default() }, Prospect::default()).await;
        service.due_call_of(Prospect::new("p2-id")).await;
        let (dial, sent_at) = (DialId::new(service.admit("p1-id-1").await), at(sent));
        let mut tx = service.store.begin().await.unwrap();
        store::dials::mark_sent(&mut tx, &dial, sent_at).await.unwrap();
        tx.commit().await.unwrap();
        record_outcome::run(&service.calls, &talked("p1-id-1", 10)).await.unwrap();
        let admission = admit::run(&service.calls, &admit_input("p2-id-1", RUN)).await.unwrap();
        assert_eq!(matches!(admission, Admission::Admitted(_)), admits, "{admission:?}");
    }
}

#[tokio::test]
async fn attempts_count_sent_requests() {
    let service = due().await;
    service.execute("update advanced_settings set max_attempts = 1").await;
    service.admit("p1-id-1").await;
    // Admitted and requeued: no request was sent.
    let back = run_ended("p1-id-1", true, requeued(Reason::Denied));
    record_outcome::run(&service.calls, &back).await.unwrap();
    for number in [2, 3] {
        let next = format!(
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            values ('p1-id-{number}', 'user1-id', 'p1-id', {number}, '{NOW}', 'test')"
        );
        service.execute(next).await;
        let admission = admit::run(&service.calls, &admit_input(&format!("p1-id-{number}"), RUN))
            .await
            .unwrap();
        if number == 3 {
            assert_eq!(denied(&admission), "attempts_used_up");
            break;
        }
        service.execute("update dials set state = 'SENT', sent_at = intended_at where sequence = 1 and closed_at is null").await;
        record_outcome::run(&service.calls, &talked("p1-id-2", 0)).await.unwrap();
    }
}

#[tokio::test]
async fn live_dial_is_resumed_whatever_the_rules_say() {
    let service = due().await;
    let dial = service.admit("p1-id-1").await;
    service.execute("update dials set state = 'SENT', sent_at = intended_at").await;
    service.execute("update prospects set status = 'DO_NOT_CALL'").await;
    service.execute("delete from settings").await;
    let much_later = service.calls_at(minutes_after(600));
    assert_eq!(
        admitted(admit::run(&much_later, &admit_input("p1-id-1", RUN)).await.unwrap()).dial_id,
        dial.as_str()
    );
    assert_eq!(service.entries().await, ["reserve -10"]);
}

#[tokio::test]
async fn dial_that_was_not_sent_is_decided_again() {
    let service = due().await;
    service.admit("p1-id-1").await;
    service.execute("update prospects set status = 'DO_NOT_CALL'").await;
    let admission = admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap();
    assert_eq!(denied(&admission), "prospect_not_callable");
}

#[tokio::test]
async fn call_without_agreement_is_reopened_by_a_reset() {
    let service = due().await;
    service.admit("p1-id-1").await;
    record_outcome::run(&service.calls, &unanswered("p1-id-1")).await.unwrap();
    let later = service.calls_at(minutes_after(60));
    let again = admitted(admit::run(&later, &admit_input("p1-id-1", "run-2")).await.unwrap());
    assert_eq!(again.dial_id, "p1-id-1.2");
    assert_eq!(
        service.row("select status, outcome, reason, recorded_at from conversations").await,
        json!({"status": "DIALING", "outcome": null, "reason": null, "recorded_at": null})
    );
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "reserve -10"]);
}

/// The user's system reported a failure; the provider did not report the end.
#[tokio::test]
async fn call_whose_phone_may_still_ring_is_resumed_and_not_reopened() {
    let service = due().await;
    service.admit("p1-id-1").await;
    service.execute("update dials set state = 'PLACED', sent_at = intended_at").await;
    record_outcome::run(&service.calls, &failed_by_user("p1-id-1")).await.unwrap();
    let again = admit::run(&service.calls, &admit_input("p1-id-1", "run-2")).await.unwrap();
    let again = admitted(again);
    assert_eq!((again.dial_id.as_str(), again.resumed), ("p1-id-1.1", true));
    assert!(again.sent_at.is_some());
    // Its longest possible end has passed.
    let late = service.calls_at(minutes_after(21));
    let nothing = RecordInput::new(ConversationId::new("p1-id-1"));
    record_outcome::run(&late, &nothing).await.unwrap();
    let again = admitted(admit::run(&late, &admit_input("p1-id-1", "run-2")).await.unwrap());
    assert_eq!((again.dial_id.as_str(), again.resumed), ("p1-id-1.2", false));
}

/// The provider reported the end: the call is reopened at once.
#[tokio::test]
async fn ended_failed_call_is_reopened_at_once() {
    let service = due().await;
    service.admit("p1-id-1").await;
    service.execute("update dials set state = 'PLACED', sent_at = intended_at").await;
    record_outcome::run(&service.calls, &failed_by_user("p1-id-1")).await.unwrap();
    record_outcome::run(&service.calls, &unanswered("p1-id-1")).await.unwrap();
    let again = admit::run(&service.calls_at(minutes_after(1)), &admit_input("p1-id-1", "run-2"))
        .await
        .unwrap();
    assert_eq!(admitted(again).dial_id, "p1-id-1.2");
}

#[tokio::test]
async fn recorded_call_that_is_not_reopened_keeps_its_record() {
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
        let said = match outcome {
            Outcome::NoResponse => unanswered("p1-id-1"),
            decision => reported("p1-id-1", decision),
        };
        record_outcome::run(&service.calls, &said).await.unwrap();
        service.execute(change).await;
        let tables = dump(&service).await;
        let admission = admit::run(&service.calls, &admit_input("p1-id-1", "run-2")).await.unwrap();
        assert!(!matches!(admission, Admission::Admitted(_)), "{outcome}: {admission:?}");
        assert_eq!(dump(&service).await, tables, "{outcome}, {change}");
    }
}
