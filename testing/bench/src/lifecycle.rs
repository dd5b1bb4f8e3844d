//! Whole calls, from the start of the workflow to settled records.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use chrono::{NaiveTime, TimeDelta, Utc};
use devstack::{Stack, StackOptions};
use futures::{StreamExt as _, stream};
use sqlx::PgPool;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, Url};
use workflows::Call;
use workflows::clock::ClockOffset;

use crate::memory::resident_megabytes;
use crate::reference::empty_per_second;
use crate::report::{Figure, tell};
use crate::start::{STARTS_AT_ONCE, start_calls, user};

/// A speed at which no simulated second takes any time.
const FULL_SPEED: f64 = 1e6;
/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(clap::Args)]
pub struct Options {
    /// Whole calls to make
    #[arg(long, default_value_t = 500)]
    calls: usize,
    /// Calls that sleep while memory is measured
    #[arg(long, default_value_t = 1_000)]
    asleep: usize,
}

/// Runs the benchmark.
pub async fn run(options: Options) -> Result<()> {
    // At noon, so that the hour of the run does not matter.
    let noon = Utc::now().date_naive().and_time(NaiveTime::from_hms_opt(12, 0, 0).expect("a time"));
    let offset = (noon.and_utc() - Utc::now()).num_seconds();
    let mut stack = Stack::start(StackOptions {
        speed: FULL_SPEED,
        clock_offset_secs: offset,
        worker_env: [("MAX_CONCURRENT_CALLS", "10000")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        simulator_args: ["--max-concurrent", "100000"].map(str::to_owned).into(),
        progress: |line| eprintln!("   {line}"),
        ..StackOptions::default()
    })
    .await?;
    let measured = measure(&stack, &options, offset).await;
    stack.stop().await?;
    tell("lifecycle", &measured?)
}

async fn measure(stack: &Stack, options: &Options, offset: i64) -> Result<Vec<Figure>> {
    let pool = PgPool::connect(&stack.endpoints().database_url).await?;
    let client = connect(stack).await?;
    user("bench").insert(&pool).await?;
    let clock = ClockOffset(offset);
    let now = clock.apply(Utc::now());

    eprintln!("   {} empty workflows …", options.calls);
    let before = empty_per_second(&client, options.calls, 1).await?;
    eprintln!("   {} whole calls …", options.calls);
    let began = Instant::now();
    let ids = start_calls(&pool, &client, "bench", "c", options.calls, now, clock).await?;
    settled(&pool, options.calls).await?;
    let calls = options.calls as f64 / began.elapsed().as_secs_f64();
    let events = mean_events(&client, &ids).await?;
    eprintln!("   {} empty workflows …", options.calls);
    let after = empty_per_second(&client, options.calls, 2).await?;
    let empty = (before + after) / 2.0;

    eprintln!("   {} calls asleep …", options.asleep);
    let slot = now + TimeDelta::hours(2);
    let ids = start_calls(&pool, &client, "bench", "s", options.asleep, slot, clock).await?;
    asleep(&client, &ids).await?;
    let worker = stack.worker.as_ref().context("the stack has no worker")?;
    let memory = resident_megabytes(worker.pid())?;

    Ok(vec![
        figure("whole calls", calls, "calls/s", ""),
        figure("empty workflows, before and after", empty, "workflows/s", "the reference"),
        figure("calls to empty workflows", calls / empty, "", "at least 0.33"),
        figure("events of a call", events, "events", "at most 26"),
        figure("memory of the worker, calls asleep", memory, "MB", "at most 60"),
    ])
}

fn figure(name: &'static str, value: f64, unit: &'static str, aim: &str) -> Figure {
    Figure { name, value, unit, aim: aim.to_owned() }
}

async fn connect(stack: &Stack) -> Result<Client> {
    let url = Url::parse(&format!("http://{}", stack.temporal.address()))?;
    let connection = Connection::connect(ConnectionOptions::new(url).build()).await?;
    Ok(Client::new(connection, ClientOptions::new("default").build())?)
}

/// Waits until that many calls are settled.
async fn settled(pool: &PgPool, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let done: i64 =
            sqlx::query_scalar("select count(*) from conversations where recorded_at is not null")
                .fetch_one(pool)
                .await?;
        if done as usize >= count {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("only {done} of {count} calls were settled in {PATIENCE:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until every call has armed its timer.
async fn asleep(client: &Client, ids: &[String]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut awake: Vec<&String> = ids.iter().collect();
    while !awake.is_empty() {
        if Instant::now() > deadline {
            bail!("{} calls did not fall asleep in {PATIENCE:?}", awake.len());
        }
        let lengths = histories(client, awake.iter().map(|id| id.as_str())).await?;
        awake = awake.into_iter().zip(lengths).filter(|(_, n)| *n < 5).map(|(id, _)| id).collect();
    }
    Ok(())
}

async fn mean_events(client: &Client, ids: &[String]) -> Result<f64> {
    let lengths = histories(client, ids.iter().map(String::as_str)).await?;
    Ok(lengths.iter().sum::<usize>() as f64 / lengths.len() as f64)
}

async fn histories(client: &Client, ids: impl Iterator<Item = &str>) -> Result<Vec<usize>> {
    let lengths: Vec<Result<usize>> = stream::iter(ids.map(str::to_owned).collect::<Vec<_>>())
        .map(|id| async move {
            let handle = client.get_workflow_handle::<Call>(id);
            Ok(handle.describe(Default::default()).await?.history_length())
        })
        .buffered(STARTS_AT_ONCE)
        .collect()
        .await;
    lengths.into_iter().collect()
}
