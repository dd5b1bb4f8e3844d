//! What can be asked of the records by hand, beside the service: `worker plan`, `worker why`, `worker import`.

mod explain;
mod import;
mod plan;
mod replay;

use std::ffi::OsString;
use std::process::ExitCode;

use activities::clock::Clock;
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use clap::Parser;
use secrecy::{ExposeSecret as _, SecretString};
use store::Store;
use workflows::clock::ClockOffset;

use crate::config::{PlanConfig, parse_database_url};

/// Looks at the records of the service, or adds to them.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Tools {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, clap::Subcommand)]
enum Tool {
    /// Show what a plan run would do, and touch nothing
    Plan(plan::Plan),
    /// Explain why a prospect is or is not called
    #[command(alias = "why")]
    Explain(explain::Explain),
    /// Import prospects from a CSV file
    Import(import::Import),
    Replay(replay::Replay),
}

/// Which records, and what time it is.
#[derive(Clone, Debug, clap::Args)]
struct Records {
    /// PostgreSQL, as postgres://user:password@host:5432/database
    #[arg(long, env, hide_env_values = true, value_parser = parse_database_url)]
    database_url: SecretString,

    /// Seconds by which the service's clock stands ahead
    #[arg(long, env, default_value_t = 0, allow_negative_numbers = true)]
    clock_offset_secs: i64,
}

impl Records {
    async fn open(&self) -> Result<Store> {
        let store = Store::connect(self.database_url.expose_secret()).await;
        store.context("connecting to PostgreSQL at DATABASE_URL")
    }

    fn now(&self) -> DateTime<Utc> {
        Clock::new(ClockOffset(self.clock_offset_secs)).now()
    }
}

/// How plans are made.
#[derive(Clone, Debug, clap::Args)]
struct Planner {
    #[command(flatten)]
    plans: PlanConfig,

    /// Minutes from one plan run to the next
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_440))]
    schedule_interval: u32,
}

/// Whether the arguments ask for a tool instead of the service.
pub fn are_asked_for(args: &[OsString]) -> bool {
    let names = ["plan", "explain", "why", "import", "replay", "help"];
    args.get(1).and_then(|arg| arg.to_str()).is_some_and(|arg| names.contains(&arg))
}

/// Runs the tool that the arguments ask for.
pub async fn run(args: Vec<OsString>) -> ExitCode {
    let tools = match bootstrap::settings::read::<Tools>(args) {
        Ok(tools) => tools,
        Err(asked) => return asked.print(),
    };
    let done = match tools.tool {
        Tool::Plan(plan) => plan.run().await,
        Tool::Explain(explain) => explain.run().await,
        Tool::Import(import) => import.run().await,
        Tool::Replay(replay) => replay.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn shown(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
