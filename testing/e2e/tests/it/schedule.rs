//! The schedule of plan runs: each worker that starts updates it to its settings.

use std::time::Duration;

use anyhow::Result;
use devstack::{Parts, StackOptions};
use serde_json::Value;

use crate::support::{TestSystem, User, env, eventually};

async fn start_worker_only() -> Result<TestSystem> {
    TestSystem::start_with_schedule(StackOptions {
        parts: Parts { simulator: false, webhook: false, worker: true },
        ..StackOptions::default()
    })
    .await
}

async fn describe_schedule(system: &TestSystem) -> Result<Value> {
    system.temporal(["schedule", "describe", "--schedule-id", "plan-calls"]).await
}

/// Checks interval, overlap policy and catch-up window.
fn assert_runs_every(schedule: &Value, interval: &str) {
    let schedule = &schedule["schedule"];
    assert_eq!(schedule["spec"]["interval"][0]["interval"], interval, "{schedule}");
    assert_eq!(schedule["spec"]["interval"].as_array().unwrap().len(), 1);
    assert_eq!(schedule["policies"]["overlapPolicy"], "SCHEDULE_OVERLAP_POLICY_SKIP");
    assert_eq!(schedule["policies"]["catchupWindow"], interval);
    assert_eq!(schedule["action"]["startWorkflow"]["workflowType"]["name"], "PlanCalls");
}

fn is_paused(schedule: &Value) -> bool {
    schedule["schedule"]["state"]["paused"] == true
}

#[tokio::test]
async fn worker_creates_the_schedule_and_the_next_worker_updates_it() -> Result<()> {
    let mut system = start_worker_only().await?;
    let first = describe_schedule(&system).await?;
    assert_runs_every(&first, "1800s");
    assert!(!is_paused(&first));

    system.replace_worker(&env(&[("SCHEDULE_INTERVAL", "45"), ("BATCH_SIZE", "1")])).await?;
    let second = describe_schedule(&system).await?;
    assert_runs_every(&second, "2700s");
    let log = system.stack.worker.as_ref().unwrap().log();
    let changed = log.lines().find(|line| line.contains("Schedule changed")).unwrap();
    let changed: Value = serde_json::from_str(changed)?;
    for (field, value) in [("oldIntervalSecs", 1800), ("newIntervalSecs", 2700)] {
        assert_eq!(changed[field], value, "{changed}");
    }
    for (field, batch) in [("oldInput", "\"batchSize\":10,"), ("newInput", "\"batchSize\":1,")] {
        assert!(changed[field].as_str().unwrap_or_default().contains(batch), "{changed}");
    }

    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&system.database).await?;
    }
    system.stack.temporal.cli(["schedule", "trigger", "--schedule-id", "plan-calls"]).await?;
    let run = eventually(Duration::from_secs(30), "a run has ended", async || {
        let runs = r#"WorkflowType="PlanCalls" AND ExecutionStatus="Completed""#;
        Ok(system.workflows(runs).await?.pop())
    })
    .await;
    assert!(run.starts_with("plan-calls-"), "{run}");
    let ended = system.temporal(["workflow", "result", "--workflow-id", &run]).await?;
    assert_eq!(ended["result"]["users"], 1, "{ended}");
    Ok(())
}

#[tokio::test]
async fn paused_schedule_stays_paused_after_an_update() -> Result<()> {
    let mut system = start_worker_only().await?;
    let pause = ["schedule", "toggle", "--schedule-id", "plan-calls", "--pause"];
    system.stack.temporal.cli(pause.into_iter().chain(["--reason", "holiday"])).await?;
    system.replace_worker(&env(&[("SCHEDULE_INTERVAL", "45")])).await?;
    let schedule = describe_schedule(&system).await?;
    assert_runs_every(&schedule, "2700s");
    assert!(is_paused(&schedule), "{schedule}");
    assert_eq!(schedule["schedule"]["state"]["notes"], "holiday");
    Ok(())
}
