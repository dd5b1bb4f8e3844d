//! `calls.dial` and `calls.cancel_dial`.

use activities::Calls;
use activities::calls::{admit, cancel_dial, dial, fetch_status, record_outcome};
use activities::failure::Failure;
use activities::ultravox::UltravoxError;
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};
use workflows::activities::calls::{Admission, CancelDialResult, DialResult};

use crate::support::{
    LIVE, NOW, Prospect, Provider, RUN, Service, User, admit_input, at, dial_ref, minutes_after,
};

const DIAL: &str = "p1-id-1.1";

/// A provider, and a service with an admitted dial.
async fn admitted() -> (Provider, Service) {
    let provider = Provider::start(LIVE, &[]).await;
    let service = admitted_service(&provider, Prospect::default()).await;
    (provider, service)
}

async fn admitted_service(provider: &Provider, prospect: Prospect) -> Service {
    let service = Service::calling(provider).await;
    admit(&service, prospect).await;
    service
}

/// Empties the tables and admits a dial.
async fn admit(service: &Service, prospect: Prospect) {
    service.clear().await;
    service.due_call(User::default(), prospect).await;
    assert_eq!(service.admit("p1-id-1").await, DIAL);
}

async fn place(calls: &Calls) -> DialResult {
    dial::run(calls, &dial_ref(DIAL)).await.unwrap()
}

fn provider_id(placement: &DialResult) -> &str {
    match placement {
        DialResult::Placed { provider_call_id } => provider_call_id,
        other => panic!("not placed: {other:?}"),
    }
}

fn denied(result: &DialResult) -> &'static str {
    match result {
        DialResult::Denied { reason, detail } => {
            assert!(detail.ends_with('.'), "{detail}");
            reason.into_str()
        }
        other => panic!("not denied: {other:?}"),
    }
}

async fn state(service: &Service) -> Value {
    let state = "select state, sent_at is not null as sent, provider_call_id as call, closed_at,
        rejection from dials";
    service.row(state).await
}

fn intended() -> Value {
    json!({"state": "INTENDED", "sent": false, "call": null, "closed_at": null, "rejection": null})
}

fn sent() -> Value {
    json!({"state": "SENT", "sent": true, "call": null, "closed_at": null, "rejection": null})
}

