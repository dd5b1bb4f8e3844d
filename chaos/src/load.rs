//! The calls that are made.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use stack::Stack;

/// Prospects of one user.
const PER_USER: usize = 25;

/// The last two digits of the numbers that are called: how each call goes.
const ENDINGS: [u32; 20] =
    [0, 1, 10, 11, 20, 30, 40, 50, 60, 70, 80, 90, 91, 92, 93, 94, 95, 96, 97, 99];

/// The seconds from now to noon of today, so that the hour of the run does not matter.
pub(crate) fn seconds_to_noon() -> i64 {
    let noon = NaiveTime::from_hms_opt(12, 0, 0).expect("noon is a time");
    (Utc::now().date_naive().and_time(noon).and_utc() - Utc::now()).num_seconds()
}

/// Inserts users and prospects and has the planner plan them; says how many calls it planned.
pub(crate) async fn plan(
    stack: &Stack,
    database: &PgPool,
    calls: usize,
    span: Duration,
) -> Result<usize> {
    let pause =
        ["schedule", "toggle", "--schedule-id", "plan-calls", "--pause", "--reason", "chaos"];
    stack.temporal.cli(pause).await?;
    for user in 0..calls.div_ceil(PER_USER) {
        insert_user(database, &format!("u{user}")).await?;
    }
    for n in 0..calls {
        let (area, ending) = (201 + n / ENDINGS.len(), ENDINGS[n % ENDINGS.len()]);
        sqlx::query(
            r#"insert into "Prospect" (id, name, phone, userId) values ($1, 'Ann', $2, $3)"#,
        )
        .bind(format!("p{n}"))
        .bind(format!("+1{area}55501{ending:02}"))
        .bind(format!("u{}", n / PER_USER))
        .execute(database)
        .await?;
    }
    let offset = seconds_to_noon();
    let from = Utc::now() + TimeDelta::seconds(offset + 2);
    let input = json!({
        "batchSize": 1000,
        "intervalMinutes": span.as_secs().div_ceil(60),
        "clockOffset": offset,
        "from": from.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
    .to_string();
    let id = ["--workflow-id", "plan-calls-chaos"];
    let start = ["workflow", "start", "--type", "PlanCalls", "--task-queue", "calls"];
    let start = start.into_iter().chain(id).chain(["--input", &input]);
    stack.temporal.cli(start).await?;
    let result = ["workflow", "result", "--output", "json"].into_iter().chain(id);
    let ended: Value = serde_json::from_str(&stack.temporal.cli(result).await?)?;
    let planned = ended["result"]["planned"].as_u64().context("the plan run has no result")?;
    Ok(planned as usize)
}

/// A client with everything that calls need, who may call at any hour that the law allows.
async fn insert_user(database: &PgPool, user: &str) -> Result<()> {
    for statement in [
        r#"insert into "User" (id, name, email) values ($1, 'Chaos', $1 || '@example.com')"#,
        r#"insert into "Setting" (id, userId) values ($1, $1)"#,
        r#"insert into "AdvancedSetting" (id, settingId, timeZone, startAt, endAt)
            values ($1, $1, 'UTC', '08:00', '21:00')"#,
        r#"insert into "ScriptSetting" (id, settingId, initial, followUp)
            values ($1, $1, 'Sell {prospectName} a clock.', 'Sell again.')"#,
        r#"insert into "AgentSetting" (id, settingId, language, voice, firstMessage)
            values ($1, $1, 'en', 'female', 'Hi {prospectName}')"#,
        r#"insert into "Plan" (id, name, price, minutes, duration, perDay)
            values ($1, 'Chaos', 0, 1000, 30, 1000)"#,
        r#"insert into "Subscription" (id, userId, planId, minutesLeft, status)
            values ($1, $1, $1, 1000, 'ACTIVE')"#,
    ] {
        sqlx::query(statement).bind(user).execute(database).await?;
    }
    Ok(())
}
