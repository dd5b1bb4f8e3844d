//! Fault injection.

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
async fn connection_dropped_after_acceptance_leaves_a_call() {
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
async fn connection_dropped_before_acceptance_leaves_no_call() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"create_call": [{"drop_before_accept": true, "times": 2}]})).await;
    let body = call_to("+12125550100", &receiver);
    assert!(sim.try_post("/api/calls", &body).await.is_err());
    assert!(sim.try_post("/api/calls", &body).await.is_err());
    assert_eq!(calls(&sim).await.len(), 0);
    assert_eq!(sim.post("/api/calls", &body).await.status(), 201);
}

#[tokio::test]
async fn only_error_status_after_acceptance_leaves_a_call() {
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
async fn injected_429_has_the_requested_retry_after() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"create_call": [{"refuse_429": {"retry_after": 9}}]})).await;
    let response = sim.post("/api/calls", &call_to("+12125550100", &receiver)).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "9");
}

#[tokio::test]
async fn call_proceeds_while_its_answer_is_delayed() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"create_call": [{"slow_ms": 300}]})).await;
    let response = sim.post("/api/calls", &call_to("+12125550100", &receiver)).await;
    let call: Value = response.json().await.unwrap();
    assert_eq!(call["endReason"], "hangup");
}

#[tokio::test]
async fn webhooks_are_dropped_or_duplicated() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"webhooks": {"drop": 1.0}})).await;
    let dropped = sim.create(&call_to("+12125550150", &receiver)).await;
    sim.finished(&dropped).await;
    assert_eq!(receiver.on("/callback").len(), 0);
    assert_eq!(sim.json("/sim/ledger").await["deliveries"]["dropped"], 2);

    inject(&sim, json!({"webhooks": {"duplicate": 1}})).await;
    let duplicated = sim.create(&call_to("+12125550150", &receiver)).await;
    sim.finished(&duplicated).await;
    let hits = receiver.on("/callback");
    assert_eq!(hits.len(), 4);
    assert_eq!(hits[0].body, hits[1].body);
}

#[tokio::test]
async fn held_webhooks_are_overtaken() {
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
async fn new_call_is_missing_from_lists_during_the_list_lag() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    inject(&sim, json!({"list_lag_secs": 3600})).await;
    let id = sim.create(&call_to("+12125550150", &receiver)).await;
    assert_eq!(sim.json("/api/calls").await["total"], 0);
    assert_eq!(sim.get(&format!("/api/calls/{id}")).await.status(), 200);
    sim.client.delete(format!("{}/sim/faults", sim.url)).send().await.unwrap();
    assert_eq!(sim.json("/api/calls").await["total"], 1);
}

#[tokio::test]
async fn invalid_faults_are_rejected() {
    let sim = Sim::fast().await;
    for change in [
        json!({"calls": []}),
        json!({"create_call": [{"explode": true}]}),
        json!({"create_call": [{"status_after_accept": 200}]}),
        json!({"create_call": [{"refuse": 404}]}),
        json!({"webhooks": {"drop": 2.0}}),
    ] {
        assert_eq!(sim.post("/sim/faults", &change).await.status(), 400, "{change}");
    }
}
