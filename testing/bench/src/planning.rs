//! Duration of a plan run, depending on the number of prospects.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use devstack::fixtures::User;
use devstack::{Parts, Stack, StackOptions, workspace};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::report::{figure, report};
use crate::start;

/// Users per plan run.
const USERS: i64 = 5;
/// Calls per user and day, so that all runs plan the same number.
const PER_DAY: i32 = 20;

#[derive(clap::Args)]
pub struct Options {
    /// Prospects in the small database (the reference)
    #[arg(long, default_value_t = 1_000)]
    few: i64,
    /// Prospects in the large database
    #[arg(long, default_value_t = 1_000_000)]
    many: i64,
    /// Plan runs per database, one day apart
    #[arg(long, default_value_t = 8)]
    runs: i64,
}

pub async fn run(options: Options) -> Result<()> {
    let few = measure(options.few, options.runs).await?;
    let many = measure(options.many, options.runs).await?;
    println!("{}", many.query_plan);
    report(
        "planning",
        &[
            figure("plan run among few prospects", few.run_ms, "ms", "the reference"),
            figure("plan run among many prospects", many.run_ms, "ms", ""),
            figure("ratio of many to few", many.run_ms / few.run_ms, "", "at most 1.5"),
            figure("sequential scans over prospects", many.scans as f64, "", "0"),
            figure("prospects (few)", options.few as f64, "", ""),
            figure("prospects (many)", options.many as f64, "", ""),
        ],
    )
}

struct Measured {
    run_ms: f64,
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
    stack.temporal.pause_schedule("plan-calls").await?;
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
    let mut durations_ms = Vec::new();
    let noon = Utc::now() + TimeDelta::days(1);
    for run in 0..runs {
        let id = format!("bench-{run}");
        durations_ms.push(measure_run_ms(stack, &id, noon + TimeDelta::days(run)).await?);
    }
    // Without the first run, which reads from disk.
    let warm = &durations_ms[1.min(durations_ms.len() - 1)..];
    let query_plan = explain(&pool).await?;
    Ok(Measured {
        run_ms: warm.iter().sum::<f64>() / warm.len() as f64,
        scans: query_plan.matches("Seq Scan on prospects").count(),
        query_plan,
    })
}

/// Runs the planner and returns the sum of its `planning.plan_user` activities in ms.
async fn measure_run_ms(stack: &Stack, id: &str, from: DateTime<Utc>) -> Result<f64> {
    let from = from.to_rfc3339_opts(SecondsFormat::Secs, true);
    let input = json!({"batchSize": USERS, "intervalMinutes": 30, "from": from});
    let run = stack.temporal.run_workflow("PlanCalls", id, &input);
    tokio::time::timeout(Duration::from_secs(300), run).await??;
    let history = stack.temporal.cli_json(["workflow", "show", "--workflow-id", id]).await?;
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

/// Returns the query plans of the queries that pick a user's candidates.
async fn explain(pool: &PgPool) -> Result<String> {
    let mut connection = pool.acquire().await?;
    let mut lines: Vec<String> = Vec::new();
    for (n, (query, arguments)) in read_candidate_queries()?.iter().enumerate() {
        let prepare = AssertSqlSafe(format!("prepare candidates_{n} as {query}"));
        sqlx::raw_sql(prepare).execute(&mut *connection).await?;
        let explain = AssertSqlSafe(format!("explain execute candidates_{n} ({arguments})"));
        let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut *connection).await?;
        lines.extend(plan);
    }
    Ok(lines.join("\n"))
}

/// Reads the queries from `.sqlx`, each with arguments for `execute`.
fn read_candidate_queries() -> Result<Vec<(String, String)>> {
    let mut queries = Vec::new();
    for entry in std::fs::read_dir(workspace::root().join(".sqlx"))? {
        let description: Value = serde_json::from_str(&std::fs::read_to_string(entry?.path())?)?;
        let query = description["query"].as_str().unwrap_or_default();
        if !query.starts_with(r#"select id as "id!" from callees"#) {
            continue;
        }
        let types = description["describe"]["parameters"]["Left"].as_array();
        let arguments = types.into_iter().flatten().map(|name| match name.as_str() {
            Some("Text") => "'u0'",
            Some("Bool") => "true",
            Some("Timestamptz") => "now() + interval '1 day'",
            _ => "100",
        });
        queries.push((query.to_owned(), arguments.collect::<Vec<_>>().join(", ")));
    }
    ensure!(!queries.is_empty(), "no query in .sqlx picks candidates");
    Ok(queries)
}
