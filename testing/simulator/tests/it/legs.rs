//! The phone leg: status callbacks, detection and Telnyx's API.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};

use crate::support::{Hit, Receiver, Sim, call_to, eventually, set};

const PARAMS: &str = "/medium/telnyx/outgoing/additionalParams";

fn statuses(hits: &[Hit]) -> Vec<String> {
    hits.iter().map(|hit| hit.form()["CallStatus"].clone()).collect()
}

#[tokio::test]
async fn answered_leg_reports_the_requested_events_in_order() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    sim.create(&call_to("+12125550100", &receiver)).await;
    let hits = receiver.expect("/leg", 4).await;
    assert_eq!(statuses(&hits), ["initiated", "ringing", "in-progress", "completed"]);
    let last = hits[3].form();
    assert_eq!(last["SequenceNumber"], "3");
    assert_eq!(last["To"], "+12125550100");
    assert_eq!(last["From"], "+12125550100");
    assert_eq!(last["HangupCause"], "normal_clearing");
    assert_eq!(last["HangupSource"], "callee");
    assert_eq!(last["CallDuration"], "240");
    assert_eq!(last["CallSid"], last["CallSidLegacy"]);
    assert!(!last.contains_key("AnsweredBy"));
    assert_eq!(hits[3].headers["content-type"], "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn unanswered_legs_report_their_cause() {
    for (number, status, cause) in [
        ("+12125550150", "no-answer", "timeout"),
        ("+12125550160", "busy", "user_busy"),
        ("+12125550199", "failed", "call_rejected"),
    ] {
        let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
        let events = json!("completed");
        let body = call_to(number, &receiver);
        let body = set(body, &format!("{PARAMS}/StatusCallbackEvent"), events);
        sim.create(&body).await;
        let hits = receiver.expect("/leg", 1).await;
        assert_eq!(hits.len(), 1);
        let form = hits[0].form();
        assert_eq!(form["CallStatus"], status);
        assert_eq!(form["HangupCause"], cause);
        assert_eq!(form["CallDuration"], "0");
    }
}

#[tokio::test]
async fn callback_signatures_verify_with_the_published_key() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    sim.create(&call_to("+12125550150", &receiver)).await;
    let hit = receiver.expect("/leg", 1).await.remove(0);
    let key = sim.get("/sim/telnyx_public_key").await.text().await.unwrap();
    let key: [u8; 32] = BASE64.decode(key).unwrap().try_into().unwrap();
    let signature = BASE64.decode(&hit.headers["telnyx-signature-ed25519"]).unwrap();
    let message = [hit.headers["telnyx-timestamp"].as_bytes(), b"|", &hit.body].concat();
    VerifyingKey::from_bytes(&key)
        .unwrap()
        .verify_strict(&message, &Signature::from_slice(&signature).unwrap())
        .unwrap();
}

#[tokio::test]
async fn rejected_callback_is_retried() {
    let receiver = Receiver::answering(|_, earlier| match earlier {
        0 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
    .await;
    let sim = Sim::fast().await;
    let body = call_to("+12125550150", &receiver);
    sim.create(&set(body, &format!("{PARAMS}/StatusCallbackEvent"), Value::Null)).await;
    let hits = receiver.expect("/leg", 2).await;
    assert_eq!(hits[0].body, hits[1].body);
}

#[tokio::test]
async fn asynchronous_detection_has_its_own_callback() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let body = call_to("+12125550140", &receiver);
    let url = json!(format!("{}/detection", receiver.url));
    let body = set(body, &format!("{PARAMS}/MachineDetection"), json!("Enable"));
    let body = set(body, &format!("{PARAMS}/AsyncAmd"), json!(true));
    let body = set(body, &format!("{PARAMS}/AsyncAmdStatusCallback"), url);
    let id = sim.create(&body).await;
    let form = receiver.expect("/detection", 1).await[0].form();
    assert_eq!(form["AnsweredBy"], "machine_start");
    assert!(!form.contains_key("CallStatus"));
    let entry = sim.finished(&id).await;
    assert_eq!(entry["talkSeconds"], 20.0);
}

#[tokio::test]
async fn blocking_detection_delays_the_join() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let body = call_to("+12125550100", &receiver);
    let body = set(body, &format!("{PARAMS}/MachineDetection"), json!("Enable"));
    let id = sim.create(&body).await;
    let hits = receiver.expect("/leg", 4).await;
    assert_eq!(hits[2].form()["AnsweredBy"], "human");
    let entry = sim.finished(&id).await;
    let time = |name: &str| {
        entry[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    };
    assert_eq!((time("joined") - time("created")).num_milliseconds(), 11_200);
}

/// A simulator with a key for Telnyx's API and one call, with the path of its leg.
async fn dial(number: &str) -> (Sim, Receiver, String, String) {
    let sim = Sim::start(&["--speed", "10", "--telnyx-api-key", "telnyx-key"]).await;
    let receiver = Receiver::start().await;
    let id = sim.create(&call_to(number, &receiver)).await;
    let form = receiver.expect("/leg", 2).await[1].form();
    let path = format!("/v2/texml/Accounts/telnyx-account/Calls/{}", form["CallSid"]);
    (sim, receiver, id, path)
}

async fn post_status(sim: &Sim, path: &str, status: &str) -> u16 {
    let request = sim.client.post(format!("{}{path}", sim.url)).bearer_auth("telnyx-key");
    request.form(&[("Status", status)]).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn ringing_leg_is_canceled_on_request() {
    let (sim, receiver, id, path) = dial("+12125550150").await;
    assert_eq!(post_status(&sim, &path, "completed").await, 200);
    let hits = receiver.expect("/leg", 3).await;
    assert_eq!(hits[2].form()["CallStatus"], "canceled");
    assert_eq!(post_status(&sim, &path, "completed").await, 422);
    let entry = sim.entry(&id).await;
    assert_eq!(entry["leg"], "canceled");
    assert_eq!(entry["ended"], Value::Null);
}

#[tokio::test]
async fn answered_leg_ends_the_call_on_request() {
    let (sim, _receiver, id, path) = dial("+12125550195").await;
    sim.joined(&id).await;
    assert_eq!(post_status(&sim, &path, "completed").await, 200);
    let entry = sim.finished(&id).await;
    assert_eq!(entry["endReason"], "hangup");
    assert_eq!(entry["endedBy"], "carrier");
    assert_eq!(entry["leg"], "completed");
}

#[tokio::test]
async fn invalid_requests_to_telnyx_are_rejected() {
    let (sim, _receiver, _, path) = dial("+12125550150").await;
    assert_eq!(post_status(&sim, &path, "busy").await, 422);
    assert_eq!(
        post_status(&sim, "/v2/texml/Accounts/telnyx-account/Calls/v3:x", "completed").await,
        404
    );
    let other = path.replace("telnyx-account", "other");
    assert_eq!(post_status(&sim, &other, "completed").await, 404);
    let url = format!("{}{path}", sim.url);
    assert_eq!(sim.client.get(&url).send().await.unwrap().status(), 401);
    let leg = eventually("the leg rings", async || {
        let request = sim.client.get(&url).bearer_auth("telnyx-key");
        let leg: Value = request.send().await.unwrap().json().await.unwrap();
        (leg["status"] == "ringing").then_some(leg)
    })
    .await;
    assert_eq!(leg["to"], "+12125550150");
}
