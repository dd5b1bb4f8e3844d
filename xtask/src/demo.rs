//! `cargo xtask demo`: a dozen simulated calls, from plan to outcome, in about a minute.

mod board;
mod calls;
mod data;
mod planner;
mod summary;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use devstack::{Stack, StackOptions, workspace};
use sqlx::{Connection, PgConnection};

use self::board::Board;
use crate::{cargo, interrupt, step, up};

/// How long the calls of one minute may take in all before something must be wrong.
const DEADLINE: Duration = Duration::from_secs(110);

/// How often the table is looked at.
const GLANCE: Duration = Duration::from_millis(250);

/// Places a dozen simulated calls.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Leave the stack running afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,

    /// Simulated seconds per second in calls
    #[arg(long, default_value_t = 30.0)]
    speed: f64,
}

impl Demo {
    /// Runs on a fresh stack, whose logs stay in `.stack/demo` until the next demo.
    pub async fn run(self) -> anyhow::Result<()> {
        cargo::build_binaries()?;
        tokio::select! {
            result = self.story() => result,
            wished = interrupt::wished() => wished,
        }
    }

    async fn story(&self) -> anyhow::Result<()> {
        let dir = workspace::state_dir("demo");
        let _lock = workspace::DirLock::take(&workspace::state_dir("demo-lock"))?;
        clear(&dir)?;
        eprintln!(
            "Starting a fresh stack; inside it is 15:00 UTC, so that everybody may be called"
        );
        let clock = data::Clock::at_three_in_the_afternoon();
        let options = StackOptions {
            dir: Some(dir.clone()),
            headless: false,
            speed: self.speed,
            clock_offset_secs: clock.offset_secs,
            // As many lines as a dozen calls in a minute are planned to need.
            worker_env: [("SCHEDULE_INTERVAL", "1"), ("MAX_CONCURRENT_CALLS", "10")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            simulator_args: ["--max-concurrent", "10"].map(str::to_owned).into(),
            progress: step::progress,
            ..StackOptions::default()
        };
        let mut stack = Stack::start(options).await?;
        up::write_addresses(&dir, &stack.addresses())?;
        let told = tell(&stack, &clock).await;
        if told.is_err() {
            eprintln!("The logs are in {}", stack.addresses().log_dir.display());
        }
        if self.keep {
            if let Err(error) = &told {
                eprintln!("error: {error:#}");
            }
            println!("\nThe stack is still there; Ctrl-C stops it.");
            interrupt::wished().await?;
        } else if told.is_ok() {
            println!(
                "\nThe stack stops now; `cargo xtask demo --keep` leaves it running, to try these on."
            );
        }
        stack.stop().await?;
        told
    }
}

/// Plans the calls, watches them, and says what came of them.
async fn tell(stack: &Stack, clock: &data::Clock) -> anyhow::Result<()> {
    let mut database = PgConnection::connect(stack.database_url())
        .await
        .context("could not connect to the database")?;
    // Nothing else is planned from here on, so that the table holds the calls of one run.
    planner::pause(&stack.temporal).await?;
    data::load(&mut database, clock).await?;
    let started = Instant::now();
    let run = planner::trigger(&stack.temporal, DEADLINE).await?;
    watch(&mut database, started, &run).await?;
    summary::print(&mut database, stack, started).await
}

async fn watch(database: &mut PgConnection, started: Instant, run: &str) -> anyhow::Result<()> {
    let mut board = Board::default();
    loop {
        let calls = calls::all(database).await?;
        if calls.is_empty() {
            bail!(
                "the plan run {run} planned no call; the table plan_decisions says why for each prospect"
            );
        }
        board.show(&calls);
        let open = calls.iter().filter(|call| call.is_open()).count();
        if open == 0 {
            return Ok(());
        }
        if started.elapsed() >= DEADLINE {
            bail!(
                "{open} of {} calls are not settled after {} s; look at them in the Temporal UI (--keep)",
                calls.len(),
                DEADLINE.as_secs()
            );
        }
        tokio::time::sleep(GLANCE).await;
    }
}

fn clear(dir: &std::path::Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not empty {}", dir.display()))
        }
        _ => Ok(()),
    }
}
