//! Webhooks that arrive hours late, and a hundred times at once.

use std::time::Duration;

use anyhow::Result;
use devstack::StackOptions;
use futures::future::try_join_all;

use crate::support::{
    Plan, Prospect, Signed, TestSystem, Totals, User, clock_offset_to, env, eventually,
    post_repeatedly, read_conversation, read_prospect_status, read_totals, run_plan,
    wait_for_state, wait_until_recorded,
};

const BOOKED: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1","duration":180,
    "outcome":{"type":"APPOINTMENT_SET","appointmentTime":"2025-03-04T15:00:00Z"}}"#;
const TEN_HOURS_SECS: i64 = 36_000;
const LATE_EVENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Plans one call at 15:00 UTC. `ending` selects the scenario.
async fn plan_call(ending: u32, speed: f64) -> Result<TestSystem> {
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed,
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, ending).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    Ok(system)
}

/// Posts the same webhook a hundred times at once and returns the distinct statuses.
async fn post_a_hundred_times(system: &TestSystem) -> Result<Vec<u16>> {
    let url = system.webhook("/webhooks/outcome");
    let (client, signed) = (reqwest::Client::new(), Signed::now(BOOKED));
    let headers = signed.headers();
    let posts = (0..100).map(|_| post_repeatedly(&client, &url, BOOKED, &headers));
    let responses = try_join_all(posts).await?;
    let mut statuses: Vec<u16> = responses.into_iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    Ok(statuses)
}

async fn count_appointments(system: &TestSystem) -> Result<i64> {
    let count = sqlx::query_scalar("select count(*) from appointments");
    Ok(count.fetch_one(&system.database).await?)
}

#[tokio::test]
async fn appointment_reported_ten_hours_late_a_hundred_times_is_recorded_once() -> Result<()> {
    let mut system = plan_call(93, 60.0).await?;
    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", None, Some("no_report")));
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "NOT_RESPONDED");
    let minutes = read_totals(&system).await?.charged_minutes;
    // Ten hours later by the worker's clock.
    let later = (system.clock_offset_secs() + TEN_HOURS_SECS).to_string();
    system.replace_worker(&env(&[("CLOCK_OFFSET_SECS", &later)])).await?;

    assert_eq!(post_a_hundred_times(&system).await?, [202]);
    eventually(LATE_EVENT_TIMEOUT, "the prospect is booked", async || {
        Ok((read_prospect_status(&system.database, "p1-id").await? == "BOOKED").then_some(()))
    })
    .await;
    eventually(LATE_EVENT_TIMEOUT, "no late event is being applied", async || {
        let applying = r#"WorkflowType="LateEvent" AND ExecutionStatus="Running""#;
        Ok(system.workflows(applying).await?.is_empty().then_some(()))
    })
    .await;
    let call = read_conversation(&system.database, "p1-id-1").await?;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(count_appointments(&system).await?, 1);
    assert_eq!(read_totals(&system).await?, Totals::closed(minutes));
    Ok(())
}

#[tokio::test]
async fn webhook_sent_a_hundred_times_at_once_has_one_effect() -> Result<()> {
    // In real time the talk lasts longer than the test: the webhook ends it.
    let system = plan_call(93, 1.0).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    let statuses = post_a_hundred_times(&system).await?;
    assert!(statuses.iter().all(|status| [202, 204].contains(status)), "{statuses:?}");
    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(count_appointments(&system).await?, 1);
    let calls = system.calls_placed().await?;
    assert_eq!((calls.len(), &calls[0]["endedBy"]), (1, &"client".into()), "{calls:?}");
    let totals = read_totals(&system).await?;
    assert_eq!((totals.open_dials, totals.balanced), (0, true));
    let charges = sqlx::query_scalar("select count(*) from minute_ledger where kind = 'charge'");
    let charges: i64 = charges.fetch_one(&system.database).await?;
    assert_eq!(charges, 1);
    Ok(())
}
