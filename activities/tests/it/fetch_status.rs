//! `calls.fetch_status`, `calls.hang_up`, `calls.collect_transcript` and `calls.sweep`.

use activities::Calls;
use activities::calls::sweep::Swept;
use activities::calls::{collect_transcript, dial, fetch_status, hang_up, record_outcome, sweep};
use activities::telnyx::{Telnyx, TelnyxError};
use devstack::development;
use domain::facts::EndReason;
use domain::ids::{ConversationId, DialId};
use domain::status::{Outcome, Reason};
use secrecy::SecretString;
use serde_json::{Value, json};
use workflows::activities::calls::{DialRef, HangUpInput, ProviderStatus};

use crate::support::{
    FAST, LIVE, Prospect, Provider, Receiver, Service, TIMEOUT, User, dial_ref, eventually,
    minutes_after, said,
};

const DIAL: &str = "p1-id-1.1";

/// A placed call to a number with this ending.
async fn placed(speed: &str, ending: u32) -> (Provider, Service) {
    let provider = Provider::start(speed, &[]).await;
    let service = Service::calling(&provider).await;
    place(&service, ending).await;
    (provider, service)
}

async fn place(service: &Service, ending: u32) {
    service.due_call(User::default(), Prospect::default().phone_ending(212, ending)).await;
    service.admit("p1-id-1").await;
    dial::run(&service.calls, &dial_ref(DIAL)).await.unwrap();
}

async fn fetch(service: &Service) -> ProviderStatus {
    fetch_status::run(&service.calls, &dial_ref(DIAL)).await.unwrap()
}

fn leg(carrier_call_id: Option<String>, answered: bool) -> HangUpInput {
    HangUpInput { dial_id: DialId::new(DIAL), provider_call_id: None, carrier_call_id, answered }
}

/// Sweeps a call without a workflow.
async fn abandon(calls: &Calls, conversation: &str) -> Swept {
    sweep::record_abandoned(calls, &ConversationId::new(conversation), &[]).await.unwrap()
}

#[tokio::test]
async fn ringing_call_has_neither_answer_nor_end() {
    let (provider, service) = placed(LIVE, 50).await;
    for _ in 0..2 {
        let status = fetch(&service).await;
        assert_eq!(json!(status.provider_call_id), provider.calls().await[0]["callId"]);
        assert!(status.answered_at.is_none() && status.ended_at.is_none());
    }
}

#[tokio::test]
async fn ended_call_has_its_talk() {
    let (provider, service) = placed(FAST, 80).await;
    let call = provider.over().await;
    let status = fetch(&service).await;
    let talked = (status.ended_at.unwrap() - status.answered_at.unwrap()).num_seconds();
    assert_eq!((talked, status.end_reason), (3, Some(EndReason::CalleeHungUp)));
    assert_eq!(call["talkSeconds"], 3.0);
}

#[tokio::test]
async fn unanswered_call_has_no_talk() {
    let (provider, service) = placed(FAST, 50).await;
    provider.over().await;
    let status = fetch(&service).await;
    assert_eq!((status.answered_at, status.end_reason), (None, Some(EndReason::Unanswered)));
    assert!(status.ended_at.is_some());
}

/// A wrong address after a deploy, or another account's key, looks the same.
#[tokio::test]
async fn missing_call_proves_nothing() {
    let (provider, service) = placed(FAST, 50).await;
    let call = provider.over().await;
    provider.forget(call["callId"].as_str().unwrap()).await;
    assert_eq!(fetch(&service).await.into_events(), []);
}

#[tokio::test]
async fn lost_request_is_not_found() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    provider.fault(json!({"create_call": [{"drop_before_accept": true}]})).await;
    place(&service, 50).await;
    assert!(fetch(&service).await.provider_call_id.is_none());
    assert_eq!(service.row("select state from dials").await, json!({"state": "SENT"}));
}

#[tokio::test]
async fn call_that_is_listed_late_is_found_then() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    let fault = json!({"create_call": [{"drop_after_accept": true}], "list_lag_secs": 0.5});
    provider.fault(fault).await;
    place(&service, 50).await;
    let found = eventually(TIMEOUT, "the call shows up", async || {
        Ok(fetch(&service).await.provider_call_id)
    });
    assert_eq!(json!(found.await), provider.calls().await[0]["callId"]);
    assert_eq!(service.row("select state from dials").await, json!({"state": "PLACED"}));
}

