//! The calls of a run.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{NaiveTime, SecondsFormat, TimeDelta, Utc};
use devstack::fixtures::{Prospect, User};
use devstack::{Stack, workspace};
use serde_json::{Map, Value, json};
use sqlx::PgPool;

const PROSPECTS_PER_USER: usize = 25;

/// Names of the simulator's scenarios. The calls use them in turn.
const SCENARIOS: [&str; 20] = [
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

/// In simulated seconds; less than the maximum duration of a call, which is a minute here.
const MAX_TALK_SECS: i64 = 40;

/// The simulator's scenarios by phone number, with shorter talks.
pub(crate) fn scenarios(calls: usize) -> Result<Value> {
    let path = workspace::root().join("testing/simulator/scenarios.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("reading the scenarios in {}", path.display()))?;
    let known: Value = serde_json::from_str(&text)?;
    let mut by_phone = Map::new();
    for n in 0..calls {
        let name = SCENARIOS[n % SCENARIOS.len()];
        let scenario = known.get(name).with_context(|| format!("there is no scenario {name}"))?;
        // The first prospect with a number determines how it answers.
        by_phone.entry(phone(n)).or_insert_with(|| shorten(scenario.clone()));
    }
    Ok(Value::Object(by_phone))
}

fn shorten(mut scenario: Value) -> Value {
    let Some(talk) = scenario["talk_secs"].as_i64() else { return scenario };
    // A scenario that talks to the limit still does.
    let shorter = if talk > 3_600 { talk } else { talk.min(MAX_TALK_SECS) };
    scenario["talk_secs"] = shorter.into();
    scale_times(&mut scenario, shorter as f64 / talk as f64);
    scenario
}

fn scale_times(value: &mut Value, factor: f64) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| scale_times(item, factor)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_f64().filter(|_| name == "at_secs") {
                    Some(at) => *field = ((at * factor) as i64).into(),
                    None => scale_times(field, factor),
                }
            }
        }
        _ => {}
    }
}

/// The n-th prospect's phone number. Some share the number of a prospect of the same user who opts out, some the number
/// of a prospect of the previous user.
fn phone(n: usize) -> String {
    const OPT_OUT: usize = 3;
    let in_turn = n % SCENARIOS.len();
    let opts_out = n - in_turn + OPT_OUT;
    let same_user = n / PROSPECTS_PER_USER == opts_out / PROSPECTS_PER_USER;
    let n = match in_turn {
        18 if same_user => opts_out,
        0 if n >= PROSPECTS_PER_USER => n - PROSPECTS_PER_USER + 1,
        _ => n,
    };
    format!("+1{}55501{:02}", 201 + n / 100, n % 100)
}

/// Seconds from now to today's noon (UTC), so that the result does not depend on the time of day.
pub(crate) fn seconds_to_noon() -> i64 {
    let noon = NaiveTime::from_hms_opt(12, 0, 0).expect("noon is a time");
    (Utc::now().date_naive().and_time(noon).and_utc() - Utc::now()).num_seconds()
}

/// The n-th user. The hours of some end or begin while calls are made, and some have few calls or minutes.
fn user(n: usize) -> User {
    let user = User {
        time_zone: "UTC".to_owned(),
        start_at: "08:00".to_owned(),
        end_at: "21:00".to_owned(),
        minutes: 1_000,
        per_day: 1_000,
        ..User::new(format!("u{n}"))
    };
    match n % 5 {
        1 => User { end_at: "12:02:30".to_owned(), ..user },
        2 => User { start_at: "12:01:00".to_owned(), ..user },
        3 => User { per_day: 10, ..user },
        4 => User { minutes: 10, ..user },
        _ => user,
    }
}

/// Pauses the schedule and inserts users and prospects.
pub(crate) async fn insert(stack: &Stack, database: &PgPool, calls: usize) -> Result<()> {
    stack.temporal.pause_schedule("plan-calls").await?;
    for n in 0..calls.div_ceil(PROSPECTS_PER_USER) {
        user(n).insert(database).await?;
    }
    for n in 0..calls {
        let prospect = Prospect {
            phone: phone(n),
            time_zone: Some("UTC".to_owned()),
            ..Prospect::new(format!("p{n}")).of_user(format!("u{}", n / PROSPECTS_PER_USER))
        };
        prospect.insert(database).await?;
    }
    Ok(())
}

/// Runs the planner once for all users and returns the number of planned calls.
pub(crate) async fn plan(stack: &Stack, id: &str, interval: Duration) -> Result<usize> {
    let offset = stack.endpoints().clock_offset_secs;
    let from = Utc::now() + TimeDelta::seconds(offset + 2);
    let input = json!({
        "batchSize": 1000,
        "intervalMinutes": interval.as_secs().div_ceil(60),
        "clockOffset": offset,
        "from": from.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    let result = stack.temporal.run_workflow("PlanCalls", id, &input).await?;
    let planned = result["planned"].as_u64().context("the plan run has no result")?;
    Ok(planned as usize)
}
