//! An operator pauses, unpauses and resets activities of a call with the Temporal command line.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use devstack::{Parts, StackOptions};
use serde_json::Value;

use crate::support::{
    Plan, Prospect, TestSystem, Totals, User, clock_offset_to, env, eventually, read_totals,
    run_plan, wait_for_state, wait_until_recorded,
};

const CALL: &str = "call/p1-id-1";
const ACTIVITY_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts a system at 15:00 UTC with one prospect. `worker_settings` are additional settings of the worker.
async fn start_system(worker_settings: &[(&str, &str)]) -> Result<TestSystem> {
    let mut system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        parts: Parts { worker: false, ..StackOptions::default().parts },
        ..StackOptions::default()
    })
    .await?;
    system.start_worker(env(worker_settings)).await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 0).insert(&system.database).await?;
    Ok(system)
}

/// An activity of the call that has not completed.
async fn describe_pending(system: &TestSystem, id: &str) -> Result<Option<Value>> {
    let described = system.temporal(["workflow", "describe", "--workflow-id", CALL]).await?;
    let pending = described["pendingActivities"].as_array().into_iter().flatten();
    Ok(pending.into_iter().find(|found| found["activityId"] == id).cloned())
}

/// Waits until so many attempts of an activity have failed, the last one with this type of failure.
async fn wait_for_failures(system: &TestSystem, id: &str, failure: &str, attempts: u64) {
    eventually(ACTIVITY_TIMEOUT, &format!("{id} has failed with {failure}"), async || {
        let Some(found) = describe_pending(system, id).await? else { return Ok(None) };
        let last_failure = &found["lastFailure"]["applicationFailureInfo"]["type"];
        let attempt = found["attempt"].as_u64().unwrap_or(1);
        Ok((*last_failure == failure && attempt > attempts).then_some(()))
    })
    .await;
}

/// Runs `temporal activity` with a subcommand.
async fn run_activity_command(system: &TestSystem, command: &str, id: &str) -> Result<()> {
    let command = ["activity", command, "--workflow-id", CALL, "--activity-id", id];
    system.stack.temporal.cli(command).await?;
    Ok(())
}

async fn wait_until_paused(system: &TestSystem, id: &str) {
    eventually(ACTIVITY_TIMEOUT, &format!("{id} is paused"), async || {
        Ok(describe_pending(system, id).await?.filter(|found| found["paused"] == true).map(drop))
    })
    .await;
}

/// Waits until the call is recorded and checks that it was placed once and booked an appointment.
async fn check_booked(system: &TestSystem) -> Result<()> {
    let call = wait_until_recorded(system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(system.calls_placed().await?.len(), 1);
    assert_eq!(read_totals(system).await?, Totals::closed(4));
    Ok(())
}

const WRONG_KEY: (&str, &str) = ("ULTRAVOX_API_KEY", "DevOnly1.AnotherKeyThatSimulatorsRejects0");

#[tokio::test]
async fn dial_with_a_rejected_key_succeeds_after_a_corrected_key_and_a_reset() -> Result<()> {
    let mut system = start_system(&[WRONG_KEY]).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    // The interval to the next attempt is now longer than the test waits.
    wait_for_failures(&system, "dial", "ProviderKeyRejected", 2).await;
    wait_for_state(&system, CALL, "dialing").await;
    assert_eq!(system.calls_placed().await?, Vec::<Value>::new());
    system.replace_worker(&BTreeMap::new()).await?;
    run_activity_command(&system, "reset", "dial").await?;
    check_booked(&system).await
}

#[tokio::test]
async fn paused_dial_is_not_retried_until_unpaused() -> Result<()> {
    let mut system = start_system(&[WRONG_KEY]).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    wait_for_failures(&system, "dial", "ProviderKeyRejected", 1).await;
    run_activity_command(&system, "pause", "dial").await?;
    wait_until_paused(&system, "dial").await;
    system.replace_worker(&BTreeMap::new()).await?;
    wait_until_paused(&system, "dial").await;
    assert_eq!(system.calls_placed().await?, Vec::<Value>::new());
    run_activity_command(&system, "unpause", "dial").await?;
    check_booked(&system).await
}

#[tokio::test]
async fn outcome_rejected_by_the_database_is_recorded_after_the_repair() -> Result<()> {
    for command in ["reset", "unpause"] {
        let system = start_system(&[]).await?;
        // Of the statements that record an outcome, this one comes in each, also without the agent's report.
        let fault = "create function fail() returns trigger language plpgsql as
            $$ begin raise exception 'the disk is full'; end $$;
            create trigger fail before update on conversations for each row
            when (new.status = 'COMPLETED') execute function fail();";
        sqlx::raw_sql(fault).execute(&system.database).await?;
        run_plan(&system, Plan::at(system.now())).await?;
        wait_for_failures(&system, "record_outcome", "Database", 1).await;
        if command == "unpause" {
            run_activity_command(&system, "pause", "record_outcome").await?;
            wait_until_paused(&system, "record_outcome").await;
        }
        sqlx::raw_sql("drop function fail() cascade").execute(&system.database).await?;
        run_activity_command(&system, command, "record_outcome").await?;
        check_booked(&system).await?;
    }
    Ok(())
}
