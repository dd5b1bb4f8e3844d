//! Operators find calls by the Temporal command line.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use devstack::StackOptions;

use crate::support::{Plan, Prospect, Story, User, eventually, plan, seconds_to};

const SOON: Duration = Duration::from_secs(30);

/// Two calls of one user, one due at once and one in fifteen minutes, and one call of another user.
async fn three_calls() -> Result<Story> {
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        ..StackOptions::default()
    })
    .await?;
    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&story.database).await?;
    }
    let prospects =
        [("p1-id", "user1-id", 20), ("p2-id", "user1-id", 21), ("p3-id", "user2-id", 22)];
    for (id, user, ending) in prospects {
        Prospect::new(id).of_user(user).phone_ending(212, ending).insert(&story.database).await?;
    }
    plan(&story, Plan::at(story.now() + TimeDelta::seconds(2))).await?;
    Ok(story)
}

/// The workflows that a query finds, once there are as many as expected.
async fn found(story: &Story, query: &str, expected: usize) -> Vec<String> {
    let awaited = format!("{expected} workflows are found by {query}");
    eventually(SOON, &awaited, async || {
        let ids = story.workflows(query).await?;
        Ok(Some(ids).filter(|ids| ids.len() == expected))
    })
    .await
}

#[tokio::test]
async fn calls_are_listed_by_user_by_state_and_by_outcome() -> Result<()> {
    let story = three_calls().await?;
    let of_user = found(&story, r#"UserId="user1-id""#, 2).await;
    assert_eq!(of_user, ["call/p1-id-1", "call/p2-id-1"]);

    let outcome = r#"CallOutcome="NOT_INTERESTED" AND ProspectId="p1-id""#;
    assert_eq!(found(&story, outcome, 1).await, ["call/p1-id-1"]);
    assert_eq!(found(&story, r#"CallState="recorded" AND UserId="user1-id""#, 1).await.len(), 1);
    let waiting = found(&story, r#"CallState="waiting""#, 1).await;
    assert_eq!(waiting, ["call/p2-id-1"]);
    let later = r#"CallSlot > "2025-02-25T15:10:00Z" AND ExecutionStatus="Running""#;
    assert_eq!(found(&story, later, 1).await, ["call/p2-id-1"]);
    Ok(())
}

#[tokio::test]
async fn a_call_tells_what_it_is_and_where_it_stands() -> Result<()> {
    let story = three_calls().await?;
    let id = ["--workflow-id", "call/p2-id-1"];
    let described = story.temporal(["workflow", "describe"].into_iter().chain(id)).await?;
    let summary = described["executionConfig"]["userMetadata"]["summary"].as_str().unwrap();
    assert!(summary.starts_with("Call p2-id for user1-id at 2025-02-25 15:15:"), "{summary}");
    assert_eq!(described["workflowExecutionInfo"]["type"]["name"], "Call");

    let query = ["workflow", "query", "--type", "progress"];
    let answered = story.temporal(query.into_iter().chain(id)).await?;
    let progress = &answered["queryResult"][0];
    assert_eq!(progress["state"], "waiting");
    let details = progress["details"].as_str().unwrap();
    assert!(details.starts_with("Waiting for the slot (until 2025-02-25 15:15:"), "{details}");

    // One that is over still answers.
    let progress = eventually(SOON, "the first call is settled", async || {
        let first = ["--workflow-id", "call/p1-id-1"];
        let answered = story.temporal(query.into_iter().chain(first)).await?;
        Ok(Some(answered["queryResult"][0].clone()).filter(|found| found["state"] == "recorded"))
    })
    .await;
    assert_eq!(progress["details"], "Recorded: NOT_INTERESTED");
    assert_eq!(progress["dialId"], "p1-id-1.1");
    Ok(())
}
