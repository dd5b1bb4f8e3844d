//! A webhook server, and a call's workflow that accepts events but that no worker runs.

use anyhow::{Context as _, Result};
use devstack::{Parts, StackOptions};
use serde_json::{Value, json};

use super::{TestSystem, env};

/// The id of the call.
pub const CALL: &str = "p1-id-1";
/// The id of its dial.
pub const DIAL: &str = "p1-id-1.1";
/// A user webhook v1 for the call.
pub const EVENT: &str = r#"{"eventType":"call.started","conversationId":"p1-id-1"}"#;

/// Starts a webhook server with additional settings, and the workflow of [`CALL`].
pub async fn webhook_only(settings: &[(&str, &str)]) -> Result<TestSystem> {
    let system = TestSystem::start(options(settings)).await?;
    start_call(&system, CALL).await?;
    Ok(system)
}

/// As [`webhook_only`], with a Temporal server that the test may pause.
pub async fn webhook_only_with_own_temporal(settings: &[(&str, &str)]) -> Result<TestSystem> {
    let system = TestSystem::start_with_own_temporal(options(settings)).await?;
    start_call(&system, CALL).await?;
    Ok(system)
}

fn options(settings: &[(&str, &str)]) -> StackOptions {
    let parts = Parts { simulator: false, webhook: true, worker: false };
    StackOptions { parts, webhook_env: env(settings), ..StackOptions::default() }
}

/// Starts the workflow of a call. It stays open, because there is no worker.
pub async fn start_call(system: &TestSystem, call: &str) -> Result<()> {
    let input = json!({
        "conversationId": call,
        "userId": "user1-id",
        "prospectId": "p1-id",
        "slot": "2035-01-01T00:00:00Z",
    })
    .to_string();
    let start = ["workflow", "start", "--type", "Call", "--task-queue", "calls"];
    let id = format!("call/{call}");
    system.temporal(start.into_iter().chain(["--workflow-id", &id, "--input", &input])).await?;
    Ok(())
}

/// The number of signals in the history of [`CALL`].
pub async fn count_signals(system: &TestSystem) -> Result<usize> {
    let id = format!("call/{CALL}");
    let history = system.temporal(["workflow", "show", "--workflow-id", &id]).await?;
    let events = history["events"].as_array().context("the history has no events")?;
    let is_signal = |event: &&Value| event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED";
    Ok(events.iter().filter(is_signal).count())
}
