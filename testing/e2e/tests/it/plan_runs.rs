//! Plan runs that are cancelled, and users that can't be planned.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::SecondsFormat;
use devstack::{Parts, StackOptions};
use serde_json::json;
use sqlx::Connection as _;

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, eventually, read_conversations, run_plan,
};

const PLAN_TIMEOUT: Duration = Duration::from_secs(30);
const RUN: &str = "plan-calls-cancelled";

async fn start_system() -> Result<TestSystem> {
    TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        parts: Parts { simulator: false, webhook: false, worker: true },
        ..StackOptions::default()
    })
    .await
}

/// Inserts users, each with a prospect.
async fn insert_users(system: &TestSystem, count: u32) -> Result<()> {
    for number in 1..=count {
        let user = User::new(format!("u{number:02}"));
        user.insert(&system.database).await?;
        let prospect = Prospect::new(format!("p{number:02}")).of_user(user.id);
        prospect.phone_ending(212, number).insert(&system.database).await?;
    }
    Ok(())
}

/// The run plans eight users at once. The row of one of them is locked, so the run is cancelled while seven are planned.
#[tokio::test]
async fn cancelled_plan_run_stops_and_starts_the_calls_that_it_has_planned() -> Result<()> {
    let system = start_system().await?;
    insert_users(&system, 20).await?;
    let mut connection = system.database.acquire().await?;
    let mut lock = connection.begin().await?;
    sqlx::query("select from users where id = 'u08' for update").execute(&mut *lock).await?;
    let input = json!({
        "batchSize": 100,
        "intervalMinutes": 300,
        "clockOffset": system.clock_offset_secs(),
        "from": system.now().to_rfc3339_opts(SecondsFormat::Secs, true),
    })
    .to_string();
    let start = ["workflow", "start", "--type", "PlanCalls", "--task-queue", "calls"];
    system.temporal(start.into_iter().chain(["--workflow-id", RUN, "--input", &input])).await?;
    let planned = async |count: usize| {
        eventually(PLAN_TIMEOUT, &format!("{count} calls are planned"), async || {
            let planned = read_conversations(&system.database).await?;
            Ok((planned.len() == count).then_some(()))
        })
        .await;
    };
    planned(7).await;
    system.stack.temporal.cli(["workflow", "cancel", "--workflow-id", RUN]).await?;
    lock.rollback().await?;
    drop(connection);
    planned(8).await;
    eventually(PLAN_TIMEOUT, "the plan run is cancelled", async || {
        let described = system.temporal(["workflow", "describe", "--workflow-id", RUN]).await?;
        let status = described["workflowExecutionInfo"]["status"].as_str().unwrap_or_default();
        Ok(status.ends_with("CANCELED").then_some(()))
    })
    .await;
    planned(8).await;
    let expected: Vec<String> = (1..=8).map(|number| format!("call/p{number:02}-1")).collect();
    eventually(PLAN_TIMEOUT, "the planned calls have workflows", async || {
        let found = system.workflows(r#"WorkflowType="Call""#).await?;
        Ok((found == expected).then_some(()))
    })
    .await;
    Ok(())
}

/// A row that no build can read: its constraint is dropped for the test.
#[tokio::test]
async fn unreadable_row_of_a_user_delays_nobody_and_has_a_decision() -> Result<()> {
    let system = start_system().await?;
    insert_users(&system, 4).await?;
    sqlx::raw_sql(
        "alter table advanced_settings drop constraint advanced_settings_days_off_are_dates;
        update advanced_settings set days_off = '{300000-01-01}' where id in ('adv-u01', 'adv-u03')",
    )
    .execute(&system.database)
    .await?;
    let start = Instant::now();
    let result = run_plan(&system, Plan::at(system.now())).await?;
    assert!(start.elapsed() < PLAN_TIMEOUT, "{:?}", start.elapsed());
    assert_eq!(result["failedUsers"], json!(["u01", "u03"]), "{result}");
    assert_eq!(result["skipped"], json!({"planning_failed": 2}), "{result}");
    let planned = read_conversations(&system.database).await?;
    // The users are planned at the same time, so either may get the first slot.
    let planned: BTreeSet<&str> = planned.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(planned, BTreeSet::from(["p02-1", "p04-1"]));
    let waiting: i64 = sqlx::query_scalar("select count(*) from users where planned_at is null")
        .fetch_one(&system.database)
        .await?;
    assert_eq!(waiting, 0, "the turn of each user is over");
    Ok(())
}
