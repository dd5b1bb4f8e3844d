//! A webhook server with a call behind it that waits for events, and nothing else.

use anyhow::{Context as _, Result};
use devstack::{Parts, StackOptions};
use serde_json::json;

use super::Story;

/// The call that waits.
pub const CALL: &str = "p1-id-1";
/// Its dial.
pub const DIAL: &str = "p1-id-1.1";
/// The user whose call it is.
const USER: &str = "user1-id";
/// An event for it in the plain form.
pub const EVENT: &str = r#"{"eventType":"call.started","conversationId":"p1-id-1"}"#;

/// A webhook server with these settings beside its usual ones, and a workflow that takes events.
pub async fn door(env: &[(&str, &str)]) -> Result<Story> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let parts = Parts { simulator: false, webhook: true, worker: false };
    let options = StackOptions { parts, webhook_env: env.collect(), ..StackOptions::default() };
    let story = Story::start(options).await?;
    start_call(&story, CALL).await?;
    Ok(story)
}

/// Starts the workflow of a call. No worker runs it, so that it takes events for as long as the story lasts.
pub async fn start_call(story: &Story, call: &str) -> Result<()> {
    let input = json!({
        "conversationId": call, "userId": USER, "prospectId": "p1-id", "slot": "2035-01-01T00:00:00Z",
    })
    .to_string();
    let start = ["workflow", "start", "--type", "Call", "--task-queue", "calls"];
    let id = format!("call/{call}");
    story.temporal(start.into_iter().chain(["--workflow-id", &id, "--input", &input])).await?;
    Ok(())
}

/// How many events that workflow has got.
pub async fn events_taken(story: &Story) -> Result<usize> {
    let id = format!("call/{CALL}");
    let history = story.temporal(["workflow", "show", "--workflow-id", &id]).await?;
    let events = history["events"].as_array().context("a history has events")?;
    let signalled =
        |event: &&serde_json::Value| event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED";
    Ok(events.iter().filter(signalled).count())
}
