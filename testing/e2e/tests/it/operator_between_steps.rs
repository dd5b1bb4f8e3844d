//! An operator cancels a call during a single step, which a fault proxy holds.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use devstack::{Breakpoint, FaultProxy, Side, Step};
use serde_json::Value;

use crate::support::{
    FaultProxies, Plan, Prospect, TestSystem, Totals, User, cancel_call, eventually,
    query_progress, read_prospect_status, read_totals, run_plan, start_with_fault_proxies,
    wait_for_state, wait_until_recorded,
};

/// The dial request.
const DIAL: Step = Step::Request("POST /api/calls");
const CANCELLED: (&str, Option<&str>, Option<&str>) =
    ("CANCELLED", None, Some("cancelled_by_operator"));
const HOLD_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts a call that books an appointment, and holds it at its first such step.
async fn start_call_held_at(
    step: Step,
    side: Side,
    speed: f64,
) -> Result<(TestSystem, FaultProxies)> {
    let (system, proxies) = start_with_fault_proxies(speed, &[]).await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 0).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now() + TimeDelta::seconds(10))).await?;
    // After the plan run, all commits are steps of the call.
    let proxy = if step == Step::Commit { &proxies.database } else { &proxies.provider };
    proxy.set_breakpoint(Breakpoint { step, nth: 1, side });
    wait_until_held(proxy).await?;
    Ok((system, proxies))
}

/// Starts a call and holds it at the commit after which its dial is in a state.
async fn start_call_held_when(state: &str) -> Result<(TestSystem, FaultProxies)> {
    let commit = Breakpoint { step: Step::Commit, nth: 1, side: Side::After };
    let (system, proxies) = start_call_held_at(commit.step, commit.side, 4.0).await?;
    loop {
        let found = sqlx::query_scalar::<_, String>("select state::text from dials");
        if found.fetch_optional(&system.database).await?.is_some_and(|found| found == state) {
            return Ok((system, proxies));
        }
        // Resumes the connection.
        proxies.database.set_breakpoint(commit);
        wait_until_held(&proxies.database).await?;
    }
}

async fn wait_until_held(proxy: &FaultProxy) -> Result<()> {
    let held = tokio::time::timeout(HOLD_TIMEOUT, proxy.wait_until_hit()).await;
    held.context("the connection did not hit the breakpoint")
}

/// Cancels the call and waits until its history contains the request.
async fn cancel_held_call(system: &TestSystem) -> Result<()> {
    cancel_call(system, "call/p1-id-1").await?;
    eventually(HOLD_TIMEOUT, "the cancellation is in the history", async || {
        let show = ["workflow", "show", "--workflow-id", "call/p1-id-1"];
        let shown = system.temporal(show).await?;
        let mut events = shown["events"].as_array().context("the history has no events")?.iter();
        let is_request = |event: &Value| {
            event["eventType"].as_str().is_some_and(|kind| kind.ends_with("CANCEL_REQUESTED"))
        };
        Ok(events.any(is_request).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn call_cancelled_after_admission_is_not_made_and_releases_its_minutes() -> Result<()> {
    let (system, proxies) = start_call_held_when("INTENDED").await?;
    cancel_held_call(&system).await?;
    proxies.database.resume();
    assert_eq!(wait_until_recorded(&system, "p1-id-1").await.summary(), CANCELLED);
    assert_eq!(system.calls_placed().await?, Vec::<Value>::new());
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "INITIAL");
    assert_eq!(read_totals(&system).await?, Totals::closed(0));
    Ok(())
}

#[tokio::test]
async fn call_cancelled_while_its_dial_request_is_sent_is_ended() -> Result<()> {
    let (system, proxies) = start_call_held_at(DIAL, Side::Before, 4.0).await?;
    cancel_held_call(&system).await?;
    // The activity can't be cancelled any more: the request is sent.
    proxies.provider.resume();
    assert_eq!(wait_until_recorded(&system, "p1-id-1").await.summary(), CANCELLED);
    let calls = system.calls_placed().await?;
    assert_eq!(calls.len(), 1);
    let ended = calls[0]["leg"] == "canceled" || calls[0]["endedBy"] == "client";
    assert!(ended, "{calls:?}");
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "INITIAL");
    let totals = read_totals(&system).await?;
    assert!([Totals::closed(0), Totals::closed(1)].contains(&totals), "{totals:?}");
    Ok(())
}

#[tokio::test]
async fn call_cancelled_while_it_is_recorded_keeps_its_outcome() -> Result<()> {
    // Without faults the first GET for a call is the one for its transcript.
    let (system, proxies) =
        start_call_held_at(Step::Request("GET /api/calls/"), Side::After, 60.0).await?;
    // The local activity runs within a workflow task, so the history shows the cancellation only afterwards.
    cancel_call(&system, "call/p1-id-1").await?;
    proxies.provider.resume();
    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "BOOKED");
    assert_eq!(read_totals(&system).await?, Totals::closed(4));
    Ok(())
}

/// The worker hangs between the commit that marks the dial as SENT and the request. Meanwhile the call may be recorded as
/// never placed, and the prospect planned again.
#[tokio::test]
async fn dial_request_delayed_for_more_than_ten_seconds_is_not_sent() -> Result<()> {
    let (system, proxies) = start_call_held_when("SENT").await?;
    // The test is about the time that passes.
    tokio::time::sleep(Duration::from_secs(11)).await;
    proxies.database.resume();
    wait_for_state(&system, "call/p1-id-1", "ringing").await;
    let unknown = "It is not known whether the provider has the call: looking it up";
    assert_eq!(query_progress(&system, "call/p1-id-1").await?["details"], unknown);
    assert_eq!(system.calls_placed().await?, Vec::<Value>::new());
    Ok(())
}
