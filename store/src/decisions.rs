//! The decisions of admission, and pruning of old decisions.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::BlockReason;
use domain::ids::{ConversationId, ProspectId, UserId};
use sqlx::PgConnection;

use crate::{Store, StoreError};

/// The maximum number of decisions that one statement deletes.
const MAX_PRUNED: i64 = 20_000;
/// After this time pruning stops; the next sweep goes on.
const PRUNE_TIMEOUT: Duration = Duration::from_secs(60);

/// A decision of admission.
pub struct AdmissionDecision<'a> {
    pub conversation_id: &'a ConversationId,
    pub user_id: &'a UserId,
    pub prospect_id: &'a ProspectId,
    /// `admitted`, `deferred` or `denied`.
    pub decision: &'static str,
    pub reason: Option<BlockReason>,
    /// The reason as a sentence.
    pub detail: Option<&'a str>,
    pub retry_at: Option<DateTime<Utc>>,
    /// Calls left of the user's day.
    pub calls_left: Option<i32>,
    pub minutes_left: Option<i32>,
    pub lines_free: Option<i32>,
}

/// Saves a decision, unless it equals the previous one of the call.
pub async fn save(
    conn: &mut PgConnection,
    new: &AdmissionDecision<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into admission_decisions (conversation_id, user_id, prospect_id, decision, reason,
            detail, retry_at, calls_left, minutes_left, lines_free, decided_at)
        select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
        where not exists (
            select 1 from (select decision, reason, detail from admission_decisions
                where conversation_id = $1 order by id desc limit 1) last
            where (last.decision, last.reason, last.detail) is not distinct from ($4, $5, $6)
        )",
        new.conversation_id.as_str(),
        new.user_id.as_str(),
        new.prospect_id.as_str(),
        new.decision,
        new.reason.map(|reason| reason.into_str()),
        new.detail,
        new.retry_at,
        new.calls_left,
        new.minutes_left,
        new.lines_free,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes decisions from before a time, for at most a minute; returns their number.
pub async fn prune(store: &Store, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let (start, mut pruned) = (Instant::now(), 0);
    loop {
        let mut tx = store.begin().await?;
        let batch = prune_batch(&mut tx, before).await?;
        tx.commit().await?;
        pruned += batch;
        if batch == 0 || start.elapsed() > PRUNE_TIMEOUT {
            return Ok(pruned);
        }
    }
}

async fn prune_batch(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let plans = sqlx::query!(
        "delete from plan_decisions where id in
            (select id from plan_decisions where decided_at < $1 order by decided_at limit $2)",
        before,
        MAX_PRUNED
    );
    let plans = plans.execute(&mut *conn).await?.rows_affected();
    let admissions = sqlx::query!(
        "delete from admission_decisions where id in
            (select id from admission_decisions where decided_at < $1 order by decided_at limit $2)",
        before,
        MAX_PRUNED
    );
    Ok(plans + admissions.execute(&mut *conn).await?.rows_affected())
}
