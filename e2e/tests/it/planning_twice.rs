//! However often and at whatever moment it is planned, nobody is planned twice.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use chrono::{SecondsFormat, TimeDelta};
use stack::{Parts, StackOptions};

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
        let prospect = Prospect::with_ending(&format!("p{number}-id"), user, 212, number);
        let prospect = Prospect { rescheduled_for: Some(promised.clone()), ..prospect };
        prospect.insert(&story.database).await?;
    }
    Ok(story)
}

/// Checks that each of the six has one conversation and one workflow.
async fn each_is_planned_once(story: &Story) -> Result<()> {
    let planned = conversations(&story.database).await?;
    let prospects: BTreeSet<_> = planned.iter().map(|call| call.prospect_id.as_str()).collect();
    assert_eq!((planned.len(), prospects.len()), (6, 6), "{planned:?}");

    let expected: BTreeSet<String> =
        planned.iter().map(|call| format!("call/{}", call.id)).collect();
    eventually(SOON, "six calls are found in Temporal", async || {
        let calls = ["workflow", "list", "--query", r#"WorkflowType="Call""#];
        let found = story.temporal(calls).await?;
        let ids = found.as_array().into_iter().flatten();
        let ids = ids.filter_map(|found| found["execution"]["workflowId"].as_str());
        let ids: Vec<String> = ids.map(str::to_owned).collect();
        let complete = ids.len() == 6 && ids.iter().all(|id| expected.contains(id));
        Ok(complete.then_some(()))
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

#[tokio::test]
async fn a_schedule_that_is_triggered_twice_plans_everybody_once() -> Result<()> {
    let story = six_promised_calls().await?;
    let trigger = ["schedule", "trigger", "--schedule-id", "plan-calls"];
    let trigger =
        || story.stack.temporal.cli(trigger.into_iter().chain(["--overlap-policy", "AllowAll"]));
    tokio::try_join!(trigger(), trigger())?;
    let runs = r#"WorkflowType="PlanCalls" AND ExecutionStatus="Completed""#;
    eventually(SOON, "both runs have ended", async || {
        let found = story.temporal(["workflow", "list", "--query", runs]).await?;
        Ok((found.as_array().map_or(0, Vec::len) == 2).then_some(()))
    })
    .await;
    each_is_planned_once(&story).await
}
