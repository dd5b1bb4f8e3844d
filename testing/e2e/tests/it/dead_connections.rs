//! Connections that fall silent, and a provider that accepts connections and never answers.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use devstack::{FaultProxy, StackOptions};

use crate::support::{
    EVENT, Prospect, Signed, TestSystem, User, env, eventually, post, webhook_only,
};

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

/// One after the other, the calls would use up the time of the sweep.
#[tokio::test]
async fn sweep_looks_at_many_calls_at_once_while_the_provider_is_silent() -> Result<()> {
    const CALLS: usize = 16;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", silent.local_addr()?);
    let worker_env = env(&[("ULTRAVOX_API_URL", &address), ("TELNYX_API_URL", &address)]);
    let system = TestSystem::start(StackOptions { worker_env, ..StackOptions::default() }).await?;
    User::default().insert(&system.database).await?;
    for nth in 1..=CALLS {
        Prospect::new(format!("p{nth}-id")).insert(&system.database).await?;
    }
    // Dials without a workflow.
    for insert in [
        "insert into conversations
            (id, user_id, prospect_id, sequence, status, slot, plan_run, updated_at)
        select id || '-1', user_id, id, 1, 'DIALING', $1, 'test', $1 from prospects",
        "insert into dials (id, conversation_id, user_id, prospect_id, sequence, state, phone,
            subscription_id, reserved_minutes, dial_deadline, join_timeout_secs, max_duration_secs,
            intended_at, sent_at)
        select p.id || '-1.1', p.id || '-1', p.user_id, p.id, 1, 'SENT', p.phone, s.id, 10, $1, 30,
            600, $1, $1
        from prospects p join subscriptions s on s.user_id = p.user_id",
    ] {
        let five_minutes_ago = system.now() - TimeDelta::minutes(5);
        sqlx::query(insert).bind(five_minutes_ago).execute(&system.database).await?;
    }
    let sweep = ["workflow", "execute", "--type", "SweepCalls", "--task-queue", "calls"];
    let input = ["--input", r#"{"limit": 100}"#];
    let swept = system.temporal(sweep.into_iter().chain(input)).await?;
    assert_eq!(swept["result"]["ending"].as_array().map(Vec::len), Some(CALLS), "{swept}");
    Ok(())
}
