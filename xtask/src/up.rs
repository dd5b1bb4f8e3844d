//! `cargo xtask up`: starts a stack and runs it until it is interrupted.

mod settings;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use devstack::{Endpoints, Ports, Stack, StackOptions, ports, workspace};
use serde::{Deserialize, Serialize};

use settings::GivenSettings;

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

    #[command(flatten)]
    settings: GivenSettings,
}

/// What the programs that connect to a running stack read.
#[derive(Debug, Serialize, Deserialize)]
pub struct StackFile {
    #[serde(flatten)]
    pub endpoints: Endpoints,
    pub worker_settings: BTreeMap<String, String>,
}

impl Up {
    pub async fn run(self) -> anyhow::Result<()> {
        cargo::build_binaries()?;
        let dir = self.dir.clone().unwrap_or_else(|| workspace::state_dir("up"));
        let settings = self.settings.read()?;
        if !settings.ignored.is_empty() {
            eprintln!("Ignored, as the stack sets them: {}", settings.ignored.join(", "));
        }
        let mut options = StackOptions {
            dir: Some(dir.clone()),
            durable: true,
            headless: false,
            ports: self.ports()?,
            speed: self.speed,
            clock_offset_secs: self.clock_offset_secs,
            progress: step::progress,
            ..StackOptions::default()
        };
        settings.apply(&mut options);
        // An interrupt during the start drops the started processes, which stops them.
        let mut stack = tokio::select! {
            started = Stack::start(options) => started?,
            result = interrupted() => return result,
        };
        let endpoints = stack.endpoints();
        let file = write_stack_file(&dir, &stack)?;
        if self.json {
            println!("{}", serde_json::to_string(endpoints)?);
        } else {
            print(endpoints, self.dir.as_deref(), settings.has_real_provider());
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

/// Writes the endpoints and settings for `cargo xtask temporal`, `psql` and `worker`. Only their owner may read them.
pub fn write_stack_file(dir: &Path, stack: &Stack) -> anyhow::Result<PathBuf> {
    let file = dir.join("stack.json");
    let endpoints = stack.endpoints().clone();
    let content = StackFile { endpoints, worker_settings: stack.worker_settings() };
    let text = serde_json::to_string_pretty(&content)?;
    // An older file may be readable by others.
    let _ = std::fs::remove_file(&file);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    written
        .and_then(|mut opened| opened.write_all(text.as_bytes()))
        .with_context(|| format!("could not write {}", file.display()))?;
    Ok(file)
}

fn print(endpoints: &Endpoints, dir: Option<&Path>, has_real_provider: bool) {
    let ui = endpoints.temporal_ui_url.as_deref().unwrap_or("none");
    println!();
    println!("  Temporal UI  {ui}");
    println!("  Temporal     {}", endpoints.temporal_address);
    println!("  PostgreSQL   {}", endpoints.database_url);
    println!("  Webhook      {}", endpoints.webhook_url);
    match has_real_provider {
        true => println!("  Simulator    none: real phones ring"),
        false => println!("  Simulator    {}", endpoints.simulator_url),
    }
    println!("  Logs         {}", endpoints.log_dir.display());
    println!();
    let dir = dir.map(|dir| format!(" --dir {}", dir.display())).unwrap_or_default();
    for (command, purpose) in [
        (format!("cargo xtask worker{dir} doctor"), "checks the installation"),
        (format!("cargo xtask temporal{dir} workflow list"), "lists the calls"),
        (format!("cargo xtask psql{dir}"), "opens the database"),
        ("Ctrl-C".to_owned(), "stops everything"),
    ] {
        println!("  {command:<width$}  {purpose}", width = 39 + dir.len());
    }
}
