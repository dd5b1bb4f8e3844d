//! Injected trouble.

use serde_json::{Value, json};

use crate::support::{Receiver, Sim, call_to};

async fn calls(sim: &Sim) -> Vec<Value> {
    sim.json("/sim/ledger").await["calls"].as_array().unwrap().clone()
}

async fn inject(sim: &Sim, change: Value) {
    let response = sim.post("/sim/faults", &change).await;
    assert_eq!(response.status(), 200, "{change}");
}

#[tokio::test]
async fn a_connection_dropped_after_acceptance_leaves_a_call() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"create_call": [{"drop_after_accept": true}]})).await;
    let body = call_to("+12125550100", &receiver);
    assert!(sim.try_post("/api/calls", &body).await.is_err());
    let left = calls(&sim).await;
    assert_eq!(left.len(), 1);
    let entry = sim.finished(left[0]["callId"].as_str().unwrap()).await;
    assert_eq!(entry["rang"], true);
    assert_eq!(entry["talkSeconds"], 240.0);
    assert_eq!(sim.post("/api/calls", &body).await.status(), 201);
}

#[tokio::test]
async fn a_connection_dropped_before_acceptance_leaves_nothing() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"create_call": [{"drop_before_accept": true, "times": 2}]})).await;
    let body = call_to("+12125550100", &receiver);
    assert!(sim.try_post("/api/calls", &body).await.is_err());
    assert!(sim.try_post("/api/calls", &body).await.is_err());
    assert_eq!(calls(&sim).await.len(), 0);
    assert_eq!(sim.post("/api/calls", &body).await.status(), 201);
}

#[tokio::test]
async fn an_error_status_may_or_may_not_hide_a_call() {
    for (fault, status, left) in [
        (json!({"status_before_accept": 503}), 503, 0),
        (json!({"status_after_accept": 502}), 502, 1),
        (json!({"refuse": 402}), 402, 0),
    ] {
        let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
        inject(&sim, json!({"create_call": [fault]})).await;
        let response = sim.post("/api/calls", &call_to("+12125550100", &receiver)).await;
        assert_eq!(response.status(), status);
        assert_eq!(calls(&sim).await.len(), left, "{status}");
    }
}

#[tokio::test]
async fn a_refusal_for_haste_names_the_wait() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"create_call": [{"refuse_429": {"retry_after": 9}}]})).await;
    let response = sim.post("/api/calls", &call_to("+12125550100", &receiver)).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "9");
}

#[tokio::test]
async fn a_slow_answer_does_not_slow_the_call() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"create_call": [{"slow_ms": 300}]})).await;
    let response = sim.post("/api/calls", &call_to("+12125550100", &receiver)).await;
    let call: Value = response.json().await.unwrap();
    assert_eq!(call["endReason"], "hangup");
}

#[tokio::test]
async fn webhooks_can_be_lost_or_come_twice() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"webhooks": {"drop": 1.0}})).await;
    let lost = sim.create(&call_to("+12125550150", &receiver)).await;
    sim.finished(&lost).await;
    assert_eq!(receiver.on("/callback").len(), 0);
    assert_eq!(sim.json("/sim/ledger").await["deliveries"]["dropped"], 2);

    inject(&sim, json!({"webhooks": {"duplicate": 1}})).await;
    let twice = sim.create(&call_to("+12125550150", &receiver)).await;
    sim.finished(&twice).await;
    let hits = receiver.on("/callback");
    assert_eq!(hits.len(), 4);
    assert_eq!(hits[0].body, hits[1].body);
}

#[tokio::test]
async fn held_back_webhooks_are_overtaken() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let hold = json!({"webhooks": {"reorder": 0.5, "hold_ms": 100}, "seed": 3});
    inject(&sim, hold).await;
    for _ in 0..5 {
        let id = sim.create(&call_to("+12125550180", &receiver)).await;
        sim.finished(&id).await;
    }
    let order = receiver.order();
    let events: Vec<&str> =
        order.iter().map(String::as_str).filter(|name| name.starts_with("call.")).collect();
    let in_order = ["call.joined", "call.ended", "call.billed"].repeat(5);
    assert_eq!(events.len(), in_order.len());
    assert_ne!(events, in_order);
}

#[tokio::test]
async fn a_new_call_can_be_missing_from_lists_for_a_while() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"list_lag_secs": 3600})).await;
    let id = sim.create(&call_to("+12125550150", &receiver)).await;
    assert_eq!(sim.json("/api/calls").await["total"], 0);
    assert_eq!(sim.get(&format!("/api/calls/{id}")).await.status(), 200);
    sim.client.delete(format!("{}/sim/faults", sim.url)).send().await.unwrap();
    assert_eq!(sim.json("/api/calls").await["total"], 1);
}

#[tokio::test]
async fn a_chance_hits_some_requests_only() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"seed": 1, "create_call": [{"refuse": 403, "probability": 0.5}]})).await;
    let mut refused = 0;
    for _ in 0..20 {
        let response = sim.post("/api/calls", &call_to("+12125550170", &receiver)).await;
        refused += usize::from(response.status() == 403);
    }
    assert!((1..20).contains(&refused), "{refused}");
}

#[tokio::test]
async fn unknown_faults_are_refused() {
    let sim = Sim::fast().await;
    for change in [
        json!({"calls": []}),
        json!({"create_call": [{"explode": true}]}),
        json!({"create_call": [{"status_after_accept": 200}]}),
        json!({"webhooks": {"drop": 2.0}}),
    ] {
        assert_eq!(sim.post("/sim/faults", &change).await.status(), 400, "{change}");
    }
}
