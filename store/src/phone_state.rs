//! The state of a phone number across all users.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ConversationId, ProspectId, UserId};
use domain::phone_usage::PhoneUsage;
use sqlx::PgConnection;

use crate::StoreError;

/// A phone number at admission.
pub struct PhoneState {
    pub usage: PhoneUsage,
    /// Whether another call to the number is in progress.
    pub busy: bool,
    /// Until when the number cools down after a call to another prospect of the user.
    pub cool_down_until: Option<DateTime<Utc>>,
}

/// Reads the state of a phone number: all calls to it, and its use by other conversations and prospects.
pub async fn phone_state(
    conn: &mut PgConnection,
    phone: &str,
    user_id: &UserId,
    prospect_id: &ProspectId,
    conversation_id: &ConversationId,
    now: DateTime<Utc>,
) -> Result<PhoneState, StoreError> {
    let row = sqlx::query!(
        r#"select
            array(select sent_at from dials where phone = $1 and sent_at > $5
                and state in ('SENT', 'PLACED') order by sent_at) as "recent!",
            (select count(*) from dials where phone = $1 and sent_at is not null
                and state in ('SENT', 'PLACED')) as "total!",
            exists (select 1 from dials where phone = $1 and closed_at is null
                and conversation_id <> $4) as "busy!",
            (select max(next_call_at) from prospects where phone = $1 and user_id = $2
                and id <> $3) as cool_down_until"#,
        phone,
        user_id.as_str(),
        prospect_id.as_str(),
        conversation_id.as_str(),
        now - TimeDelta::hours(24)
    )
    .fetch_one(conn)
    .await?;
    Ok(PhoneState {
        usage: PhoneUsage { recent: row.recent, total: row.total as i32 },
        busy: row.busy,
        cool_down_until: row.cool_down_until,
    })
}
