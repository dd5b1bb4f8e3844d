//! A connection to the database that the network holds, and lets go when the attempt on it is long over.

use std::time::Duration;

use anyhow::Result;
use devstack::{Breakpoint, Side, Step};

use crate::support::{
    Plan, Prospect, User, eventually, post_signed, read_conversation, read_prospect_status,
    read_totals, run_plan, run_plan_as, start_with_fault_proxies, wait_for_state,
    wait_until_recorded,
};

const TIMEOUT: Duration = Duration::from_secs(60);
const BOOKED: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1","duration":60,
    "outcome":{"type":"APPOINTMENT_SET","appointmentTime":"2025-03-04T15:00:00Z"}}"#;

#[tokio::test]
async fn attempt_that_was_held_overwrites_nothing() -> Result<()> {
    let (system, proxies) = start_with_fault_proxies(6.0, &[]).await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 50).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    wait_for_state(&system, "call/p1-id-1", "ringing").await;
    // The next transaction is that of the record.
    proxies.database.set_breakpoint(Breakpoint { step: Step::Begin, nth: 1, side: Side::Before });
    proxies.database.wait_until_hit().await;
    let first = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(first.outcome.as_deref(), Some("NO_RESPONSE"));
    post_signed(&system.webhook("/webhooks/outcome"), BOOKED).await?;
    eventually(TIMEOUT, "the prospect is booked", async || {
        Ok((read_prospect_status(&system.database, "p1-id").await? == "BOOKED").then_some(()))
    })
    .await;
    let totals = read_totals(&system).await?;

    proxies.database.resume();
    // The held data has arrived long before another call is over.
    Prospect::new("p2-id").phone_ending(212, 51).insert(&system.database).await?;
    run_plan_as(&system, "plan-calls-again", Plan::at(system.now())).await?;
    wait_until_recorded(&system, "p2-id-1").await;
    let call = read_conversation(&system.database, "p1-id-1").await?;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "BOOKED");
    assert_eq!(read_totals(&system).await?, totals);
    Ok(())
}
