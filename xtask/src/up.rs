//! `cargo xtask up`

use std::path::{Path, PathBuf};

use anyhow::Context;
use devstack::{Addresses, Ports, Stack, StackOptions, ports, workspace};

use crate::{cargo, interrupt, step};

/// Starts the stack and keeps it.
#[derive(Debug, clap::Args)]
pub struct Up {
    /// Print the addresses as one line of JSON on standard output
    #[arg(long)]
    json: bool,

    /// Where the state is kept from one run to the next [default: .stack/up]
    #[arg(long)]
    dir: Option<PathBuf>,

    /// Simulated seconds per second in calls
    #[arg(long, default_value_t = 1.0)]
    speed: f64,

    /// What the stack believes the time to be, in seconds from now
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
    /// Runs until Ctrl-C or SIGTERM, then stops everything in order.
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
        // An interrupt during the start drops what has been started, which stops it.
        let mut stack = tokio::select! {
            started = Stack::start(options) => started?,
            wished = interrupt::wished() => return wished,
        };
        let addresses = stack.addresses();
        let file = write_addresses(&dir, &addresses)?;
        if self.json {
            println!("{}", serde_json::to_string(&addresses)?);
        } else {
            print(&addresses);
        }
        interrupt::wished().await?;
        eprintln!("Stopping …");
        // Whether or not that works: the addresses are void from here on.
        let _ = std::fs::remove_file(file);
        stack.stop().await?;
        Ok(())
    }

    fn ports(&self) -> anyhow::Result<Ports> {
        let choose = |given: Option<u16>, usual| {
            given.map_or_else(|| ports::preferably(usual), ports::exactly).map(Some)
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

/// Leaves the addresses where `cargo xtask temporal` and `psql` find them.
pub fn write_addresses(dir: &Path, addresses: &Addresses) -> anyhow::Result<PathBuf> {
    let file = dir.join("stack.json");
    let text = serde_json::to_string_pretty(addresses)?;
    std::fs::write(&file, text).with_context(|| format!("could not write {}", file.display()))?;
    Ok(file)
}

fn print(addresses: &Addresses) {
    let ui = addresses.temporal_ui_url.as_deref().unwrap_or("none");
    println!();
    println!("  Temporal UI  {ui}");
    println!("  Temporal     {}", addresses.temporal_address);
    println!("  PostgreSQL   {}", addresses.database_url);
    println!("  Webhook      {}", addresses.webhook_url);
    println!("  Simulator    {}", addresses.simulator_url);
    println!("  Logs         {}", addresses.log_dir.display());
    println!();
    println!(
        "  cargo xtask temporal workflow list     cargo xtask psql     Ctrl-C stops everything"
    );
}
