//! Calls on a stack whose parts are killed and disturbed at random, and what must hold all the same.
//!
//! The seed decides when what happens; the same seed gives the same schedule of faults.

mod disturb;
mod invariants;
mod load;
mod random;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use devstack::{Scratch, Stack, StackOptions};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

pub use disturb::Disturbance;
pub use invariants::Report;

/// What to run.
#[derive(Clone, Debug, clap::Parser)]
#[command(about = "Makes calls on a stack that is disturbed at random, and checks what must hold")]
pub struct Options {
    /// Calls to make
    #[arg(long, default_value_t = 500)]
    pub calls: usize,
    /// Decides the faults
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Seconds in which the calls begin and the faults happen
    #[arg(long)]
    pub secs: Option<u64>,
}

impl Options {
    fn span(&self) -> Duration {
        let usual = (self.calls as u64 / 3).clamp(55, 180);
        Duration::from_secs(self.secs.unwrap_or(usual))
    }
}

/// In how much time the calls begin that are planned at the end.
const AGAIN: Duration = Duration::from_secs(60);
/// How long after the last fault the calls may take to settle.
const PATIENCE: Duration = Duration::from_secs(330);

/// Runs the calls, disturbs them, waits until all are settled and checks the invariants.
pub async fn run(options: &Options) -> Result<Report> {
    let schedule = disturb::schedule(options.seed, options.span());
    let scratch = Scratch::new()?;
    let scenarios = scratch.path().join("scenarios.json");
    std::fs::write(&scenarios, load::scenarios(options.calls)?.to_string())?;
    let mut stack = start(options, &scenarios).await?;
    let checked = disturbed(&mut stack, options, &schedule).await;
    stack.stop().await?;
    checked
}

async fn start(options: &Options, scenarios: &Path) -> Result<Stack> {
    // A plan takes a call to use a line for half a minute.
    let lines = (options.calls as u64 / 2 / options.span().as_secs().div_ceil(60) + 5).to_string();
    let worker_env = [
        ("MAX_CONCURRENT_CALLS", lines.as_str()),
        ("ULTRAVOX_CALLS_PER_MINUTE", "100000"),
        ("RING_TIMEOUT", "16"),
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

async fn disturbed(
    stack: &mut Stack,
    options: &Options,
    schedule: &[(Duration, Disturbance)],
) -> Result<Report> {
    let database = PgPoolOptions::new().max_connections(2).connect(stack.database_url()).await?;
    load::insert(stack, &database, options.calls).await?;
    let planned = load::plan(stack, "plan-calls-chaos", options.span()).await?;
    eprintln!("   {planned} calls planned; disturbing them for {:?}", options.span());
    let began = Instant::now();
    for (at, disturbance) in schedule {
        tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        eprintln!("   {:>4} s  {disturbance}", began.elapsed().as_secs());
        disturbance.happen(stack).await?;
    }
    disturb::calm(stack).await?;
    settled(&database, began).await?;
    // Whoever was not reached after all, or has the number of somebody who was, has a turn now.
    let again = load::plan(stack, "plan-calls-chaos-again", AGAIN).await?;
    eprintln!("   {:>4} s  {again} calls planned anew", began.elapsed().as_secs());
    settled(&database, began).await?;
    invariants::check(stack, &database, planned + again).await
}

/// Waits until no call is open, however long it takes up to a bound.
async fn settled(database: &PgPool, began: Instant) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = Instant::now();
    loop {
        let open: i64 =
            sqlx::query_scalar("select count(*) from conversations where settled_at is null")
                .fetch_one(database)
                .await?;
        if open == 0 {
            eprintln!("   {:>4} s  every call is settled", began.elapsed().as_secs());
            return Ok(());
        }
        if Instant::now() > deadline {
            // The report will name what is broken; this is one of its rows.
            eprintln!("   {open} calls are not settled after {PATIENCE:?}");
            return Ok(());
        }
        if told.elapsed() > Duration::from_secs(10) {
            eprintln!("   {:>4} s  {open} calls are open", began.elapsed().as_secs());
            told = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
