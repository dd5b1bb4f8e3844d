//! A user's own webhook secret is valid only for the calls of that user.

use anyhow::Result;
use chrono::TimeDelta;
use devstack::development::WEBHOOK_SECRET;
use devstack::sign::agent_token;
use devstack::{StackOptions, TempDir, workspace};

use crate::support::{
    DIAL, Plan, Prospect, Signed, TestSystem, User, clock_offset_to, env, post, query_progress,
    read_conversation, read_prospect_status, run_plan, wait_for_state, wait_until_recorded,
};

const OF_USER1: &str = "a-secret-that-only-user1-has";
const OF_USER2: &str = "a-secret-that-only-user2-has";
const BOOKED: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1","duration":180,
    "outcome":{"type":"APPOINTMENT_SET","appointmentTime":"2025-03-04T15:00:00Z"}}"#;
const OPT_OUT: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1","duration":180,
    "outcome":{"type":"DO_NOT_CALL"}}"#;

/// Starts a system with the secrets of two users and a live call of the first.
async fn start_with_live_call(temp_dir: &TempDir) -> Result<TestSystem> {
    let file = temp_dir.path().join("secrets");
    std::fs::write(&file, format!("user1-id {OF_USER1}\nuser2-id {OF_USER2}\n"))?;
    let webhook_env = env(&[("CLIENT_SECRETS_FILE", &file.display().to_string())]);
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        webhook_env,
        ..StackOptions::default()
    })
    .await?;
    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&system.database).await?;
    }
    Prospect::new("p1-id").phone_ending(212, 93).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now() - TimeDelta::seconds(1))).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    Ok(system)
}

async fn send(system: &TestSystem, path: &str, secret: &str, body: &str) -> Result<u16> {
    Ok(post(&system.webhook(path), body, &Signed::with(secret, body).headers()).await?.status)
}

#[tokio::test]
async fn user_secret_is_valid_only_for_calls_of_that_user() -> Result<()> {
    let temp_dir = workspace::temp_dir()?;
    let system = start_with_live_call(&temp_dir).await?;
    let [own, others] =
        ["user1-id", "user2-id"].map(|user| format!("/webhooks/outcome?userId={user}"));
    // The user id is required and must match the secret.
    assert_eq!(send(&system, "/webhooks/outcome", OF_USER1, BOOKED).await?, 401);
    assert_eq!(send(&system, &others, OF_USER1, BOOKED).await?, 401);
    assert_eq!(send(&system, "/webhooks/outcome?userId=user3-id", OF_USER1, BOOKED).await?, 401);
    assert_eq!(
        send(&system, "/webhooks/outcome?userId=user3-id", WEBHOOK_SECRET, BOOKED).await?,
        401
    );
    assert_eq!(send(&system, &own, WEBHOOK_SECRET, BOOKED).await?, 401);
    // Users must not send the provider's webhooks or the agent's reports.
    let ended =
        r#"{"event":"call.ended","call":{"callId":"u1","metadata":{"dial_id":"p1-id-1.1"}}}"#;
    assert_eq!(send(&system, &own, OF_USER1, ended).await?, 401);
    let token = format!("Bearer {}", agent_token(OF_USER1, DIAL));
    let tool = system.webhook("/tools/report_outcome");
    let reported =
        post(&tool, r#"{"outcome":"DO_NOT_CALL"}"#, &[("Authorization", &token)]).await?;
    assert_eq!(reported.status, 401);

    // For another user's call the response is the same as for an unknown call.
    assert_eq!(send(&system, &others, OF_USER2, OPT_OUT).await?, 202);
    assert_eq!(query_progress(&system, "call/p1-id-1").await?["state"], "talking");
    assert_eq!(send(&system, &own, OF_USER1, BOOKED).await?, 204);
    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "BOOKED");

    // Another user's event does not change the record.
    assert_eq!(send(&system, &others, OF_USER2, OPT_OUT).await?, 202);
    let call = read_conversation(&system.database, "p1-id-1").await?;
    assert_eq!(call.outcome.as_deref(), Some("APPOINTMENT_SET"));
    let late = system.workflows(r#"WorkflowType="LateEvent""#).await?;
    assert_eq!(late, Vec::<String>::new());
    Ok(())
}
