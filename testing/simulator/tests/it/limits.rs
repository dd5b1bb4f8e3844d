//! How many calls there may be.

use reqwest::Response;

use crate::support::{Receiver, Sim, call_to, eventually};

fn retry_after(response: &Response) -> u64 {
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn calls_above_the_cap_are_refused_until_one_ends() {
    let sim = Sim::with(&["--speed", "200", "--max-concurrent", "2"]).await;
    let receiver = Receiver::start().await;
    let long = call_to("+12125550195", &receiver);
    sim.create(&long).await;
    sim.create(&long).await;
    let refused = sim.post("/api/calls", &long).await;
    assert_eq!(refused.status(), 429);
    assert!(retry_after(&refused) >= 1);
    eventually("a slot is free", async || {
        (sim.post("/api/calls", &long).await.status() == 201).then_some(())
    })
    .await;
}

#[tokio::test]
async fn calls_created_too_fast_are_refused() {
    for (option, longest) in [("--calls-per-minute", 61), ("--calls-per-second", 2)] {
        let sim = Sim::with(&["--speed", "5000", option, "3"]).await;
        let receiver = Receiver::start().await;
        let body = call_to("+12125550180", &receiver);
        for _ in 0..3 {
            sim.create(&body).await;
        }
        let refused = sim.post("/api/calls", &body).await;
        assert_eq!(refused.status(), 429, "{option}");
        assert!((1..=longest).contains(&retry_after(&refused)), "{option}");
    }
}
