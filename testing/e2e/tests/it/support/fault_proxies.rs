//! A system whose connections go through fault proxies.

use anyhow::{Context as _, Result};
use devstack::{FaultProxies, FaultProxy, Parts, Process, StackOptions};

use super::{TestSystem, clock_offset_to, env};

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
    let proxies = FaultProxies::start(system.stack.endpoints()).await?;
    let mut worker_env = proxies.worker_env(system.stack.endpoints())?;
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
