//! On one machine, for a try, nothing needs to be signed; it is said loudly.

use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::StackOptions;

use crate::support::{
    Plan, Prospect, Story, User, conversation, eventually, plan, post, prospect_status, seconds_to,
    settled,
};

#[tokio::test]
async fn without_secrets_calls_are_made_and_told_of_all_the_same() -> Result<()> {
    let allowed = [("ALLOW_UNSIGNED_WEBHOOKS".to_owned(), "true".to_owned())];
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        worker_env: allowed.clone().into(),
        webhook_env: allowed.into(),
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&story.database).await?;
    Prospect::new("p1-id").phone_ending(212, 20).insert(&story.database).await?;
    plan(&story, Plan::at(story.now())).await?;
    assert_eq!(settled(&story, "p1-id-1").await, ("COMPLETED".to_owned(), None));
    // Reported by the agent's tool, whose token is made without a secret.
    let call = conversation(&story.database, "p1-id-1").await?;
    assert_eq!(call.outcome.as_deref(), Some("NOT_INTERESTED"));

    let late = r#"{"eventType":"call.completed","conversationId":"p1-id-1","outcome":{"type":"DO_NOT_CALL"}}"#;
    assert_eq!(post(&story.webhook("/webhooks/outcome"), late, &[]).await?.status, 202);
    eventually(Duration::from_secs(30), "it is applied", async || {
        Ok((prospect_status(&story.database, "p1-id").await? == "DO_NOT_CALL").then_some(()))
    })
    .await;
    let log = story.stack.webhook.as_ref().context("a server")?.process.log();
    assert!(log.contains("ANYBODY WHO REACHES THIS SERVER CAN FORGE"), "{log}");
    Ok(())
}
