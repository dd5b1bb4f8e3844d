//! Webhooks that come hours late, and a hundred at once.

use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::StackOptions;
use futures::future::try_join_all;

use crate::support::{
    Plan, Prospect, Story, User, books, conversation, eventually, in_state, plan, prospect_status,
    seconds_to, settled, signed_post,
};

const BOOKED: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1","duration":180,
    "outcome":{"type":"APPOINTMENT_SET","appointmentTime":"2025-03-04T15:00:00Z"}}"#;
const TEN_HOURS_SECS: i64 = 36_000;

/// A system at three o'clock with one call that ends like that.
async fn call_with_ending(ending: u32, speed: f64) -> Result<Story> {
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed,
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&story.database).await?;
    Prospect::new("p1-id").phone_ending(212, ending).insert(&story.database).await?;
    plan(&story, Plan::at(story.now())).await?;
    Ok(story)
}

/// Sends the same webhook a hundred times at once; what was answered, without repetitions.
async fn a_hundred_times(story: &Story) -> Result<Vec<u16>> {
    let url = story.webhook("/webhooks/outcome");
    let answers = try_join_all((0..100).map(|_| signed_post(&url, BOOKED))).await?;
    let mut statuses: Vec<u16> = answers.into_iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    Ok(statuses)
}

async fn appointments(story: &Story) -> Result<i64> {
    let count = sqlx::query_scalar("select count(*) from appointments");
    Ok(count.fetch_one(&story.database).await?)
}

#[tokio::test]
async fn an_appointment_that_is_told_ten_hours_late_and_a_hundred_times_is_kept_once() -> Result<()>
{
    let mut story = call_with_ending(93, 60.0).await?;
    let silent = ("COMPLETED".to_owned(), Some("no_report".to_owned()));
    assert_eq!(settled(&story, "p1-id-1").await, silent);
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "NOT_RESPONDED");
    let (minutes, ..) = books(&story).await?;
    // Ten hours later, for all that the worker knows.
    story.stack.worker.as_mut().context("there is a worker")?.stop().await?;
    let later = (story.clock_offset_secs() + TEN_HOURS_SECS).to_string();
    let env = [("CLOCK_OFFSET_SECS".to_owned(), later)].into();
    story.stack.worker = Some(story.stack.start_worker("later", &env).await?);

    assert_eq!(a_hundred_times(&story).await?, [202]);
    eventually(Duration::from_secs(60), "the prospect is booked", async || {
        Ok((prospect_status(&story.database, "p1-id").await? == "BOOKED").then_some(()))
    })
    .await;
    eventually(Duration::from_secs(60), "nothing is being applied any more", async || {
        let applying = r#"WorkflowType="LateEvent" AND ExecutionStatus="Running""#;
        Ok(story.workflows(applying).await?.is_empty().then_some(()))
    })
    .await;
    let call = conversation(&story.database, "p1-id-1").await?;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(appointments(&story).await?, 1);
    assert_eq!(books(&story).await?, (minutes, 0, true));
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_comes_a_hundred_times_at_once_has_one_effect() -> Result<()> {
    // It talks on at its natural pace: what a client's system says ends it.
    let story = call_with_ending(93, 1.0).await?;
    in_state(&story, "call/p1-id-1", "talking").await;
    let taken = a_hundred_times(&story).await?;
    assert!(taken.iter().all(|status| [202, 204].contains(status)), "{taken:?}");
    assert_eq!(settled(&story, "p1-id-1").await, ("COMPLETED".to_owned(), None));
    assert_eq!(appointments(&story).await?, 1);
    let calls = story.calls_placed().await?;
    assert_eq!((calls.len(), &calls[0]["endedBy"]), (1, &"client".into()), "{calls:?}");
    let (_, lines, adds_up) = books(&story).await?;
    assert_eq!((lines, adds_up), (0, true));
    let entries = sqlx::query_scalar("select count(*) from minute_ledger where kind = 'charge'");
    let charges: i64 = entries.fetch_one(&story.database).await?;
    assert_eq!(charges, 1);
    Ok(())
}
