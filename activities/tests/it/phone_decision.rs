//! One number of several prospects of a user: a decision or a callback of one of them holds for all.

use activities::calls::{admit, dial, record_outcome};
use domain::BlockReason;
use domain::status::Outcome;
use serde_json::json;
use strum::VariantArray as _;
use workflows::activities::calls::{Admission, DialResult, RecordInput};

use crate::support::{
    NOW, Prospect, RUN, Service, User, admit_input, at, dial_ref, minutes_after, reported, talked,
};

const PHONE: &str = "+12125550166";

/// `first` and `second` of one user have the number; `other` of another user too.
async fn shared_number() -> Service {
    let service = Service::start().await;
    for (user, prospects) in [("user1-id", &["first", "second"][..]), ("user2-id", &["other"])] {
        User::new(user).insert(&service.database).await.unwrap();
        for prospect in prospects {
            let prospect = Prospect { phone: PHONE.to_owned(), ..Prospect::new(*prospect) };
            prospect.of_user(user).insert(&service.database).await.unwrap();
        }
    }
    service
}

async fn planned(service: &Service, run: &str, user: &str) -> Vec<String> {
    let planned = service.plan(run, user, at(NOW)).await;
    planned.calls.into_iter().map(|call| call.prospect_id.to_string()).collect()
}

/// Dials `first` and records the end of the call.
async fn call_first(service: &Service, record: impl FnOnce(&str) -> RecordInput) {
    let due = format!(
        "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
        values ('first-1', 'user1-id', 'first', 1, '{NOW}', 'test')"
    );
    service.execute(due).await;
    service.admit("first-1").await;
    service.execute("update dials set state = 'PLACED', sent_at = intended_at").await;
    record_outcome::run(&service.calls, &record("first-1")).await.unwrap();
}

async fn deny_reason(service: &Service, conversation: &str) -> Option<BlockReason> {
    let admission = admit::run(&service.calls, &admit_input(conversation, RUN)).await.unwrap();
    match admission {
        Admission::Denied { reason, .. } => Some(reason),
        _ => None,
    }
}

#[tokio::test]
async fn number_whose_callee_has_decided_is_not_called_through_another_row() {
    for status in ["BOOKED", "NOT_INTERESTED", "DO_NOT_CALL"] {
        for spelling in
            [PHONE, "(212) 555-0166", "1-212-555-0166", "001 212 5550166", " +1 (212) 5550166"]
        {
            let service = shared_number().await;
            let closed = format!(
                "update prospects set status = '{status}', phone = '{spelling}' where id = 'first'"
            );
            service.execute(closed).await;
            assert!(planned(&service, "run", "user1-id").await.is_empty(), "{status} {spelling}");
            let decision = "select reason, detail from plan_decisions where prospect_id = 'second'";
            assert_eq!(
                service.row(decision).await,
                json!({"reason": "phone_closed", "detail":
                    "Another prospect with the same phone number booked, declined or opted out. It is first."})
            );
            // It is the user's own affair.
            assert_eq!(planned(&service, "run", "user2-id").await, ["other"]);
        }
    }
}

#[tokio::test]
async fn decision_after_the_plan_denies_admission_and_request() {
    let service = shared_number().await;
    for id in ["second", "other"] {
        let user = if id == "second" { "user1-id" } else { "user2-id" };
        let due = format!(
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            values ('{id}-1', '{user}', '{id}', 1, '{NOW}', 'test')"
        );
        service.execute(due).await;
    }
    let dial_id = service.admit("second-1").await;
    service.execute("update prospects set status = 'NOT_INTERESTED' where id = 'first'").await;
    match dial::run(&service.calls, &dial_ref(&dial_id)).await.unwrap() {
        DialResult::Denied { reason, .. } => assert_eq!(reason, BlockReason::PhoneClosed),
        other => panic!("{other:?}"),
    }
    assert_eq!(deny_reason(&service, "second-1").await, Some(BlockReason::PhoneClosed));
    service.execute("delete from dials").await;
    assert_eq!(deny_reason(&service, "other-1").await, None);
}

#[tokio::test]
async fn number_rests_after_every_outcome() {
    for outcome in Outcome::VARIANTS.iter().copied().map(Some).chain([None]) {
        for last_contacted in ["null", "'2025-02-20 14:00Z'"] {
            let service = shared_number().await;
            service
                .execute(format!("update prospects set last_contacted = {last_contacted}"))
                .await;
            call_first(&service, |id| match outcome {
                Some(outcome) => reported(id, outcome),
                None => talked(id, 30),
            })
            .await;
            let calls = planned(&service, "run", "user1-id").await;
            assert!(calls.is_empty(), "{outcome:?}: {calls:?}");
            service.execute("update prospects set next_call_at = null where id = 'second'").await;
            let soon = service.plan("soon", "user1-id", minutes_after(10)).await;
            assert!(soon.calls.is_empty(), "{outcome:?}: {:?}", soon.calls);
        }
    }
}

/// The number that was dialled keeps the decision, whatever becomes of the row that had it.
#[tokio::test]
async fn decision_outlives_a_change_of_the_number_and_of_the_row() {
    for change in [
        "update prospects set phone = '+12125550177' where id = 'first'",
        "delete from prospects where id = 'first'",
    ] {
        for outcome in [Outcome::AppointmentSet, Outcome::NotInterested, Outcome::DoNotCall] {
            let service = shared_number().await;
            call_first(&service, |id| reported(id, outcome)).await;
            service.execute("delete from suppressions").await;
            service.execute(change).await;
            let later = service.plan("run", "user1-id", minutes_after(60 * 24 * 7)).await;
            assert!(later.calls.is_empty(), "{outcome}, {change}: {:?}", later.calls);
            assert_eq!(later.skipped[&BlockReason::PhoneClosed], 1, "{:?}", later.skipped);
        }
    }
}

#[tokio::test]
async fn status_that_is_reset_by_hand_opens_the_number_again() {
    let service = shared_number().await;
    call_first(&service, |id| reported(id, Outcome::NotInterested)).await;
    service.execute("update prospects set status = 'INITIAL', next_call_at = null").await;
    let run = service.plan("run", "user1-id", minutes_after(60 * 25)).await;
    let calls: Vec<&str> = run.calls.iter().map(|call| call.prospect_id.as_str()).collect();
    assert_eq!((calls.len(), run.skipped[&BlockReason::PhoneBusy]), (1, 1), "{calls:?}");
}

#[tokio::test]
async fn callback_of_one_row_holds_the_others_until_its_time() {
    let service = shared_number().await;
    call_first(&service, |id| reported(id, Outcome::CallbackRequested)).await;
    // The callback is a day later; the cool-down of the other row is over before.
    service.execute("update prospects set next_call_at = null, rescheduled_for = '2025-02-27 15:00Z' where id = 'first'").await;
    let day_later = minutes_after(60 * 24 + 30);
    let run = service.plan("run", "user1-id", day_later).await;
    assert!(run.calls.is_empty(), "{:?}", run.calls);
    let until = "select next_allowed at time zone 'UTC' as until from plan_decisions where prospect_id = 'second'";
    assert_eq!(service.row(until).await["until"], "2025-02-27T15:00:00");
}
