//! Suppressions: a number on the do-not-call list is not called from a few seconds after the insert.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use devstack::StackOptions;
use serde_json::Value;

use crate::support::{
    Plan, Prospect, TestSystem, Totals, User, clock_offset_to, eventually, read_conversation,
    read_prospect_status, read_totals, run_plan, wait_for_state, wait_until_recorded,
};

/// Less than the minute after which the worker looks without a notice.
const SUPPRESSION_TIMEOUT: Duration = Duration::from_secs(45);

/// Plans calls at 15:00 UTC in real time. A prospect is an id, its user, and the digits that select the scenario.
async fn plan_calls(prospects: &[(&str, &str, u32)]) -> Result<TestSystem> {
    let options = StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        ..StackOptions::default()
    };
    let system = TestSystem::start(options).await?;
    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&system.database).await?;
    }
    for (id, user, ending) in prospects {
        Prospect::new(*id)
            .of_user(*user)
            .phone_ending(212, *ending)
            .insert(&system.database)
            .await?;
    }
    run_plan(&system, Plan::at(system.now())).await?;
    Ok(system)
}

async fn suppress(system: &TestSystem, user: Option<&str>, ending: u32) -> Result<()> {
    let listed = "insert into suppressions (user_id, phone, reason) values ($1, $2, 'imported')";
    let listed = sqlx::query(listed).bind(user).bind(format!("+121255501{ending:02}"));
    listed.execute(&system.database).await?;
    Ok(())
}

async fn wait_until_suppressed(system: &TestSystem, id: &str) {
    eventually(SUPPRESSION_TIMEOUT, &format!("{id} is cancelled"), async || {
        let found = read_conversation(&system.database, id).await?;
        Ok((found.summary() == ("CANCELLED", None, Some("suppressed"))).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn inserted_suppression_ends_waiting_and_live_calls_to_the_number() -> Result<()> {
    let prospects = [
        ("a", "user1-id", 93),
        ("b", "user1-id", 20),
        ("c", "user1-id", 21),
        ("d", "user2-id", 92),
    ];
    let system = plan_calls(&prospects).await?;
    wait_for_state(&system, "call/a-1", "talking").await;
    wait_for_state(&system, "call/d-1", "talking").await;
    // For one user; a live call of another user to the second number continues.
    suppress(&system, Some("user1-id"), 93).await?;
    suppress(&system, Some("user1-id"), 92).await?;
    // For all users.
    suppress(&system, None, 21).await?;
    wait_until_suppressed(&system, "a-1").await;
    wait_until_suppressed(&system, "c-1").await;
    for (unaffected, state) in [("call/b-1", "waiting"), ("call/d-1", "talking")] {
        wait_for_state(&system, unaffected, state).await;
    }
    let calls = system.calls_placed().await?;
    let first = calls.iter().find(|call| call["metadata"]["conversation_id"] == "a-1");
    assert_eq!(first.map(|call| &call["endedBy"]), Some(&Value::from("client")), "{calls:?}");
    Ok(())
}

/// The agent reports the opt-out before it says goodbye.
#[tokio::test]
async fn opt_out_suppresses_the_number_before_the_call_ends() -> Result<()> {
    // The callee of scenario 30 opts out.
    let system = plan_calls(&[("a", "user1-id", 30)]).await?;
    // The call itself continues to its end and keeps its outcome.
    let call = wait_until_recorded(&system, "a-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("DO_NOT_CALL"), None));
    assert_eq!(read_prospect_status(&system.database, "a").await?, "DO_NOT_CALL");
    assert_eq!(read_totals(&system).await?, Totals::closed(1));
    // The database has the real time, the record that of the system.
    let listed: DateTime<Utc> =
        sqlx::query_scalar("select created_at from suppressions where conversation_id = 'a-1'")
            .fetch_one(&system.database)
            .await?;
    let ended: DateTime<Utc> =
        sqlx::query_scalar("select ended_at from conversations where id = 'a-1'")
            .fetch_one(&system.database)
            .await?;
    let ended = ended - TimeDelta::seconds(system.clock_offset_secs());
    assert!(listed < ended, "on the list at {listed}, the end of the call at {ended}");
    Ok(())
}
