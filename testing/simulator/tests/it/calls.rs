//! Looking at single calls and deleting them.

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{KEY, Receiver, Sim, call_to};

async fn delete(sim: &Sim, id: &str) -> Response {
    let request = sim.client.delete(format!("{}/api/calls/{id}", sim.url));
    request.header("X-API-Key", KEY).send().await.unwrap()
}

#[tokio::test]
async fn an_unknown_call_is_not_found() {
    let sim = Sim::fast().await;
    let unknown = uuid::Uuid::new_v4();
    for path in ["", "/messages", "/tools"] {
        let response = sim.get(&format!("/api/calls/{unknown}{path}")).await;
        assert_eq!(response.status(), 404, "{path}");
    }
    assert_eq!(sim.get("/api/calls/not-an-id").await.status(), 404);
    assert_eq!(sim.get("/api/nothing").await.status(), 404);
    let message = json!({"type": "hang_up"});
    let path = format!("/api/calls/{unknown}/send_data_message");
    assert_eq!(sim.post(&path, &message).await.status(), 404);
}

#[tokio::test]
async fn a_call_can_be_deleted_only_when_it_is_over() {
    let (sim, receiver) = (Sim::with(&["--speed", "100"]).await, Receiver::start().await);
    let live = sim.create(&call_to("+12125550195", &receiver)).await;
    assert_eq!(delete(&sim, &live).await.status(), 425);

    let over = sim.create(&call_to("+12125550180", &receiver)).await;
    sim.finished(&over).await;
    assert_eq!(delete(&sim, &over).await.status(), 204);
    assert_eq!(sim.get(&format!("/api/calls/{over}")).await.status(), 404);
    assert_eq!(delete(&sim, &over).await.status(), 404);

    let tombstone = sim.json(&format!("/api/deleted_calls/{over}")).await;
    assert_eq!(tombstone["endReason"], "hangup");
    assert_eq!(sim.json("/api/deleted_calls").await["total"], 1);
    assert_eq!(sim.entry(&over).await["deleted"], true);
}

#[tokio::test]
async fn messages_come_in_order_and_in_pages() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let mut body = call_to("+12125550100", &receiver);
    body["initialMessages"] = json!([{"role": "MESSAGE_ROLE_USER", "text": "Earlier."}]);
    let id = sim.create(&body).await;
    sim.finished(&id).await;

    let first = sim.json(&format!("/api/calls/{id}/messages?pageSize=4")).await;
    let shown = first["results"].as_array().unwrap();
    assert_eq!(shown.len(), 4);
    assert_eq!(shown[0]["text"], "Earlier.");
    let next = first["next"].as_str().unwrap().strip_prefix(&sim.url).unwrap();
    let second = sim.json(next).await;
    assert_eq!(second["next"], Value::Null);
    let total = first["total"].as_u64().unwrap();
    assert_eq!(second["results"].as_array().unwrap().len() as u64, total - 4);

    let own = sim.json(&format!("/api/calls/{id}/messages?mode=in_call")).await;
    assert_eq!(own["total"], total - 1);
    let unknown = sim.get(&format!("/api/calls/{id}/messages?mode=all")).await;
    assert_eq!(unknown.status(), 400);
}

#[tokio::test]
async fn the_account_tells_how_much_is_in_use() {
    let sim = Sim::with(&["--speed", "1", "--max-concurrent", "7"]).await;
    let receiver = Receiver::start().await;
    sim.create(&call_to("+12125550150", &receiver)).await;
    let account = sim.json("/api/accounts/me").await;
    assert_eq!(account["activeCalls"], 1);
    assert_eq!(account["allowedConcurrentCalls"], 7);
}
