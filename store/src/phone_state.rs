//! The state of a phone number across all users.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ConversationId, ProspectId};
use domain::phone_usage::PhoneUsage;
use sqlx::PgConnection;

use crate::StoreError;

/// A phone number at admission.
pub struct PhoneState {
    pub usage: PhoneUsage,
    /// Whether another call to the number is in progress.
    pub busy: bool,
    /// Another prospect of the user with this number that booked, declined or opted out.
    pub closed_by: Option<ProspectId>,
    /// Until when the number cools down after calls to other prospects of the user.
    pub cool_down_until: Option<DateTime<Utc>>,
}

/// Reads the state of a prospect's phone number: all calls to it, and its use by other conversations and prospects.
pub async fn phone_state(
    conn: &mut PgConnection,
    phone: &str,
    prospect_id: &ProspectId,
    conversation_id: &ConversationId,
    now: DateTime<Utc>,
) -> Result<PhoneState, StoreError> {
    let row = sqlx::query!(
        r#"select
            array(select sent_at from dials where phone = $1 and sent_at > $4
                and state in ('SENT', 'PLACED') order by sent_at) as "recent!",
            (select count(*) from dials where phone = $1 and sent_at is not null
                and state in ('SENT', 'PLACED')) as "total!",
            exists (select 1 from dials where phone = $1 and closed_at is null
                and conversation_id <> $3) as "busy!",
            (select phone_closed_by from callees where id = $2) as closed_by,
            (select phone_cools_down_until from callees where id = $2) as cool_down_until"#,
        phone,
        prospect_id.as_str(),
        conversation_id.as_str(),
        now - TimeDelta::hours(24)
    )
    .fetch_one(conn)
    .await?;
    Ok(PhoneState {
        usage: PhoneUsage { recent: row.recent, total: row.total as i32 },
        busy: row.busy,
        closed_by: row.closed_by.map(ProspectId::from),
        cool_down_until: row.cool_down_until,
    })
}
