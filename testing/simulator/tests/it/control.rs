//! Steering and ending live calls over the API.

use serde_json::{Value, json};

use crate::support::{Receiver, Sim, call_to};

async fn talking() -> (Sim, Receiver, String) {
    let (sim, receiver) = (Sim::with(&["--speed", "200"]).await, Receiver::start().await);
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
async fn a_hang_up_message_ends_the_talk() {
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
async fn a_call_that_is_not_active_takes_no_message() {
    let (sim, receiver) = (Sim::with(&["--speed", "1"]).await, Receiver::start().await);
    let ringing = sim.create(&call_to("+12125550150", &receiver)).await;
    assert_eq!(send(&sim, &ringing, json!({"type": "hang_up"})).await, 422);

    let fast = Sim::fast().await;
    let over = fast.create(&call_to("+12125550180", &receiver)).await;
    fast.finished(&over).await;
    assert_eq!(send(&fast, &over, json!({"type": "hang_up"})).await, 422);
}

#[tokio::test]
async fn only_known_and_sound_messages_are_taken() {
    let (sim, _receiver, id) = talking().await;
    for message in [
        json!({}),
        json!({"type": "ping"}),
        json!({"type": "hang_up", "reason": "x"}),
        json!({"type": "hang_up", "message": 3}),
        json!({"type": "user_text_message"}),
        json!({"type": "user_text_message", "text": "Hi", "urgency": "now"}),
        json!({"type": "forced_agent_message", "content": "Hi", "toolCalls": [{"tool": "x"}]}),
    ] {
        assert_eq!(send(&sim, &id, message.clone()).await, 400, "{message}");
    }
    for message in [
        json!({"type": "user_text_message", "text": "Hi", "urgency": "soon"}),
        json!({"type": "forced_agent_message", "content": "Wait.", "uninterruptible": true}),
        json!({"type": "hang_up"}),
    ] {
        assert_eq!(send(&sim, &id, message.clone()).await, 204, "{message}");
    }
    sim.finished(&id).await;
    let messages = sim.messages(&id).await;
    let said: Vec<&Value> = messages.iter().map(|message| &message["text"]).collect();
    assert!(said.contains(&&json!("Hi")) && said.contains(&&json!("Wait.")));
}
