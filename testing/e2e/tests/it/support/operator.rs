//! An operator's commands of the Temporal command line.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::{TestSystem, eventually};

const STATE_TIMEOUT: Duration = Duration::from_secs(60);

/// The result of the query `progress`.
pub async fn query_progress(system: &TestSystem, workflow_id: &str) -> Result<Value> {
    let query = ["workflow", "query", "--type", "progress", "--workflow-id", workflow_id];
    Ok(system.temporal(query).await?["queryResult"][0].clone())
}

/// Waits until a call is in a state.
pub async fn wait_for_state(system: &TestSystem, workflow_id: &str, state: &str) {
    eventually(STATE_TIMEOUT, &format!("{workflow_id} is {state}"), async || {
        Ok((query_progress(system, workflow_id).await?["state"] == state).then_some(()))
    })
    .await;
}

pub async fn cancel_call(system: &TestSystem, workflow_id: &str) -> Result<()> {
    system.stack.temporal.cli(["workflow", "cancel", "--workflow-id", workflow_id]).await?;
    Ok(())
}

/// Sends an update to a call.
///
/// # Errors
///
/// The call rejects the update; the error contains the reason.
pub async fn send_update(
    system: &TestSystem,
    workflow_id: &str,
    name: &str,
    input: Option<&str>,
) -> Result<(), String> {
    let update = ["workflow", "update", "execute", "--workflow-id", workflow_id, "--name", name];
    let input = input.map(|input| format!("\"{input}\""));
    let input = input.iter().flat_map(|input| ["--input", input.as_str()]);
    let args: Vec<&str> = update.into_iter().chain(input).collect();
    system.stack.temporal.cli(args).await.map(drop).map_err(|error| error.to_string())
}
