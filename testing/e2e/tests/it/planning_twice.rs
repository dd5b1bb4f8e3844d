//! However often and at whatever moment it is planned, nobody is planned twice.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use chrono::{SecondsFormat, TimeDelta};
use devstack::{Parts, StackOptions};

use crate::support::{Plan, Prospect, Story, User, conversations, eventually, plan_as, seconds_to};

const SOON: Duration = Duration::from_secs(30);

/// Two users and six prospects who are to be called in ten minutes: until then nobody is dialled.
async fn six_promised_calls() -> Result<Story> {
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        parts: Parts { simulator: false, webhook: false, worker: true },
        ..StackOptions::default()
    })
    .await?;
    let promised = story.now() + TimeDelta::minutes(10);
    let promised = promised.to_rfc3339_opts(SecondsFormat::Secs, true);
    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&story.database).await?;
    }
    for number in 0..6 {
        let user = if number < 3 { "user1-id" } else { "user2-id" };
        let prospect =
            Prospect::new(format!("p{number}-id")).of_user(user).phone_ending(212, number);
        let prospect = prospect.callback_at(&promised);
        prospect.insert(&story.database).await?;
    }
    Ok(story)
}

/// Checks that each of the six has one conversation and one workflow.
async fn each_is_planned_once(story: &Story) -> Result<()> {
    let planned = conversations(&story.database).await?;
    let prospects: BTreeSet<_> = planned.iter().map(|call| call.prospect_id.as_str()).collect();
    assert_eq!((planned.len(), prospects.len()), (6, 6), "{planned:?}");

    let mut expected: Vec<String> =
        planned.iter().map(|call| format!("call/{}", call.id)).collect();
    expected.sort();
    eventually(SOON, "six calls are found in Temporal", async || {
        let found = story.workflows(r#"WorkflowType="Call""#).await?;
        Ok((found == expected).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn two_runs_at_once_and_a_repeated_one_plan_everybody_once() -> Result<()> {
    let story = six_promised_calls().await?;
    let run = Plan::at(story.now());
    let (one, other) = tokio::try_join!(
        plan_as(&story, "plan-calls-one", run),
        plan_as(&story, "plan-calls-other", run)
    )?;
    assert_eq!(one["planned"].as_u64().unwrap() + other["planned"].as_u64().unwrap(), 6);
    each_is_planned_once(&story).await?;

    assert_eq!(plan_as(&story, "plan-calls-one", run).await?["planned"], 0);
    // The run of the next moment finds all of them planned.
    let next = Plan::at(run.from + TimeDelta::seconds(1));
    let next = plan_as(&story, "plan-calls-next", next).await?;
    assert_eq!(next["planned"], 0);
    assert_eq!(next["skipped"]["open_conversation"], 6);
    each_is_planned_once(&story).await
}

/// Triggers the schedule and waits until so many runs of it have ended.
async fn trigger(story: &Story, ended: usize) -> Result<()> {
    let trigger = ["schedule", "trigger", "--schedule-id", "plan-calls"];
    story.stack.temporal.cli(trigger).await?;
    let runs = r#"WorkflowType="PlanCalls" AND ExecutionStatus="Completed""#;
    eventually(SOON, &format!("{ended} runs have ended"), async || {
        Ok((story.workflows(runs).await?.len() == ended).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_schedule_that_is_triggered_twice_plans_everybody_once() -> Result<()> {
    let story = six_promised_calls().await?;
    trigger(&story, 1).await?;
    trigger(&story, 2).await?;
    each_is_planned_once(&story).await
}
