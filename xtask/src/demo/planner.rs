//! The schedule that plans calls, by way of the real command line.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use devstack::Temporal;
use serde_json::Value;

/// The id of the schedule.
const SCHEDULE: &str = "plan-calls";

/// How often Temporal is asked whether a run has ended.
const GLANCE: Duration = Duration::from_millis(200);

/// Keeps the schedule from planning by itself.
pub async fn pause(temporal: &Temporal) -> anyhow::Result<()> {
    let toggle = [
        "schedule",
        "toggle",
        "--schedule-id",
        SCHEDULE,
        "--pause",
        "--reason",
        "one run at a time",
    ];
    temporal.cli(toggle).await.context("could not pause the schedule")?;
    Ok(())
}

/// Starts one run at once, and returns its workflow id when it has ended well.
pub async fn trigger(temporal: &Temporal, within: Duration) -> anyhow::Result<String> {
    let before = runs(temporal).await?;
    let trigger =
        ["schedule", "trigger", "--schedule-id", SCHEDULE, "--overlap-policy", "AllowAll"];
    temporal.cli(trigger).await.context("could not trigger the schedule")?;
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let Some(run) = runs(temporal).await?.difference(&before).next() {
            match status(temporal, run).await?.as_str() {
                "WORKFLOW_EXECUTION_STATUS_COMPLETED" => return Ok(run.clone()),
                "WORKFLOW_EXECUTION_STATUS_RUNNING"
                | "WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW" => {}
                other => bail!(
                    "the plan run {run} ended as {other}; look at it in the Temporal UI (--keep)"
                ),
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
    bail!(
        "the plan run has not ended after {} s; is the worker well? Its log says more",
        within.as_secs()
    )
}

/// The workflow ids of the runs that the schedule remembers.
async fn runs(temporal: &Temporal) -> anyhow::Result<BTreeSet<String>> {
    let schedule = ask(temporal, ["schedule", "describe", "--schedule-id", SCHEDULE]).await?;
    Ok(run_ids(&schedule))
}

fn run_ids(schedule: &Value) -> BTreeSet<String> {
    let actions = schedule.pointer("/info/recentActions").and_then(Value::as_array);
    let ids = actions.into_iter().flatten().filter_map(|action| {
        action.pointer("/startWorkflowResult/workflowId").and_then(Value::as_str).map(str::to_owned)
    });
    ids.collect()
}

async fn status(temporal: &Temporal, workflow_id: &str) -> anyhow::Result<String> {
    let described = ask(temporal, ["workflow", "describe", "--workflow-id", workflow_id]).await?;
    let status = described.pointer("/workflowExecutionInfo/status").and_then(Value::as_str);
    status.map(str::to_owned).with_context(|| format!("Temporal did not say how {workflow_id} is"))
}

async fn ask(temporal: &Temporal, command: [&str; 4]) -> anyhow::Result<Value> {
    let printed = temporal.cli(command.into_iter().chain(["--output", "json"])).await?;
    serde_json::from_str(&printed)
        .with_context(|| format!("`temporal {}` did not print JSON", command.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_paused_schedule_can_be_triggered_and_names_its_run() {
        let temporal = Temporal::throw_away().await.unwrap();
        let create = "schedule create --schedule-id plan-calls --interval 24h --workflow-id plan-calls --type Plan";
        temporal.cli(create.split(' ').chain(["--task-queue", "q"])).await.unwrap();
        pause(&temporal).await.unwrap();
        let before = runs(&temporal).await.unwrap();
        // Nobody works here, so the run stays open and the wait for its end does not succeed.
        trigger(&temporal, Duration::from_secs(1)).await.unwrap_err();
        let after = runs(&temporal).await.unwrap();
        let run = after.difference(&before).next().unwrap();
        assert!(run.starts_with("plan-calls-"), "{run}");
        assert_eq!(status(&temporal, run).await.unwrap(), "WORKFLOW_EXECUTION_STATUS_RUNNING");
    }
}
