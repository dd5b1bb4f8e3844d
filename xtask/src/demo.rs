//! `cargo xtask demo`: twelve simulated calls, from plan to outcome, in about a minute.

mod calls;
mod data;
mod planner;
mod progress_table;
mod summary;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use devstack::{Stack, StackOptions, workspace};
use sqlx::{Connection, PgConnection};

use self::progress_table::ProgressTable;
use crate::interrupt::interrupted;
use crate::{cargo, step, up};

/// Time after which calls that are not recorded count as an error.
const CALLS_TIMEOUT: Duration = Duration::from_secs(110);

const POLL_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Keep the stack running afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,

    /// Simulated seconds per second in calls
    #[arg(long, default_value_t = 30.0)]
    speed: f64,
}

impl Demo {
    /// Runs on a new stack. Its logs stay in `.stack/demo` until the next demo.
    pub async fn run(self) -> anyhow::Result<()> {
        cargo::build_binaries()?;
        tokio::select! {
            result = self.run_on_new_stack() => result,
            result = interrupted() => result,
        }
    }

    async fn run_on_new_stack(&self) -> anyhow::Result<()> {
        let dir = workspace::state_dir("demo");
        let _lock = workspace::DirLock::acquire(&workspace::state_dir("demo-lock"))?;
        clear(&dir)?;
        eprintln!(
            "Starting a new stack; its clock shows 15:00 UTC, which is within the calling hours of all prospects"
        );
        let clock = data::Clock::starting_at_15_utc();
        let options = StackOptions {
            dir: Some(dir.clone()),
            headless: false,
            speed: self.speed,
            clock_offset_secs: clock.offset_secs,
            // As many lines as twelve calls per minute are planned to need.
            worker_env: [("SCHEDULE_INTERVAL", "1"), ("MAX_CONCURRENT_CALLS", "10")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            simulator_args: ["--max-concurrent", "10"].map(str::to_owned).into(),
            progress: step::progress,
            ..StackOptions::default()
        };
        let mut stack = Stack::start(options).await?;
        up::write_stack_file(&dir, &stack)?;
        let result = place_calls(&stack, &clock).await;
        if result.is_err() {
            eprintln!("The logs are in {}", stack.endpoints().log_dir.display());
        }
        if self.keep {
            if let Err(error) = &result {
                eprintln!("error: {error:#}");
            }
            println!("\nThe stack is still running; Ctrl-C stops it.");
            interrupted().await?;
        } else if result.is_ok() {
            println!(
                "\nStopping the stack; `cargo xtask demo --keep` keeps it running for these commands."
            );
        }
        stack.stop().await?;
        result
    }
}

/// Plans the calls, shows their progress and prints a summary.
async fn place_calls(stack: &Stack, clock: &data::Clock) -> anyhow::Result<()> {
    let mut database = PgConnection::connect(&stack.endpoints().database_url)
        .await
        .context("could not connect to the database")?;
    // No other plan run from here on, so that the table shows the calls of one run.
    stack.temporal.pause_schedule(planner::SCHEDULE).await?;
    data::load(&mut database, clock).await?;
    let started = Instant::now();
    let run = planner::trigger(&stack.temporal, CALLS_TIMEOUT).await?;
    show_progress(&mut database, started, &run).await?;
    summary::print(&mut database, stack, started).await
}

async fn show_progress(
    database: &mut PgConnection,
    started: Instant,
    run: &str,
) -> anyhow::Result<()> {
    let mut table = ProgressTable::default();
    loop {
        let calls = calls::read_all(database).await?;
        if calls.is_empty() {
            bail!(
                "the plan run {run} planned no call; the table plan_decisions has the reason for each prospect"
            );
        }
        table.update(&calls);
        let open = calls.iter().filter(|call| call.is_open()).count();
        if open == 0 {
            return Ok(());
        }
        if started.elapsed() >= CALLS_TIMEOUT {
            bail!(
                "{open} of {} calls are not recorded after {} s; inspect them in the Temporal UI (--keep)",
                calls.len(),
                CALLS_TIMEOUT.as_secs()
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Removes a folder with its contents, if there is one.
pub(crate) fn clear(dir: &std::path::Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not empty {}", dir.display()))
        }
        _ => Ok(()),
    }
}
