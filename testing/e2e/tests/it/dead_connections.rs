//! Connections that fall silent, as after a failover without a reset, while new ones work.

use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::FaultProxy;

use crate::support::{
    EVENT, Plan, Prospect, Signed, Totals, User, env, eventually, post, read_totals, run_plan,
    start_with_fault_proxies, wait_for_state, wait_until_recorded, webhook_only,
};

/// Longer than the probes of a connection to Temporal take to find that it is dead.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn call_is_recorded_after_the_databases_connections_fall_silent() -> Result<()> {
    let (system, proxies) = start_with_fault_proxies(10.0, &[]).await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 0).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;
    assert!(proxies.database.silence() > 0);
    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    let totals = read_totals(&system).await?;
    assert_eq!(totals, Totals::closed(totals.charged_minutes));
    Ok(())
}

#[tokio::test]
async fn events_are_forwarded_after_the_connection_to_temporal_falls_silent() -> Result<()> {
    let system = webhook_only(&[]).await?;
    let address = &system.stack.endpoints().temporal_address;
    let (_, port) = address.rsplit_once(':').context("the address has no port")?;
    let proxy = FaultProxy::start(port.parse()?).await?;
    let settings = env(&[("TEMPORAL_ADDRESS", &format!("127.0.0.1:{}", proxy.port()))]);
    let webhook = system.stack.start_webhook("webhook2", &settings).await?;
    assert!(proxy.silence() > 0);
    let url = format!("{}/webhooks/outcome", webhook.url);
    eventually(RECOVERY_TIMEOUT, "an event is accepted", async || {
        let posted = post(&url, EVENT, &Signed::now(EVENT).headers()).await?;
        Ok((posted.status == 204).then_some(()))
    })
    .await;
    Ok(())
}
