//! Prospects, as admission sees them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::admission::Callee;
use domain::ids::{ConversationId, ProspectId, UserId};
use domain::status::ProspectStatus;
use sqlx::PgConnection;

use crate::{StoreError, parse_enum};

/// A prospect at admission.
pub struct ProspectState {
    pub name: String,
    /// The prospect's own columns.
    pub custom: BTreeMap<String, String>,
    /// The number as stored.
    pub phone: String,
    pub status: ProspectStatus,
    /// The end of the prospect's cool-down.
    pub next_call_at: Option<DateTime<Utc>>,
    /// Another prospect of the user with this number that booked, declined or opted out.
    pub phone_closed_by: Option<ProspectId>,
    pub time_zone: Option<String>,
    /// The prospect's state, such as `US-FL`.
    pub state: Option<String>,
    /// Whether the number is on a do-not-call list.
    pub suppressed: bool,
    /// Other conversations in which the prospect was dialled.
    pub attempts: i32,
}

impl ProspectState {
    pub fn callee(&self) -> Callee<'_> {
        Callee {
            status: self.status,
            phone: &self.phone,
            zone: self.time_zone.as_deref(),
            state: self.state.as_deref(),
            suppressed: self.suppressed,
            phone_closed_by: self.phone_closed_by.as_ref(),
        }
    }
}

/// The user of a prospect; `None` if the prospect was deleted.
pub async fn owner(conn: &mut PgConnection, id: &ProspectId) -> Result<Option<UserId>, StoreError> {
    let user = sqlx::query_scalar!("select user_id from prospects where id = $1", id.as_str());
    Ok(user.fetch_optional(conn).await?.map(UserId::from))
}

/// Reads a prospect; `None` if it was deleted. `conversation`: its dials do not count as attempts.
pub async fn prospect_state(
    conn: &mut PgConnection,
    id: &ProspectId,
    conversation: &ConversationId,
) -> Result<Option<ProspectState>, StoreError> {
    let row = sqlx::query!(
        r#"select name, phone, status::text as "status!", time_zone, state, next_call_at,
            suppressed as "suppressed!", phone_closed_by,
            array(select t.key from prospects p, jsonb_each_text(p.custom) t
                where p.id = c.id order by t.key) as "custom_names!",
            array(select coalesce(t.value, '') from prospects p, jsonb_each_text(p.custom) t
                where p.id = c.id order by t.key) as "custom_values!",
            (select count(*) from attempts a where a.prospect_id = c.id
                and a.conversation_id <> $2) as "attempts!"
        from callees c where id = $1"#,
        id.as_str(),
        conversation.as_str()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(ProspectState {
            status: parse_enum("prospects.status", &row.status)?,
            name: row.name.unwrap_or_default(),
            custom: row.custom_names.into_iter().zip(row.custom_values).collect(),
            phone: row.phone.unwrap_or_default(),
            next_call_at: row.next_call_at,
            phone_closed_by: row.phone_closed_by.map(ProspectId::from),
            time_zone: row.time_zone,
            state: row.state,
            suppressed: row.suppressed,
            attempts: row.attempts as i32,
        })
    })
    .transpose()
}
