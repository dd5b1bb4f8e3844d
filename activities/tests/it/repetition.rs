//! Executing every step of a call twice leaves the same rows as executing it once.

use activities::calls::{
    apply_late_event, collect_transcript, dial, fetch_status, hang_up, mark_answered,
    record_outcome,
};
use domain::ids::{ConversationId, DialId};
use serde_json::{Value, json};
use workflows::activities::calls::{DialResult, HangUpInput, LateEventInput};

use crate::support::{
    FAST, NOW, Prospect, Provider, Service, User, at, conversation_ref, dial_ref, dump,
    minutes_after, rejected, run_ended, said,
};

/// A whole call to a number with this ending, each step executed `times` times; returns the rows.
async fn call(ending: u32, times: usize) -> Vec<(&'static str, Vec<Value>)> {
    let provider = Provider::start(FAST, &[]).await;
    let service = Service::calling(&provider).await;
    User::default().insert(&service.database).await.unwrap();
    Prospect::default().phone_ending(212, ending).insert(&service.database).await.unwrap();
    for _ in 0..times {
        let planned = service.plan("run", "user1-id", at(NOW)).await;
        assert_eq!(planned.calls[0].conversation_id, "p1-id-1");
    }
    let mut dial = String::new();
    for _ in 0..times {
        dial = service.admit("p1-id-1").await;
    }
    let mut rejection = None;
    for _ in 0..times {
        if let DialResult::Rejected { detail } =
            dial::run(&service.calls, &dial_ref(&dial)).await.unwrap()
        {
            rejection = Some(detail);
        }
    }
    let mut record = run_ended("p1-id-1", true, rejected());
    if rejection.is_none() {
        provider.over().await;
        for _ in 0..times {
            let dial_ref = dial_ref(&dial);
            let status = fetch_status::run(&service.calls, &dial_ref).await.unwrap();
            mark_answered::run(&service.calls, &conversation_ref("p1-id-1")).await.unwrap();
            let leg = HangUpInput {
                dial_id: DialId::new(dial.as_str()),
                provider_call_id: None,
                carrier_call_id: None,
                answered: true,
            };
            hang_up::run(&service.calls, &leg).await.unwrap();
            record = said("p1-id-1", status.into_events());
        }
    }
    for _ in 0..times {
        record_outcome::run(&service.calls, &record).await.unwrap();
    }
    if rejection.is_none() {
        for _ in 0..times {
            collect_transcript::run(&service.calls, &dial_ref(&dial)).await.unwrap();
        }
    }
    let message = json!({"dialId": dial, "event": {"kind": "reported", "outcome": "DO_NOT_CALL"}});
    let late = LateEventInput { conversation_id: ConversationId::new("p1-id-1"), message };
    for _ in 0..times {
        apply_late_event::run(&service.calls, &late).await.unwrap();
    }
    for _ in 0..times {
        service.plan("next", "user1-id", minutes_after(30)).await;
    }
    assert!(provider.calls().await.len() <= 1);
    service.minutes_left("sub-user1-id").await;
    dump(&service).await
}

#[tokio::test]
async fn repeating_every_activity_leaves_the_same_rows() {
    for ending in [0, 10, 20, 30, 40, 50, 60, 70, 90, 93] {
        let (once, twice) = tokio::join!(call(ending, 1), call(ending, 2));
        assert_eq!(once, twice, "ending {ending:02}");
    }
}
