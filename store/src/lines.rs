//! Lines: how many calls may be under way at once, and who waits for one.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::StoreError;

/// Key of the lock under which lines are counted and taken.
const LINES_LOCK: i64 = 0x6c69_6e65_7300;

/// A call that has not asked for so long no longer waits: it is gone, or its worker is.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::seconds(45);

/// Lines in use by other conversations, and how many of them wait before this one.
pub struct Lines {
    /// In use in all.
    pub in_use: i32,
    /// In use by the user.
    pub in_use_by_user: i32,
    /// Calls of earlier slots that wait, of users who may have a further line.
    pub waiting_before: i32,
}

/// Counts lines. Until the end of the transaction nobody else takes one.
pub async fn lock(
    conn: &mut PgConnection,
    conversation_id: &str,
    user_id: &str,
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
                where w.asked_for_line_at > $4 and w.status = 'SCHEDULED'
                    and (w.slot, w.id) < ($3, $1)
                    and (w.user_id = $2 or not exists (
                        select 1 from settings t join advanced_settings a on a.setting_id = t.id
                        where t.user_id = w.user_id and a.max_concurrent_calls <= (
                            select count(*) from dials d
                            where d.user_id = w.user_id and d.closed_at is null)
                    ))) as "waiting_before!""#,
        conversation_id,
        user_id,
        slot,
        now - FORGOTTEN_AFTER
    )
    .fetch_one(conn)
    .await?;
    Ok(Lines {
        in_use: row.in_use as i32,
        in_use_by_user: row.in_use_by_user as i32,
        waiting_before: row.waiting_before as i32,
    })
}

/// Notes that a conversation asked for a line and got none, or that it waits for none.
pub async fn note_waiting(
    conn: &mut PgConnection,
    conversation_id: &str,
    asked: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set asked_for_line_at = $2
        where id = $1 and asked_for_line_at is distinct from $2",
        conversation_id,
        asked
    )
    .execute(conn)
    .await?;
    Ok(())
}
