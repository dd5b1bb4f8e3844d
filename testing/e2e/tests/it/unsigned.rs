//! `ALLOW_UNSIGNED_WEBHOOKS`, for trials on one machine.

use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::StackOptions;

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, env, eventually, post, read_prospect_status,
    run_plan, wait_until_recorded,
};

#[tokio::test]
async fn calls_without_webhook_secrets_are_made_and_recorded_with_a_warning() -> Result<()> {
    let allowed = env(&[("ALLOW_UNSIGNED_WEBHOOKS", "true")]);
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        worker_env: allowed.clone(),
        webhook_env: allowed,
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 20).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    // The agent's tool reports the outcome, with a token that is made without a secret.
    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("NOT_INTERESTED"), None));

    let late = r#"{"eventType":"call.completed","conversationId":"p1-id-1","outcome":{"type":"DO_NOT_CALL"}}"#;
    assert_eq!(post(&system.webhook("/webhooks/outcome"), late, &[]).await?.status, 202);
    eventually(Duration::from_secs(30), "the late event is applied", async || {
        Ok((read_prospect_status(&system.database, "p1-id").await? == "DO_NOT_CALL").then_some(()))
    })
    .await;
    let log =
        system.stack.webhook.as_ref().context("the system has no webhook server")?.process.log();
    assert!(log.contains("anybody who reaches this server can forge"), "{log}");
    Ok(())
}
