//! One call from its creation until it is billed.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::{Receiver, SECRET, Sim, TOOL_TOKEN, call_to};

/// Keys that the provider's call object always has.
const REQUIRED: &[&str] = &[
    "agent",
    "agentId",
    "billedDuration",
    "billedSideInputTokens",
    "billedSideOutputTokens",
    "billingStatus",
    "callId",
    "clientVersion",
    "created",
    "endReason",
    "ended",
    "experimentalSettings",
    "firstSpeaker",
    "firstSpeakerSettings",
    "initialOutputMedium",
    "initialState",
    "joinUrl",
    "joined",
    "metadata",
    "requestContext",
    "shortSummary",
    "sipDetails",
    "summary",
];

fn seconds_between(call: &Value, start: &str, end: &str) -> i64 {
    let time = |name: &str| call[name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    (time(end) - time(start)).num_seconds()
}

#[tokio::test]
async fn created_call_has_every_required_key() {
    let (sim, receiver) = (Sim::start(&["--speed", "1"]).await, Receiver::start().await);
    let response = sim.post("/api/calls", &call_to("+12125550100", &receiver)).await;
    assert_eq!(response.status(), 201);
    let call: Value = response.json().await.unwrap();
    for key in REQUIRED {
        assert!(call.get(key).is_some(), "{key}");
    }
    assert_eq!(call["joined"], Value::Null);
    assert_eq!(call["joinUrl"], Value::Null);
    assert_eq!(call["billingStatus"], "BILLING_STATUS_PENDING");
    assert_eq!(call["firstSpeaker"], "FIRST_SPEAKER_USER");
    assert_eq!(call["joinTimeout"], "60s");
    assert_eq!(call["vadSettings"]["turnEndpointDelay"], "0.500s");
    assert_eq!(call["medium"]["telnyx"]["outgoing"]["to"], "+12125550100");
    assert_eq!(call["metadata"]["attempt_id"], "a-1");
}

#[tokio::test]
async fn call_object_contains_neither_secrets_nor_tools() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let id = sim.create(&call_to("+12125550150", &receiver)).await;
    let call = sim.json(&format!("/api/calls/{id}")).await;
    let url = format!("{}/callback", receiver.url);
    assert_eq!(call["callbacks"]["ended"], json!({"url": url}));
    assert_eq!(call.get("selectedTools"), None);
    let text = call.to_string();
    assert!(!text.contains(TOOL_TOKEN) && !text.contains(SECRET));
}

#[tokio::test]
async fn answered_call_is_joined_ended_and_billed_in_simulated_time() {
    let receiver = Receiver::start().await;
    let webhook = format!("{}/webhook", receiver.url);
    let sim = Sim::start(&["--speed", "100000", "--webhook-url", &webhook]).await;
    let id = sim.create(&call_to("+12125550100", &receiver)).await;
    sim.finished(&id).await;

    let call = sim.json(&format!("/api/calls/{id}")).await;
    assert_eq!(seconds_between(&call, "created", "joined"), 8);
    assert_eq!(seconds_between(&call, "joined", "ended"), 240);
    assert_eq!(call["endReason"], "hangup");
    assert_eq!(call["billedDuration"], "240s");
    assert_eq!(call["billingStatus"], "BILLING_STATUS_BILLED");
    assert!(call["shortSummary"].is_string());

    let account = receiver.expect("/webhook", 4).await;
    let events: Vec<Value> = account.iter().map(|hit| hit.json()["event"].clone()).collect();
    assert_eq!(events, ["call.started", "call.joined", "call.ended", "call.billed"]);
    let own = receiver.expect("/callback", 3).await;
    let events: Vec<Value> = own.iter().map(|hit| hit.json()["event"].clone()).collect();
    assert_eq!(events, ["call.joined", "call.ended", "call.billed"]);
    let order = receiver.order();
    let at = |name: &str| order.iter().position(|hit| hit == name).unwrap();
    assert!(at("call.joined") < at("/tool") && at("/tool") < at("call.ended"), "{order:?}");
}

#[tokio::test]
async fn event_contains_the_call_at_its_time() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let id = sim.create(&call_to("+12125550100", &receiver)).await;
    sim.finished(&id).await;
    let own = receiver.expect("/callback", 3).await;
    let [joined, ended, billed] = [0, 1, 2].map(|index: usize| own[index].json()["call"].clone());
    for key in REQUIRED {
        assert!(joined.get(key).is_some(), "{key}");
    }
    assert!(joined["joined"].is_string() && joined["ended"].is_null());
    assert!(ended["ended"].is_string() && ended["billedDuration"].is_null());
    assert_eq!(billed["billedDuration"], "240s");
}

#[tokio::test]
async fn unanswered_call_ends_at_its_join_timeout_and_is_free() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let id = sim.create(&call_to("+12125550150", &receiver)).await;
    sim.finished(&id).await;
    let call = sim.json(&format!("/api/calls/{id}")).await;
    assert_eq!(call["endReason"], "unjoined");
    assert_eq!(seconds_between(&call, "created", "ended"), 60);
    assert_eq!(call["billedDuration"], "0s");
    assert_eq!(call["billingStatus"], "BILLING_STATUS_FREE_ZERO_EFFECTIVE_DURATION");
    let own = receiver.expect("/callback", 2).await;
    assert_eq!(own[0].json()["event"], "call.ended");
}

#[tokio::test]
async fn clock_offset_applies_to_bodies_but_not_to_signatures() {
    let receiver = Receiver::start().await;
    let sim = Sim::start(&["--speed", "2000", "--clock-offset-secs", "-86400"]).await;
    let id = sim.create(&call_to("+12125550100", &receiver)).await;
    sim.finished(&id).await;
    let call = sim.json(&format!("/api/calls/{id}")).await;
    let created: DateTime<Utc> = call["created"].as_str().unwrap().parse().unwrap();
    assert!((Utc::now() - created).num_hours() >= 23);
    let stamp = &receiver.on("/callback")[0].headers["x-ultravox-webhook-timestamp"];
    let stamp: DateTime<Utc> = stamp.parse().unwrap();
    assert!((Utc::now() - stamp).num_seconds() < 60);
}
