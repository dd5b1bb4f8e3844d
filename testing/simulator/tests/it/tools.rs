//! The requests of tools, and the effects of their answers.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Receiver, Sim, TOOL_TOKEN, call_to, set};

const DEFINITION: &str = "/selectedTools/2/temporaryTool";

#[tokio::test]
async fn tool_request_has_a_flat_body_and_a_bearer_token() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let id = sim.create(&call_to("+12125550100", &receiver)).await;
    sim.finished(&id).await;
    let hits = receiver.on("/tool");
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].method, "POST");
    assert_eq!(hits[0].headers["authorization"], format!("Bearer {TOOL_TOKEN}"));
    assert_eq!(hits[0].headers["content-type"], "application/json");
    let body = hits[0].json();
    let call = sim.json(&format!("/api/calls/{id}")).await;
    let created: DateTime<Utc> = call["created"].as_str().unwrap().parse().unwrap();
    let next_day = created.date_naive().succ_opt().unwrap();
    let three = next_day.and_time(NaiveTime::from_hms_opt(15, 0, 0).unwrap()).and_utc();
    assert_eq!(body["outcome"], "APPOINTMENT_SET");
    assert_eq!(body["callId"], id);
    assert_eq!(body["attemptId"], "a-1");
    assert!(body["notes"].is_string());
    assert_eq!(body["time"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), three);
    assert!(body["time"].as_str().unwrap().ends_with('Z'));

    let messages = sim.messages(&id).await;
    let result = messages.iter().find(|one| one["role"] == "MESSAGE_ROLE_TOOL_RESULT").unwrap();
    assert_eq!(result["text"], "Recorded.");
    assert_eq!(result["toolName"], "report_outcome");
    let entry = sim.entry(&id).await;
    assert_eq!(entry["reportedOutcomes"][0]["delivered"], true);
    assert_eq!(entry["reportedOutcomes"][0]["status"], 200);
}

#[tokio::test]
async fn requested_callback_is_two_hours_after_creation() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let id = sim.create(&call_to("+12125550110", &receiver)).await;
    sim.finished(&id).await;
    let call = sim.json(&format!("/api/calls/{id}")).await;
    let created: DateTime<Utc> = call["created"].as_str().unwrap().parse().unwrap();
    let time = receiver.on("/tool")[0].json()["time"].as_str().unwrap().to_owned();
    let gap = time.parse::<DateTime<Utc>>().unwrap() - created;
    assert!(gap > TimeDelta::minutes(119) && gap <= TimeDelta::hours(2), "{gap}");
}

#[tokio::test]
async fn failed_tool_request_has_error_details_and_is_not_retried() {
    let receiver = Receiver::answering(|hit, _| match hit.path.as_str() {
        "/tool" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
    .await;
    let sim = Sim::fast().await;
    let id = sim.create(&call_to("+12125550120", &receiver)).await;
    let entry = sim.finished(&id).await;
    assert_eq!(entry["reportedOutcomes"][0]["status"], 500);
    assert_eq!(receiver.on("/tool").len(), 1);
    let messages = sim.messages(&id).await;
    assert!(messages.last().unwrap()["errorDetails"].is_string());
}

#[tokio::test]
async fn hang_up_answer_makes_the_agent_hang_up() {
    let receiver = Receiver::answering(|hit, _| match hit.path.as_str() {
        "/tool" => ([("X-Ultravox-Response-Type", "hang-up")], "{}").into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
    .await;
    let sim = Sim::fast().await;
    let id = sim.create(&call_to("+12125550197", &receiver)).await;
    let entry = sim.finished(&id).await;
    assert_eq!(entry["endReason"], "agent_hangup");
    assert_eq!(entry["endedBy"], "agent");
    assert_eq!(entry["talkSeconds"], 62.0);
    assert_eq!(receiver.on("/tool").len(), 1);
}

#[tokio::test]
async fn undeclared_arguments_are_violations() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let body = call_to("+12125550110", &receiver);
    let body = set(body, &format!("{DEFINITION}/dynamicParameters/1/name"), json!("when"));
    let schema = json!({"type": "string", "enum": ["callback"]});
    let body = set(body, &format!("{DEFINITION}/dynamicParameters/0/schema"), schema);
    let id = sim.create(&body).await;
    sim.finished(&id).await;
    let violations = sim.violations().await;
    let mentions = |text: &str| {
        violations.iter().filter_map(Value::as_str).any(|violation| violation.contains(text))
    };
    assert!(mentions("time is not declared") && mentions("outside the enum"), "{violations:?}");
}

#[tokio::test]
async fn outcome_without_a_selected_tool_is_a_violation() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let mut body = call_to("+12125550120", &receiver);
    body["selectedTools"] = json!([]);
    let id = sim.create(&body).await;
    let entry = sim.finished(&id).await;
    assert_eq!(entry["reportedOutcomes"], json!([]));
    assert_eq!(sim.violations().await.len(), 1);
}
