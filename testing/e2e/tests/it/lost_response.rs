//! The response to a dial request is lost: the call continues and is recorded.

use std::time::Duration;

use anyhow::Result;
use devstack::StackOptions;

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, read_conversation, run_plan,
    wait_until_all_recorded,
};

const RECORD_TIMEOUT: Duration = Duration::from_secs(45);

/// The provider's list does not show the call for a while, so only the webhooks identify it.
#[tokio::test]
async fn outcome_known_only_from_the_transcript_is_recorded() -> Result<()> {
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed: 120.0,
        ..StackOptions::default()
    })
    .await?;
    let faults = r#"{"create_call": [{"drop_after_accept": true}], "list_lag_secs": 15}"#;
    system.inject_faults(faults).await?;
    User::new("user1-id").insert(&system.database).await?;
    // In this scenario the agent's report is lost too.
    Prospect::new("p1-id").phone_ending(212, 90).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;

    wait_until_all_recorded(&system, RECORD_TIMEOUT).await;
    let call = read_conversation(&system.database, "p1-id-1").await?;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert!(call.transcript.unwrap_or_default().contains("Callee: "));
    assert_eq!(system.calls_placed().await?.len(), 1);
    Ok(())
}