#[tokio::test]
async fn deleted_dial_is_not_found_and_hangs_up_without_error() {
    let (provider, service) = placed(LIVE, 50).await;
    service.execute("update dials set closed_at = now()").await;
    service.execute("delete from conversations").await;
    let status = fetch(&service).await;
    assert!(status.provider_call_id.is_none());
    assert!(!collect_transcript::run(&service.calls, &dial_ref(DIAL)).await.unwrap().closed);
    hang_up::run(&service.calls, &leg(None, true)).await.unwrap();
    assert!(provider.calls().await[0]["ended"].is_null());
}

/// Records the end of the call, then collects its transcript.
async fn recorded_and_collected(service: &Service) -> (Option<Outcome>, Option<Reason>) {
    let ended = said("p1-id-1", fetch(service).await.into_events());
    record_outcome::run(&service.calls, &ended).await.unwrap();
    let recorded = collect_transcript::run(&service.calls, &dial_ref(DIAL)).await.unwrap();
    (recorded.outcome, recorded.reason)
}

#[tokio::test]
async fn transcript_is_stored_and_the_report_in_it_is_recorded() {
    let (provider, service) = placed(FAST, 90).await;
    provider.over().await;
    for _ in 0..2 {
        let recorded = recorded_and_collected(&service).await;
        assert_eq!(recorded, (Some(Outcome::AppointmentSet), None));
        let row = service.row("select transcript, notes from conversations").await;
        assert_eq!(
            row["transcript"],
            "Callee: Hello?\n\
            Agent: Good day, do you have a minute for a short question?\n\
            Callee: Yes, that sounds interesting.\n\
            Callee: Tomorrow at three in the afternoon works for me."
        );
        assert_eq!(row["notes"], "Wants to see a demonstration.");
        let due = "select transcript_read_at is null as due from dials";
        assert_eq!(service.row(due).await, json!({"due": false}));
    }
    assert_eq!(service.row("select status from prospects").await, json!({"status": "BOOKED"}));
    assert_eq!(service.rows("select * from appointments").await.len(), 1);
    assert_eq!(provider.violations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn message_on_a_machine_is_voicemail() {
    let (provider, service) = placed(FAST, 40).await;
    provider.over().await;
    let recorded = recorded_and_collected(&service).await;
    assert_eq!(recorded, (Some(Outcome::NoResponse), Some(Reason::Voicemail)));
}

#[tokio::test]
async fn unanswered_call_has_no_transcript() {
    let (provider, service) = placed(FAST, 50).await;
    provider.over().await;
    let recorded = recorded_and_collected(&service).await;
    assert_eq!(recorded, (Some(Outcome::NoResponse), Some(Reason::NoAnswer)));
    let transcript = service.row("select transcript from conversations").await;
    assert_eq!(transcript, json!({"transcript": null}));
}

#[tokio::test]
async fn answered_call_is_hung_up_by_the_provider_once() {
    let (provider, service) = placed("20", 95).await;
    provider.joined().await;
    hang_up::run(&service.calls, &leg(None, true)).await.unwrap();
    let call = provider.over().await;
    assert_eq!((&call["endReason"], &call["endedBy"]), (&json!("agent_hangup"), &json!("client")));
    hang_up::run(&service.calls, &leg(None, true)).await.unwrap();
    assert_eq!(provider.violations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn ringing_call_is_hung_up_by_the_carrier() {
    let (provider, receiver) = (Provider::start(LIVE, &[]).await, Receiver::start().await);
    let service = Service::reported_to(&provider, &receiver.url).await;
    place(&service, 50).await;
    let leg_id = receiver.ringing_leg().await;
    hang_up::run(&service.calls, &leg(Some(leg_id.clone()), false)).await.unwrap();
    eventually(TIMEOUT, "the phone stops ringing", async || {
        Ok((provider.calls().await[0]["leg"] == "canceled").then_some(()))
    })
    .await;
    // Again, and for a leg that does not exist.
    hang_up::run(&service.calls, &leg(Some(leg_id), false)).await.unwrap();
    hang_up::run(&service.calls, &leg(Some("v3:unknown".to_owned()), false)).await.unwrap();
    // With the id of another account, Telnyx knows no leg at all.
    let key = SecretString::from(development::TELNYX_API_KEY);
    let other = Telnyx::new(provider.url.parse().unwrap(), "another-account".to_owned(), key);
    let error = other.unwrap().hang_up("v3:unknown").await.unwrap_err();
    assert!(matches!(error, TelnyxError::UnknownAccount), "{error}");
    // Without an id of the leg there is nothing to hang up.
    hang_up::run(&service.calls, &leg(None, false)).await.unwrap();
}

#[tokio::test]
async fn abandoned_call_is_recorded_by_the_providers_status() {
    let (provider, service) = placed(FAST, 90).await;
    provider.over().await;
    assert_eq!(abandon(&service.calls, "p1-id-1").await, Swept::Recorded);
    assert_eq!(abandon(&service.calls, "p1-id-1").await, Swept::Recorded);
    assert_eq!(
        service.row("select status, outcome from conversations").await,
        json!({"status": "COMPLETED", "outcome": "APPOINTMENT_SET"})
    );
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -4"]);
}

#[tokio::test]
async fn abandoned_talk_is_hung_up_and_then_recorded() {
    let (provider, service) = placed("20", 95).await;
    provider.joined().await;
    assert_eq!(abandon(&service.calls, "p1-id-1").await, Swept::Ending);
    provider.over().await;
    assert_eq!(abandon(&service.calls, "p1-id-1").await, Swept::Recorded);
    assert_eq!(
        service.row("select status, reason from conversations").await,
        json!({"status": "COMPLETED", "reason": "no_report"})
    );
}

#[tokio::test]
async fn abandoned_lost_request_is_requeued_after_a_while() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    provider.fault(json!({"create_call": [{"drop_before_accept": true}]})).await;
    place(&service, 50).await;
    assert_eq!(abandon(&service.calls, "p1-id-1").await, Swept::Ending);
    // After the join timeout the provider must go on not listing the call.
    assert_eq!(abandon(&service.calls_at(minutes_after(1)), "p1-id-1").await, Swept::Ending);
    let later = service.calls_at(minutes_after(2));
    assert_eq!(abandon(&later, "p1-id-1").await, Swept::Recorded);
    assert_eq!(
        service.row("select c.status, c.reason, d.state from conversations c, dials d").await,
        json!({"status": "CANCELLED", "reason": "never_placed", "state": "NOT_PLACED"})
    );
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);
}

/// The provider's API is away, or it goes on saying that the call is live.
#[tokio::test]
async fn abandoned_dial_is_over_once_its_longest_possible_end_has_passed() {
    let (mut provider, service) = placed(LIVE, 95).await;
    provider.process.kill9().await.unwrap();
    let id = ConversationId::new("p1-id-1");
    sweep::record_abandoned(&service.calls, &id, &[]).await.unwrap_err();
    let late = service.calls_at(minutes_after(21));
    assert_eq!(abandon(&late, "p1-id-1").await, Swept::Recorded);
    assert_eq!(
        service.row("select c.status, c.reason, d.closed_at is not null as over from conversations c, dials d").await,
        json!({"status": "FAILED", "reason": "vanished", "over": true})
    );
}

#[tokio::test]
async fn messages_that_a_terminated_workflow_received_are_recorded() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    let event = json!({"kind": "completed", "report": {"outcome": "NOT_INTERESTED"}});
    let id = ConversationId::new("p1-id-1");
    let swept = sweep::record_abandoned(&service.calls, &id, &[json!({"event": event})]).await;
    assert_eq!(swept.unwrap(), Swept::Recorded);
    let row = service.row("select outcome from conversations").await;
    assert_eq!(row, json!({"outcome": "NOT_INTERESTED"}));
}

#[tokio::test]
async fn abandoned_call_without_dial_is_requeued() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.due_call_of(Prospect::new("p2-id")).await;
    service.admit("p2-id-1").await;
    for id in ["p1-id-1", "p2-id-1"] {
        assert_eq!(abandon(&service.calls, id).await, Swept::Recorded);
    }
    for row in service.rows("select status, reason from conversations").await {
        assert_eq!(row, json!({"status": "CANCELLED", "reason": "abandoned"}));
    }
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);
}

