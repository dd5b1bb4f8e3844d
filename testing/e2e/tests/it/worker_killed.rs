//! The worker is killed: no call is lost or made twice.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{SecondsFormat, TimeDelta};
use devstack::StackOptions;

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, env, eventually, read_conversations,
    run_plan, wait_until_all_recorded,
};

const CALLS: usize = 10;

/// Plans ten calls, 0.4 s apart, the first one in `secs` seconds.
async fn plan_ten_calls_in(secs: i64) -> Result<TestSystem> {
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        worker_env: env(&[("MAX_CONCURRENT_CALLS", "20")]),
        simulator_args: vec!["--max-concurrent".to_owned(), "20".to_owned()],
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&system.database).await?;
    let first = system.now() + TimeDelta::seconds(secs);
    for number in 0..CALLS {
        let due = first + TimeDelta::milliseconds(400 * number as i64);
        let due = due.to_rfc3339_opts(SecondsFormat::Millis, true);
        let id = format!("p{number}-id");
        let prospect = Prospect::new(id).phone_ending(212, 20 + number as u32).callback_at(due);
        prospect.insert(&system.database).await?;
    }
    let planned = run_plan(&system, Plan::at(system.now())).await?;
    assert_eq!(planned["planned"], CALLS);
    Ok(system)
}

/// Kills the worker and starts another one.
async fn kill_and_replace_worker(system: &mut TestSystem) -> Result<()> {
    let worker = system.stack.worker.as_mut().context("the system has no worker")?;
    worker.kill9().await?;
    system.stack.worker = Some(system.stack.start_worker("worker2", &Default::default()).await?);
    Ok(())
}

/// Waits until all calls are recorded and checks that each was placed once.
async fn check_placed_once(system: &TestSystem, timeout: Duration) -> Result<()> {
    wait_until_all_recorded(system, timeout).await;
    let recorded = read_conversations(&system.database).await?;
    assert_eq!(recorded.len(), CALLS);
    for call in &recorded {
        assert_eq!(call.summary(), ("COMPLETED", Some("NOT_INTERESTED"), None), "{}", call.id);
    }
    let placed = system.calls_placed().await?;
    let numbers: BTreeSet<&str> =
        placed.iter().filter_map(|call| call["number"].as_str()).collect();
    assert_eq!((placed.len(), numbers.len()), (CALLS, CALLS), "{placed:?}");
    Ok(())
}

#[tokio::test]
async fn waiting_calls_are_made_once_by_the_next_worker() -> Result<()> {
    let mut system = plan_ten_calls_in(20).await?;
    assert!(system.calls_placed().await?.is_empty());
    kill_and_replace_worker(&mut system).await?;
    check_placed_once(&system, Duration::from_secs(90)).await
}

#[tokio::test]
async fn calls_in_progress_are_monitored_by_the_next_worker() -> Result<()> {
    let mut system = plan_ten_calls_in(2).await?;
    eventually(Duration::from_secs(30), "some calls are placed", async || {
        Ok((system.calls_placed().await?.len() >= 4).then_some(()))
    })
    .await;
    kill_and_replace_worker(&mut system).await?;
    check_placed_once(&system, Duration::from_secs(150)).await
}
