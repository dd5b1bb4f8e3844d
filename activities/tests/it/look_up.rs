//! What the provider knows of a call: its state, its end, and what was said in it.

use domain::status::Outcome;
use serde_json::{Value, json};
use workflows::activities::calls::{DialRef, Leg, Recovered, Sighting};

use crate::support::{
    FAST, LIVE, Prospect, Provider, Receiver, Service, TIMEOUT, User, dial, eventually, learnt,
    minutes_after,
};

const DIAL: &str = "p1-id-1.1";

/// A call that was placed to a number with that ending.
async fn placed(speed: &str, ending: u32) -> (Provider, Service) {
    let provider = Provider::start(speed, &[]).await;
    let service = Service::calling(&provider).await;
    place(&service, ending).await;
    (provider, service)
}

async fn place(service: &Service, ending: u32) {
    service.due_call(User::default(), Prospect::default().phone_ending(212, ending)).await;
    service.admit("p1-id-1").await;
    service.calls.place(DIAL).await.unwrap();
}

async fn sight(service: &Service) -> Sighting {
    service.calls.sight(&dial(DIAL)).await.unwrap()
}

fn leg(carrier_call_id: Option<String>, answered: bool) -> Leg {
    Leg { dial_id: DIAL.to_owned(), provider_call_id: None, carrier_call_id, answered }
}

#[tokio::test]
async fn a_call_that_rings_is_seen_to_ring() {
    let (provider, service) = placed(LIVE, 50).await;
    for _ in 0..2 {
        let seen = sight(&service).await;
        assert_eq!(json!(seen.provider_call_id), provider.calls().await[0]["callId"]);
        assert!(!seen.vanished && seen.joined.is_none() && seen.ended.is_none());
    }
}

#[tokio::test]
async fn a_call_that_is_over_is_seen_with_its_talk() {
    let (provider, service) = placed(FAST, 80).await;
    let call = provider.over().await;
    let seen = sight(&service).await;
    let talked = (seen.ended.unwrap() - seen.joined.unwrap()).num_seconds();
    assert_eq!((talked, seen.end_reason.as_deref()), (3, Some("hangup")));
    assert_eq!(call["talkSeconds"], 3.0);
}

#[tokio::test]
async fn a_call_that_nobody_answered_is_seen_without_talk() {
    let (provider, service) = placed(FAST, 50).await;
    provider.over().await;
    let seen = sight(&service).await;
    assert_eq!((seen.joined, seen.end_reason.as_deref()), (None, Some("unjoined")));
    assert!(seen.ended.is_some());
}

#[tokio::test]
async fn a_call_that_the_provider_has_forgotten_is_told_to_have_vanished() {
    let (provider, service) = placed(FAST, 50).await;
    let call = provider.over().await;
    provider.forget(call["callId"].as_str().unwrap()).await;
    let seen = sight(&service).await;
    assert!(seen.vanished && seen.provider_call_id.is_none() && seen.ended.is_none());
}

#[tokio::test]
async fn a_request_that_never_arrived_is_not_found_and_has_not_vanished() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    provider.fault(json!({"create_call": [{"drop_before_accept": true}]})).await;
    place(&service, 50).await;
    let seen = sight(&service).await;
    assert!(!seen.vanished && seen.provider_call_id.is_none());
    assert_eq!(service.row("select state from dials").await, json!({"state": "SENT"}));
}

#[tokio::test]
async fn a_call_that_shows_up_late_in_the_list_is_found_then() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    let fault = json!({"create_call": [{"drop_after_accept": true}], "list_lag_secs": 0.5});
    provider.fault(fault).await;
    place(&service, 50).await;
    let found = eventually(TIMEOUT, "the call shows up", async || {
        Ok(sight(&service).await.provider_call_id)
    });
    assert_eq!(json!(found.await), provider.calls().await[0]["callId"]);
    assert_eq!(service.row("select state from dials").await, json!({"state": "PLACED"}));
}

