//! Chaos test: places calls while random faults are injected, then checks invariants.
//!
//! The same seed gives the same schedule of faults.

mod faults;
mod invariants;
mod load;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use devstack::{Stack, StackOptions, workspace};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use faults::Fault;
pub use invariants::Report;

#[derive(Clone, Debug, clap::Parser)]
#[command(about = "Place calls while random faults are injected, then check the invariants")]
pub struct Options {
    /// Number of calls
    #[arg(long, default_value_t = 500)]
    pub calls: usize,
    /// Seed of the fault schedule
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Seconds over which calls start and faults are injected [default: depends on --calls]
    #[arg(long)]
    pub secs: Option<u64>,
}

impl Options {
    fn duration(&self) -> Duration {
        let default = (self.calls as u64 / 3).clamp(55, 180);
        Duration::from_secs(self.secs.unwrap_or(default))
    }
}

/// Time over which the calls of the second plan run start.
const SECOND_RUN: Duration = Duration::from_secs(60);
/// Time from the last fault until all calls must be recorded.
const RECORD_TIMEOUT: Duration = Duration::from_secs(330);

/// Places calls, injects faults, waits until all calls are recorded and checks the invariants.
pub async fn run(options: &Options) -> Result<Report> {
    let schedule = faults::schedule(options.seed, options.duration());
    let dir = workspace::temp_dir()?;
    let scenarios = dir.path().join("scenarios.json");
    std::fs::write(&scenarios, load::scenarios(options.calls)?.to_string())?;
    let mut stack = start(options, &scenarios).await?;
    let report = run_calls(&mut stack, options, &schedule).await;
    stack.stop().await?;
    report
}

async fn start(options: &Options, scenarios: &Path) -> Result<Stack> {
    // The planner assumes that a call uses a line for half a minute.
    let lines =
        (options.calls as u64 / 2 / options.duration().as_secs().div_ceil(60) + 5).to_string();
    let worker_env = [
        ("MAX_CONCURRENT_CALLS", lines.as_str()),
        ("ULTRAVOX_CALLS_PER_MINUTE", "100000"),
        ("RING_TIMEOUT", "16"),
        // The simulator lists a call at once.
        ("NEVER_PLACED_AFTER_SECS", "10"),
        ("MAX_CALL_MINUTES", "1"),
        ("BATCH_SIZE", "50"),
    ];
    let started = Stack::start(StackOptions {
        speed: 10.0,
        clock_offset_secs: load::seconds_to_noon(),
        durable: true,
        account_webhook: true,
        worker_env: worker_env.map(|(name, value)| (name.into(), value.into())).into(),
        simulator_args: [
            "--max-concurrent",
            "60",
            "--retry-base-secs",
            "1",
            "--scenarios",
            &scenarios.to_string_lossy(),
        ]
        .map(str::to_owned)
        .into(),
        progress: |line| eprintln!("   {line}"),
        ..StackOptions::default()
    })
    .await?;
    Ok(started)
}

async fn run_calls(
    stack: &mut Stack,
    options: &Options,
    schedule: &[(Duration, Fault)],
) -> Result<Report> {
    let database =
        PgPoolOptions::new().max_connections(2).connect(&stack.endpoints().database_url).await?;
    load::insert(stack, &database, options.calls).await?;
    let planned = load::plan(stack, "plan-calls-chaos", options.duration()).await?;
    eprintln!("   {planned} calls planned; injecting faults for {:?}", options.duration());
    let began = Instant::now();
    for (at, fault) in schedule {
        tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        eprintln!("   {:>4} s  {fault}", began.elapsed().as_secs());
        fault.inject(stack).await?;
    }
    faults::clear_faults(stack).await?;
    wait_until_recorded(&database, began).await?;
    // Calls that were requeued, or whose phone number was busy, are planned again.
    let again = load::plan(stack, "plan-calls-chaos-again", SECOND_RUN).await?;
    eprintln!("   {:>4} s  {again} calls planned in a second run", began.elapsed().as_secs());
    wait_until_recorded(&database, began).await?;
    invariants::check(stack, &database).await
}

/// Waits until no call is open. After the timeout the invariants report the open calls.
async fn wait_until_recorded(database: &PgPool, began: Instant) -> Result<()> {
    let deadline = Instant::now() + RECORD_TIMEOUT;
    let mut last_progress = Instant::now();
    loop {
        let open: i64 =
            sqlx::query_scalar("select count(*) from conversations where recorded_at is null")
                .fetch_one(database)
                .await?;
        if open == 0 {
            eprintln!("   {:>4} s  all calls are recorded", began.elapsed().as_secs());
            return Ok(());
        }
        if Instant::now() > deadline {
            eprintln!("   {open} calls are not recorded after {RECORD_TIMEOUT:?}");
            return Ok(());
        }
        if last_progress.elapsed() > Duration::from_secs(10) {
            eprintln!("   {:>4} s  {open} open calls", began.elapsed().as_secs());
            last_progress = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
