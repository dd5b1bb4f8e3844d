//! An operator cancels, reschedules, terminates and resets calls with the Temporal command line.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use devstack::StackOptions;
use serde_json::Value;

use crate::support::{
    Plan, Prospect, TestSystem, Totals, User, cancel_call, clock_offset_to, env, eventually,
    query_progress, read_conversation, read_prospect_status, read_totals, run_plan, send_update,
    wait_for_state, wait_until_recorded,
};

const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Plans the calls of one user at 15:00 UTC in real time: the first at once, the others spread over half an hour. A
/// prospect is an id and the digits that select the simulator's scenario.
async fn plan_calls(prospects: &[(&str, u32)]) -> Result<TestSystem> {
    plan_calls_with(StackOptions::default(), prospects).await
}

async fn plan_calls_with(options: StackOptions, prospects: &[(&str, u32)]) -> Result<TestSystem> {
    let clock_offset_secs = clock_offset_to("2025-02-25T15:00:00Z");
    let system = TestSystem::start(StackOptions { clock_offset_secs, ..options }).await?;
    User::new("user1-id").insert(&system.database).await?;
    // Area codes of New York, so that the numbers differ.
    for ((id, ending), area) in prospects.iter().zip([212, 646, 917]) {
        Prospect::new(*id).phone_ending(area, *ending).insert(&system.database).await?;
    }
    run_plan(&system, Plan::at(system.now() + TimeDelta::seconds(1))).await?;
    Ok(system)
}

const CANCELLED: (&str, Option<&str>, Option<&str>) =
    ("CANCELLED", None, Some("cancelled_by_operator"));

#[tokio::test]
async fn call_cancelled_while_waiting_is_not_made() -> Result<()> {
    let system = plan_calls(&[("p1-id", 70), ("p2-id", 20)]).await?;
    wait_for_state(&system, "call/p2-id-1", "waiting").await;
    cancel_call(&system, "call/p2-id-1").await?;
    assert_eq!(wait_until_recorded(&system, "p2-id-1").await.summary(), CANCELLED);
    assert_eq!(read_prospect_status(&system.database, "p2-id").await?, "INITIAL");
    assert_eq!(system.calls_placed().await?, Vec::<Value>::new());
    assert_eq!(read_totals(&system).await?, Totals::closed(0));
    Ok(())
}

#[tokio::test]
async fn call_cancelled_while_ringing_stops_ringing() -> Result<()> {
    let system = plan_calls(&[("p1-id", 50)]).await?;
    wait_for_state(&system, "call/p1-id-1", "ringing").await;
    cancel_call(&system, "call/p1-id-1").await?;
    assert_eq!(wait_until_recorded(&system, "p1-id-1").await.summary(), CANCELLED);
    let calls = system.calls_placed().await?;
    assert_eq!(calls[0]["leg"], "canceled", "{calls:?}");
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "INITIAL");
    assert_eq!(read_totals(&system).await?, Totals::closed(0));
    Ok(())
}

/// Only the carrier can end a ringing call.
#[tokio::test]
async fn call_cancelled_without_carrier_credentials_is_hung_up_once_answered() -> Result<()> {
    let worker_env = env(&[("TELNYX_API_KEY", ""), ("TELNYX_ACCOUNT_SID", "")]);
    let options = StackOptions { worker_env, ..StackOptions::default() };
    let system = plan_calls_with(options, &[("p1-id", 93)]).await?;
    wait_for_state(&system, "call/p1-id-1", "ringing").await;
    cancel_call(&system, "call/p1-id-1").await?;
    assert_eq!(wait_until_recorded(&system, "p1-id-1").await.summary(), CANCELLED);
    let calls = system.calls_placed().await?;
    assert_eq!(calls[0]["endedBy"], "client", "{calls:?}");
    assert!(calls[0]["talkSeconds"].as_f64().is_some_and(|secs| secs < 10.0), "{calls:?}");
    assert_eq!(read_totals(&system).await?, Totals::closed(1));
    Ok(())
}

