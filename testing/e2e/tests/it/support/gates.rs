//! A system whose parts reach one another through gates.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use devstack::{FaultProxy, Parts, Process, StackOptions};
use url::Url;

use super::{Story, seconds_to};

/// The gates on the ways of one system.
pub struct Gates {
    /// Between the worker and PostgreSQL.
    pub database: FaultProxy,
    /// Between the worker and the provider's API.
    pub provider: FaultProxy,
    /// Between the provider and the webhook server.
    pub webhook: FaultProxy,
}

/// A system at three o'clock with gates on its ways, and nothing planned. `speed` is that of talks; the worker gets
/// these variables beside its usual ones.
pub async fn gated(speed: f64, worker_env: &[(&str, &str)]) -> Result<(Story, Gates)> {
    let mut story = Story::start_with_schedule(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed,
        parts: Parts { worker: false, ..StackOptions::default().parts },
        simulator_args: ["--retry-base-secs", "1"].map(str::to_owned).into(),
        ..StackOptions::default()
    })
    .await?;
    let addresses = story.stack.endpoints();
    let gates = Gates {
        database: FaultProxy::start(port(&addresses.database_url)?).await?,
        provider: FaultProxy::start(port(&addresses.simulator_url)?).await?,
        webhook: FaultProxy::start(port(&addresses.webhook_url)?).await?,
    };
    let mut database = Url::parse(&addresses.database_url)?;
    // Through a gate of plain TCP, without the question for TLS.
    database.set_query(Some("sslmode=disable"));
    let through = |gate: &FaultProxy| format!("http://127.0.0.1:{}", gate.port());
    let own = worker_env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let env: BTreeMap<String, String> = [
        ("DATABASE_URL".to_owned(), at_port(database, gates.database.port())?),
        ("ULTRAVOX_API_URL".to_owned(), through(&gates.provider)),
        ("TELNYX_API_URL".to_owned(), through(&gates.provider)),
        ("SERVICE_URL".to_owned(), through(&gates.webhook)),
    ]
    .into_iter()
    .chain(own)
    .collect();
    story.stack.worker = Some(story.stack.start_worker("worker", &env).await?);
    story.plan_only_when_told().await?;
    Ok((story, gates))
}

/// Kills a process and starts it again; what it had under way is lost.
pub async fn replace(process: Option<&mut Process>, gate: &FaultProxy) -> Result<()> {
    let process = process.context("there is no such process")?;
    process.kill9().await?;
    gate.cut();
    Ok(process.restart().await?)
}

fn port(url: &str) -> Result<u16> {
    Url::parse(url)?.port_or_known_default().with_context(|| format!("{url} has no port"))
}

fn at_port(mut url: Url, port: u16) -> Result<String> {
    let moved = url.set_port(Some(port));
    moved.map_err(|()| anyhow::anyhow!("{url} can't have a port"))?;
    Ok(url.into())
}
