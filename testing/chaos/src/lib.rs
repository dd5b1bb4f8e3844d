//! Chaos test: places calls while random faults are injected, then checks invariants.
//!
//! The same seed gives the same schedules of faults and disturbances.

mod disturbances;
mod faults;
mod invariants;
mod load;

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use devstack::{FaultProxies, Parts, Stack, StackOptions, workspace};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use disturbances::{Counts, Disturber, Journal};
pub use invariants::Report;

#[derive(Clone, Debug, clap::Parser)]
#[command(about = "Place calls while random faults are injected, then check the invariants")]
pub struct Options {
    /// Number of prospects; most of them are called, some twice
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

/// Simulated seconds per second of a call.
const SPEED: f64 = 10.0;
/// Time over which the calls of the second plan run start.
const SECOND_RUN: Duration = Duration::from_secs(60);
/// Time from the last fault until all calls must be recorded.
const RECORD_TIMEOUT: Duration = Duration::from_secs(330);
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// Places calls, injects faults, waits until all calls are recorded and checks the invariants.
pub async fn run(options: &Options) -> Result<Report> {
    let dir = workspace::temp_dir()?;
    let scenarios = dir.path().join("scenarios.json");
    std::fs::write(&scenarios, load::scenarios(options.calls)?.to_string())?;
    let (mut stack, proxies) = start(options, &scenarios).await?;
    let report = run_calls(&mut stack, &proxies, options).await;
    stack.stop().await?;
    report
}

/// Starts a stack whose worker reaches PostgreSQL and the provider through proxies.
async fn start(options: &Options, scenarios: &Path) -> Result<(Stack, FaultProxies)> {
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
    let mut stack = Stack::start(StackOptions {
        speed: SPEED,
        parts: Parts { worker: false, ..StackOptions::default().parts },
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
    let proxies = FaultProxies::start(stack.endpoints()).await?;
    let worker_env = proxies.worker_env(stack.endpoints())?;
    stack.worker = Some(stack.start_worker("worker", &worker_env).await?);
    Ok((stack, proxies))
}

async fn run_calls(stack: &mut Stack, proxies: &FaultProxies, options: &Options) -> Result<Report> {
    let database =
        PgPoolOptions::new().max_connections(8).connect(&stack.endpoints().database_url).await?;
    load::insert(stack, &database, options.calls).await?;
    let planned = load::plan(stack, "plan-calls-chaos", options.duration()).await?;
    eprintln!("   {planned} calls planned; injecting faults for {:?}", options.duration());
    let began = Instant::now();
    let disturber = || Disturber {
        database: database.clone(),
        temporal: stack.temporal.handle(),
        endpoints: stack.endpoints().clone(),
        proxies,
        journal: Journal::default(),
        counts: Counts::default(),
    };
    let (mut momentary, mut lasting) = (disturber(), disturber());
    let (at_once, for_a_while) = (disturbances::momentary(), disturbances::lasting());
    let (counts, (), ()) = tokio::try_join!(
        inject_faults(stack, options, began),
        disturb(&mut momentary, &at_once, 800..3_000, options, began),
        disturb(&mut lasting, &for_a_while, 300..1_500, options, began),
    )?;
    // Nobody may be paused any more.
    let _ = momentary.resume_users().await;
    faults::clear_faults(stack.endpoints()).await?;
    wait_until_at_rest(stack, &database, began).await?;
    // Calls that were requeued, or whose phone number was busy, are planned again.
    let again = load::plan(stack, "plan-calls-chaos-again", SECOND_RUN).await?;
    eprintln!("   {:>4} s  {again} calls planned in a second run", began.elapsed().as_secs());
    wait_until_at_rest(stack, &database, began).await?;
    let counts = counts.into_iter().chain(momentary.counts).chain(lasting.counts).collect();
    invariants::check(stack, &database, &momentary.journal, counts).await
}

/// Injects the faults of the processes, the dial requests and the webhooks.
async fn inject_faults(stack: &mut Stack, options: &Options, began: Instant) -> Result<Counts> {
    let mut counts = Counts::new();
    for (at, fault) in faults::schedule(options.seed, options.duration()) {
        tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        eprintln!("   {:>4} s  {fault}", began.elapsed().as_secs());
        fault.inject(stack).await?;
        let count = counts.entry(fault.to_string()).or_default();
        *count = (count.0 + 1, count.1 + 1);
    }
    Ok(counts)
}

/// Carries out the disturbances of a deck, one after the other.
async fn disturb(
    disturber: &mut Disturber<'_>,
    deck: &[disturbances::Disturbance],
    pause: Range<u64>,
    options: &Options,
    began: Instant,
) -> Result<()> {
    let schedule = disturbances::schedule(options.seed, deck, pause, options.duration());
    for (number, (at, disturbance)) in schedule.into_iter().enumerate() {
        tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
        disturber.disturb(disturbance, number).await;
        if began.elapsed() > options.duration() {
            break;
        }
    }
    Ok(())
}

/// Waits until no call is open, no dial is live, and nothing that was said is unread. After the timeout the invariants
/// report what is left.
async fn wait_until_at_rest(stack: &Stack, database: &PgPool, began: Instant) -> Result<()> {
    let deadline = Instant::now() + RECORD_TIMEOUT;
    let mut last_sweep: Option<Instant> = None;
    loop {
        let open: i64 = sqlx::query_scalar(OPEN).fetch_one(database).await?;
        let running = running_workflows(stack).await?;
        if open == 0 && running == 0 {
            eprintln!("   {:>4} s  all calls are recorded", began.elapsed().as_secs());
            return Ok(());
        }
        if Instant::now() > deadline {
            eprintln!("   {open} open, {running} workflows running after {RECORD_TIMEOUT:?}");
            return Ok(());
        }
        // The schedule sweeps every five minutes.
        if last_sweep.is_none_or(|last| last.elapsed() > SWEEP_INTERVAL) {
            eprintln!(
                "   {:>4} s  {open} open, {running} workflows running",
                began.elapsed().as_secs()
            );
            stack.temporal.cli(["schedule", "trigger", "--schedule-id", "sweep-calls"]).await?;
            last_sweep = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Conversations without an end, live dials, and placed dials whose transcript was not read.
const OPEN: &str = "
    select (select count(*) from conversations where recorded_at is null)
        + (select count(*) from dials
            where closed_at is null
                or answered_at is not null and transcript_read_at is null and state = 'PLACED')";

async fn running_workflows(stack: &Stack) -> Result<usize> {
    let query = r#"ExecutionStatus="Running" AND WorkflowType IN ("Call", "LateEvent")"#;
    let found = stack.temporal.cli_json(["workflow", "list", "--query", query]).await?;
    Ok(found.as_array().map_or(0, Vec::len))
}
