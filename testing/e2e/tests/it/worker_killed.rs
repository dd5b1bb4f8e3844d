//! A worker that is killed loses no call and makes none twice.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{SecondsFormat, TimeDelta};
use devstack::StackOptions;

use crate::support::{
    Plan, Prospect, Story, User, conversations, eventually, open_calls, plan, seconds_to,
};

const CALLS: usize = 10;

/// Ten calls, due one after another from `secs` seconds on.
async fn ten_calls_in(secs: i64) -> Result<Story> {
    let lines = [("MAX_CONCURRENT_CALLS".to_owned(), "20".to_owned())];
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        worker_env: lines.into(),
        simulator_args: vec!["--max-concurrent".to_owned(), "20".to_owned()],
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&story.database).await?;
    let first = story.now() + TimeDelta::seconds(secs);
    for number in 0..CALLS {
        let due = first + TimeDelta::milliseconds(400 * number as i64);
        let due = due.to_rfc3339_opts(SecondsFormat::Millis, true);
        let id = format!("p{number}-id");
        let prospect = Prospect::new(id).phone_ending(212, 20 + number as u32).callback_at(due);
        prospect.insert(&story.database).await?;
    }
    let planned = plan(&story, Plan::at(story.now())).await?;
    assert_eq!(planned["planned"], CALLS);
    Ok(story)
}

/// Kills the worker and starts another one.
async fn replace_the_worker(story: &mut Story, name: &str) -> Result<()> {
    let worker = story.stack.worker.as_mut().context("there is no worker")?;
    worker.kill9().await?;
    story.stack.worker = Some(story.stack.start_worker(name, &Default::default()).await?);
    Ok(())
}

/// Checks that all of them come to their end, each after one call.
async fn all_are_made_once(story: &Story, within: Duration) -> Result<()> {
    eventually(within, "every call is settled", async || {
        Ok((open_calls(story).await? == 0).then_some(()))
    })
    .await;
    let settled = conversations(&story.database).await?;
    assert_eq!(settled.len(), CALLS);
    for call in &settled {
        assert_eq!(call.summary(), ("COMPLETED", Some("NOT_INTERESTED"), None), "{}", call.id);
    }
    let placed = story.calls_placed().await?;
    let numbers: BTreeSet<&str> =
        placed.iter().filter_map(|call| call["number"].as_str()).collect();
    assert_eq!((placed.len(), numbers.len()), (CALLS, CALLS), "{placed:?}");
    Ok(())
}

#[tokio::test]
async fn calls_that_sleep_are_made_by_the_next_worker() -> Result<()> {
    let mut story = ten_calls_in(8).await?;
    assert!(story.calls_placed().await?.is_empty());
    replace_the_worker(&mut story, "worker2").await?;
    all_are_made_once(&story, Duration::from_secs(60)).await
}

#[tokio::test]
async fn calls_that_are_under_way_are_followed_by_the_next_worker() -> Result<()> {
    let mut story = ten_calls_in(2).await?;
    eventually(Duration::from_secs(30), "some calls are under way", async || {
        Ok((story.calls_placed().await?.len() >= 4).then_some(()))
    })
    .await;
    replace_the_worker(&mut story, "worker2").await?;
    all_are_made_once(&story, Duration::from_secs(150)).await
}
