//! Starts calls without the planner, so that only the calls are measured.

use anyhow::Result;
use chrono::{DateTime, Utc};
use devstack::fixtures::User;
use devstack::{Stack, development};
use futures::{StreamExt as _, stream};
use sqlx::PgPool;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, Url, WorkflowStartOptions,
};
use workflows::Call;
use workflows::call::CallInput;
use workflows::clock::ClockOffset;
use workflows::ids::TASK_QUEUE;

/// Concurrent requests to Temporal.
pub const MAX_CONCURRENT_STARTS: usize = 32;

/// Connects to the stack's Temporal server.
pub async fn connect(stack: &Stack) -> Result<Client> {
    let url = Url::parse(&format!("http://{}", stack.temporal.address()))?;
    let connection = Connection::connect(ConnectionOptions::new(url).build()).await?;
    Ok(Client::new(connection, ClientOptions::new(development::NAMESPACE).build())?)
}

/// A user who may call at any hour.
pub fn user(id: impl Into<String>) -> User {
    User {
        time_zone: "UTC".to_owned(),
        start_at: "00:00".to_owned(),
        end_at: "23:59:59.999".to_owned(),
        minutes: 1_000_000,
        per_day: 1_000_000,
        ..User::new(id)
    }
}

/// Inserts prospects and conversations for a slot and starts their workflows. Returns the workflow ids.
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
        // Distinct phone numbers for which the simulator books an appointment.
        "insert into prospects (id, user_id, name, phone, time_zone)
        select id, $2, 'Ann', '+1' || 200 + (n - 1) / 10 || '555010' || (n - 1) % 10, 'UTC'
        from unnest($1::text[]) with ordinality as t(id, n)",
    )
    .bind(&prospects)
    .bind(user)
    .execute(pool)
    .await?;
    sqlx::query(
        "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
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
                conversation_id: conversation_id.into(),
                user_id: user.into(),
                prospect_id: prospect_id.into(),
                slot,
                clock_offset,
            };
            let options = WorkflowStartOptions::new(TASK_QUEUE, id.clone()).build();
            client.start_workflow(Call::run, input.into(), options).await?;
            Ok(id)
        })
        .buffer_unordered(MAX_CONCURRENT_STARTS)
        .collect()
        .await;
    started.into_iter().collect()
}
