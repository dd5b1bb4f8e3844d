//! Data messages to the agent of a call.

use serde_json::{Value, json};

use crate::support::{Receiver, Sim, call_to};

async fn talking() -> (Sim, Receiver, String) {
    let (sim, receiver) = (Sim::start(&["--speed", "200"]).await, Receiver::start().await);
    let mut body = call_to("+12125550195", &receiver);
    body["maxDuration"] = json!("3600s");
    let id = sim.create(&body).await;
    sim.joined(&id).await;
    (sim, receiver, id)
}

async fn send(sim: &Sim, id: &str, message: Value) -> u16 {
    let path = format!("/api/calls/{id}/send_data_message");
    sim.post(&path, &message).await.status().as_u16()
}

#[tokio::test]
async fn hang_up_message_ends_the_call() {
    let (sim, receiver, id) = talking().await;
    let message = json!({"type": "hang_up", "message": "Goodbye!"});
    assert_eq!(send(&sim, &id, message).await, 204);
    let entry = sim.finished(&id).await;
    assert_eq!(entry["endReason"], "agent_hangup");
    assert_eq!(entry["endedBy"], "client");
    assert!(entry["talkSeconds"].as_f64().unwrap() < 3600.0);
    let messages = sim.messages(&id).await;
    assert_eq!(messages.last().unwrap()["text"], "Goodbye!");
    let legs = receiver.expect("/leg", 4).await;
    assert_eq!(legs[3].form()["CallStatus"], "completed");
}

#[tokio::test]
async fn calls_that_are_not_joined_take_no_message() {
    let (sim, receiver) = (Sim::start(&["--speed", "1"]).await, Receiver::start().await);
    let ringing = sim.create(&call_to("+12125550150", &receiver)).await;
    assert_eq!(send(&sim, &ringing, json!({"type": "hang_up"})).await, 422);

    let fast = Sim::fast().await;
    let over = fast.create(&call_to("+12125550180", &receiver)).await;
    fast.finished(&over).await;
    assert_eq!(send(&fast, &over, json!({"type": "hang_up"})).await, 422);
}

#[tokio::test]
async fn malformed_messages_are_rejected_and_recorded() {
    let (sim, _receiver, id) = talking().await;
    let malformed = [
        json!({}),
        json!({"type": "ping"}),
        json!({"type": "hang_up", "reason": "x"}),
        json!({"type": "hang_up", "message": 3}),
    ];
    for message in &malformed {
        assert_eq!(send(&sim, &id, message.clone()).await, 400, "{message}");
    }
    assert_eq!(sim.violations().await.len(), malformed.len());
    assert_eq!(send(&sim, &id, json!({"type": "hang_up"})).await, 204);
}
