//! Plan runs for an exact time, started with the Temporal command line.

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::TestSystem;

/// The input of a plan run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The time to plan for, by the system's clock.
    pub from: DateTime<Utc>,
    pub interval_minutes: u32,
    /// Maximum number of users.
    pub batch_size: u32,
}

impl Plan {
    /// Plans half an hour for all users.
    pub fn at(from: DateTime<Utc>) -> Self {
        Self { from, interval_minutes: 30, batch_size: 100 }
    }

    pub fn for_minutes(self, interval_minutes: u32) -> Self {
        Self { interval_minutes, ..self }
    }
}

/// Runs a plan and returns its result.
pub async fn run_plan(system: &TestSystem, plan: Plan) -> Result<Value> {
    run_plan_as(system, "plan-calls-test", plan).await
}

/// As [`run_plan`], with this workflow id.
pub async fn run_plan_as(system: &TestSystem, workflow_id: &str, plan: Plan) -> Result<Value> {
    let input = json!({
        "batchSize": plan.batch_size,
        "intervalMinutes": plan.interval_minutes,
        "clockOffset": system.clock_offset_secs(),
        "from": plan.from.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    Ok(system.stack.temporal.run_workflow("PlanCalls", workflow_id, &input).await?)
}
