//! Plan runs for an exact moment, started by the real command line.

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::Story;

/// What is planned for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The moment of the run, by the clock inside.
    pub from: DateTime<Utc>,
    /// Minutes until the next one.
    pub interval_minutes: u32,
    /// Users planned at most.
    pub batch_size: u32,
}

impl Plan {
    /// A plan of half an hour for every user.
    pub fn at(from: DateTime<Utc>) -> Self {
        Self { from, interval_minutes: 30, batch_size: 100 }
    }

    /// The same for another span.
    pub fn for_minutes(self, interval_minutes: u32) -> Self {
        Self { interval_minutes, ..self }
    }
}

/// Plans, and returns what the run says that it did.
pub async fn plan(story: &Story, plan: Plan) -> Result<Value> {
    plan_as(story, "plan-calls-test", plan).await
}

/// Plans under a workflow id of its own.
pub async fn plan_as(story: &Story, workflow_id: &str, plan: Plan) -> Result<Value> {
    let input = json!({
        "batchSize": plan.batch_size,
        "intervalMinutes": plan.interval_minutes,
        "clockOffset": story.clock_offset_secs(),
        "from": plan.from.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
    .to_string();
    let start = ["workflow", "start", "--type", "PlanCalls", "--task-queue", "calls"];
    let start = start.into_iter().chain(["--workflow-id", workflow_id, "--input", &input]);
    story.temporal(start).await.context("starting a plan run")?;
    let ended = story.temporal(["workflow", "result", "--workflow-id", workflow_id]).await?;
    let result = ended.get("result").cloned();
    result.with_context(|| format!("the plan run {workflow_id} has no result: {ended}"))
}