#[tokio::test]
async fn transcript_of_a_deleted_call_fails_and_is_retried() {
    let (provider, service) = placed(FAST, 80).await;
    let call = provider.over().await;
    provider.forget(call["callId"].as_str().unwrap()).await;
    let missing = collect_transcript::run(&service.calls, &dial_ref(DIAL)).await.unwrap_err();
    assert!(missing.to_string().contains(DIAL), "{missing}");
    hang_up::run(&service.calls, &leg(None, true)).await.unwrap_err();
}

#[tokio::test]
async fn provider_id_from_the_workflow_finds_the_call() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    let fault = json!({"create_call": [{"drop_after_accept": true}], "list_lag_secs": 3_600});
    provider.fault(fault).await;
    place(&service, 50).await;
    assert!(fetch(&service).await.provider_call_id.is_none());
    let id = provider.calls().await[0]["callId"].as_str().unwrap().to_owned();
    let input = DialRef { provider_call_id: Some(id.clone()), ..dial_ref(DIAL) };
    let status = fetch_status::run(&service.calls, &input).await.unwrap();
    assert_eq!(status.provider_call_id, Some(id.clone()));
    let row = service.row("select state, provider_call_id as call from dials").await;
    assert_eq!(row, json!({"state": "PLACED", "call": id}));
}
