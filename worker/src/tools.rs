//! Tools for operators, on the database of the worker.

mod doctor;
mod explain;
mod import;
mod migrate;
mod output;
mod plan;
mod replay;
mod skipped;
mod suppress;

use std::process::ExitCode;

use activities::clock::Clock;
use anyhow::Result;
use chrono::{DateTime, Utc};
use store::Store;
use workflows::clock::ClockOffset;

use crate::config::{DatabaseConfig, PlanConfig};

#[derive(Debug, clap::Subcommand)]
pub enum Tool {
    /// Show what a plan run would do, without writing; needs --dry-run
    Plan(plan::Plan),
    Doctor(doctor::Doctor),
    /// Apply the migrations to the database, so that the worker's own role needs no right to create tables
    Migrate(migrate::Migrate),
    /// Explain why a prospect is or is not called
    #[command(alias = "why")]
    Explain(explain::Explain),
    /// Import prospects from a CSV file
    Import(import::Import),
    /// Put the numbers of a file on the do-not-call list; open calls to them are broken off
    Suppress(suppress::Suppress),
    Replay(replay::Replay),
}

impl Tool {
    /// Runs the tool; an error is printed in one line.
    pub async fn run(self) -> ExitCode {
        let result = match self {
            Self::Plan(plan) => plan.run().await.map(|()| ExitCode::SUCCESS),
            Self::Doctor(doctor) => doctor.run().await,
            Self::Migrate(migrate) => migrate.run().await.map(|()| ExitCode::SUCCESS),
            Self::Explain(explain) => explain.run().await.map(|()| ExitCode::SUCCESS),
            Self::Import(import) => import.run().await,
            Self::Suppress(suppress) => suppress.run().await,
            Self::Replay(replay) => replay.run().await.map(|()| ExitCode::SUCCESS),
        };
        match result {
            Ok(code) => code,
            Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

#[derive(Clone, Debug, clap::Args)]
struct StoreArgs {
    #[command(flatten)]
    database: DatabaseConfig,

    /// Seconds by which the service's clock is ahead of real time
    #[arg(long, env, default_value_t = 0, allow_negative_numbers = true)]
    clock_offset_secs: i64,
}

impl StoreArgs {
    async fn connect(&self) -> Result<Store> {
        self.database.connect().await
    }

    fn clock(&self) -> Clock {
        Clock::Running(ClockOffset(self.clock_offset_secs))
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock().now()
    }
}

#[derive(Clone, Debug, clap::Args)]
struct PlanArgs {
    #[command(flatten)]
    plans: PlanConfig,

    /// Minutes between plan runs
    #[arg(long = "schedule-interval", env = "SCHEDULE_INTERVAL", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_440))]
    schedule_interval_minutes: u32,
}
