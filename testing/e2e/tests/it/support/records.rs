//! Reads the system's records of calls.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::{TestSystem, eventually};

const RECORD_TIMEOUT: Duration = Duration::from_secs(60);

/// A row of the users' view "Conversation".
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Conversation {
    pub id: String,
    pub prospect_id: String,
    pub status: String,
    pub slot: DateTime<Utc>,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub notes: Option<String>,
    pub transcript: Option<String>,
}

impl Conversation {
    /// Status, outcome and reason.
    pub fn summary(&self) -> (&str, Option<&str>, Option<&str>) {
        (&self.status, self.outcome.as_deref(), self.reason.as_deref())
    }

    fn is_open(&self) -> bool {
        ["SCHEDULED", "DIALING", "IN_PROGRESS"].contains(&self.status.as_str())
    }
}

const CONVERSATIONS: &str = r#"
    SELECT id, prospectId AS prospect_id, status::text, scheduledAt AS slot, outcome::text, reason,
        notes, transcript
    FROM "Conversation" ORDER BY scheduledAt, id"#;

/// All conversations in the order of their slots.
pub async fn read_conversations(database: &PgPool) -> Result<Vec<Conversation>> {
    Ok(sqlx::query_as(CONVERSATIONS).fetch_all(database).await?)
}

pub async fn read_conversation(database: &PgPool, id: &str) -> Result<Conversation> {
    let found = read_conversations(database).await?.into_iter().find(|found| found.id == id);
    found.with_context(|| format!("there is no conversation {id}"))
}

pub async fn read_prospect_status(database: &PgPool, id: &str) -> Result<String> {
    let status = r#"SELECT status::text FROM "Prospect" WHERE id = $1"#;
    Ok(sqlx::query_scalar(status).bind(id).fetch_one(database).await?)
}

/// Waits until a conversation is recorded, its dial is over and its transcript was read; returns it.
pub async fn wait_until_recorded(system: &TestSystem, id: &str) -> Conversation {
    eventually(RECORD_TIMEOUT, &format!("{id} is recorded"), async || {
        let at_rest = is_at_rest(&system.database, id).await?;
        let found = read_conversation(&system.database, id).await?;
        Ok((at_rest && !found.is_open()).then_some(found))
    })
    .await
}

/// Waits until no call is planned or in progress, and nothing more is known of those that are over.
pub async fn wait_until_all_recorded(system: &TestSystem, timeout: Duration) {
    eventually(timeout, "all calls are recorded", async || {
        let at_rest = is_at_rest(&system.database, "%").await?;
        let conversations = read_conversations(&system.database).await?;
        Ok((at_rest && !conversations.iter().any(Conversation::is_open)).then_some(()))
    })
    .await;
}

/// Whether all dials are over and their transcripts were read.
async fn is_at_rest(database: &PgPool, conversations: &str) -> Result<bool> {
    let at_rest = "select not exists (select 1 from dials where conversation_id like $1
        and (closed_at is null or (answered_at is not null and transcript_read_at is null)))";
    Ok(sqlx::query_scalar(at_rest).bind(conversations).fetch_one(database).await?)
}

/// Totals over all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Totals {
    pub charged_minutes: i64,
    pub open_dials: i64,
    /// Whether the ledger's sum equals the minutes left.
    pub balanced: bool,
}

impl Totals {
    /// The totals when all dials are closed.
    pub fn closed(charged_minutes: i64) -> Self {
        Self { charged_minutes, open_dials: 0, balanced: true }
    }
}

pub async fn read_totals(system: &TestSystem) -> Result<Totals> {
    Ok(sqlx::query_as(
        "select
            (select coalesce(-sum(minutes), 0) from minute_ledger
                where kind in ('charge', 'correct')) as charged_minutes,
            (select count(*) from dials where closed_at is null) as open_dials,
            (select sum(minutes) from minute_ledger)
                = (select sum(minutes_left) from subscriptions) as balanced",
    )
    .fetch_one(&system.database)
    .await?)
}
