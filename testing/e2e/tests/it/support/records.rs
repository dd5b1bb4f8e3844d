//! What the service has written down of calls.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::{Story, eventually};

/// A conversation as a client reads it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// The prospect.
    pub prospect_id: String,
    /// Where it stands.
    pub status: String,
    /// When it is due.
    pub slot: DateTime<Utc>,
    /// What came of it.
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What was said beside.
    pub notes: Option<String>,
    /// What was said in it.
    pub transcript: Option<String>,
}

impl Conversation {
    /// Status, outcome and reason in one.
    pub fn summary(&self) -> (&str, Option<&str>, Option<&str>) {
        (&self.status, self.outcome.as_deref(), self.reason.as_deref())
    }
}

const CONVERSATIONS: &str = r#"
    SELECT id, prospectId AS prospect_id, status::text, scheduledAt AS slot, outcome::text, reason,
        notes, transcript
    FROM "Conversation" ORDER BY scheduledAt, id"#;

/// All conversations, in the order in which they are due.
pub async fn conversations(database: &PgPool) -> Result<Vec<Conversation>> {
    Ok(sqlx::query_as(CONVERSATIONS).fetch_all(database).await?)
}

/// One conversation.
pub async fn conversation(database: &PgPool, id: &str) -> Result<Conversation> {
    let found = conversations(database).await?.into_iter().find(|found| found.id == id);
    found.with_context(|| format!("there is no conversation {id}"))
}

/// How many calls are planned or under way.
pub async fn open_calls(story: &Story) -> Result<i64> {
    let open = r#"SELECT count(*) FROM "Conversation"
        WHERE status IN ('SCHEDULED', 'DIALING', 'IN_PROGRESS')"#;
    Ok(sqlx::query_scalar(open).fetch_one(&story.database).await?)
}

/// Where a prospect stands.
pub async fn prospect_status(database: &PgPool, id: &str) -> Result<String> {
    let status = r#"SELECT status::text FROM "Prospect" WHERE id = $1"#;
    Ok(sqlx::query_scalar(status).bind(id).fetch_one(database).await?)
}

/// Waits until a conversation is settled, and tells its status and reason.
pub async fn settled(story: &Story, id: &str) -> (String, Option<String>) {
    eventually(Duration::from_secs(60), &format!("{id} is settled"), async || {
        let found = conversation(&story.database, id).await?;
        let open = ["SCHEDULED", "DIALING", "IN_PROGRESS"].contains(&found.status.as_str());
        Ok((!open).then_some((found.status, found.reason)))
    })
    .await
}

/// Minutes charged, lines in use, and whether the ledger adds up to what is left.
pub async fn books(story: &Story) -> Result<(i64, i64, bool)> {
    Ok(sqlx::query_as(
        "select
            (select coalesce(-sum(minutes), 0) from minute_ledger
                where kind in ('charge', 'correct')),
            (select count(*) from dials where closed_at is null),
            (select sum(minutes) from minute_ledger) = (select sum(minutes_left) from subscriptions)",
    )
    .fetch_one(&story.database)
    .await?)
}
