//! What the records say of one prospect.

use chrono::{DateTime, Utc};
use domain::ids::ProspectId;
use sqlx::PgConnection;

use crate::StoreError;

/// The number of calls that are shown.
const MAX_CALLS: i64 = 10;

pub struct ProspectSummary {
    pub user_id: String,
    pub status: String,
    pub last_contacted: Option<DateTime<Utc>>,
    /// When the callback is due.
    pub rescheduled_for: Option<DateTime<Utc>>,
    /// Plan runs leave the prospect out.
    pub attempts_used_up: bool,
}

pub struct PastCall {
    pub id: String,
    pub slot: DateTime<Utc>,
    pub status: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub notes: Option<String>,
}

/// The last decision of a plan run or of admission.
pub struct LastDecision {
    /// The plan run, or the call that asked for admission.
    pub by: String,
    pub at: DateTime<Utc>,
    pub slot: Option<DateTime<Utc>>,
    /// Why there is no slot, as a sentence.
    pub detail: Option<String>,
    /// When it is decided again, if that is known.
    pub next: Option<DateTime<Utc>>,
}

/// Reads a prospect.
pub async fn prospect(
    conn: &mut PgConnection,
    id: &ProspectId,
) -> Result<Option<ProspectSummary>, StoreError> {
    let row = sqlx::query_as!(
        ProspectSummary,
        r#"select user_id, status::text as "status!", last_contacted, rescheduled_for,
            attempts_used_up
        from prospects where id = $1"#,
        id.as_str()
    );
    Ok(row.fetch_optional(conn).await?)
}

/// Reads the latest calls to a prospect, in order.
pub async fn calls(conn: &mut PgConnection, id: &ProspectId) -> Result<Vec<PastCall>, StoreError> {
    let mut calls = sqlx::query_as!(
        PastCall,
        r#"select id, slot, status::text as "status!", outcome::text, reason, notes
        from conversations where prospect_id = $1 order by sequence desc limit $2"#,
        id.as_str(),
        MAX_CALLS
    )
    .fetch_all(conn)
    .await?;
    calls.reverse();
    Ok(calls)
}

/// Reads the last decision of a plan run about a prospect.
pub async fn last_plan_decision(
    conn: &mut PgConnection,
    id: &ProspectId,
) -> Result<Option<LastDecision>, StoreError> {
    let row = sqlx::query_as!(
        LastDecision,
        r#"select plan_run as by, decided_at as at, slot, detail, next_allowed as next
        from plan_decisions where prospect_id = $1 order by id desc limit 1"#,
        id.as_str()
    );
    Ok(row.fetch_optional(conn).await?)
}

/// Reads the last decision of admission about a prospect.
pub async fn last_admission_decision(
    conn: &mut PgConnection,
    id: &ProspectId,
) -> Result<Option<LastDecision>, StoreError> {
    let row = sqlx::query_as!(
        LastDecision,
        r#"select conversation_id as by, decided_at as at, null::timestamptz as slot,
            coalesce(detail, decision) as detail, retry_at as next
        from admission_decisions where prospect_id = $1 order by id desc limit 1"#,
        id.as_str()
    );
    Ok(row.fetch_optional(conn).await?)
}
