//! What plan runs and the guard said, and for how long that is kept.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::StoreError;

/// Decisions removed in one go.
const PRUNED_AT_ONCE: i64 = 20_000;

/// An answer of the guard.
pub struct GuardDecision<'a> {
    /// The call that asked.
    pub conversation_id: &'a str,
    /// Its client.
    pub user_id: &'a str,
    /// The person to call.
    pub prospect_id: &'a str,
    /// `admitted`, `later` or `refused`.
    pub verdict: &'static str,
    /// Why not, as [`domain::guard::Objection`] spells it.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub detail: Option<String>,
    /// When it asks again.
    pub next_try: Option<DateTime<Utc>>,
    /// Calls left of the user's day.
    pub calls_left: Option<i32>,
    /// Minutes left.
    pub minutes_left: Option<i32>,
    /// Lines that it could have had.
    pub lines_free: Option<i32>,
}

/// Keeps an answer of the guard, unless it is the same as the one before.
pub async fn keep(
    conn: &mut PgConnection,
    new: &GuardDecision<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into guard_decisions (conversation_id, user_id, prospect_id, verdict, reason,
            detail, next_try, calls_left, minutes_left, lines_free, decided_at)
        select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
        where not exists (
            select 1 from (select verdict, reason, detail from guard_decisions
                where conversation_id = $1 order by id desc limit 1) last
            where (last.verdict, last.reason, last.detail) is not distinct from ($4, $5, $6)
        )",
        new.conversation_id,
        new.user_id,
        new.prospect_id,
        new.verdict,
        new.reason,
        new.detail,
        new.next_try,
        new.calls_left,
        new.minutes_left,
        new.lines_free,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes decisions from before a moment; how many there were.
pub async fn prune(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let plans = sqlx::query!(
        "delete from plan_decisions where id in
            (select id from plan_decisions where decided_at < $1 order by decided_at limit $2)",
        before,
        PRUNED_AT_ONCE
    );
    let plans = plans.execute(&mut *conn).await?.rows_affected();
    let guards = sqlx::query!(
        "delete from guard_decisions where id in
            (select id from guard_decisions where decided_at < $1 order by decided_at limit $2)",
        before,
        PRUNED_AT_ONCE
    );
    Ok(plans + guards.execute(&mut *conn).await?.rows_affected())
}