#[tokio::test]
async fn a_dial_that_is_gone_is_nowhere_and_ends_without_harm() {
    let (provider, service) = placed(LIVE, 50).await;
    service.execute("delete from conversations").await;
    let seen = sight(&service).await;
    assert!(seen.provider_call_id.is_none() && !seen.vanished);
    assert!(service.calls.collect(&dial(DIAL)).await.unwrap().reports.is_empty());
    service.calls.end(&leg(None, true)).await.unwrap();
    assert!(provider.calls().await[0]["ended"].is_null());
}

#[tokio::test]
async fn a_transcript_is_stored_and_a_report_that_was_lost_is_recovered() {
    let (provider, service) = placed(FAST, 90).await;
    provider.over().await;
    for _ in 0..2 {
        let recovered = service.calls.collect(&dial(DIAL)).await.unwrap();
        assert_eq!(recovered.reports.len(), 1);
        let report = &recovered.reports[0];
        assert_eq!(report.outcome, Outcome::AppointmentSet);
        assert!(report.time.unwrap() > minutes_after(12 * 60));
        assert_eq!(report.notes.as_deref(), Some("Wants to see a demonstration."));
        assert!(!recovered.voicemail);
        let transcript = service.row("select transcript from conversations").await;
        assert_eq!(
            transcript["transcript"],
            "Callee: Hello?\n\
            Agent: Good day, do you have a minute for a short question?\n\
            Callee: Yes, that sounds interesting.\n\
            Callee: Tomorrow at three in the afternoon works for me."
        );
    }
    let (seen, recovered) =
        (sight(&service).await, service.calls.collect(&dial(DIAL)).await.unwrap());
    service.calls.settle(&learnt("p1-id-1", seen, recovered)).await.unwrap();
    assert_eq!(service.row("select status from prospects").await, json!({"status": "BOOKED"}));
    assert_eq!(service.rows("select * from appointments").await.len(), 1);
    assert_eq!(provider.violations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_message_left_on_a_machine_is_recognised() {
    let (provider, service) = placed(FAST, 40).await;
    provider.over().await;
    let Recovered { reports, voicemail } = service.calls.collect(&dial(DIAL)).await.unwrap();
    assert!(voicemail && reports.is_empty());
}

#[tokio::test]
async fn a_call_that_nobody_answered_has_no_transcript() {
    let (provider, service) = placed(FAST, 50).await;
    provider.over().await;
    let Recovered { reports, voicemail } = service.calls.collect(&dial(DIAL)).await.unwrap();
    assert!(!voicemail && reports.is_empty());
    let transcript = service.row("select transcript from conversations").await;
    assert_eq!(transcript, json!({"transcript": null}));
}

#[tokio::test]
async fn a_talk_is_ended_by_the_provider_and_ending_it_again_does_no_harm() {
    let (provider, service) = placed("20", 95).await;
    provider.joined().await;
    service.calls.end(&leg(None, true)).await.unwrap();
    let call = provider.over().await;
    assert_eq!((&call["endReason"], &call["endedBy"]), (&json!("agent_hangup"), &json!("client")));
    service.calls.end(&leg(None, true)).await.unwrap();
    assert_eq!(provider.violations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_phone_that_rings_is_silenced_by_the_carrier() {
    let (provider, receiver) = (Provider::start(LIVE, &[]).await, Receiver::start().await);
    let service = Service::reported_to(&provider, &receiver.url).await;
    place(&service, 50).await;
    let leg_id = receiver.ringing_leg().await;
    service.calls.end(&leg(Some(leg_id.clone()), false)).await.unwrap();
    eventually(TIMEOUT, "the phone stops ringing", async || {
        Ok((provider.calls().await[0]["leg"] == "canceled").then_some(()))
    })
    .await;
    // Once more, and for a leg that is not there.
    service.calls.end(&leg(Some(leg_id), false)).await.unwrap();
    service.calls.end(&leg(Some("v3:unknown".to_owned()), false)).await.unwrap();
    // Where the carrier has not named the leg, there is nothing to end.
    service.calls.end(&leg(None, false)).await.unwrap();
}

#[tokio::test]
async fn a_call_whose_workflow_is_gone_is_settled_by_what_the_provider_knows() {
    let (provider, service) = placed(FAST, 90).await;
    provider.over().await;
    assert!(service.calls.settle_abandoned("p1-id-1").await.unwrap());
    assert!(service.calls.settle_abandoned("p1-id-1").await.unwrap());
    assert_eq!(
        service.row("select status, outcome from conversations").await,
        json!({"status": "COMPLETED", "outcome": "APPOINTMENT_SET"})
    );
    assert_eq!(service.entries().await, ["reserve -10", "release 10", "charge -4"]);
}

#[tokio::test]
async fn a_talk_whose_workflow_is_gone_is_ended_and_then_settled() {
    let (provider, service) = placed("20", 95).await;
    provider.joined().await;
    assert!(!service.calls.settle_abandoned("p1-id-1").await.unwrap());
    provider.over().await;
    assert!(service.calls.settle_abandoned("p1-id-1").await.unwrap());
    assert_eq!(
        service.row("select status, reason from conversations").await,
        json!({"status": "COMPLETED", "reason": "no_report"})
    );
}

#[tokio::test]
async fn a_request_without_a_trace_whose_workflow_is_gone_is_given_back_after_a_while() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    provider.fault(json!({"create_call": [{"drop_before_accept": true}]})).await;
    place(&service, 50).await;
    assert!(!service.calls.settle_abandoned("p1-id-1").await.unwrap());
    let later = service.calls_at(minutes_after(3));
    assert!(later.settle_abandoned("p1-id-1").await.unwrap());
    assert_eq!(
        service.row("select c.status, c.reason, d.state from conversations c, dials d").await,
        json!({"status": "CANCELLED", "reason": "never_placed", "state": "NOT_PLACED"})
    );
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);
}

#[tokio::test]
async fn a_call_that_was_not_dialled_and_whose_workflow_is_gone_is_given_back() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.due_call_of(Prospect::new("p2-id")).await;
    service.admit("p2-id-1").await;
    for id in ["p1-id-1", "p2-id-1"] {
        assert!(service.calls.settle_abandoned(id).await.unwrap());
    }
    for row in service.rows("select status, reason from conversations").await {
        assert_eq!(row, json!({"status": "CANCELLED", "reason": "abandoned"}));
    }
    assert_eq!(service.minutes_left("sub-user1-id").await, 600);
}

#[tokio::test]
async fn what_was_said_in_a_call_that_the_provider_has_forgotten_is_asked_for_again() {
    let (provider, service) = placed(FAST, 80).await;
    let call = provider.over().await;
    provider.forget(call["callId"].as_str().unwrap()).await;
    let missing = service.calls.collect(&dial(DIAL)).await.unwrap_err();
    assert!(missing.to_string().contains(DIAL), "{missing}");
    service.calls.end(&leg(None, true)).await.unwrap_err();
}

#[tokio::test]
async fn a_call_whose_id_only_its_workflow_has_heard_is_found_by_it() {
    let provider = Provider::start(LIVE, &[]).await;
    let service = Service::calling(&provider).await;
    let fault = json!({"create_call": [{"drop_after_accept": true}], "list_lag_secs": 3_600});
    provider.fault(fault).await;
    place(&service, 50).await;
    assert!(sight(&service).await.provider_call_id.is_none());
    let id = provider.calls().await[0]["callId"].as_str().unwrap().to_owned();
    let about = DialRef { provider_call_id: Some(id.clone()), ..dial(DIAL) };
    let seen = service.calls.sight(&about).await.unwrap();
    assert_eq!(seen.provider_call_id, Some(id.clone()));
    let row = service.row("select state, provider_call_id as call from dials").await;
    assert_eq!(row, json!({"state": "PLACED", "call": id}));
}