#[tokio::test]
async fn call_cancelled_while_talking_is_hung_up_and_charged() -> Result<()> {
    let system = plan_calls(&[("p1-id", 93)]).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    cancel_call(&system, "call/p1-id-1").await?;
    assert_eq!(wait_until_recorded(&system, "p1-id-1").await.summary(), CANCELLED);
    let calls = system.calls_placed().await?;
    assert_eq!(calls[0]["endedBy"], "client", "{calls:?}");
    assert_eq!(read_totals(&system).await?, Totals::closed(1));
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "INITIAL");
    Ok(())
}

#[tokio::test]
async fn waiting_call_is_rescheduled_within_calling_hours_and_called_now() -> Result<()> {
    let system = plan_calls(&[("p1-id", 70), ("p2-id", 93)]).await?;
    let call = "call/p2-id-1";
    wait_for_state(&system, call, "waiting").await;
    for (slot, reason) in [
        ("2025-02-24T15:00:00Z", "is in the past"),
        ("2025-02-26T08:00:00Z", "outside calling hours; the next allowed time is 2025-02-26T14"),
        ("2027-02-26T15:00:00Z", "more than a year ahead"),
        ("tomorrow", ""),
    ] {
        let error = send_update(&system, call, "reschedule", Some(slot)).await.unwrap_err();
        assert!(error.contains(reason), "{slot}: {error}");
    }
    send_update(&system, call, "reschedule", Some("2025-02-26T15:00:00Z")).await.unwrap();
    let slot: DateTime<Utc> = "2025-02-26T15:00:00Z".parse()?;
    assert_eq!(read_conversation(&system.database, "p2-id-1").await?.slot, slot);
    assert_eq!(query_progress(&system, call).await?["slot"], "2025-02-26T15:00:00Z");

    send_update(&system, call, "call_now", None).await.unwrap();
    wait_for_state(&system, call, "talking").await;
    let error = send_update(&system, call, "call_now", None).await.unwrap_err();
    assert!(error.contains("its state is talking"), "{error}");
    assert_eq!(system.calls_placed().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn call_of_a_terminated_workflow_is_swept() -> Result<()> {
    let system = plan_calls(&[("p1-id", 93)]).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    let terminate = ["workflow", "terminate", "--workflow-id", "call/p1-id-1"];
    system.stack.temporal.cli(terminate.into_iter().chain(["--reason", "a test"])).await?;
    // A sweep skips calls that changed in the last minutes.
    sqlx::query("update conversations set updated_at = updated_at - interval '5 minutes'")
        .execute(&system.database)
        .await?;
    let swept = eventually(CALL_TIMEOUT, "the call is swept", async || {
        let sweep = ["schedule", "trigger", "--schedule-id", "sweep-calls"];
        system.stack.temporal.cli(sweep).await?;
        let found = read_conversation(&system.database, "p1-id-1").await?;
        Ok((found.status == "COMPLETED").then_some(found))
    })
    .await;
    assert_eq!(swept.summary(), ("COMPLETED", None, Some("no_report")));
    let calls = system.calls_placed().await?;
    assert_eq!(calls[0]["endedBy"], "client", "{calls:?}");
    assert_eq!(read_totals(&system).await?, Totals::closed(1));
    Ok(())
}

#[tokio::test]
async fn reset_repeats_a_failed_call_and_resumes_a_live_one() -> Result<()> {
    let system = plan_calls(&[("p1-id", 70)]).await?;
    let failed = ("FAILED", Some("FAILED"), Some("rejected_by_provider"));
    assert_eq!(wait_until_recorded(&system, "p1-id-1").await.summary(), failed);
    // The number is corrected and the call is made again, for the same conversation.
    sqlx::query("update prospects set phone = '+12125550193'").execute(&system.database).await?;
    let reset = async |from: &[&str]| {
        let reset = ["workflow", "reset", "--workflow-id", "call/p1-id-1", "--reason", "a test"];
        system.stack.temporal.cli(reset.iter().chain(from).copied()).await
    };
    reset(&["--type", "FirstWorkflowTask"]).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    assert_eq!(query_progress(&system, "call/p1-id-1").await?["dialId"], "p1-id-1.2");
    // Resets from any event while the call talks: the call continues, and no other phone rings.
    let first = ["--event-id", "4"];
    for from in [&["--type", "FirstWorkflowTask"], &["--type", "LastWorkflowTask"], &first] {
        reset(from).await?;
        wait_for_state(&system, "call/p1-id-1", "talking").await;
        assert_eq!(query_progress(&system, "call/p1-id-1").await?["dialId"], "p1-id-1.2");
    }
    assert_eq!(system.calls_placed().await?.len(), 1);
    Ok(())
}

/// After the reset the new run replays the wait of the first run.
#[tokio::test]
async fn call_reset_while_talking_is_monitored_until_its_end() -> Result<()> {
    let system = plan_calls(&[("p1-id", 93), ("p2-id", 93)]).await?;
    let call = "call/p2-id-1";
    wait_for_state(&system, call, "waiting").await;
    send_update(&system, call, "call_now", None).await.unwrap();
    wait_for_state(&system, call, "talking").await;
    let reset = ["workflow", "reset", "--workflow-id", call, "--type", "LastWorkflowTask"];
    system.stack.temporal.cli(reset.into_iter().chain(["--reason", "a test"])).await?;
    wait_for_state(&system, call, "talking").await;
    cancel_call(&system, call).await?;
    assert_eq!(wait_until_recorded(&system, "p2-id-1").await.summary(), CANCELLED);
    let calls = system.calls_placed().await?;
    let placed = calls.iter().filter(|call| call["metadata"]["conversation_id"] == "p2-id-1");
    assert_eq!(placed.count(), 1, "{calls:?}");
    Ok(())
}

#[tokio::test]
async fn call_reset_after_an_appointment_is_not_made_again() -> Result<()> {
    let options = StackOptions { speed: 60.0, ..StackOptions::default() };
    let system = plan_calls_with(options, &[("p1-id", 0)]).await?;
    assert_eq!(wait_until_recorded(&system, "p1-id-1").await.status, "COMPLETED");
    let reset = ["workflow", "reset", "--workflow-id", "call/p1-id-1"];
    let from = ["--type", "FirstWorkflowTask", "--reason", "a test"];
    system.stack.temporal.cli(reset.into_iter().chain(from)).await?;
    let result = ["workflow", "result", "--workflow-id", "call/p1-id-1"];
    let ended = system.temporal(result).await?;
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    assert_eq!(read_conversation(&system.database, "p1-id-1").await?.status, "COMPLETED");
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "BOOKED");
    assert_eq!(system.calls_placed().await?.len(), 1);
    assert_eq!(read_totals(&system).await?, Totals::closed(4));
    Ok(())
}

#[tokio::test]
async fn call_of_a_paused_user_waits_while_live_calls_continue() -> Result<()> {
    let system = plan_calls(&[("p1-id", 93), ("p2-id", 93)]).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    let pause = "update users set paused_at = now() where id = 'user1-id'";
    sqlx::query(pause).execute(&system.database).await?;
    send_update(&system, "call/p2-id-1", "call_now", None).await.unwrap();
    let awaited = "the second call waits because of the pause";
    eventually(CALL_TIMEOUT, awaited, async || {
        let details = query_progress(&system, "call/p2-id-1").await?["details"].clone();
        Ok(details.as_str().is_some_and(|text| text.contains("paused")).then_some(()))
    })
    .await;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    sqlx::query("update users set paused_at = null").execute(&system.database).await?;
    wait_for_state(&system, "call/p2-id-1", "talking").await;
    Ok(())
}

#[tokio::test]
async fn waiting_calls_of_a_user_are_cancelled_by_one_query() -> Result<()> {
    let system = plan_calls(&[("p1-id", 70), ("p2-id", 20), ("p3-id", 20)]).await?;
    let waiting = r#"UserId="user1-id" AND CallState="waiting" AND ExecutionStatus="Running""#;
    eventually(CALL_TIMEOUT, "both waiting calls are found", async || {
        Ok((system.workflows(waiting).await?.len() == 2).then_some(()))
    })
    .await;
    let all = ["workflow", "cancel", "--query", waiting, "--reason", "a test", "--yes"];
    system.stack.temporal.cli(all).await?;
    for id in ["p2-id-1", "p3-id-1"] {
        assert_eq!(wait_until_recorded(&system, id).await.summary(), CANCELLED);
    }
    assert_eq!(system.calls_placed().await?, Vec::<Value>::new());
    Ok(())
}
