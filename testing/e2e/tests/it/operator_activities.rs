//! An operator pauses, resumes and hurries single steps of a call by the Temporal command line.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::{Parts, StackOptions};
use serde_json::Value;

use crate::support::{
    Plan, Prospect, Story, User, books, conversation, eventually, in_state, plan, seconds_to,
    settled,
};

const CALL: &str = "call/p1-id-1";
const PATIENCE: Duration = Duration::from_secs(60);

/// A system at three o'clock with one call, made by a worker with these variables.
async fn one_call(worker_env: &[(&str, &str)]) -> Result<Story> {
    let mut story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        parts: Parts { worker: false, ..StackOptions::default().parts },
        ..StackOptions::default()
    })
    .await?;
    let env = worker_env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let env: BTreeMap<String, String> = env.collect();
    story.stack.worker = Some(story.stack.start_worker("worker", &env).await?);
    story.plan_only_when_told().await?;
    User::new("user1-id").insert(&story.database).await?;
    Prospect::new("p1-id").phone_ending(212, 0).insert(&story.database).await?;
    Ok(story)
}

/// What Temporal shows of a step that is not done.
async fn pending(story: &Story, id: &str) -> Result<Option<Value>> {
    let described = story.temporal(["workflow", "describe", "--workflow-id", CALL]).await?;
    let pending = described["pendingActivities"].as_array().into_iter().flatten();
    Ok(pending.into_iter().find(|found| found["activityId"] == id).cloned())
}

/// Waits until a step has failed for that reason so many times; its number of attempts.
async fn has_failed(story: &Story, id: &str, reason: &str, attempts: u64) {
    eventually(PATIENCE, &format!("{id} has failed by {reason}"), async || {
        let Some(found) = pending(story, id).await? else { return Ok(None) };
        let kind = &found["lastFailure"]["applicationFailureInfo"]["type"];
        let attempt = found["attempt"].as_u64().unwrap_or(1);
        Ok((*kind == reason && attempt > attempts).then_some(()))
    })
    .await;
}

/// Does something to a step.
async fn activity(story: &Story, what: &str, id: &str) -> Result<()> {
    let command = ["activity", what, "--workflow-id", CALL, "--activity-id", id];
    story.stack.temporal.cli(command).await?;
    Ok(())
}

async fn is_paused(story: &Story, id: &str) {
    eventually(PATIENCE, &format!("{id} is paused"), async || {
        Ok(pending(story, id).await?.filter(|found| found["paused"] == true).map(drop))
    })
    .await;
}

/// Replaces the worker by one with the right settings.
async fn mend(story: &mut Story) -> Result<()> {
    story.stack.worker.as_mut().context("there is a worker")?.stop().await?;
    story.stack.worker = Some(story.stack.start_worker("mended", &BTreeMap::new()).await?);
    Ok(())
}

async fn is_booked(story: &Story) -> Result<()> {
    assert_eq!(settled(story, "p1-id-1").await, ("COMPLETED".to_owned(), None));
    let call = conversation(&story.database, "p1-id-1").await?;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(story.calls_placed().await?.len(), 1);
    assert_eq!(books(story).await?, (4, 0, true));
    Ok(())
}

const WRONG_KEY: (&str, &str) = ("ULTRAVOX_API_KEY", "Mistaken.KeyOfNobodyOnlyForTheLocalStack0");

#[tokio::test]
async fn a_wrong_key_is_shown_and_once_it_is_mended_a_reset_dials_at_once() -> Result<()> {
    let mut story = one_call(&[WRONG_KEY]).await?;
    plan(&story, Plan::at(story.now())).await?;
    // By now the pauses between two attempts are longer than this test would wait.
    has_failed(&story, "dial", "ProviderKeyRejected", 2).await;
    in_state(&story, CALL, "dialing").await;
    assert_eq!(story.calls_placed().await?, Vec::<Value>::new());
    mend(&mut story).await?;
    activity(&story, "reset", "dial").await?;
    is_booked(&story).await
}

#[tokio::test]
async fn a_paused_dial_waits_until_it_is_resumed() -> Result<()> {
    let mut story = one_call(&[WRONG_KEY]).await?;
    plan(&story, Plan::at(story.now())).await?;
    has_failed(&story, "dial", "ProviderKeyRejected", 1).await;
    activity(&story, "pause", "dial").await?;
    is_paused(&story, "dial").await;
    mend(&mut story).await?;
    is_paused(&story, "dial").await;
    assert_eq!(story.calls_placed().await?, Vec::<Value>::new());
    activity(&story, "unpause", "dial").await?;
    is_booked(&story).await
}

/// Records that the database refuses can be mended there; the outcome waits.
#[tokio::test]
async fn an_outcome_that_can_not_be_recorded_waits_and_is_recorded_once_it_can() -> Result<()> {
    for how in ["reset", "unpause"] {
        let story = one_call(&[]).await?;
        let broken = "create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'the disk is full'; end $$;
            create trigger refuse before insert on appointments
            execute function refuse();";
        sqlx::raw_sql(broken).execute(&story.database).await?;
        plan(&story, Plan::at(story.now())).await?;
        has_failed(&story, "record_outcome", "Database", 1).await;
        if how == "unpause" {
            activity(&story, "pause", "record_outcome").await?;
            is_paused(&story, "record_outcome").await;
        }
        sqlx::raw_sql("drop function refuse() cascade").execute(&story.database).await?;
        activity(&story, how, "record_outcome").await?;
        is_booked(&story).await?;
    }
    Ok(())
}
