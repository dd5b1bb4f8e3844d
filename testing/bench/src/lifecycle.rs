//! Complete calls, from the start of the workflow to the recorded outcome.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use chrono::{NaiveTime, TimeDelta, Utc};
use devstack::{Stack, StackOptions};
use futures::{StreamExt as _, stream};
use sqlx::PgPool;
use temporalio_client::Client;
use workflows::Call;
use workflows::clock::ClockOffset;

use crate::memory::read_resident_megabytes;
use crate::reference::measure_empty_workflows;
use crate::report::{Figure, figure, report};
use crate::start::{MAX_CONCURRENT_STARTS, connect, start_calls, user};

/// Simulated seconds per second, so that talk takes no time.
const FULL_SPEED: f64 = 1e6;
const TIMEOUT: Duration = Duration::from_secs(600);

#[derive(clap::Args)]
pub struct Options {
    /// Number of complete calls
    #[arg(long, default_value_t = 500)]
    calls: usize,
    /// Number of waiting calls while memory is measured
    #[arg(long, default_value_t = 1_000)]
    asleep: usize,
}

pub async fn run(options: Options) -> Result<()> {
    // Noon, so that the result does not depend on the time of day.
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
    let figures = measure(&stack, &options, offset).await;
    stack.stop().await?;
    report("lifecycle", &figures?)
}

async fn measure(stack: &Stack, options: &Options, offset: i64) -> Result<Vec<Figure>> {
    let pool = PgPool::connect(&stack.endpoints().database_url).await?;
    let client = connect(stack).await?;
    user("bench").insert(&pool).await?;
    let clock = ClockOffset(offset);
    let now = clock.apply(Utc::now());

    eprintln!("   {} empty workflows …", options.calls);
    let before = measure_empty_workflows(&client, options.calls, 1).await?;
    eprintln!("   {} complete calls …", options.calls);
    let began = Instant::now();
    let ids = start_calls(&pool, &client, "bench", "c", options.calls, now, clock).await?;
    wait_until_recorded(&pool, options.calls).await?;
    let calls = options.calls as f64 / began.elapsed().as_secs_f64();
    let events = mean_events(&client, &ids).await?;
    eprintln!("   {} empty workflows …", options.calls);
    let after = measure_empty_workflows(&client, options.calls, 2).await?;
    let empty = (before + after) / 2.0;

    eprintln!("   {} waiting calls …", options.asleep);
    let slot = now + TimeDelta::hours(2);
    let ids = start_calls(&pool, &client, "bench", "s", options.asleep, slot, clock).await?;
    wait_until_timers_started(&client, &ids).await?;
    let worker = stack.worker.as_ref().context("the stack has no worker")?;
    let memory = read_resident_megabytes(worker.pid())?;

    Ok(vec![
        figure("complete calls", calls, "calls/s", ""),
        figure("empty workflows", empty, "workflows/s", "the reference"),
        figure("ratio of calls to empty workflows", calls / empty, "", "at least 0.33"),
        figure("events per call", events, "events", "at most 26"),
        figure("memory of the worker with waiting calls", memory, "MB", "at most 60"),
    ])
}

async fn wait_until_recorded(pool: &PgPool, count: usize) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let done: i64 =
            sqlx::query_scalar("select count(*) from conversations where recorded_at is not null")
                .fetch_one(pool)
                .await?;
        if done as usize >= count {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("only {done} of {count} calls are recorded after {TIMEOUT:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until all calls have started the timer for their slot.
async fn wait_until_timers_started(client: &Client, ids: &[String]) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    let mut starting: Vec<&String> = ids.iter().collect();
    while !starting.is_empty() {
        if Instant::now() > deadline {
            bail!("{} calls have not started their timer after {TIMEOUT:?}", starting.len());
        }
        let lengths = history_lengths(client, starting.iter().map(|id| id.as_str())).await?;
        starting =
            starting.into_iter().zip(lengths).filter(|(_, n)| *n < 5).map(|(id, _)| id).collect();
    }
    Ok(())
}

async fn mean_events(client: &Client, ids: &[String]) -> Result<f64> {
    let lengths = history_lengths(client, ids.iter().map(String::as_str)).await?;
    Ok(lengths.iter().sum::<usize>() as f64 / lengths.len() as f64)
}

async fn history_lengths(client: &Client, ids: impl Iterator<Item = &str>) -> Result<Vec<usize>> {
    let lengths: Vec<Result<usize>> = stream::iter(ids.map(str::to_owned).collect::<Vec<_>>())
        .map(|id| async move {
            let handle = client.get_workflow_handle::<Call>(id);
            Ok(handle.describe(Default::default()).await?.history_length())
        })
        .buffered(MAX_CONCURRENT_STARTS)
        .collect()
        .await;
    lengths.into_iter().collect()
}
