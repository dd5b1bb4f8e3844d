//! What it costs to plan a batch of users, by how many prospects there are.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use devstack::fixtures::User;
use devstack::{Parts, Stack, StackOptions, workspace};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::report::{Figure, tell};
use crate::start;

/// Users in a batch.
const USERS: i64 = 5;
/// Calls that each of them may make a day, so that every run plans the same number.
const PER_DAY: i32 = 20;

#[derive(clap::Args)]
pub struct Options {
    /// Prospects in the small database, the reference
    #[arg(long, default_value_t = 1_000)]
    few: i64,
    /// Prospects in the large one
    #[arg(long, default_value_t = 1_000_000)]
    many: i64,
    /// Plan runs in each, a day apart
    #[arg(long, default_value_t = 8)]
    runs: i64,
}

/// Runs the benchmark.
pub async fn run(options: Options) -> Result<()> {
    let few = measure(options.few, options.runs).await?;
    let many = measure(options.many, options.runs).await?;
    println!("{}", many.query_plan);
    let figure = |name, value, unit, aim: &str| Figure { name, value, unit, aim: aim.to_owned() };
    tell(
        "planning",
        &[
            figure("a batch among few prospects", few.batch_ms, "ms", "the reference"),
            figure("a batch among many prospects", many.batch_ms, "ms", ""),
            figure("many to few", many.batch_ms / few.batch_ms, "", "at most 1.5"),
            figure("sequential scans over prospects", many.scans as f64, "", "0"),
            figure("prospects, few", options.few as f64, "", ""),
            figure("prospects, many", options.many as f64, "", ""),
        ],
    )
}

struct Measured {
    batch_ms: f64,
    query_plan: String,
    scans: usize,
}

async fn measure(prospects: i64, runs: i64) -> Result<Measured> {
    let mut stack = Stack::start(StackOptions {
        parts: Parts { simulator: false, webhook: false, worker: true },
        worker_env: [("MAX_CONCURRENT_CALLS", "1000"), ("ULTRAVOX_CALLS_PER_MINUTE", "10000")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        progress: |line| eprintln!("   {line}"),
        ..StackOptions::default()
    })
    .await?;
    let measured = measure_on(&stack, prospects, runs).await;
    stack.stop().await?;
    measured
}

async fn measure_on(stack: &Stack, prospects: i64, runs: i64) -> Result<Measured> {
    let pause =
        ["schedule", "toggle", "--schedule-id", "plan-calls", "--pause", "--reason", "bench"];
    stack.temporal.cli(pause).await?;
    let pool = PgPool::connect(&stack.endpoints().database_url).await?;
    for user in 0..USERS {
        User { per_day: PER_DAY, ..start::user(format!("u{user}")) }.insert(&pool).await?;
    }
    eprintln!("   {prospects} prospects …");
    sqlx::query(
        "insert into prospects (id, user_id, name, phone, time_zone, created_at)
        select 'p' || n, 'u' || n % $2, 'Ann', '+1' || 2000000000 + n, 'UTC', now() - n * interval '1 second'
        from generate_series(1, $1) n",
    )
    .bind(prospects)
    .bind(USERS)
    .execute(&pool)
    .await?;
    sqlx::query("vacuum analyze").execute(&pool).await?;
    let mut batches = Vec::new();
    let noon = Utc::now() + TimeDelta::days(1);
    for run in 0..runs {
        let id = format!("bench-{run}");
        batches.push(batch_ms(stack, &id, noon + TimeDelta::days(run)).await?);
    }
    // The first one finds nothing in memory.
    let rest = &batches[1.min(batches.len() - 1)..];
    let query_plan = explain(&pool).await?;
    Ok(Measured {
        batch_ms: rest.iter().sum::<f64>() / rest.len() as f64,
        scans: query_plan.matches("Seq Scan on prospects").count(),
        query_plan,
    })
}

/// Plans a batch; how long its users took, without what Temporal does between them.
async fn batch_ms(stack: &Stack, id: &str, from: DateTime<Utc>) -> Result<f64> {
    let from = from.to_rfc3339_opts(SecondsFormat::Secs, true);
    let input = json!({"batchSize": USERS, "intervalMinutes": 30, "from": from}).to_string();
    let start = ["workflow", "start", "--type", "PlanCalls", "--task-queue", "calls"];
    stack.temporal.cli(start.into_iter().chain(["--workflow-id", id, "--input", &input])).await?;
    let result = ["workflow", "result", "--workflow-id", id];
    tokio::time::timeout(Duration::from_secs(300), stack.temporal.cli(result)).await??;
    let show = ["workflow", "show", "--workflow-id", id, "--output", "json"];
    let history: Value = serde_json::from_str(&stack.temporal.cli(show).await?)?;
    let events = history["events"].as_array().context("a history has events")?;
    let event = |id: &Value| events.iter().find(|event| event["eventId"] == *id);
    let mut sum = 0.0;
    let mut users = 0;
    for done in events {
        let attributes = &done["activityTaskCompletedEventAttributes"];
        let Some(scheduled) = event(&attributes["scheduledEventId"]) else { continue };
        let kind = &scheduled["activityTaskScheduledEventAttributes"]["activityType"]["name"];
        let Some(started) = event(&attributes["startedEventId"]) else { continue };
        if kind == "planning.plan_user" {
            sum += (time(done)? - time(started)?).num_microseconds().unwrap_or(0) as f64 / 1_000.0;
            users += 1;
        }
    }
    if users != USERS {
        bail!("{users} users were planned instead of {USERS}");
    }
    Ok(sum)
}

fn time(event: &Value) -> Result<DateTime<Utc>> {
    Ok(event["eventTime"].as_str().context("an event has a time")?.parse()?)
}

/// How the database finds the prospects that a run considers.
async fn explain(pool: &PgPool) -> Result<String> {
    let mut connection = pool.acquire().await?;
    let statement = format!(
        "prepare candidates (text, bigint, timestamptz, boolean, bigint) as {}",
        statement_of_candidates()?
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    let plan = "explain execute candidates ('u0', 1000, now() + interval '1 day', false, 5)";
    let lines: Vec<String> = sqlx::query_scalar(plan).fetch_all(&mut *connection).await?;
    Ok(lines.join("\n"))
}

/// The statement as it is described for the build.
fn statement_of_candidates() -> Result<String> {
    for entry in std::fs::read_dir(workspace::root().join(".sqlx"))? {
        let described: Value = serde_json::from_str(&std::fs::read_to_string(entry?.path())?)?;
        let statement = described["query"].as_str().unwrap_or_default();
        if statement.trim_start().starts_with("with considered as") {
            return Ok(statement.to_owned());
        }
    }
    bail!("no statement in .sqlx begins with `with considered as`")
}
