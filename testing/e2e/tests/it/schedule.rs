//! The schedule of plan runs: kept equal to the settings by every worker that starts.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::{Parts, StackOptions};
use serde_json::Value;

use crate::support::{Story, User, eventually};

async fn worker_alone() -> Result<Story> {
    Story::start_with_schedule(StackOptions {
        parts: Parts { simulator: false, webhook: false, worker: true },
        ..StackOptions::default()
    })
    .await
}

async fn restart_with(story: &mut Story, settings: &[(&str, &str)]) -> Result<()> {
    let mut worker = story.stack.worker.take().context("there is no worker")?;
    worker.stop().await?;
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings: BTreeMap<String, String> = settings.collect();
    story.stack.worker = Some(story.stack.start_worker("worker2", &settings).await?);
    Ok(())
}

async fn described(story: &Story) -> Result<Value> {
    story.temporal(["schedule", "describe", "--schedule-id", "plan-calls"]).await
}

/// Checks interval, overlap and catch-up.
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
async fn a_worker_creates_the_schedule_and_the_next_one_brings_it_up_to_its_settings() -> Result<()>
{
    let mut story = worker_alone().await?;
    let first = described(&story).await?;
    assert_runs_every(&first, "1800s");
    assert!(!is_paused(&first));

    restart_with(&mut story, &[("SCHEDULE_INTERVAL", "45"), ("BATCH_SIZE", "1")]).await?;
    let second = described(&story).await?;
    assert_runs_every(&second, "2700s");

    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&story.database).await?;
    }
    story.stack.temporal.cli(["schedule", "trigger", "--schedule-id", "plan-calls"]).await?;
    let run = eventually(Duration::from_secs(30), "a run has ended", async || {
        let runs = r#"WorkflowType="PlanCalls" AND ExecutionStatus="Completed""#;
        Ok(story.workflows(runs).await?.pop())
    })
    .await;
    assert!(run.starts_with("plan-calls-"), "{run}");
    let ended = story.temporal(["workflow", "result", "--workflow-id", &run]).await?;
    assert_eq!(ended["result"]["users"], 1, "{ended}");
    Ok(())
}

#[tokio::test]
async fn a_schedule_that_was_paused_stays_paused() -> Result<()> {
    let mut story = worker_alone().await?;
    let pause = ["schedule", "toggle", "--schedule-id", "plan-calls", "--pause"];
    story.stack.temporal.cli(pause.into_iter().chain(["--reason", "holiday"])).await?;
    restart_with(&mut story, &[("SCHEDULE_INTERVAL", "45")]).await?;
    let schedule = described(&story).await?;
    assert_runs_every(&schedule, "2700s");
    assert!(is_paused(&schedule), "{schedule}");
    assert_eq!(schedule["schedule"]["state"]["notes"], "holiday");
    Ok(())
}
