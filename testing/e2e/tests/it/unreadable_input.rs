//! A person starts workflows and sends signals with inputs that can't be read.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, eventually, run_plan, send_update,
    wait_for_state, wait_until_recorded,
};
use devstack::StackOptions;

const TIMEOUT: Duration = Duration::from_secs(60);
const CALL: &str = "call/p1-id-1";

/// Arguments of `temporal` that can't be read as an event, and a part of what is said of it.
const UNREADABLE: [(&[&str], &str); 5] = [
    (&[], "has 0"),
    (&["--input", "1", "--input", "2"], "has 2"),
    (&["--input", "abc", "--input-meta", "encoding=binary/plain"], "not binary/plain"),
    (&["--input", "{}", "--input-meta", "encoding=json/protobuf"], "not json/protobuf"),
    (&["--input", "{\"a\":1e999}"], "can't be read"),
];

async fn current_details(system: &TestSystem) -> Result<String> {
    let metadata = system.temporal(["workflow", "metadata", "--workflow-id", CALL]).await?;
    Ok(metadata.to_string())
}

#[tokio::test]
async fn signals_that_can_not_be_read_are_skipped_and_named() -> Result<()> {
    let clock_offset_secs = clock_offset_to("2025-02-25T15:00:00Z");
    let options = StackOptions { clock_offset_secs, speed: 60.0, ..StackOptions::default() };
    let system = TestSystem::start(options).await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 0).insert(&system.database).await?;
    let slot = system.now() + chrono::TimeDelta::hours(1);
    run_plan(&system, Plan::at(slot)).await?;
    wait_for_state(&system, CALL, "waiting").await;
    let signal = ["workflow", "signal", "--workflow-id", CALL, "--name", "call_event"];
    for (input, words) in UNREADABLE {
        system.stack.temporal.cli(signal.iter().chain(input).copied()).await?;
        eventually(TIMEOUT, &format!("the details have {words:?}"), async || {
            Ok(current_details(&system).await?.contains(words).then_some(()))
        })
        .await;
    }
    // What is no event, or has half an emoji, is ignored.
    for input in ["null", "\"\\ud83d\"", "[1]"] {
        system.stack.temporal.cli(signal.iter().chain(&["--input", input]).copied()).await?;
    }
    send_update(&system, CALL, "call_now", None).await.unwrap();
    assert_eq!(wait_until_recorded(&system, "p1-id-1").await.summary().1, Some("APPOINTMENT_SET"));
    Ok(())
}

#[tokio::test]
async fn workflows_whose_input_can_not_be_read_fail_with_a_sentence() -> Result<()> {
    let system = TestSystem::start(StackOptions::default()).await?;
    for name in ["Call", "PlanCalls", "LateEvent", "SweepCalls"] {
        for (number, (input, words)) in UNREADABLE.iter().enumerate() {
            let id = format!("by-hand/{name}/{number}");
            let start = [
                "workflow",
                "start",
                "--task-queue",
                "calls",
                "--type",
                name,
                "--workflow-id",
                &id,
            ];
            system.stack.temporal.cli(start.iter().chain(*input).copied()).await?;
            let failure = eventually(TIMEOUT, &format!("{id} has failed"), async || {
                let shown = system.temporal(["workflow", "show", "--workflow-id", &id]).await?;
                let events = shown["events"].as_array().into_iter().flatten();
                let failure = |event: &Value| {
                    event["workflowExecutionFailedEventAttributes"]["failure"]["message"]
                        .as_str()
                        .map(str::to_owned)
                };
                Ok(events.filter_map(failure).next_back())
            })
            .await;
            assert!(failure.starts_with("the workflow ") && failure.contains(words), "{failure}");
        }
    }
    Ok(())
}
