//! Concurrent and repeated plan runs plan each prospect once.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use chrono::{SecondsFormat, TimeDelta};
use devstack::{Parts, StackOptions};

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, eventually, read_conversations, run_plan_as,
};

const PLAN_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts a system with two users and six callbacks in ten minutes. No call is made during the test.
async fn start_with_six_callbacks() -> Result<TestSystem> {
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        parts: Parts { simulator: false, webhook: false, worker: true },
        ..StackOptions::default()
    })
    .await?;
    let callback_at = system.now() + TimeDelta::minutes(10);
    let callback_at = callback_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&system.database).await?;
    }
    for number in 0..6 {
        let user = if number < 3 { "user1-id" } else { "user2-id" };
        let prospect =
            Prospect::new(format!("p{number}-id")).of_user(user).phone_ending(212, number);
        let prospect = prospect.callback_at(&callback_at);
        prospect.insert(&system.database).await?;
    }
    Ok(system)
}

/// Checks that each prospect has one conversation and one workflow.
async fn check_planned_once(system: &TestSystem) -> Result<()> {
    let planned = read_conversations(&system.database).await?;
    let prospects: BTreeSet<_> = planned.iter().map(|call| call.prospect_id.as_str()).collect();
    assert_eq!((planned.len(), prospects.len()), (6, 6), "{planned:?}");

    let mut expected: Vec<String> =
        planned.iter().map(|call| format!("call/{}", call.id)).collect();
    expected.sort();
    eventually(PLAN_TIMEOUT, "six calls are found in Temporal", async || {
        let found = system.workflows(r#"WorkflowType="Call""#).await?;
        Ok((found == expected).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn concurrent_and_repeated_plan_runs_plan_each_prospect_once() -> Result<()> {
    let system = start_with_six_callbacks().await?;
    let run = Plan::at(system.now());
    let (one, other) = tokio::try_join!(
        run_plan_as(&system, "plan-calls-one", run),
        run_plan_as(&system, "plan-calls-other", run)
    )?;
    assert_eq!(one["planned"].as_u64().unwrap() + other["planned"].as_u64().unwrap(), 6);
    check_planned_once(&system).await?;

    assert_eq!(run_plan_as(&system, "plan-calls-one", run).await?["planned"], 0);
    // The next run skips all prospects.
    let next = Plan::at(run.from + TimeDelta::seconds(1));
    let next = run_plan_as(&system, "plan-calls-next", next).await?;
    assert_eq!(next["planned"], 0);
    assert_eq!(next["skipped"]["open_conversation"], 6);
    check_planned_once(&system).await
}

/// Triggers the schedule and waits until it has `completed` runs.
async fn trigger_schedule(system: &TestSystem, completed: usize) -> Result<()> {
    let trigger = ["schedule", "trigger", "--schedule-id", "plan-calls"];
    system.stack.temporal.cli(trigger).await?;
    let runs = r#"WorkflowType="PlanCalls" AND ExecutionStatus="Completed""#;
    eventually(PLAN_TIMEOUT, &format!("{completed} runs are completed"), async || {
        Ok((system.workflows(runs).await?.len() == completed).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn schedule_triggered_twice_plans_each_prospect_once() -> Result<()> {
    let system = start_with_six_callbacks().await?;
    trigger_schedule(&system, 1).await?;
    trigger_schedule(&system, 2).await?;
    check_planned_once(&system).await
}
