//! Calls that are planned by hand, so that nothing but their own life is measured.

use anyhow::Result;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use sqlx::PgPool;
use temporalio_client::{Client, WorkflowStartOptions};
use workflows::Call;
use workflows::call::CallInput;
use workflows::clock::ClockOffset;
use workflows::ids::TASK_QUEUE;

/// Requests to the server at once.
pub const STARTS_AT_ONCE: usize = 32;

/// A client with everything that calls need, who may call at any hour.
pub async fn insert_user(pool: &PgPool, user: &str) -> Result<()> {
    for statement in [
        r#"insert into "User" (id, name, email) values ($1, 'Bench', $1 || '@example.com')"#,
        r#"insert into "Setting" (id, userId) values ($1, $1)"#,
        r#"insert into "AdvancedSetting" (id, settingId, timeZone, startAt, endAt)
            values ($1, $1, 'UTC', '00:00', '23:59:59.999')"#,
        r#"insert into "ScriptSetting" (id, settingId, initial, followUp)
            values ($1, $1, 'Sell {prospectName} a clock.', 'Sell again.')"#,
        r#"insert into "AgentSetting" (id, settingId, language, voice, firstMessage)
            values ($1, $1, 'en', 'female', 'Hi {prospectName}')"#,
        r#"insert into "Plan" (id, name, price, minutes, duration, perDay)
            values ($1, 'Bench', 0, 1000000, 30, 1000000)"#,
        r#"insert into "Subscription" (id, userId, planId, minutesLeft, status)
            values ($1, $1, $1, 1000000, 'ACTIVE')"#,
    ] {
        sqlx::query(statement).bind(user).execute(pool).await?;
    }
    Ok(())
}

/// Plans calls to new prospects for a moment and starts their workflows.
pub async fn start_calls(
    pool: &PgPool,
    client: &Client,
    user: &str,
    prefix: &str,
    count: usize,
    slot: DateTime<Utc>,
    clock_offset: ClockOffset,
) -> Result<Vec<String>> {
    let prospects: Vec<String> = (0..count).map(|n| format!("{prefix}{n}")).collect();
    sqlx::query(
        // Every one another number, of those for which the simulator books an appointment.
        "insert into prospects (id, user_id, name, phone, time_zone)
        select id, $2, 'Ann', '+1' || 200 + (n - 1) / 10 || '555010' || (n - 1) % 10, 'UTC'
        from unnest($1::text[]) with ordinality as t(id, n)",
    )
    .bind(&prospects)
    .bind(user)
    .execute(pool)
    .await?;
    sqlx::query(
        "insert into conversations (id, user_id, prospect_id, number, slot, plan_run)
        select id || '-1', $2, id, 1, $3, 'bench' from unnest($1::text[]) as t(id)",
    )
    .bind(&prospects)
    .bind(user)
    .bind(slot)
    .execute(pool)
    .await?;
    let started: Vec<Result<String>> = stream::iter(prospects)
        .map(|prospect_id| async move {
            let conversation_id = format!("{prospect_id}-1");
            let id = format!("call/{conversation_id}");
            let input = CallInput {
                conversation_id,
                user_id: user.to_owned(),
                prospect_id,
                slot,
                clock_offset,
            };
            let options = WorkflowStartOptions::new(TASK_QUEUE, id.clone()).build();
            client.start_workflow(Call::run, input, options).await?;
            Ok(id)
        })
        .buffer_unordered(STARTS_AT_ONCE)
        .collect()
        .await;
    started.into_iter().collect()
}
