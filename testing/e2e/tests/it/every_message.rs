//! A message that is answered 2xx is in the records at rest, whatever state its call is in.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use devstack::StackOptions;
use serde_json::{Value, json};

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, eventually, post_signed, query_progress,
    read_conversation, read_prospect_status, run_plan, wait_for_state, wait_until_recorded,
};

const RECORD_TIMEOUT: Duration = Duration::from_secs(60);
const OPT_OUT: &str =
    r#"{"eventType":"call.completed","conversationId":"p1-id-1","outcome":{"type":"DO_NOT_CALL"}}"#;
const BOOKED: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1",
    "outcome":{"type":"APPOINTMENT_SET","appointmentTime":"2025-03-04T15:00:00Z"}}"#;
const FAILED: &str =
    r#"{"eventType":"call.failed","conversationId":"p1-id-1","failureReason":"Unreachable"}"#;

/// A user and a prospect whose number ends like this, at 15:00 UTC.
async fn start(options: StackOptions, ending: u32) -> Result<TestSystem> {
    let clock_offset_secs = clock_offset_to("2025-02-25T15:00:00Z");
    let system = TestSystem::start(StackOptions { clock_offset_secs, ..options }).await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, ending).insert(&system.database).await?;
    Ok(system)
}

async fn execute(system: &TestSystem, statement: &'static str) -> Result<()> {
    sqlx::query(statement).execute(&system.database).await?;
    Ok(())
}

/// Posts a user webhook; returns the status.
async fn post(system: &TestSystem, body: &str) -> Result<u16> {
    Ok(post_signed(&system.webhook("/webhooks/outcome"), body).await?.status)
}

async fn terminate(system: &TestSystem) -> Result<()> {
    let terminate =
        ["workflow", "terminate", "--workflow-id", "call/p1-id-1", "--reason", "a test"];
    system.stack.temporal.cli(terminate).await?;
    Ok(())
}

/// The plan has committed the conversation, and the workflow is not started yet.
#[tokio::test]
async fn refusal_before_the_workflow_starts_keeps_the_phone_silent() -> Result<()> {
    let system = start(StackOptions::default(), 93).await?;
    execute(
        &system,
        "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
        values ('p1-id-1', 'user1-id', 'p1-id', 1, '2025-02-25T15:05:00Z', 'test')",
    )
    .await?;
    assert_eq!(post(&system, OPT_OUT).await?, 202);
    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("DO_NOT_CALL"), None));
    let numbers = "select count(*) from suppressions where phone = '+12125550193'";
    let suppressed: i64 = sqlx::query_scalar(numbers).fetch_one(&system.database).await?;
    assert_eq!(suppressed, 1);
    let input = json!({"conversationId": "p1-id-1", "userId": "user1-id", "prospectId": "p1-id",
        "slot": "2025-02-25T15:00:00Z", "clockOffset": system.clock_offset_secs()});
    let result = system.stack.temporal.run_workflow("Call", "call/p1-id-1", &input).await?;
    assert_eq!(result["outcome"], "DO_NOT_CALL");
    assert_eq!(system.calls_placed().await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn outcome_reported_to_a_reset_run_that_waits_is_recorded() -> Result<()> {
    let system = start(StackOptions { speed: 120.0, ..StackOptions::default() }, 50).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    let first = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(first.summary(), ("COMPLETED", Some("NO_RESPONSE"), Some("no_answer")));
    execute(&system, "update users set paused_at = now()").await?;
    let reset = ["workflow", "reset", "--workflow-id", "call/p1-id-1", "--reason", "a test"];
    let from = ["--type", "FirstWorkflowTask"];
    system.stack.temporal.cli(reset.into_iter().chain(from)).await?;
    wait_for_state(&system, "call/p1-id-1", "waiting").await;
    assert_eq!(post(&system, BOOKED).await?, 204);
    eventually(RECORD_TIMEOUT, "the appointment is recorded", async || {
        let call = read_conversation(&system.database, "p1-id-1").await?;
        Ok((call.outcome.as_deref() == Some("APPOINTMENT_SET")).then_some(()))
    })
    .await;
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "BOOKED");
    assert_eq!(system.calls_placed().await?.len(), 1);
    Ok(())
}

/// The worker is away, so the workflow has the message only in its history.
#[tokio::test]
async fn message_that_only_a_terminated_workflow_has_is_recorded() -> Result<()> {
    let mut system = start(StackOptions::default(), 93).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    system.stack.worker.as_mut().unwrap().stop().await?;
    assert_eq!(post(&system, BOOKED).await?, 204);
    terminate(&system).await?;
    system.stack.worker.as_mut().unwrap().restart().await?;
    execute(&system, "update conversations set updated_at = updated_at - interval '5 minutes'")
        .await?;
    eventually(RECORD_TIMEOUT, "the appointment is recorded", async || {
        let sweep = ["schedule", "trigger", "--schedule-id", "sweep-calls"];
        system.stack.temporal.cli(sweep).await?;
        let call = read_conversation(&system.database, "p1-id-1").await?;
        Ok((call.outcome.as_deref() == Some("APPOINTMENT_SET")).then_some(()))
    })
    .await;
    wait_until_swept(&system).await;
    Ok(())
}

