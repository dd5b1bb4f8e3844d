//! A system whose connections go through fault proxies.

use anyhow::{Context as _, Result};
use devstack::{FaultProxy, Parts, Process, StackOptions};
use url::Url;

use super::{TestSystem, clock_offset_to, env};

/// One proxy for each connection between two parts of the system.
pub struct FaultProxies {
    /// From the worker to PostgreSQL.
    pub database: FaultProxy,
    /// From the worker to the provider's API.
    pub provider: FaultProxy,
    /// From the provider to the webhook server.
    pub webhook: FaultProxy,
}

/// Starts a system at 15:00 UTC with fault proxies. `speed` is in simulated seconds per second of a call;
/// `worker_settings` are additional settings of the worker.
pub async fn start_with_fault_proxies(
    speed: f64,
    worker_settings: &[(&str, &str)],
) -> Result<(TestSystem, FaultProxies)> {
    let mut system = TestSystem::start_with_schedule(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed,
        parts: Parts { worker: false, ..StackOptions::default().parts },
        simulator_args: ["--retry-base-secs", "1"].map(str::to_owned).into(),
        ..StackOptions::default()
    })
    .await?;
    let endpoints = system.stack.endpoints();
    let proxies = FaultProxies {
        database: FaultProxy::start(port_of(&endpoints.database_url)?).await?,
        provider: FaultProxy::start(port_of(&endpoints.simulator_url)?).await?,
        webhook: FaultProxy::start(port_of(&endpoints.webhook_url)?).await?,
    };
    let mut database = Url::parse(&endpoints.database_url)?;
    // The proxy reads the messages, so they must not be encrypted.
    database.set_query(Some("sslmode=disable"));
    database
        .set_port(Some(proxies.database.port()))
        .map_err(|()| anyhow::anyhow!("{} can't have a port", endpoints.database_url))?;
    let [provider, webhook] = [&proxies.provider, &proxies.webhook]
        .map(|proxy| format!("http://127.0.0.1:{}", proxy.port()));
    let mut worker_env = env(&[
        ("DATABASE_URL", database.as_str()),
        ("ULTRAVOX_API_URL", &provider),
        ("TELNYX_API_URL", &provider),
        ("SERVICE_URL", &webhook),
    ]);
    worker_env.extend(env(worker_settings));
    system.start_worker(worker_env).await?;
    Ok((system, proxies))
}

/// Kills a process while one of its connections is held, closes the connection and restarts the process.
pub async fn kill_and_restart(process: Option<&mut Process>, proxy: &FaultProxy) -> Result<()> {
    let process = process.context("the process is not part of the system")?;
    process.kill9().await?;
    proxy.cut();
    Ok(process.restart().await?)
}

fn port_of(url: &str) -> Result<u16> {
    Url::parse(url)?.port_or_known_default().with_context(|| format!("{url} has no port"))
}
