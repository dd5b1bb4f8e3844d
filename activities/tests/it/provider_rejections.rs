//! Rejections by the provider that concern a user's settings or the account.

use activities::calls::{admit, dial, record_outcome};
use activities::planning::{UserPlan, preview_plan};
use chrono::{DateTime, TimeDelta, Utc};
use domain::BlockReason;
use domain::call_log::RunEnd;
use domain::ids::UserId;
use domain::status::Reason;
use serde_json::{Value, json};
use workflows::activities::calls::{Admission, DialResult};
use workflows::activities::planning::PlanUserInput;

use crate::support::{
    LIVE, NOW, Prospect, Provider, RUN, Service, User, admit_input, admitted, at, dial_ref,
    minutes_after, run_ended,
};

/// A service with a provider and two users.
async fn start() -> (Provider, Service) {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    User::default().insert(&service.database).await.unwrap();
    User::new("user2-id").insert(&service.database).await.unwrap();
    (provider, service)
}

fn prospect(id: &str, user: &str) -> Prospect {
    Prospect { user_id: user.to_owned(), ..Prospect::new(id) }
}

/// Admits and dials the due call of a new prospect, and records it if it was not placed.
async fn call(service: &Service, id: &str, user: &str) -> DialResult {
    service.due_call_of(prospect(id, user)).await;
    let conversation = format!("{id}-1");
    let dialed = dial_at(service, &conversation, at(NOW)).await;
    if let DialResult::Denied { reason, detail } = &dialed {
        assert_eq!(*reason, BlockReason::ProviderRejects);
        let end = RunEnd::Requeued { reason: Reason::Denied, detail: detail.clone() };
        let end = run_ended(&conversation, true, end);
        record_outcome::run(&service.calls, &end).await.unwrap();
    }
    dialed
}

async fn dial_at(service: &Service, conversation: &str, now: DateTime<Utc>) -> DialResult {
    let calls = service.calls_at(now);
    let admission = admit::run(&calls, &admit_input(conversation, RUN)).await.unwrap();
    let dial_id = admitted(admission).dial_id;
    dial::run(&calls, &dial_ref(dial_id.as_str())).await.unwrap()
}

/// Why a call is not admitted, and when it asks again.
async fn blocked(
    service: &Service,
    conversation: &str,
    now: DateTime<Utc>,
) -> (String, DateTime<Utc>) {
    match admit::run(&service.calls_at(now), &admit_input(conversation, RUN)).await.unwrap() {
        Admission::Deferred { until, detail } => (detail, until),
        other => panic!("{other:?}"),
    }
}

async fn set_voice(service: &Service, user: &str, voice: &str) {
    let change =
        format!("update agent_settings set voice = '{voice}' where setting_id = 'set-{user}'");
    assert_eq!(service.execute(change).await, 1);
}

/// The number of calls that a plan run at a time plans for a user, or why it plans none.
async fn planned(service: &Service, user: &str, from: DateTime<Utc>) -> Result<usize, String> {
    let input = PlanUserInput {
        run: "preview".to_owned(),
        user_id: UserId::new(user),
        from,
        until: from + TimeDelta::minutes(30),
        callbacks_only: false,
        share: None,
    };
    match preview_plan(&service.planning, &input).await.unwrap() {
        UserPlan::Skipped(block) => Err(block.detail),
        UserPlan::Decided(decisions, _) => Ok(decisions.iter().filter(|d| d.slot.is_ok()).count()),
    }
}

#[tokio::test]
async fn rejected_setting_costs_the_prospects_nothing_and_pauses_its_user() {
    let (_provider, service) = start().await;
    service.execute("update advanced_settings set max_attempts = 1").await;
    set_voice(&service, "user1-id", "femalee").await;
    for id in ["p1", "p2", "p3"] {
        let dialed = call(&service, id, "user1-id").await;
        assert!(matches!(dialed, DialResult::Denied { .. }), "{dialed:?}");
        // A repeated attempt of the activity has the same result, and counts once.
        let again = dial::run(&service.calls, &dial_ref(&format!("{id}-1.1"))).await.unwrap();
        assert_eq!(format!("{dialed:?}"), format!("{again:?}"));
    }
    let prospects = "select distinct status, next_call_at, last_contacted, attempts from callees";
    assert_eq!(
        service.row(prospects).await,
        json!({"status": "INITIAL", "next_call_at": null, "last_contacted": null, "attempts": 0})
    );
    let conversations = "select distinct status, outcome, reason, notes like '%femalee%' as words from conversations";
    assert_eq!(
        service.row(conversations).await,
        json!({"status": "CANCELLED", "outcome": null, "reason": "denied", "words": true})
    );
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);

    // Calls that are planned already wait, and a plan run says why.
    service.due_call_of(prospect("p4", "user1-id")).await;
    let (detail, until) = blocked(&service, "p4-1", at(NOW)).await;
    assert!(
        detail.contains("the last 3 calls of the user") && detail.contains("femalee"),
        "{detail}"
    );
    assert_eq!(until, minutes_after(1));
    let wait = "update provider_rejections set trial_at = trial_at + interval '1 hour' where trial_at is not null";
    assert_eq!(service.execute(wait).await, 1);
    let plan = service.plan("run", "user1-id", at(NOW)).await;
    assert_eq!(plan.skipped.into_iter().collect::<Vec<_>>(), [(BlockReason::ProviderRejects, 1)]);
    // The other user's calls go on.
    assert!(matches!(call(&service, "q1", "user2-id").await, DialResult::Placed { .. }));
}

