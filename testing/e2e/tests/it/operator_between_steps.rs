//! An operator cancels a call in the moments that last no longer than a step, which gates make last.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use devstack::{Breakpoint, FaultProxy, Side, Step};
use serde_json::Value;

use crate::support::{
    Gates, Plan, Prospect, Story, User, books, cancel, conversation, eventually, gated, in_state,
    plan, progress, prospect_status, settled,
};

/// The request that rings a phone.
const DIAL: Step = Step::Request("POST /api/calls");

/// A call at that pace that books an appointment, held at the first such stop.
async fn call_held_at(step: Step, side: Side, speed: f64) -> Result<(Story, Gates)> {
    let (story, gates) = gated(speed, &[]).await?;
    User::new("user1-id").insert(&story.database).await?;
    Prospect::new("p1-id").phone_ending(212, 0).insert(&story.database).await?;
    // Every commit from the plan on is one of the call's own steps.
    plan(&story, Plan::at(story.now() + TimeDelta::seconds(3))).await?;
    let gate = if step == Step::Commit { &gates.database } else { &gates.provider };
    stopped(gate, Breakpoint { step, nth: 1, side }).await?;
    Ok((story, gates))
}

/// A call whose worker has not heard yet that its dial is in that state.
async fn call_held_when(state: &str) -> Result<(Story, Gates)> {
    let commit = Breakpoint { step: Step::Commit, nth: 1, side: Side::After };
    let (story, gates) = call_held_at(commit.step, commit.side, 4.0).await?;
    loop {
        let found = sqlx::query_scalar::<_, String>("select state::text from dials");
        if found.fetch_optional(&story.database).await?.is_some_and(|found| found == state) {
            return Ok((story, gates));
        }
        // What is held goes on to the next one.
        stopped(&gates.database, commit).await?;
    }
}

/// Waits until a gate has stopped at that.
async fn stopped(gate: &FaultProxy, stop: Breakpoint) -> Result<()> {
    gate.set_breakpoint(stop);
    let reached = tokio::time::timeout(Duration::from_secs(60), gate.wait_until_hit()).await;
    reached.with_context(|| format!("the gate was not reached: {stop:?}"))
}

fn cancelled() -> (String, Option<String>) {
    ("CANCELLED".to_owned(), Some("cancelled_by_operator".to_owned()))
}

async fn has_been_cancelled(story: &Story) -> Result<()> {
    cancel(story, "call/p1-id-1").await?;
    eventually(Duration::from_secs(30), "the cancellation is in the history", async || {
        let show = ["workflow", "show", "--workflow-id", "call/p1-id-1"];
        let shown = story.temporal(show).await?;
        let mut events = shown["events"].as_array().context("a history has events")?.iter();
        let asked = |event: &Value| {
            event["eventType"].as_str().is_some_and(|kind| kind.ends_with("CANCEL_REQUESTED"))
        };
        Ok(events.any(asked).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_cancelled_once_admitted_is_not_made_and_gives_back_its_minutes()
-> Result<()> {
    let (story, gates) = call_held_when("INTENDED").await?;
    has_been_cancelled(&story).await?;
    gates.database.resume();
    assert_eq!(settled(&story, "p1-id-1").await, cancelled());
    assert_eq!(story.calls_placed().await?, Vec::<Value>::new());
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "INITIAL");
    assert_eq!(books(&story).await?, (0, 0, true));
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_its_request_leaves_is_ended() -> Result<()> {
    let (story, gates) = call_held_at(DIAL, Side::Before, 4.0).await?;
    has_been_cancelled(&story).await?;
    // The request is withdrawn in vain: it may have left, and it has.
    gates.provider.resume();
    assert_eq!(settled(&story, "p1-id-1").await, cancelled());
    let calls = story.calls_placed().await?;
    assert_eq!(calls.len(), 1);
    let ended = calls[0]["leg"] == "canceled" || calls[0]["endedBy"] == "client";
    assert!(ended, "{calls:?}");
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "INITIAL");
    let (minutes, lines, adds_up) = books(&story).await?;
    assert!(minutes <= 1 && lines == 0 && adds_up, "{minutes} {lines} {adds_up}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_it_is_settled_keeps_its_outcome() -> Result<()> {
    // The first question about a call that goes as it should is the one for its transcript.
    let (story, gates) = call_held_at(Step::Request("GET /api/calls/"), Side::After, 60.0).await?;
    // The transcript is asked for within a workflow task, at whose end the cancellation is taken in.
    cancel(&story, "call/p1-id-1").await?;
    gates.provider.resume();
    assert_eq!(settled(&story, "p1-id-1").await, ("COMPLETED".to_owned(), None));
    let call = conversation(&story.database, "p1-id-1").await?;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "BOOKED");
    assert_eq!(books(&story).await?, (4, 0, true));
    Ok(())
}

/// A worker that stood still between the note that a request leaves and the request itself: by the time it goes on,
/// the call may have been given up and the prospect planned anew.
#[tokio::test]
async fn a_request_that_was_held_up_before_it_left_stays() -> Result<()> {
    let (story, gates) = call_held_when("SENT").await?;
    // The time that passes is what this is about.
    tokio::time::sleep(Duration::from_secs(11)).await;
    gates.database.resume();
    in_state(&story, "call/p1-id-1", "ringing").await;
    let unknown = "The dial request has no answer: looking for the call";
    assert_eq!(progress(&story, "call/p1-id-1").await?["details"], unknown);
    assert_eq!(story.calls_placed().await?, Vec::<Value>::new());
    Ok(())
}
