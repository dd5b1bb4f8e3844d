//! The provider's events in every order.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use devstack::StackOptions;
use serde_json::{Value, json};

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, env, eventually, post_signed, run_plan,
    wait_until_all_recorded,
};

const STEP_TIMEOUT: Duration = Duration::from_secs(90);
const EVENTS: [&str; 4] = ["call.started", "call.joined", "call.ended", "call.billed"];

/// All permutations of the events.
fn permutations() -> Vec<Vec<&'static str>> {
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

/// Places calls whose own webhooks are all dropped. Returns the dial ids with the provider's call ids.
async fn place_calls_without_webhooks(count: usize) -> Result<(TestSystem, Vec<(String, String)>)> {
    // The plan spreads the calls over the ten seconds that are left of its minute.
    let lines = (count * 10).to_string();
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        worker_env: env(&[("MAX_CONCURRENT_CALLS", &lines), ("ULTRAVOX_CALLS_PER_MINUTE", "6000")]),
        simulator_args: ["--max-concurrent", &lines].map(str::to_owned).into(),
        ..StackOptions::default()
    })
    .await?;
    system.inject_faults(r#"{"webhooks": {"drop": 1.0}}"#).await?;
    for user in 0..3 {
        User::new(format!("user{user}-id")).insert(&system.database).await?;
    }
    for n in 0..count {
        let (id, user) = (format!("p{n:02}-id"), format!("user{}-id", n % 3));
        // Different numbers, all of which answer and talk for a long time.
        let area = 212 + u32::try_from(n)?;
        let prospect = Prospect::new(id).of_user(user).phone_ending(area, 93);
        let time_zone = Some("America/New_York".to_owned());
        Prospect { time_zone, ..prospect }.insert(&system.database).await?;
    }
    let planned =
        run_plan(&system, Plan::at(system.now() - TimeDelta::seconds(50)).for_minutes(1)).await?;
    assert_eq!(planned["planned"], count, "{planned}");
    let calls = eventually(STEP_TIMEOUT, "every call is placed", async || {
        let calls = system.calls_placed().await?;
        let ids = calls.iter().map(ids_of).collect::<Result<Vec<_>>>()?;
        Ok(Some(ids).filter(|ids| ids.len() == count))
    })
    .await;
    Ok((system, calls))
}

fn ids_of(call: &Value) -> Result<(String, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("an id is missing");
    Ok((text(&call["metadata"]["dial_id"])?, text(&call["callId"])?))
}

#[tokio::test]
async fn provider_events_in_every_order_give_the_same_rows() -> Result<()> {
    let orders = permutations();
    assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), 24);
    let (system, calls) = place_calls_without_webhooks(orders.len()).await?;
    let url = system.webhook("/webhooks/outcome");
    for (order, (dial, call)) in orders.iter().zip(&calls) {
        for event in order {
            let is_over = ["call.ended", "call.billed"].contains(event);
            let body = json!({"event": event, "call": {
                "callId": call,
                "metadata": {"dial_id": dial},
                "joined": (*event != "call.started").then_some("2025-02-25T15:00:10.5Z"),
                "ended": is_over.then_some("2025-02-25T15:01:50.5Z"),
                "endReason": is_over.then_some("hangup"),
            }});
            let status = post_signed(&url, &body.to_string()).await?.status;
            assert!([202, 204].contains(&status), "{order:?}: {event}: {status}");
        }
    }
    wait_until_all_recorded(&system, STEP_TIMEOUT).await;
    eventually(STEP_TIMEOUT, "no workflow is running", async || {
        let running = system.workflows(r#"ExecutionStatus="Running""#).await?;
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
    .fetch_all(&system.database)
    .await?;
    let expected = ("COMPLETED", "NOT_RESPONDED", None, Some("no_report"), Some(100), 2);
    assert_eq!(rows.len(), 24);
    for ((status, prospect, outcome, reason, talk_secs, minutes), order) in rows.iter().zip(&orders)
    {
        let (outcome, reason) = (outcome.as_deref(), reason.as_deref());
        let row = (status.as_str(), prospect.as_str(), outcome, reason, *talk_secs, *minutes);
        assert_eq!(row, expected, "{order:?}");
    }
    Ok(())
}
