//! What the records tell of one prospect.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::StoreError;

/// Calls that are told of, the latest ones.
const CALLS: i64 = 10;

/// A prospect.
pub struct Person {
    /// Its client.
    pub user_id: String,
    /// Where it stands.
    pub status: String,
    /// When it was last contacted.
    pub last_contacted: Option<DateTime<Utc>>,
    /// When it was promised a call.
    pub rescheduled_for: Option<DateTime<Utc>>,
}

/// One of its calls.
pub struct PastCall {
    /// The conversation.
    pub id: String,
    /// The moment for which it was planned.
    pub slot: DateTime<Utc>,
    /// Where it stands.
    pub status: String,
    /// What came of it.
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What was said beside.
    pub notes: Option<String>,
}

/// What was decided last.
pub struct Decided {
    /// By which plan run, or about which call.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The slot that was given.
    pub slot: Option<DateTime<Utc>>,
    /// Why there is none, as a sentence.
    pub detail: Option<String>,
    /// When it is looked at again, if that is known.
    pub next: Option<DateTime<Utc>>,
}

/// Reads a prospect.
pub async fn person(conn: &mut PgConnection, id: &str) -> Result<Option<Person>, StoreError> {
    Ok(sqlx::query_as!(
        Person,
        r#"select user_id, status::text as "status!", last_contacted, rescheduled_for
        from prospects where id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await?)
}

/// Reads the latest calls of a prospect, the earliest of them first.
pub async fn calls(conn: &mut PgConnection, id: &str) -> Result<Vec<PastCall>, StoreError> {
    let mut calls = sqlx::query_as!(
        PastCall,
        r#"select id, slot, status::text as "status!", outcome::text, reason, notes
        from conversations where prospect_id = $1 order by number desc limit $2"#,
        id,
        CALLS
    )
    .fetch_all(conn)
    .await?;
    calls.reverse();
    Ok(calls)
}

/// Reads what the last plan run said of a prospect.
pub async fn planned(conn: &mut PgConnection, id: &str) -> Result<Option<Decided>, StoreError> {
    Ok(sqlx::query_as!(
        Decided,
        r#"select plan_run as by, decided_at as at, slot, detail, next_allowed as next
        from plan_decisions where prospect_id = $1 order by id desc limit 1"#,
        id
    )
    .fetch_optional(conn)
    .await?)
}

/// Reads what the guard said last of a call to a prospect.
pub async fn guarded(conn: &mut PgConnection, id: &str) -> Result<Option<Decided>, StoreError> {
    Ok(sqlx::query_as!(
        Decided,
        r#"select conversation_id as by, decided_at as at, null::timestamptz as slot,
            coalesce(detail, verdict) as detail, next_try as next
        from guard_decisions where prospect_id = $1 order by id desc limit 1"#,
        id
    )
    .fetch_optional(conn)
    .await?)
}