#[tokio::test]
async fn accepted_trial_call_ends_the_pause() {
    let (provider, service) = start().await;
    provider.fault(json!({"create_call": [{"refuse": 400, "times": 4}]})).await;
    for id in ["p1", "p2", "p3"] {
        call(&service, id, "user1-id").await;
    }
    service.due_call_of(prospect("p4", "user1-id")).await;
    service.due_call_of(prospect("p5", "user1-id")).await;
    assert_eq!(planned(&service, "user1-id", at(NOW)).await, Ok(1));
    // The trial is rejected: the next one comes later.
    let trial = dial_at(&service, "p4-1", minutes_after(1)).await;
    assert!(matches!(trial, DialResult::Denied { .. }), "{trial:?}");
    let (_, until) = blocked(&service, "p5-1", minutes_after(1)).await;
    assert_eq!(until, minutes_after(3));
    // While the next trial call is under way, others wait; the trial itself may ask again.
    let calls = service.calls_at(minutes_after(3));
    let trial = admitted(admit::run(&calls, &admit_input("p5-1", RUN)).await.unwrap());
    service.due_call_of(prospect("p6", "user1-id")).await;
    blocked(&service, "p6-1", minutes_after(3)).await;
    admitted(admit::run(&calls, &admit_input("p5-1", RUN)).await.unwrap());
    let placed = dial::run(&calls, &dial_ref(trial.dial_id.as_str())).await.unwrap();
    assert!(matches!(placed, DialResult::Placed { .. }), "{placed:?}");
    assert_eq!(service.rows("select * from provider_rejections").await, Vec::<Value>::new());
    let placed = dial_at(&service, "p6-1", minutes_after(3)).await;
    assert!(matches!(placed, DialResult::Placed { .. }), "{placed:?}");
}

#[tokio::test]
async fn changed_settings_end_the_pause() {
    let (_provider, service) = start().await;
    set_voice(&service, "user1-id", "femalee").await;
    for id in ["p1", "p2", "p3"] {
        call(&service, id, "user1-id").await;
    }
    service.due_call_of(prospect("p4", "user1-id")).await;
    blocked(&service, "p4-1", at(NOW)).await;
    set_voice(&service, "user1-id", "female").await;
    let placed = dial_at(&service, "p4-1", at(NOW)).await;
    assert!(matches!(placed, DialResult::Placed { .. }), "{placed:?}");
}

#[tokio::test]
async fn rejections_of_several_users_in_a_row_pause_all_users() {
    let (provider, service) = start().await;
    User::new("user3-id").insert(&service.database).await.unwrap();
    service.due_call_of(prospect("r1", "user3-id")).await;
    provider.fault(json!({"create_call": [{"refuse": 400, "times": 2}]})).await;
    call(&service, "p1", "user1-id").await;
    call(&service, "q1", "user2-id").await;
    // An accepted call between shows that the account is not the reason.
    assert!(matches!(call(&service, "q2", "user2-id").await, DialResult::Placed { .. }));
    provider.fault(json!({"create_call": [{"refuse": 422, "times": 3}]})).await;
    call(&service, "p2", "user1-id").await;
    call(&service, "q3", "user2-id").await;
    assert_eq!(planned(&service, "user3-id", at(NOW)).await, Ok(0));
    call(&service, "p3", "user1-id").await;
    let (detail, _) = blocked(&service, "r1-1", at(NOW)).await;
    assert!(detail.contains("calls of several users"), "{detail}");
    let placed = dial_at(&service, "r1-1", minutes_after(1)).await;
    assert!(matches!(placed, DialResult::Placed { .. }), "{placed:?}");
    // The pause of the first user, with three rejections of its own, remains.
    let paused = "select user_id from provider_rejections where trial_at is not null";
    assert_eq!(service.rows(paused).await, [json!({"user_id": "user1-id"})]);
}

#[tokio::test]
async fn rejected_account_pauses_all_users() {
    let (provider, service) = start().await;
    provider.fault(json!({"create_call": [{"refuse": 402, "times": 9}]})).await;
    for (id, user) in [("p1", "user1-id"), ("q1", "user2-id"), ("p2", "user1-id")] {
        service.due_call_of(prospect(id, user)).await;
        let conversation = format!("{id}-1");
        let admission = admit::run(&service.calls, &admit_input(&conversation, RUN)).await.unwrap();
        // The activity is retried; the call counts once.
        for _ in 0..3 {
            let dial_id = admitted(admission.clone()).dial_id;
            dial::run(&service.calls, &dial_ref(dial_id.as_str())).await.unwrap_err();
        }
    }
    service.due_call_of(prospect("q2", "user2-id")).await;
    let (detail, _) = blocked(&service, "q2-1", at(NOW)).await;
    assert!(
        detail.contains("the last 3 calls of several users") && detail.contains("402"),
        "{detail}"
    );
}

#[tokio::test]
async fn prospect_that_alone_is_rejected_again_and_again_fails() {
    let (provider, service) = start().await;
    for (n, fails) in [(1, false), (2, false), (3, true)] {
        provider.fault(json!({"create_call": [{"refuse": 400}]})).await;
        let id = format!("p1-{n}");
        if n == 1 {
            service.due_call_of(prospect("p1", "user1-id")).await;
        } else {
            let planned = format!(
                "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
                values ('{id}', 'user1-id', 'p1', {n}, '{NOW}', 'test')"
            );
            service.execute(planned).await;
        }
        let dialed = dial_at(&service, &id, at(NOW)).await;
        assert_eq!(matches!(dialed, DialResult::Rejected { .. }), fails, "{n}: {dialed:?}");
        let end = run_ended(
            &id,
            true,
            RunEnd::Requeued { reason: Reason::Denied, detail: String::new() },
        );
        record_outcome::run(&service.calls, &end).await.unwrap();
        let other = call(&service, &format!("q{n}"), "user1-id").await;
        assert!(matches!(other, DialResult::Placed { .. }), "{other:?}");
    }
}
