//! An operator cancels, moves, terminates and resets calls by the Temporal command line.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use devstack::StackOptions;
use serde_json::Value;

use crate::support::{
    Plan, Prospect, Story, User, books, cancel, conversation, eventually, in_state, plan, progress,
    prospect_status, seconds_to, settled, update,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A system at three o'clock in which phones ring and people talk at their natural pace, and the
/// calls of one user to these prospects: the first at once, the others spread over half an hour.
async fn calls_to(prospects: &[(&str, u32)]) -> Result<Story> {
    calls_with(StackOptions::default(), prospects).await
}

async fn calls_with(options: StackOptions, prospects: &[(&str, u32)]) -> Result<Story> {
    let clock_offset_secs = seconds_to("2025-02-25T15:00:00Z");
    let story = Story::start(StackOptions { clock_offset_secs, ..options }).await?;
    User::new("user1-id").insert(&story.database).await?;
    // Area codes of New York, so that no two of them have one number.
    for ((id, ending), area) in prospects.iter().zip([212, 646, 917]) {
        Prospect::new(*id).phone_ending(area, *ending).insert(&story.database).await?;
    }
    plan(&story, Plan::at(story.now() + TimeDelta::seconds(1))).await?;
    Ok(story)
}

async fn ledger_of(story: &Story) -> Result<Vec<Value>> {
    story.calls_placed().await
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_it_waits_is_not_made() -> Result<()> {
    let story = calls_to(&[("p1-id", 70), ("p2-id", 20)]).await?;
    in_state(&story, "call/p2-id-1", "waiting").await;
    cancel(&story, "call/p2-id-1").await?;
    let cancelled = ("CANCELLED".to_owned(), Some("cancelled_by_operator".to_owned()));
    assert_eq!(settled(&story, "p2-id-1").await, cancelled);
    assert_eq!(prospect_status(&story.database, "p2-id").await?, "INITIAL");
    assert_eq!(ledger_of(&story).await?, Vec::<Value>::new());
    assert_eq!(books(&story).await?, (0, 0, true));
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_it_rings_stops_ringing() -> Result<()> {
    let story = calls_to(&[("p1-id", 50)]).await?;
    in_state(&story, "call/p1-id-1", "ringing").await;
    cancel(&story, "call/p1-id-1").await?;
    let cancelled = ("CANCELLED".to_owned(), Some("cancelled_by_operator".to_owned()));
    assert_eq!(settled(&story, "p1-id-1").await, cancelled);
    let calls = ledger_of(&story).await?;
    assert_eq!(calls[0]["leg"], "canceled", "{calls:?}");
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "INITIAL");
    assert_eq!(books(&story).await?, (0, 0, true));
    Ok(())
}

/// Without access to the carrier nobody can end what rings: it is hung up the moment somebody answers.
#[tokio::test]
async fn without_the_carrier_a_cancelled_call_is_hung_up_as_soon_as_it_is_answered() -> Result<()> {
    let no_carrier = [("TELNYX_API_KEY", ""), ("TELNYX_ACCOUNT_SID", "")];
    let no_carrier = no_carrier.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = StackOptions { worker_env: no_carrier.into(), ..StackOptions::default() };
    let story = calls_with(options, &[("p1-id", 93)]).await?;
    in_state(&story, "call/p1-id-1", "ringing").await;
    cancel(&story, "call/p1-id-1").await?;
    let cancelled = ("CANCELLED".to_owned(), Some("cancelled_by_operator".to_owned()));
    assert_eq!(settled(&story, "p1-id-1").await, cancelled);
    let calls = ledger_of(&story).await?;
    assert_eq!(calls[0]["endedBy"], "client", "{calls:?}");
    assert!(calls[0]["talkSeconds"].as_f64().is_some_and(|secs| secs < 10.0), "{calls:?}");
    assert_eq!(books(&story).await?, (1, 0, true));
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_it_talks_is_hung_up_and_its_talk_is_charged() -> Result<()>
{
    let story = calls_to(&[("p1-id", 93)]).await?;
    in_state(&story, "call/p1-id-1", "talking").await;
    cancel(&story, "call/p1-id-1").await?;
    let cancelled = ("CANCELLED".to_owned(), Some("cancelled_by_operator".to_owned()));
    assert_eq!(settled(&story, "p1-id-1").await, cancelled);
    let calls = ledger_of(&story).await?;
    assert_eq!(calls[0]["endedBy"], "client", "{calls:?}");
    assert_eq!(books(&story).await?, (1, 0, true));
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "INITIAL");
    Ok(())
}

#[tokio::test]
async fn a_call_that_waits_can_be_moved_within_its_hours_and_called_now() -> Result<()> {
    let story = calls_to(&[("p1-id", 70), ("p2-id", 93)]).await?;
    let call = "call/p2-id-1";
    in_state(&story, call, "waiting").await;
    for (slot, word) in [
        ("2025-02-24T15:00:00Z", "is in the past"),
        (
            "2025-02-26T08:00:00Z",
            "outside calling hours; the next allowed time is 2025-02-26T14",
        ),
        ("2027-02-26T15:00:00Z", "more than a year ahead"),
        ("tomorrow", ""),
    ] {
        let refusal = update(&story, call, "reschedule", Some(slot)).await.unwrap_err();
        assert!(refusal.contains(word), "{slot}: {refusal}");
    }
    update(&story, call, "reschedule", Some("2025-02-26T15:00:00Z")).await.unwrap();
    let slot: DateTime<Utc> = "2025-02-26T15:00:00Z".parse()?;
    assert_eq!(conversation(&story.database, "p2-id-1").await?.slot, slot);
    assert_eq!(progress(&story, call).await?["slot"], "2025-02-26T15:00:00Z");

    update(&story, call, "call_now", None).await.unwrap();
    in_state(&story, call, "talking").await;
    let refusal = update(&story, call, "call_now", None).await.unwrap_err();
    assert!(refusal.contains("its state is talking"), "{refusal}");
    assert_eq!(ledger_of(&story).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_a_terminated_workflow_leaves_is_swept_up() -> Result<()> {
    let story = calls_to(&[("p1-id", 93)]).await?;
    in_state(&story, "call/p1-id-1", "talking").await;
    let terminate = ["workflow", "terminate", "--workflow-id", "call/p1-id-1"];
    story.stack.temporal.cli(terminate.into_iter().chain(["--reason", "a test"])).await?;
    // A sweep takes a call that is under way for its workflow's business for a while.
    sqlx::query("update conversations set updated_at = updated_at - interval '5 minutes'")
        .execute(&story.database)
        .await?;
    let swept = eventually(PATIENCE, "the call is swept up", async || {
        let sweep = ["schedule", "trigger", "--schedule-id", "sweep-calls"];
        story.stack.temporal.cli(sweep).await?;
        let found = conversation(&story.database, "p1-id-1").await?;
        Ok((found.status == "COMPLETED").then_some(found))
    })
    .await;
    assert_eq!(swept.summary(), ("COMPLETED", None, Some("no_report")));
    let calls = ledger_of(&story).await?;
    assert_eq!(calls[0]["endedBy"], "client", "{calls:?}");
    assert_eq!(books(&story).await?, (1, 0, true));
    Ok(())
}

#[tokio::test]
async fn a_reset_takes_up_a_live_call_and_makes_a_failed_one_again() -> Result<()> {
    let story = calls_to(&[("p1-id", 70)]).await?;
    let failed = ("FAILED".to_owned(), Some("rejected_by_provider".to_owned()));
    assert_eq!(settled(&story, "p1-id-1").await, failed);
    // The number is mended, and the call is made again, under the same conversation.
    sqlx::query("update prospects set phone = '+12125550193'").execute(&story.database).await?;
    let reset = async |from: &[&str]| {
        let reset = ["workflow", "reset", "--workflow-id", "call/p1-id-1", "--reason", "a test"];
        story.stack.temporal.cli(reset.iter().chain(from).copied()).await
    };
    reset(&["--type", "FirstWorkflowTask"]).await?;
    in_state(&story, "call/p1-id-1", "talking").await;
    assert_eq!(progress(&story, "call/p1-id-1").await?["dialId"], "p1-id-1.2");
    // Reset once more while it talks, from every place: the call goes on, and no other phone rings.
    let first = ["--event-id", "4"];
    for from in [&["--type", "FirstWorkflowTask"], &["--type", "LastWorkflowTask"], &first] {
        reset(from).await?;
        in_state(&story, "call/p1-id-1", "talking").await;
        assert_eq!(progress(&story, "call/p1-id-1").await?["dialId"], "p1-id-1.2");
    }
    assert_eq!(ledger_of(&story).await?.len(), 1);
    Ok(())
}

/// A reset replays what the run before it did, whatever it had begun with.
#[tokio::test]
async fn a_call_that_slept_is_followed_on_after_a_reset_from_its_last_task() -> Result<()> {
    let story = calls_to(&[("p1-id", 93), ("p2-id", 93)]).await?;
    let call = "call/p2-id-1";
    in_state(&story, call, "waiting").await;
    update(&story, call, "call_now", None).await.unwrap();
    in_state(&story, call, "talking").await;
    let reset = ["workflow", "reset", "--workflow-id", call, "--type", "LastWorkflowTask"];
    story.stack.temporal.cli(reset.into_iter().chain(["--reason", "a test"])).await?;
    in_state(&story, call, "talking").await;
    cancel(&story, call).await?;
    let cancelled = ("CANCELLED".to_owned(), Some("cancelled_by_operator".to_owned()));
    assert_eq!(settled(&story, "p2-id-1").await, cancelled);
    let calls = ledger_of(&story).await?;
    let made = calls.iter().filter(|made| made["metadata"]["conversation_id"] == "p2-id-1");
    assert_eq!(made.count(), 1, "{calls:?}");
    Ok(())
}

/// What was agreed is not asked for again.
#[tokio::test]
async fn a_reset_of_a_call_with_an_appointment_rings_nobody() -> Result<()> {
    let options = StackOptions { speed: 60.0, ..StackOptions::default() };
    let story = calls_with(options, &[("p1-id", 0)]).await?;
    assert_eq!(settled(&story, "p1-id-1").await.0, "COMPLETED");
    let reset = ["workflow", "reset", "--workflow-id", "call/p1-id-1"];
    let how = ["--type", "FirstWorkflowTask", "--reason", "a test"];
    story.stack.temporal.cli(reset.into_iter().chain(how)).await?;
    let result = ["workflow", "result", "--workflow-id", "call/p1-id-1"];
    let ended = story.temporal(result).await?;
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    assert_eq!(conversation(&story.database, "p1-id-1").await?.status, "COMPLETED");
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "BOOKED");
    assert_eq!(ledger_of(&story).await?.len(), 1);
    assert_eq!(books(&story).await?, (4, 0, true));
    Ok(())
}

#[tokio::test]
async fn a_paused_user_is_neither_planned_nor_called_and_live_calls_go_on() -> Result<()> {
    let story = calls_to(&[("p1-id", 93), ("p2-id", 93)]).await?;
    in_state(&story, "call/p1-id-1", "talking").await;
    let pause = "update users set paused_at = now() where id = 'user1-id'";
    sqlx::query(pause).execute(&story.database).await?;
    update(&story, "call/p2-id-1", "call_now", None).await.unwrap();
    let awaited = "the second call waits for the end of the pause";
    eventually(PATIENCE, awaited, async || {
        let details = progress(&story, "call/p2-id-1").await?["details"].clone();
        Ok(details.as_str().is_some_and(|text| text.contains("paused")).then_some(()))
    })
    .await;
    in_state(&story, "call/p1-id-1", "talking").await;
    sqlx::query("update users set paused_at = null").execute(&story.database).await?;
    in_state(&story, "call/p2-id-1", "talking").await;
    Ok(())
}

#[tokio::test]
async fn the_calls_of_a_user_are_cancelled_by_one_query() -> Result<()> {
    let story = calls_to(&[("p1-id", 70), ("p2-id", 20), ("p3-id", 20)]).await?;
    let waiting = r#"UserId="user1-id" AND CallState="waiting" AND ExecutionStatus="Running""#;
    eventually(PATIENCE, "both waiting calls are found", async || {
        Ok((story.workflows(waiting).await?.len() == 2).then_some(()))
    })
    .await;
    let all = ["workflow", "cancel", "--query", waiting, "--reason", "a test", "--yes"];
    story.stack.temporal.cli(all).await?;
    for id in ["p2-id-1", "p3-id-1"] {
        assert_eq!(settled(&story, id).await.0, "CANCELLED");
    }
    assert_eq!(ledger_of(&story).await?, Vec::<Value>::new());
    Ok(())
}
