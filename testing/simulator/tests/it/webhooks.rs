//! Signatures and retries of webhooks.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use simulator::sign_webhook;

use crate::support::{Receiver, SECRET, Sim, call_to, set};

#[tokio::test]
async fn every_secret_signs_body_and_timestamp() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let secrets = json!([SECRET, "second"]);
    let body = set(call_to("+12125550100", &receiver), "/callbacks/ended/secrets", secrets);
    let id = sim.create(&body).await;
    sim.finished(&id).await;
    let hits = receiver.expect("/callback", 3).await;
    let stamp = &hits[1].headers["x-ultravox-webhook-timestamp"];
    let expected = [SECRET, "second"].map(|secret| sign_webhook(secret, &hits[1].body, stamp));
    assert_eq!(hits[1].headers["x-ultravox-webhook-signature"], expected.join(","));
    assert_eq!(hits[1].headers["content-type"], "application/json");
    assert!(stamp.ends_with("+00:00") && stamp.len() == 32, "{stamp}");
}

#[tokio::test]
async fn rejected_webhook_is_retried_with_a_new_timestamp() {
    let receiver = Receiver::answering(|hit, earlier| match (hit.path.as_str(), earlier) {
        ("/callback", 0 | 1) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
    .await;
    let sim = Sim::fast().await;
    let body = call_to("+12125550150", &receiver);
    let body = set(body, "/callbacks/billed", Value::Null);
    let id = sim.create(&body).await;
    sim.finished(&id).await;
    let hits = receiver.on("/callback");
    assert_eq!(hits.len(), 3);
    assert!(hits.iter().all(|hit| hit.body == hits[0].body));
    let stamps: Vec<DateTime<Utc>> = hits
        .iter()
        .map(|hit| hit.headers["x-ultravox-webhook-timestamp"].parse().unwrap())
        .collect();
    let gaps = [stamps[1] - stamps[0], stamps[2] - stamps[1]].map(|gap| gap.num_milliseconds());
    assert!(gaps[0] >= 50 && gaps[1] >= 100, "{gaps:?}");
    let deliveries = sim.json("/sim/ledger").await["deliveries"].clone();
    assert_eq!(deliveries["sent"], 3);
    assert_eq!(deliveries["acknowledged"], 1);
    assert_eq!(deliveries["failed"], 2);
}

#[tokio::test]
async fn redirect_is_a_failure_and_retried_ten_times() {
    let receiver = Receiver::answering(|_, _| {
        (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response()
    })
    .await;
    let sim = Sim::start(&["--speed", "2000", "--retry-base-secs", "0.0001"]).await;
    let body = set(call_to("+12125550150", &receiver), "/callbacks/billed", Value::Null);
    let id = sim.create(&body).await;
    sim.finished(&id).await;
    assert_eq!(receiver.on("/callback").len(), 11);
    assert_eq!(receiver.on("/elsewhere").len(), 0);
}

#[tokio::test]
async fn failing_receiver_does_not_delay_others() {
    let failing = Receiver::answering(|_, _| StatusCode::BAD_GATEWAY.into_response()).await;
    let receiver = Receiver::start().await;
    let webhook = format!("{}/webhook", failing.url);
    let sim =
        Sim::start(&["--speed", "2000", "--webhook-url", &webhook, "--retry-base-secs", "60"])
            .await;
    sim.create(&call_to("+12125550100", &receiver)).await;
    receiver.expect("/callback", 3).await;
    failing.expect("/webhook", 4).await;
}
