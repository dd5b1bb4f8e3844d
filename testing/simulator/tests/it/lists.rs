//! `GET /api/calls`: filters and pages.

use serde_json::{Value, json};

use crate::support::{Receiver, Sim, call_to};

async fn sim_with_calls(count: usize) -> (Sim, Vec<String>) {
    let sim = Sim::start(&["--speed", "1", "--max-concurrent", "100"]).await;
    let receiver = Receiver::start().await;
    let mut ids = Vec::new();
    for index in 0..count {
        let mut body = call_to("+12125550150", &receiver);
        body["metadata"] = json!({"index": index.to_string(), "parity": (index % 2).to_string()});
        ids.push(sim.create(&body).await);
    }
    (sim, ids)
}

fn ids(page: &Value) -> Vec<&str> {
    let results = page["results"].as_array().unwrap();
    results.iter().map(|call| call["callId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_contain_every_call_once_newest_first() {
    let (sim, created) = sim_with_calls(5).await;
    let mut path = "/api/calls?pageSize=2".to_owned();
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = sim.json(&path).await;
        assert_eq!(page["total"], 5);
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => path = next.strip_prefix(&sim.url).unwrap().to_owned(),
            None => break,
        }
    }
    let newest_first: Vec<String> = created.into_iter().rev().collect();
    assert_eq!(seen, newest_first);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn page_behind_the_only_match_is_empty() {
    let (sim, created) = sim_with_calls(2).await;
    let first = sim.json("/api/calls?pageSize=1").await;
    let next = first["next"].as_str().unwrap().strip_prefix(&sim.url).unwrap();
    assert_eq!(ids(&sim.json(next).await), [created[0].as_str()]);
    let filtered = format!("{next}&metadata.index=1");
    assert_eq!(sim.json(&filtered).await["results"], json!([]));
}

#[tokio::test]
async fn calls_match_all_metadata_filters() {
    let (sim, created) = sim_with_calls(4).await;
    let odd = sim.json("/api/calls?metadata.parity=1").await;
    assert_eq!(odd["total"], 2);
    let one = sim.json("/api/calls?metadata.parity=1&metadata.index=3").await;
    assert_eq!(ids(&one), [created[3].as_str()]);
    let none = sim.json("/api/calls?metadata.parity=0&metadata.index=3").await;
    assert_eq!(none["total"], 0);
}

#[tokio::test]
async fn invalid_queries_are_rejected() {
    let (sim, _) = sim_with_calls(0).await;
    for (query, status) in [
        ("cursor=nonsense", 404),
        ("pageSize=0", 400),
        ("pageSize=many", 400),
        ("sort=created", 501),
    ] {
        let response = sim.get(&format!("/api/calls?{query}")).await;
        assert_eq!(response.status(), status, "{query}");
    }
}
