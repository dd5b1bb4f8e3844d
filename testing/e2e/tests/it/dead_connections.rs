//! Connections that fall silent, as after a failover without a reset, while new ones work.

use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::FaultProxy;

use crate::support::{EVENT, Signed, env, eventually, post, webhook_only};

/// Longer than the probes of a connection to Temporal take to find that it is dead.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);

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