#[tokio::test]
async fn dial_rings_one_phone_and_stores_the_providers_id() {
    let (provider, service) = admitted().await;
    let placed = place(&service.calls).await;
    let calls = provider.calls().await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["callId"], provider_id(&placed));
    assert_eq!(calls[0]["number"], "+1234567890");
    assert_eq!(calls[0]["metadata"], json!({"dial_id": DIAL, "conversation_id": "p1-id-1"}));
    assert_eq!(
        state(&service).await,
        json!({"state": "PLACED", "sent": true, "call": provider_id(&placed), "closed_at": null,
            "rejection": null})
    );
    assert_eq!(provider.violations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn repeated_dial_does_not_ring_again() {
    let (provider, service) = admitted().await;
    let first = place(&service.calls).await;
    for calls in [service.calls_at(at(NOW)), service.calls_at(minutes_after(300))] {
        assert_eq!(provider_id(&place(&calls).await), provider_id(&first));
    }
    assert_eq!(provider.calls().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_dials_of_one_call_ring_one_phone() {
    let (provider, service) = admitted().await;
    let attempts = (0..8).map(|_| async { dial::run(&service.calls, &dial_ref(DIAL)).await });
    let placements = join_all(attempts).await;
    let placed =
        placements.iter().filter(|p| matches!(p.as_ref().unwrap(), DialResult::Placed { .. }));
    assert!(placed.count() >= 1);
    assert_eq!(provider.calls().await.len(), 1);
}

#[tokio::test]
async fn lost_answer_leaves_the_dial_unknown_until_a_lookup_finds_it() {
    let (provider, service) = admitted().await;
    provider.fault(json!({"create_call": [{"drop_after_accept": true}]})).await;
    for _ in 0..2 {
        assert!(matches!(place(&service.calls).await, DialResult::Unknown));
        assert_eq!(state(&service).await, sent());
        assert_eq!(provider.calls().await.len(), 1);
    }
    let seen = fetch_status::run(&service.calls, &dial_ref(DIAL)).await.unwrap();
    let call = provider.calls().await[0]["callId"].clone();
    assert_eq!(json!(seen.provider_call_id), call);
    assert_eq!(state(&service).await["state"], "PLACED");
    assert_eq!(provider_id(&place(&service.calls).await), call);
    assert_eq!(provider.calls().await.len(), 1);
}

#[tokio::test]
async fn ambiguous_failure_is_never_followed_by_another_request() {
    let (provider, service) = admitted().await;
    let unaccepted = |status| json!({"status_before_accept": status});
    let accepted = |status| json!({"status_after_accept": status});
    for (fault, calls) in [
        (unaccepted(500), 0),
        (unaccepted(502), 0),
        (unaccepted(504), 0),
        (accepted(500), 1),
        (accepted(502), 1),
        (accepted(504), 1),
        (accepted(503), 1),
        (json!({"drop_before_accept": true}), 0),
    ] {
        admit(&service, Prospect::default()).await;
        let before = provider.calls().await.len();
        provider.fault(json!({"create_call": [fault]})).await;
        let placement = place(&service.calls).await;
        assert!(matches!(placement, DialResult::Unknown), "{fault}: {placement:?}");
        assert!(matches!(place(&service.calls).await, DialResult::Unknown), "{fault}");
        assert_eq!(state(&service).await, sent(), "{fault}");
        assert_eq!(provider.calls().await.len() - before, calls, "{fault}");
    }
}

#[tokio::test]
async fn busy_provider_is_retried_after_retry_after() {
    let (provider, service) = admitted().await;
    provider.fault(json!({"create_call": [{"refuse_429": {"retry_after": 40}}]})).await;
    match place(&service.calls).await {
        DialResult::Busy { until } => {
            let wait = (until - at(NOW)).num_seconds();
            assert!((40..60).contains(&wait), "{wait} s");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(state(&service).await, intended());
    let later = service.calls_at(minutes_after(1));
    assert_eq!(
        crate::support::admitted(admit::run(&later, &admit_input("p1-id-1", RUN)).await.unwrap())
            .dial_id,
        DIAL
    );
    provider_id(&place(&later).await);
    assert_eq!(service.entries().await, ["reserve -10"]);
}

#[tokio::test]
async fn unavailable_provider_is_retried() {
    let (provider, service) = admitted().await;
    provider.fault(json!({"create_call": [{"status_before_accept": 503}]})).await;
    assert!(matches!(place(&service.calls).await, DialResult::Busy { .. }));
    assert_eq!(state(&service).await, intended());
    provider_id(&place(&service.calls).await);
    assert_eq!(provider.calls().await.len(), 1);
}

#[tokio::test]
async fn rejected_key_fails_until_it_is_corrected() {
    let (provider, service) = admitted().await;
    let wrong = service.calls_with_key(&provider.url, "WrongKey.00000000000000000000000000000000");
    let failure = dial::run(&wrong, &dial_ref(DIAL)).await.unwrap_err();
    let words = failure.to_string();
    assert!(matches!(failure, Failure::Provider(UltravoxError::KeyRejected { status: 401, .. })));
    assert!(words.contains("ULTRAVOX_API_KEY") && !words.contains("WrongKey"), "{words}");
    assert_eq!(state(&service).await, intended());
    for status in [401, 403] {
        provider.fault(json!({"create_call": [{"refuse": status}]})).await;
        let failure = dial::run(&service.calls, &dial_ref(DIAL)).await.unwrap_err();
        assert!(matches!(failure, Failure::Provider(UltravoxError::KeyRejected { .. })));
        assert_eq!(state(&service).await, intended());
    }
    provider_id(&place(&service.calls).await);
    assert_eq!(provider.calls().await.len(), 1);
}

#[tokio::test]
async fn unreachable_provider_has_no_call() {
    let (mut provider, service) = admitted().await;
    provider.process.stop().await.unwrap();
    let failure = dial::run(&service.calls, &dial_ref(DIAL)).await.unwrap_err();
    assert!(matches!(failure, Failure::Provider(UltravoxError::Unreachable(_))), "{failure:?}");
    assert_eq!(state(&service).await, intended());
    provider.process.restart().await.unwrap();
    provider_id(&place(&service.calls).await);
}

#[tokio::test]
async fn invalid_request_is_rejected_in_the_providers_words() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = admitted_service(&provider, Prospect::default().phone_ending(212, 70)).await;
    for _ in 0..2 {
        match place(&service.calls).await {
            DialResult::Rejected { detail } => {
                assert!(detail.contains("can't be dialled"), "{detail}")
            }
            other => panic!("{other:?}"),
        }
        let state = state(&service).await;
        assert_eq!((&state["state"], &state["call"]), (&json!("NOT_PLACED"), &Value::Null));
        assert!(state["rejection"].as_str().unwrap().contains("can't be dialled"));
    }
}

#[tokio::test]
async fn empty_account_fails_until_it_is_funded() {
    let (provider, service) = admitted().await;
    provider.fault(json!({"create_call": [{"refuse": 402}]})).await;
    let failure = dial::run(&service.calls, &dial_ref(DIAL)).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Provider(UltravoxError::UnexpectedAnswer { status: 402, .. })),
        "{failure:?}"
    );
    assert_eq!(state(&service).await, intended());
    assert!(provider.calls().await.is_empty());
    provider_id(&place(&service.calls).await);
}

#[tokio::test]
async fn change_since_admission_stops_the_request() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    for (change, reason) in [
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
        ("update prospects set status = 'DO_NOT_CALL'", "prospect_not_callable"),
        ("update prospects set status = 'BOOKED'", "prospect_not_callable"),
        ("delete from prospects", "prospect_deleted"),
        ("delete from users", "prospect_deleted"),
        ("update subscriptions set status = 'CANCELLED'", "no_active_subscription"),
        ("delete from agent_settings", "settings_missing"),
        ("update script_settings set initial = 'Hi {nickname}'", "script_invalid"),
        ("update prospects set time_zone = 'Nowhere'", "prospect_zone_unknown"),
        ("update conversations set status = 'CANCELLED', recorded_at = now()", "already_recorded"),
        ("update dials set closed_at = now()", "already_recorded"),
        ("delete from dials", "already_recorded"),
    ] {
        admit(&service, Prospect::default()).await;
        service.execute(change).await;
        assert_eq!(denied(&place(&service.calls).await), reason, "{change}");
        let left = "select id from dials where sent_at is not null";
        assert!(service.rows(left).await.is_empty(), "{change}");
    }
    assert!(provider.calls().await.is_empty());
}

#[tokio::test]
async fn phone_changed_since_admission_is_not_dialed() {
    let (provider, service) = admitted().await;
    service.execute("update prospects set phone = '+12125550100'").await;
    denied(&place(&service.calls).await);
    assert!(provider.calls().await.is_empty());
}

#[tokio::test]
async fn pause_stops_the_request() {
    for table in ["users", "service"] {
        let (provider, service) = admitted().await;
        service.execute(format!("update {table} set paused_at = now()")).await;
        let placement = place(&service.calls).await;
        assert!(!matches!(placement, DialResult::Placed { .. }), "{table}: {placement:?}");
        assert!(provider.calls().await.is_empty());
    }
}

#[tokio::test]
async fn deadline_stops_the_request() {
    let (provider, service) = admitted().await;
    let late = service.calls_at(minutes_after(16));
    assert_eq!(denied(&place(&late).await), "too_late");
    assert_eq!(state(&service).await, intended());
    assert!(provider.calls().await.is_empty());
}

/// The window ends at 22:00:00.
#[tokio::test]
async fn no_phone_rings_after_the_end_of_the_hours() {
    let (slot, deadline) = (at("2025-02-25T21:55:00Z"), at("2025-02-25T21:59:15Z"));
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    service.due_call(User::default(), Prospect::default()).await;
    service.execute(format!("update conversations set slot = '{slot}'")).await;
    let input = admit_input("p1-id-1", RUN);
    let admitted = admit::run(&service.calls_at(slot), &input).await.unwrap();
    assert!(matches!(admitted, Admission::Admitted(_)), "{admitted:?}");
    let row = service.row("select dial_deadline from dials").await;
    assert_eq!(row, json!({"dial_deadline": "2025-02-25T21:59:15+00:00"}));

    let late = service.calls_at(deadline);
    assert_eq!(denied(&place(&late).await), "too_late");
    let again = admit::run(&late, &input).await.unwrap();
    let Admission::Denied { reason, .. } = again else { panic!("{again:?}") };
    assert_eq!(reason.into_str(), "outside_hours");
    assert!(provider.calls().await.is_empty());

    let in_time = service.calls_at(deadline - TimeDelta::seconds(5));
    assert!(matches!(place(&in_time).await, DialResult::Placed { .. }));
}

#[tokio::test]
async fn second_call_uses_the_follow_up_script() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = admitted_service(&provider, Prospect::default()).await;
    service.execute("update dials set state = 'SENT', sent_at = intended_at").await;
    record_outcome::run(&service.calls, &crate::support::talked("p1-id-1", 10)).await.unwrap();
    service.execute("update script_settings set initial = '{broken}'").await;
    let next = format!(
        "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
        values ('p1-id-2', 'user1-id', 'p1-id', 2, '{NOW}', 'next')"
    );
    service.execute(next).await;
    service.execute("update prospects set next_call_at = null").await;
    let dial = service.admit("p1-id-2").await;
    provider_id(&dial::run(&service.calls, &dial_ref(&dial)).await.unwrap());
    assert_eq!(provider.violations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn dial_cancelled_before_the_request_does_not_ring() {
    let (provider, service) = admitted().await;
    for _ in 0..2 {
        assert_eq!(
            cancel_dial::run(&service.calls, &dial_ref(DIAL)).await.unwrap(),
            CancelDialResult::NotSent
        );
        assert!(matches!(place(&service.calls).await, DialResult::Rejected { .. }));
    }
    assert!(provider.calls().await.is_empty());
    assert_eq!(
        cancel_dial::run(&service.calls, &dial_ref("unknown")).await.unwrap(),
        CancelDialResult::NotSent
    );
}

#[tokio::test]
async fn sent_dial_cannot_be_cancelled() {
    let (provider, service) = admitted().await;
    provider.fault(json!({"create_call": [{"drop_after_accept": true}]})).await;
    place(&service.calls).await;
    assert_eq!(
        cancel_dial::run(&service.calls, &dial_ref(DIAL)).await.unwrap(),
        CancelDialResult::Sent
    );
    fetch_status::run(&service.calls, &dial_ref(DIAL)).await.unwrap();
    assert_eq!(
        cancel_dial::run(&service.calls, &dial_ref(DIAL)).await.unwrap(),
        CancelDialResult::Sent
    );
    assert_eq!(state(&service).await["state"], "PLACED");
}
