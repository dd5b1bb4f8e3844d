//! What is known of a telephone number, whoever it belongs to.

use chrono::{DateTime, TimeDelta, Utc};
use domain::callee::NumberLog;
use sqlx::PgConnection;

use crate::StoreError;

/// A number as the guard sees it.
pub struct NumberNow {
    /// The calls that were made to it.
    pub log: NumberLog,
    /// Whether another call to it is under way.
    pub busy: bool,
    /// Until when it rests after a call to another prospect of the user.
    pub rests_until: Option<DateTime<Utc>>,
}

/// Reads what is known of a number: every call that was made to it, and what others than one conversation and its prospect
/// do to it.
pub async fn number(
    conn: &mut PgConnection,
    phone: &str,
    user_id: &str,
    prospect_id: &str,
    conversation_id: &str,
    now: DateTime<Utc>,
) -> Result<NumberNow, StoreError> {
    let row = sqlx::query!(
        r#"select
            array(select sent_at from dials where phone = $1 and sent_at > $5
                and state in ('SENT', 'PLACED') order by sent_at) as "lately!",
            (select count(*) from dials where phone = $1 and sent_at is not null
                and state in ('SENT', 'PLACED')) as "in_all!",
            exists (select 1 from dials where phone = $1 and closed_at is null
                and conversation_id <> $4) as "busy!",
            (select max(next_call_at) from prospects where phone = $1 and user_id = $2
                and id <> $3) as rests_until"#,
        phone,
        user_id,
        prospect_id,
        conversation_id,
        now - TimeDelta::hours(24)
    )
    .fetch_one(conn)
    .await?;
    Ok(NumberNow {
        log: NumberLog { lately: row.lately, in_all: row.in_all as i32 },
        busy: row.busy,
        rests_until: row.rests_until,
    })
}
