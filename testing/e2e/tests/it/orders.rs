//! In whatever order the provider's events come, the rows are the same.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use devstack::StackOptions;
use serde_json::{Value, json};

use crate::support::{
    Plan, Prospect, Story, User, eventually, open_calls, plan, post, seconds_to, signed_post,
};

const SOON: Duration = Duration::from_secs(90);
const EVENTS: [&str; 4] = ["call.started", "call.joined", "call.ended", "call.billed"];

/// Every order of the events.
fn orders() -> Vec<Vec<&'static str>> {
    EVENTS.iter().fold(vec![Vec::new()], |orders, event| {
        let with_event = |order: Vec<&'static str>| {
            (0..=order.len()).map(move |place| {
                let mut order = order.clone();
                order.insert(place, *event);
                order
            })
        };
        orders.into_iter().flat_map(with_event).collect()
    })
}

/// Calls under way of which the provider's own events are all lost; each dial with the provider's id of its call.
async fn unheard_calls(count: usize) -> Result<(Story, Vec<(String, String)>)> {
    let lines = count.to_string();
    let worker = [("MAX_CONCURRENT_CALLS", lines.as_str()), ("ULTRAVOX_CALLS_PER_MINUTE", "6000")];
    let worker = worker.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        worker_env: worker.into(),
        simulator_args: ["--max-concurrent", &lines].map(str::to_owned).into(),
        ..StackOptions::default()
    })
    .await?;
    let faults = format!("{}/sim/faults", story.stack.endpoints().simulator_url);
    assert_eq!(post(&faults, r#"{"webhooks": {"drop": 1.0}}"#, &[]).await?.status, 200);
    for user in 0..3 {
        User::new(format!("user{user}-id")).insert(&story.database).await?;
    }
    for n in 0..count {
        let (id, user) = (format!("p{n:02}-id"), format!("user{}-id", n % 3));
        // Each at another number, all of which answer and talk for long.
        let area = 212 + u32::try_from(n)?;
        let prospect = Prospect::new(id).of_user(user).phone_ending(area, 93);
        let time_zone = Some("America/New_York".to_owned());
        Prospect { time_zone, ..prospect }.insert(&story.database).await?;
    }
    let planned =
        plan(&story, Plan::at(story.now() - TimeDelta::seconds(50)).for_minutes(1)).await?;
    assert_eq!(planned["planned"], count, "{planned}");
    let calls = eventually(SOON, "every call is placed", async || {
        let calls = story.calls_placed().await?;
        let named = calls.iter().map(named).collect::<Result<Vec<_>>>()?;
        Ok(Some(named).filter(|named| named.len() == count))
    })
    .await;
    Ok((story, calls))
}

fn named(call: &Value) -> Result<(String, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("an id is text");
    Ok((text(&call["metadata"]["dial_id"])?, text(&call["callId"])?))
}

#[tokio::test]
async fn every_order_of_the_providers_events_leads_to_the_same_rows() -> Result<()> {
    let orders = orders();
    assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), 24);
    let (story, calls) = unheard_calls(orders.len()).await?;
    let url = story.webhook("/webhooks/outcome");
    for (order, (dial, call)) in orders.iter().zip(&calls) {
        for event in order {
            let over = ["call.ended", "call.billed"].contains(event);
            let body = json!({"event": event, "call": {
                "callId": call,
                "metadata": {"dial_id": dial},
                "joined": (*event != "call.started").then_some("2025-02-25T15:00:10.5Z"),
                "ended": over.then_some("2025-02-25T15:01:50.5Z"),
                "endReason": over.then_some("hangup"),
            }});
            let status = signed_post(&url, &body.to_string()).await?.status;
            assert!([202, 204].contains(&status), "{order:?}: {event}: {status}");
        }
    }
    eventually(SOON, "every call is settled", async || {
        Ok((open_calls(&story).await? == 0).then_some(()))
    })
    .await;
    eventually(SOON, "nothing is being applied any more", async || {
        let running = story.workflows(r#"ExecutionStatus="Running""#).await?;
        Ok(running.is_empty().then_some(()))
    })
    .await;
    type Row = (String, String, Option<String>, Option<String>, Option<i32>, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "select c.status::text, p.status::text, c.outcome::text, c.reason, c.talk_secs,
            (select coalesce(-sum(minutes), 0) from minute_ledger l join dials d on d.id = l.dial_id
                where d.conversation_id = c.id and l.kind in ('charge', 'correct'))
        from conversations c join prospects p on p.id = c.prospect_id order by c.id",
    )
    .fetch_all(&story.database)
    .await?;
    let same = ("COMPLETED", "NOT_RESPONDED", None, Some("no_report"), Some(100), 2);
    assert_eq!(rows.len(), 24);
    for ((status, prospect, outcome, reason, talk_secs, minutes), order) in rows.iter().zip(&orders)
    {
        let (outcome, reason) = (outcome.as_deref(), reason.as_deref());
        let row = (status.as_str(), prospect.as_str(), outcome, reason, *talk_secs, *minutes);
        assert_eq!(row, same, "{order:?}");
    }
    Ok(())
}
