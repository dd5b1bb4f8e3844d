//! `cargo xtask up`: starts a stack and runs it until it is interrupted.

use std::path::{Path, PathBuf};

use anyhow::Context;
use devstack::{Endpoints, Ports, Stack, StackOptions, ports, workspace};

use crate::interrupt::interrupted;
use crate::{cargo, step};

#[derive(Debug, clap::Args)]
pub struct Up {
    /// Print the endpoints as one line of JSON
    #[arg(long)]
    json: bool,

    /// State folder, kept between runs [default: .stack/up]
    #[arg(long)]
    dir: Option<PathBuf>,

    /// Simulated seconds per second in calls
    #[arg(long, default_value_t = 1.0)]
    speed: f64,

    /// The stack's clock, in seconds ahead of real time
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    clock_offset_secs: i64,

    /// Port of PostgreSQL [default: 5433 or a free one]
    #[arg(long, value_name = "PORT")]
    port_postgres: Option<u16>,

    /// Port of Temporal [default: 7233 or a free one]
    #[arg(long, value_name = "PORT")]
    port_temporal: Option<u16>,

    /// Port of Temporal's web interface [default: 8233 or a free one]
    #[arg(long, value_name = "PORT")]
    port_temporal_ui: Option<u16>,

    /// Port of the webhook server [default: 3000 or a free one]
    #[arg(long, value_name = "PORT")]
    port_webhook: Option<u16>,

    /// Port of the simulator [default: 3001 or a free one]
    #[arg(long, value_name = "PORT")]
    port_simulator: Option<u16>,
}

impl Up {
    pub async fn run(self) -> anyhow::Result<()> {
        cargo::build_binaries()?;
        let dir = self.dir.clone().unwrap_or_else(|| workspace::state_dir("up"));
        let options = StackOptions {
            dir: Some(dir.clone()),
            durable: true,
            headless: false,
            ports: self.ports()?,
            speed: self.speed,
            clock_offset_secs: self.clock_offset_secs,
            progress: step::progress,
            ..StackOptions::default()
        };
        // An interrupt during the start drops the started processes, which stops them.
        let mut stack = tokio::select! {
            started = Stack::start(options) => started?,
            result = interrupted() => return result,
        };
        let endpoints = stack.endpoints();
        let file = write_endpoints(&dir, endpoints)?;
        if self.json {
            println!("{}", serde_json::to_string(endpoints)?);
        } else {
            print(endpoints);
        }
        interrupted().await?;
        eprintln!("Stopping …");
        // The endpoints are no longer valid. An error here must not prevent the stop.
        let _ = std::fs::remove_file(file);
        stack.stop().await?;
        Ok(())
    }

    fn ports(&self) -> anyhow::Result<Ports> {
        let choose = |given: Option<u16>, default| {
            given.map_or_else(|| ports::prefer(default), ports::require).map(Some)
        };
        Ok(Ports {
            postgres: choose(self.port_postgres, 5433)?,
            temporal: choose(self.port_temporal, 7233)?,
            temporal_ui: choose(self.port_temporal_ui, 8233)?,
            webhook: choose(self.port_webhook, 3000)?,
            simulator: choose(self.port_simulator, 3001)?,
        })
    }
}

/// Writes the endpoints for `cargo xtask temporal`, `psql` and `worker`.
pub fn write_endpoints(dir: &Path, endpoints: &Endpoints) -> anyhow::Result<PathBuf> {
    let file = dir.join("stack.json");
    let text = serde_json::to_string_pretty(endpoints)?;
    std::fs::write(&file, text).with_context(|| format!("could not write {}", file.display()))?;
    Ok(file)
}

fn print(endpoints: &Endpoints) {
    let ui = endpoints.temporal_ui_url.as_deref().unwrap_or("none");
    println!();
    println!("  Temporal UI  {ui}");
    println!("  Temporal     {}", endpoints.temporal_address);
    println!("  PostgreSQL   {}", endpoints.database_url);
    println!("  Webhook      {}", endpoints.webhook_url);
    println!("  Simulator    {}", endpoints.simulator_url);
    println!("  Logs         {}", endpoints.log_dir.display());
    println!();
    println!(
        "  cargo xtask temporal workflow list     cargo xtask psql     Ctrl-C stops everything"
    );
}
