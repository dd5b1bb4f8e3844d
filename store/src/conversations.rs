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
    /// The runs that were admitted before.
    pub earlier_runs: Vec<String>,
    /// How often the call was reopened.
    pub generation: i32,
    /// When the call was recorded.
    pub recorded_at: Option<DateTime<Utc>>,
}

/// Locks a conversation until the end of the transaction.
pub async fn lock(
    conn: &mut PgConnection,
    id: &ConversationId,
) -> Result<Option<LockedConversation>, StoreError> {
    let row = sqlx::query!(
        r#"select user_id, prospect_id, status::text as "status!", slot,
            outcome::text as "outcome", run_id, earlier_runs, generation, recorded_at
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
            earlier_runs: row.earlier_runs,
            generation: row.generation,
            recorded_at: row.recorded_at,
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
/// no response; (3) the prospect has no open conversation; (4) no dial of the call is live.
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
            talk_secs = null, recorded_at = null, updated_at = $3, generation = generation + 1
        where c.id = $1 and c.run_id <> $4 and $4 <> all (c.earlier_runs)
            and (c.status in ('FAILED', 'CANCELLED') or c.outcome = 'NO_RESPONSE')
            and not exists (select 1 from open_conversations o where o.prospect_id = c.prospect_id)
            and not exists (select 1 from dials d
                where d.conversation_id = c.id and d.closed_at is null)",
        id.as_str(),
        slot,
        now,
        run_id
    )
    .execute(conn)
    .await?;
    Ok(reopened.rows_affected() == 1)
}

/// Marks a ringing conversation as answered.
pub async fn mark_answered(
    conn: &mut PgConnection,
    id: &ConversationId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set status = 'IN_PROGRESS', updated_at = $2
        where id = $1 and status = 'DIALING'",
        id.as_str(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
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
