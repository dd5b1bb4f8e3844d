//! The calls that are made.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{NaiveTime, SecondsFormat, TimeDelta, Utc};
use devstack::{Stack, workspace};
use serde_json::{Map, Value, json};
use sqlx::PgPool;

/// Prospects of one user.
const PER_USER: usize = 25;

/// How the calls go, one after the other: the simulator's own scenarios by their names.
const KINDS: [&str; 20] = [
    "books_appointment",
    "asks_callback",
    "not_interested",
    "do_not_call",
    "voicemail",
    "no_answer",
    "busy",
    "invalid_number",
    "hangs_up_at_once",
    "tool_lost",
    "tool_twice",
    "ended_before_tool",
    "talks_without_outcome",
    "webhooks_lost",
    "talks_to_the_limit",
    "answers_after_join_timeout",
    "changes_mind",
    "rejected",
    "books_appointment",
    "tool_lost",
];

/// The longest talk, in simulated seconds: less than the minute that a call may last here.
const LONGEST_TALK: i64 = 40;

/// How each number's call goes, as the simulator reads it: its own scenarios, made short.
pub(crate) fn scenarios(calls: usize) -> Result<Value> {
    let path = workspace::root().join("testing/simulator/scenarios.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("reading the scenarios in {}", path.display()))?;
    let known: Value = serde_json::from_str(&text)?;
    let mut of_numbers = Map::new();
    for n in 0..calls {
        let kind = KINDS[n % KINDS.len()];
        let scenario = known.get(kind).with_context(|| format!("there is no scenario {kind}"))?;
        of_numbers.insert(number(n), shortened(scenario.clone()));
    }
    Ok(Value::Object(of_numbers))
}

fn shortened(mut scenario: Value) -> Value {
    let Some(talk) = scenario["talk_secs"].as_i64() else { return scenario };
    // One that talks to the limit still does.
    let shorter = if talk > 3_600 { talk } else { talk.min(LONGEST_TALK) };
    scenario["talk_secs"] = shorter.into();
    shrink(&mut scenario, shorter as f64 / talk as f64);
    scenario
}

fn shrink(value: &mut Value, by: f64) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| shrink(item, by)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_f64().filter(|_| name == "at_secs") {
                    Some(at) => *field = ((at * by) as i64).into(),
                    None => shrink(field, by),
                }
            }
        }
        _ => {}
    }
}

/// The n-th prospect's number. Some have that of an earlier prospect of the same user, who refuses every further call.
fn number(n: usize) -> String {
    const REFUSES: usize = 3;
    let refuses = n - n % KINDS.len() + REFUSES;
    let namesake = n % KINDS.len() == KINDS.len() - 2 && n / PER_USER == refuses / PER_USER;
    let n = if namesake { refuses } else { n };
    format!("+1{}55501{:02}", 201 + n / 100, n % 100)
}

/// The seconds from now to noon of today, so that the hour of the run does not matter.
pub(crate) fn seconds_to_noon() -> i64 {
    let noon = NaiveTime::from_hms_opt(12, 0, 0).expect("noon is a time");
    (Utc::now().date_naive().and_time(noon).and_utc() - Utc::now()).num_seconds()
}

/// Inserts users and prospects, of which none is planned yet.
pub(crate) async fn insert(stack: &Stack, database: &PgPool, calls: usize) -> Result<()> {
    let pause =
        ["schedule", "toggle", "--schedule-id", "plan-calls", "--pause", "--reason", "chaos"];
    stack.temporal.cli(pause).await?;
    for user in 0..calls.div_ceil(PER_USER) {
        insert_user(database, &format!("u{user}")).await?;
    }
    for n in 0..calls {
        sqlx::query(
            "insert into prospects (id, name, phone, user_id, time_zone)
            values ($1, 'Ann', $2, $3, 'UTC')",
        )
        .bind(format!("p{n}"))
        .bind(number(n))
        .bind(format!("u{}", n / PER_USER))
        .execute(database)
        .await?;
    }
    Ok(())
}

/// Has the planner plan whoever may be called; says how many calls it planned.
pub(crate) async fn plan(stack: &Stack, id: &str, span: Duration) -> Result<usize> {
    let offset = stack.addresses().clock_offset_secs;
    let from = Utc::now() + TimeDelta::seconds(offset + 2);
    let input = json!({
        "batchSize": 1000,
        "intervalMinutes": span.as_secs().div_ceil(60),
        "clockOffset": offset,
        "from": from.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
    .to_string();
    let id = ["--workflow-id", id];
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
