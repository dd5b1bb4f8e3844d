//! A client that signs with a secret of its own speaks of its own calls, and of no others.

use anyhow::Result;
use chrono::TimeDelta;
use devstack::development::WEBHOOK_SECRET;
use devstack::sign::agent_token;
use devstack::{StackOptions, TempDir, workspace};

use crate::support::{
    DIAL, Plan, Prospect, Signed, Story, User, conversation, in_state, plan, post, progress,
    prospect_status, seconds_to, settled,
};

const OF_USER1: &str = "a-secret-that-only-user1-has";
const OF_USER2: &str = "a-secret-that-only-user2-has";
const BOOKED: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1","duration":180,
    "outcome":{"type":"APPOINTMENT_SET","appointmentTime":"2025-03-04T15:00:00Z"}}"#;
const FORBIDDEN: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1","duration":180,
    "outcome":{"type":"DO_NOT_CALL"}}"#;

/// A system with two clients who have secrets, and a talk on behalf of the first.
async fn talking(scratch: &TempDir) -> Result<Story> {
    let file = scratch.path().join("clients");
    std::fs::write(&file, format!("user1-id {OF_USER1}\nuser2-id {OF_USER2}\n"))?;
    let env = [("CLIENT_SECRETS_FILE".to_owned(), file.display().to_string())];
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        webhook_env: env.into(),
        ..StackOptions::default()
    })
    .await?;
    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&story.database).await?;
    }
    Prospect::new("p1-id").phone_ending(212, 93).insert(&story.database).await?;
    plan(&story, Plan::at(story.now() - TimeDelta::seconds(1))).await?;
    in_state(&story, "call/p1-id-1", "talking").await;
    Ok(story)
}

async fn send(story: &Story, path: &str, secret: &str, body: &str) -> Result<u16> {
    Ok(post(&story.webhook(path), body, &Signed::with(secret, body).headers()).await?.status)
}

#[tokio::test]
async fn a_clients_word_counts_for_its_own_calls() -> Result<()> {
    let scratch = workspace::temp_dir()?;
    let story = talking(&scratch).await?;
    let [own, others] =
        ["user1-id", "user2-id"].map(|user| format!("/webhooks/outcome?userId={user}"));
    // Who it is has to be said, and has to be true.
    assert_eq!(send(&story, "/webhooks/outcome", OF_USER1, BOOKED).await?, 401);
    assert_eq!(send(&story, &others, OF_USER1, BOOKED).await?, 401);
    assert_eq!(send(&story, "/webhooks/outcome?userId=user3-id", OF_USER1, BOOKED).await?, 401);
    assert_eq!(
        send(&story, "/webhooks/outcome?userId=user3-id", WEBHOOK_SECRET, BOOKED).await?,
        401
    );
    assert_eq!(send(&story, &own, WEBHOOK_SECRET, BOOKED).await?, 401);
    // The provider's form and the agent's tool are not for clients.
    let ended =
        r#"{"event":"call.ended","call":{"callId":"u1","metadata":{"dial_id":"p1-id-1.1"}}}"#;
    assert_eq!(send(&story, &own, OF_USER1, ended).await?, 401);
    let token = format!("Bearer {}", agent_token(OF_USER1, DIAL));
    let tool = story.webhook("/tools/report_outcome");
    let reported =
        post(&tool, r#"{"outcome":"DO_NOT_CALL"}"#, &[("Authorization", &token)]).await?;
    assert_eq!(reported.status, 401);

    // Another client is told no more than of a call that does not exist.
    assert_eq!(send(&story, &others, OF_USER2, FORBIDDEN).await?, 202);
    assert_eq!(progress(&story, "call/p1-id-1").await?["state"], "talking");
    assert_eq!(send(&story, &own, OF_USER1, BOOKED).await?, 204);
    assert_eq!(settled(&story, "p1-id-1").await, ("COMPLETED".to_owned(), None));
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "BOOKED");

    // Nor does it change what is recorded.
    assert_eq!(send(&story, &others, OF_USER2, FORBIDDEN).await?, 202);
    let call = conversation(&story.database, "p1-id-1").await?;
    assert_eq!(call.outcome.as_deref(), Some("APPOINTMENT_SET"));
    let late = story.workflows(r#"WorkflowType="LateEvent""#).await?;
    assert_eq!(late, Vec::<String>::new());
    Ok(())
}
