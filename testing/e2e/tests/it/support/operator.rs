//! What an operator does with the Temporal command line.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::{Story, eventually};

/// Longest wait for a call to get somewhere.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the query `progress` says of a call.
pub async fn progress(story: &Story, call: &str) -> Result<Value> {
    let query = ["workflow", "query", "--type", "progress", "--workflow-id", call];
    Ok(story.temporal(query).await?["queryResult"][0].clone())
}

/// Waits until a call is in a state.
pub async fn in_state(story: &Story, call: &str, state: &str) {
    eventually(PATIENCE, &format!("{call} is {state}"), async || {
        Ok((progress(story, call).await?["state"] == state).then_some(()))
    })
    .await;
}

/// Cancels a call.
pub async fn cancel(story: &Story, call: &str) -> Result<()> {
    story.stack.temporal.cli(["workflow", "cancel", "--workflow-id", call]).await?;
    Ok(())
}

/// Sends an update to a call; the words of the refusal if it is refused.
pub async fn update(
    story: &Story,
    call: &str,
    name: &str,
    input: Option<&str>,
) -> Result<(), String> {
    let update = ["workflow", "update", "execute", "--workflow-id", call, "--name", name];
    let input = input.map(|input| format!("\"{input}\""));
    let input = input.iter().flat_map(|input| ["--input", input.as_str()]);
    let args: Vec<&str> = update.into_iter().chain(input).collect();
    story.stack.temporal.cli(args).await.map(drop).map_err(|error| error.to_string())
}
