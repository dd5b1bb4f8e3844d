//! Conversations: the rows of calls, before their end is recorded.

use chrono::{DateTime, Utc};
use domain::ids::{ConversationId, ProspectId, UserId};
use domain::status::{ConversationStatus, Outcome};
use sqlx::PgConnection;

use crate::{StoreError, parse_enum};

/// A conversation whose row is locked.
pub struct LockedConversation {
    pub user_id: UserId,
    pub prospect_id: ProspectId,
    pub status: ConversationStatus,
    pub slot: DateTime<Utc>,
    /// The recorded outcome.
    pub outcome: Option<Outcome>,
    /// The workflow run that was last admitted.
    pub run_id: Option<String>,
}

/// Locks a conversation until the end of the transaction.
pub async fn lock(
    conn: &mut PgConnection,
    id: &ConversationId,
) -> Result<Option<LockedConversation>, StoreError> {
    let row = sqlx::query!(
        r#"select user_id, prospect_id, status::text as "status!", slot,
            outcome::text as "outcome", run_id
        from conversations where id = $1 for update"#,
        id.as_str()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(LockedConversation {
            status: parse_enum("conversations.status", &row.status)?,
            user_id: row.user_id.into(),
            prospect_id: row.prospect_id.into(),
            slot: row.slot,
            outcome: row
                .outcome
                .map(|outcome| parse_enum("conversations.outcome", &outcome))
                .transpose()?,
            run_id: row.run_id,
        })
    })
    .transpose()
}

/// Moves the slot of a conversation.
pub async fn set_slot(
    conn: &mut PgConnection,
    id: &ConversationId,
    slot: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set slot = $2, updated_at = $3 where id = $1",
        id.as_str(),
        slot,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the workflow run that is admitted, and keeps the earlier runs.
pub async fn set_run(
    conn: &mut PgConnection,
    id: &ConversationId,
    run_id: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set run_id = $2,
            earlier_runs = case when run_id <> $2 then array_append(earlier_runs, run_id)
                else earlier_runs end
        where id = $1",
        id.as_str(),
        run_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reopens a recorded call for a new workflow run; returns whether it was reopened.
///
/// Requires that (1) the call was admitted for another run, and never for this one; (2) it failed, was cancelled or had
/// no response; (3) the prospect has no open conversation; (4) the phone can't ring any more: provider or carrier have
/// reported the end, or the latest possible end has passed.
pub async fn reopen(
    conn: &mut PgConnection,
    id: &ConversationId,
    run_id: &str,
    slot: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let reopened = sqlx::query!(
        "update conversations c set status = 'SCHEDULED', slot = $2, outcome = null,
            outcome_time = null, reason = null, notes = null, answered_at = null, ended_at = null,
            talk_secs = null, recorded_at = null, updated_at = $3
        where c.id = $1 and c.run_id <> $4 and $4 <> all (c.earlier_runs)
            and (c.status in ('FAILED', 'CANCELLED') or c.outcome = 'NO_RESPONSE')
            and not exists (select 1 from open_conversations o where o.prospect_id = c.prospect_id)
            and not (c.ended_at is null and coalesce(c.reason, 'reported_failure') = 'reported_failure'
                and exists (select 1 from dials d
                    where d.conversation_id = c.id and d.state = 'PLACED'
                        and d.sent_at + (d.reserved_minutes + 5) * interval '1 minute' > $3))",
        id.as_str(),
        slot,
        now,
        run_id
    )
    .execute(conn)
    .await?;
    Ok(reopened.rows_affected() == 1)
}

/// Counts the user's conversations that were dialled since the start of its day or have a live dial, without the live
/// dial of `except`.
pub async fn count_calls_today(
    conn: &mut PgConnection,
    user_id: &UserId,
    day_start: DateTime<Utc>,
    except: &ConversationId,
) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(distinct conversation_id) as "count!" from dials
        where user_id = $1 and (sent_at >= $2 or closed_at is null)
            and (conversation_id <> $3 or closed_at is not null)"#,
        user_id.as_str(),
        day_start,
        except.as_str()
    )
    .fetch_one(conn)
    .await?;
    Ok(count as i32)
}
