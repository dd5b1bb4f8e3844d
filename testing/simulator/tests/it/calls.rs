//! Single calls: lookup, deletion, messages.

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{KEY, Receiver, Sim, call_to};

async fn delete(sim: &Sim, id: &str) -> Response {
    let request = sim.client.delete(format!("{}/api/calls/{id}", sim.url));
    request.header("X-API-Key", KEY).send().await.unwrap()
}

#[tokio::test]
async fn unknown_calls_are_not_found() {
    let sim = Sim::fast().await;
    let unknown = uuid::Uuid::new_v4();
    for path in ["", "/messages"] {
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
async fn only_ended_calls_are_deleted() {
    let (sim, receiver) = (Sim::start(&["--speed", "100"]).await, Receiver::start().await);
    let running = sim.create(&call_to("+12125550195", &receiver)).await;
    assert_eq!(delete(&sim, &running).await.status(), 425);

    let ended = sim.create(&call_to("+12125550180", &receiver)).await;
    sim.finished(&ended).await;
    assert_eq!(delete(&sim, &ended).await.status(), 204);
    assert_eq!(sim.get(&format!("/api/calls/{ended}")).await.status(), 404);
    assert_eq!(delete(&sim, &ended).await.status(), 404);
    assert_eq!(sim.json("/api/calls").await["total"], 1);
    assert_eq!(sim.entry(&ended).await["deleted"], true);
}

#[tokio::test]
async fn messages_are_paged_in_order() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let id = sim.create(&call_to("+12125550100", &receiver)).await;
    sim.finished(&id).await;

    let first = sim.json(&format!("/api/calls/{id}/messages?pageSize=4&mode=in_call")).await;
    let shown = first["results"].as_array().unwrap();
    assert_eq!(shown.len(), 4);
    assert_eq!(shown[0]["text"], "Hello?");
    let next = first["next"].as_str().unwrap().strip_prefix(&sim.url).unwrap();
    let second = sim.json(next).await;
    assert_eq!(second["next"], Value::Null);
    let total = first["total"].as_u64().unwrap();
    let rest = second["results"].as_array().unwrap();
    assert_eq!(rest.len() as u64, total - 4);
    assert_eq!(rest[0]["callStageMessageIndex"], 4);

    let unknown = sim.get(&format!("/api/calls/{id}/messages?mode=all")).await;
    assert_eq!(unknown.status(), 400);
}
