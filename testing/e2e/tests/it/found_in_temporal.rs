//! Operators find calls with the Temporal command line.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use devstack::StackOptions;

use crate::support::{Plan, Prospect, TestSystem, User, clock_offset_to, eventually, run_plan};

const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// Plans two calls of one user, now and in fifteen minutes, and one call of another user.
async fn plan_three_calls() -> Result<TestSystem> {
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        ..StackOptions::default()
    })
    .await?;
    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&system.database).await?;
    }
    let prospects =
        [("p1-id", "user1-id", 20), ("p2-id", "user1-id", 21), ("p3-id", "user2-id", 22)];
    for (id, user, ending) in prospects {
        Prospect::new(id).of_user(user).phone_ending(212, ending).insert(&system.database).await?;
    }
    run_plan(&system, Plan::at(system.now() + TimeDelta::seconds(2))).await?;
    Ok(system)
}

/// Waits until a query finds the expected number of workflows and returns their ids.
async fn wait_for_workflows(system: &TestSystem, query: &str, expected: usize) -> Vec<String> {
    let awaited = format!("{expected} workflows are found by {query}");
    eventually(VISIBILITY_TIMEOUT, &awaited, async || {
        let ids = system.workflows(query).await?;
        Ok(Some(ids).filter(|ids| ids.len() == expected))
    })
    .await
}

#[tokio::test]
async fn calls_are_found_by_user_state_slot_and_outcome() -> Result<()> {
    let system = plan_three_calls().await?;
    let of_user = wait_for_workflows(&system, r#"UserId="user1-id""#, 2).await;
    assert_eq!(of_user, ["call/p1-id-1", "call/p2-id-1"]);

    let outcome = r#"CallOutcome="NOT_INTERESTED" AND ProspectId="p1-id""#;
    assert_eq!(wait_for_workflows(&system, outcome, 1).await, ["call/p1-id-1"]);
    assert_eq!(
        wait_for_workflows(&system, r#"CallState="recorded" AND UserId="user1-id""#, 1).await.len(),
        1
    );
    let waiting = wait_for_workflows(&system, r#"CallState="waiting""#, 1).await;
    assert_eq!(waiting, ["call/p2-id-1"]);
    let later = r#"CallSlot > "2025-02-25T15:10:00Z" AND ExecutionStatus="Running""#;
    assert_eq!(wait_for_workflows(&system, later, 1).await, ["call/p2-id-1"]);
    Ok(())
}

#[tokio::test]
async fn call_shows_its_summary_and_progress() -> Result<()> {
    let system = plan_three_calls().await?;
    let id = ["--workflow-id", "call/p2-id-1"];
    let described = system.temporal(["workflow", "describe"].into_iter().chain(id)).await?;
    let summary = described["executionConfig"]["userMetadata"]["summary"].as_str().unwrap();
    assert!(summary.starts_with("Call p2-id for user1-id at 2025-02-25 15:15:"), "{summary}");
    assert_eq!(described["workflowExecutionInfo"]["type"]["name"], "Call");

    let query = ["workflow", "query", "--type", "progress"];
    let answered = system.temporal(query.into_iter().chain(id)).await?;
    let progress = &answered["queryResult"][0];
    assert_eq!(progress["state"], "waiting");
    let details = progress["details"].as_str().unwrap();
    assert!(details.starts_with("Waiting for the slot (until 2025-02-25 15:15:"), "{details}");

    // A closed workflow answers queries too.
    let progress = eventually(VISIBILITY_TIMEOUT, "the first call is recorded", async || {
        let first = ["--workflow-id", "call/p1-id-1"];
        let answered = system.temporal(query.into_iter().chain(first)).await?;
        Ok(Some(answered["queryResult"][0].clone()).filter(|found| found["state"] == "recorded"))
    })
    .await;
    assert_eq!(progress["details"], "Recorded: NOT_INTERESTED");
    assert_eq!(progress["dialId"], "p1-id-1.1");
    Ok(())
}