/// Sweeps until no dial is live.
async fn wait_until_swept(system: &TestSystem) {
    eventually(RECORD_TIMEOUT, "the call is hung up", async || {
        let aged = "update conversations set recorded_at = recorded_at - interval '2 minutes'";
        sqlx::query(aged).execute(&system.database).await?;
        let sweep = ["schedule", "trigger", "--schedule-id", "sweep-calls"];
        system.stack.temporal.cli(sweep).await?;
        let live = "select count(*) from dials where closed_at is null";
        let live: i64 = sqlx::query_scalar(live).fetch_one(&system.database).await?;
        Ok((live == 0).then_some(()))
    })
    .await;
}

/// A workflow that is terminated while it waits for a slot in the far future does not block its prospect until then.
#[tokio::test]
async fn call_terminated_while_it_waits_is_swept_before_its_slot() -> Result<()> {
    let system = start(StackOptions::default(), 93).await?;
    run_plan(&system, Plan::at(system.now() + TimeDelta::minutes(10))).await?;
    wait_for_state(&system, "call/p1-id-1", "waiting").await;
    terminate(&system).await?;
    eventually(RECORD_TIMEOUT, "the call is swept", async || {
        let sweep = ["schedule", "trigger", "--schedule-id", "sweep-calls"];
        system.stack.temporal.cli(sweep).await?;
        let call = read_conversation(&system.database, "p1-id-1").await?;
        Ok((call.summary() == ("CANCELLED", None, Some("abandoned"))).then_some(()))
    })
    .await;
    Ok(())
}

/// The user's system reports a failure while the phone rings, and the carrier can't be reached.
#[tokio::test]
async fn number_is_not_called_while_its_phone_still_rings() -> Result<()> {
    let mut options = StackOptions::default();
    for key in ["TELNYX_API_KEY", "TELNYX_ACCOUNT_SID"] {
        options.worker_env.insert(key.to_owned(), String::new());
    }
    let system = start(options, 50).await?;
    User::new("user2-id").insert(&system.database).await?;
    let same_number = Prospect { user_id: "user2-id".to_owned(), ..Prospect::new("p2-id") };
    same_number.phone_ending(212, 50).insert(&system.database).await?;
    execute(&system, "update users set paused_at = now() where id = 'user2-id'").await?;
    run_plan(&system, Plan::at(system.now())).await?;
    wait_for_state(&system, "call/p1-id-1", "ringing").await;
    assert_eq!(post(&system, FAILED).await?, 204);
    eventually(RECORD_TIMEOUT, "the failure is recorded", async || {
        let call = read_conversation(&system.database, "p1-id-1").await?;
        Ok((call.status == "FAILED").then_some(()))
    })
    .await;
    execute(&system, "update users set paused_at = null").await?;
    execute(
        &system,
        "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
        values ('p2-id-1', 'user2-id', 'p2-id', 1, '2025-02-25T15:00:00Z', 'test')",
    )
    .await?;
    let input = json!({"conversationId": "p2-id-1", "userId": "user2-id", "prospectId": "p2-id",
        "slot": system.now(), "clockOffset": system.clock_offset_secs()});
    let input = input.to_string();
    let call = ["workflow", "start", "--type", "Call", "--workflow-id", "call/p2-id-1"];
    let with = ["--task-queue", "calls", "--input", &input];
    system.stack.temporal.cli(call.into_iter().chain(with)).await?;
    let awaited = "the second call waits for the number";
    eventually(RECORD_TIMEOUT, awaited, async || {
        let details = query_progress(&system, "call/p2-id-1").await?["details"].clone();
        Ok(details.as_str().is_some_and(|text| text.contains("same phone number")).then_some(()))
    })
    .await;
    let calls = system.calls_placed().await?;
    assert!(calls.len() == 1 && calls[0]["ended"].is_null(), "{calls:?}");
    Ok(())
}

/// Webhooks arrive, and the provider's API does not answer.
#[tokio::test]
async fn outcome_does_not_wait_for_the_providers_api() -> Result<()> {
    let mut system = start(StackOptions::default(), 93).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    system.stack.simulator.as_mut().unwrap().process.pause();
    assert_eq!(post(&system, BOOKED).await?, 204);
    eventually(RECORD_TIMEOUT, "the appointment is recorded", async || {
        let call = read_conversation(&system.database, "p1-id-1").await?;
        Ok((call.outcome.as_deref() == Some("APPOINTMENT_SET")).then_some(()))
    })
    .await;
    let details = query_progress(&system, "call/p1-id-1").await?["details"].clone();
    assert_eq!(details, "Recorded: APPOINTMENT_SET");
    system.stack.simulator.as_mut().unwrap().process.resume();
    wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(system.calls_placed().await?[0]["endedBy"], "client");
    Ok(())
}
