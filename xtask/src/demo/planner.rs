//! Controls the planning schedule with the Temporal command line.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use devstack::Temporal;
use serde_json::Value;

pub const SCHEDULE: &str = "plan-calls";

const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Starts a plan run, waits until it is completed and returns its workflow id.
pub async fn trigger(temporal: &Temporal, within: Duration) -> anyhow::Result<String> {
    let before = recent_runs(temporal).await?;
    let trigger =
        ["schedule", "trigger", "--schedule-id", SCHEDULE, "--overlap-policy", "AllowAll"];
    temporal.cli(trigger).await.context("could not trigger the schedule")?;
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let Some(run) = recent_runs(temporal).await?.difference(&before).next() {
            match read_status(temporal, run).await?.as_str() {
                "WORKFLOW_EXECUTION_STATUS_COMPLETED" => return Ok(run.clone()),
                "WORKFLOW_EXECUTION_STATUS_RUNNING"
                | "WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW" => {}
                other => bail!(
                    "the plan run {run} ended with {other}; inspect it in the Temporal UI (--keep)"
                ),
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    bail!("the plan run has not ended after {} s; see the log of the worker", within.as_secs())
}

/// The workflow ids of the schedule's recent runs.
async fn recent_runs(temporal: &Temporal) -> anyhow::Result<BTreeSet<String>> {
    let schedule = temporal.cli_json(["schedule", "describe", "--schedule-id", SCHEDULE]).await?;
    Ok(run_ids(&schedule))
}

fn run_ids(schedule: &Value) -> BTreeSet<String> {
    let actions = schedule.pointer("/info/recentActions").and_then(Value::as_array);
    let ids = actions.into_iter().flatten().filter_map(|action| {
        action.pointer("/startWorkflowResult/workflowId").and_then(Value::as_str).map(str::to_owned)
    });
    ids.collect()
}

async fn read_status(temporal: &Temporal, workflow_id: &str) -> anyhow::Result<String> {
    let described =
        temporal.cli_json(["workflow", "describe", "--workflow-id", workflow_id]).await?;
    let status = described.pointer("/workflowExecutionInfo/status").and_then(Value::as_str);
    status
        .map(str::to_owned)
        .with_context(|| format!("the description of {workflow_id} has no status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn paused_schedule_can_be_triggered_and_lists_its_run() {
        let temporal = Temporal::start_temporary().await.unwrap();
        let create = "schedule create --schedule-id plan-calls --interval 24h --workflow-id plan-calls --type Plan";
        temporal.cli(create.split(' ').chain(["--task-queue", "q"])).await.unwrap();
        temporal.pause_schedule(SCHEDULE).await.unwrap();
        let before = recent_runs(&temporal).await.unwrap();
        // Without a worker the run stays open, so waiting for its end fails.
        trigger(&temporal, Duration::from_secs(1)).await.unwrap_err();
        let after = recent_runs(&temporal).await.unwrap();
        let run = after.difference(&before).next().unwrap();
        assert!(run.starts_with("plan-calls-"), "{run}");
        assert_eq!(read_status(&temporal, run).await.unwrap(), "WORKFLOW_EXECUTION_STATUS_RUNNING");
    }
}
