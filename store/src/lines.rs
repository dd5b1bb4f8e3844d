//! Lines: the limit of calls in progress, and the queue for it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ConversationId, UserId};
use sqlx::PgConnection;

use crate::StoreError;

/// The key of the advisory lock under which lines are counted and occupied.
const LINES_LOCK: i64 = 0x6c69_6e65_7300;

/// A call that has not asked for a line for this time no longer counts as waiting.
const WAITING_TIMEOUT: TimeDelta = TimeDelta::seconds(45);

/// Lines in use by other conversations, and the position in the queue.
pub struct Lines {
    /// Lines in use by all users.
    pub in_use: i32,
    pub in_use_by_user: i32,
    /// Waiting calls with earlier slots, of users that may use another line.
    pub waiting_before: i32,
}

/// Counts lines and locks them: until the end of the transaction no other transaction occupies one.
pub async fn lock(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    user_id: &UserId,
    slot: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Lines, StoreError> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LINES_LOCK).execute(&mut *conn).await?;
    let row = sqlx::query!(
        r#"select
            (select count(*) from dials where closed_at is null and conversation_id <> $1)
                as "in_use!",
            (select count(*) from dials where closed_at is null and conversation_id <> $1
                and user_id = $2) as "in_use_by_user!",
            (select count(*) from conversations w
                where w.waiting_for_line_at > $4 and w.status = 'SCHEDULED'
                    and (w.slot, w.id) < ($3, $1)
                    and (w.user_id = $2 or not exists (
                        select 1 from settings t join advanced_settings a on a.setting_id = t.id
                        where t.user_id = w.user_id and a.max_concurrent_calls <= (
                            select count(*) from dials d
                            where d.user_id = w.user_id and d.closed_at is null)
                    ))) as "waiting_before!""#,
        conversation_id.as_str(),
        user_id.as_str(),
        slot,
        now - WAITING_TIMEOUT
    )
    .fetch_one(conn)
    .await?;
    Ok(Lines {
        in_use: row.in_use as i32,
        in_use_by_user: row.in_use_by_user as i32,
        waiting_before: row.waiting_before as i32,
    })
}

/// Stores since when a conversation waits for a line; `None` if it does not wait.
pub async fn set_waiting(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    since: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set waiting_for_line_at = $2
        where id = $1 and waiting_for_line_at is distinct from $2",
        conversation_id.as_str(),
        since
    )
    .execute(conn)
    .await?;
    Ok(())
}
