//! The limit of concurrent calls.

use crate::support::{Receiver, Sim, call_to, eventually};

#[tokio::test]
async fn calls_above_the_limit_are_rejected_until_one_ends() {
    let sim = Sim::start(&["--speed", "200", "--max-concurrent", "2"]).await;
    let receiver = Receiver::start().await;
    let long = call_to("+12125550195", &receiver);
    sim.create(&long).await;
    sim.create(&long).await;
    let rejected = sim.post("/api/calls", &long).await;
    assert_eq!(rejected.status(), 429);
    let retry_after = rejected.headers()["retry-after"].to_str().unwrap();
    assert!(retry_after.parse::<u64>().unwrap() >= 1);
    eventually("a call ends", async || {
        (sim.post("/api/calls", &long).await.status() == 201).then_some(())
    })
    .await;
}
