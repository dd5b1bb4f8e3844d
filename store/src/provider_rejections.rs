//! Rejections in a row by the provider, of a user and of all users together.

use chrono::{DateTime, Utc};
use domain::ids::{ConversationId, DialId, ProspectId, UserId};
use domain::provider_pause::{PauseScope, Rejections};
use sqlx::PgConnection;

use crate::StoreError;

/// A rejection that does not concern the number.
#[derive(Clone, Copy, Debug)]
pub struct NewRejection<'a> {
    pub user_id: &'a UserId,
    pub dial_id: &'a DialId,
    /// The provider's words.
    pub detail: &'a str,
}

struct Row {
    user_id: Option<String>,
    in_a_row: i32,
    users: Vec<String>,
    detail: String,
    trial_at: Option<DateTime<Utc>>,
    trial_conversation_id: Option<String>,
}

impl From<Row> for Rejections {
    fn from(row: Row) -> Self {
        Self {
            scope: if row.user_id.is_some() { PauseScope::User } else { PauseScope::Service },
            in_a_row: row.in_a_row,
            users: row.users.len(),
            detail: row.detail,
            trial_at: row.trial_at,
            trial: row.trial_conversation_id.map(ConversationId::from),
        }
    }
}

/// Counts a rejection, of the user or of all users together; `None` if the rejection of this dial was counted last.
pub async fn add(
    conn: &mut PgConnection,
    scope: PauseScope,
    new: &NewRejection<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Rejections>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "insert into provider_rejections as r (user_id, in_a_row, users, last_dial_id, detail, rejected_at)
        values ($1, 1, array[$2], $3, $4, $5)
        on conflict (user_id) do update set
            in_a_row = least(r.in_a_row, 1000000) + 1,
            users = case when $2 = any(r.users) then r.users else r.users || $2 end,
            last_dial_id = excluded.last_dial_id, detail = excluded.detail,
            rejected_at = excluded.rejected_at
        where r.last_dial_id <> excluded.last_dial_id
        returning user_id, in_a_row, users, detail, trial_at, trial_conversation_id",
        owner(scope, new.user_id),
        new.user_id.as_str(),
        new.dial_id.as_str(),
        new.detail,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Rejections::from))
}

/// Pauses the calls of a user or of all users until a time, or until the trial call is accepted.
pub async fn set_trial(
    conn: &mut PgConnection,
    scope: PauseScope,
    user_id: &UserId,
    trial_at: DateTime<Utc>,
    trial: Option<&ConversationId>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update provider_rejections set trial_at = $2, trial_conversation_id = $3
        where user_id is not distinct from $1",
        owner(scope, user_id),
        trial_at,
        trial.map(ConversationId::as_str)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads what pauses the calls of a user. Rows are always changed in this order: that of the user first.
pub async fn pauses(
    conn: &mut PgConnection,
    user_id: &UserId,
) -> Result<Vec<Rejections>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "select user_id, in_a_row, users, detail, trial_at, trial_conversation_id
        from provider_rejections
        where (user_id = $1 or user_id is null) and trial_at is not null
        order by user_id nulls last",
        user_id.as_str()
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Rejections::from).collect())
}

/// Reads what pauses the calls of all users.
pub async fn service_pause(conn: &mut PgConnection) -> Result<Option<Rejections>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "select user_id, in_a_row, users, detail, trial_at, trial_conversation_id
        from provider_rejections where user_id is null and trial_at is not null"
    );
    Ok(row.fetch_optional(conn).await?.map(Rejections::from))
}

/// Whether the user has rejections since a call of it was accepted.
pub async fn exist(conn: &mut PgConnection, user_id: &UserId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select exists (select 1 from provider_rejections where user_id = $1) as "exists!""#,
        user_id.as_str()
    );
    Ok(found.fetch_one(conn).await?)
}

/// Counts the dials of a prospect that were rejected for another reason than its number.
pub async fn count_of_prospect(
    conn: &mut PgConnection,
    prospect_id: &ProspectId,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from dials where prospect_id = $1 and rejection_concerns_settings"#,
        prospect_id.as_str()
    );
    Ok(count.fetch_one(conn).await?)
}

/// Ends the pauses: the provider has accepted a call of the user.
pub async fn delete(conn: &mut PgConnection, user_id: &UserId) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from provider_rejections where ctid in (
            select ctid from provider_rejections where user_id = $1 or user_id is null
            order by user_id nulls last for update)",
        user_id.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn owner(scope: PauseScope, user_id: &UserId) -> Option<&str> {
    match scope {
        PauseScope::User => Some(user_id.as_str()),
        PauseScope::Service => None,
    }
}
