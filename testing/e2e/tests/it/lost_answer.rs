//! The request that rings a phone gets no answer: the call goes on, and nothing of it is lost.

use std::time::Duration;

use anyhow::Result;
use devstack::StackOptions;

use crate::support::{
    Plan, Prospect, Story, User, conversation, eventually, open_calls, plan, post, seconds_to,
};

const SOON: Duration = Duration::from_secs(45);

/// The call was made, its answer is lost, and the provider's list does not show it for a while: only
/// the webhooks tell which call it is.
#[tokio::test]
async fn an_outcome_that_only_the_transcript_tells_is_found_all_the_same() -> Result<()> {
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed: 120.0,
        ..StackOptions::default()
    })
    .await?;
    let faults = r#"{"create_call": [{"drop_after_accept": true}], "list_lag_secs": 15}"#;
    let sim = format!("{}/sim/faults", story.stack.endpoints().simulator_url);
    assert_eq!(post(&sim, faults, &[]).await?.status, 200);
    User::new("user1-id").insert(&story.database).await?;
    // The tool by which the agent reports is out of reach as well.
    Prospect::new("p1-id").phone_ending(212, 90).insert(&story.database).await?;
    plan(&story, Plan::at(story.now())).await?;

    eventually(SOON, "the call is settled", async || {
        Ok((open_calls(&story).await? == 0).then_some(()))
    })
    .await;
    let call = conversation(&story.database, "p1-id-1").await?;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert!(call.transcript.unwrap_or_default().contains("Callee: "));
    assert_eq!(story.calls_placed().await?.len(), 1);
    Ok(())
}
