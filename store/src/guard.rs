//! What the guard reads and writes, all within one transaction.

use chrono::{DateTime, Utc};
use domain::status::{ConversationStatus, Outcome, ProspectStatus};
use sqlx::PgConnection;

use crate::{StoreError, word};

/// A conversation whose row is locked.
pub struct LockedConversation {
    /// The client.
    pub user_id: String,
    /// The person to call.
    pub prospect_id: String,
    /// Where it stands.
    pub status: ConversationStatus,
    /// The moment for which it is planned.
    pub slot: DateTime<Utc>,
    /// What is recorded of it.
    pub outcome: Option<Outcome>,
    /// The run of its workflow that was last admitted.
    pub run_id: Option<String>,
}

/// Locks a conversation until the end of the transaction.
pub async fn lock_conversation(
    conn: &mut PgConnection,
    id: &str,
) -> Result<Option<LockedConversation>, StoreError> {
    let row = sqlx::query!(
        r#"select user_id, prospect_id, status::text as "status!", slot,
            outcome::text as "outcome", run_id
        from conversations where id = $1 for update"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(LockedConversation {
            status: word("conversations.status", &row.status, ConversationStatus::parse)?,
            user_id: row.user_id,
            prospect_id: row.prospect_id,
            slot: row.slot,
            outcome: row.outcome.as_deref().and_then(Outcome::parse),
            run_id: row.run_id,
        })
    })
    .transpose()
}

/// Plans a conversation for another moment.
pub async fn move_slot(
    conn: &mut PgConnection,
    id: &str,
    slot: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set slot = $2, updated_at = $3 where id = $1",
        id,
        slot,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes for which run of its workflow a conversation is weighed, and keeps those before.
pub async fn note_run(conn: &mut PgConnection, id: &str, run_id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set run_id = $2,
            earlier_runs = case when run_id <> $2 then array_append(earlier_runs, run_id)
                else earlier_runs end
        where id = $1",
        id,
        run_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Opens a settled conversation again for a run that it has not been weighed for: one that was once admitted and in which
/// nothing was agreed, unless another call of the prospect is planned or under way, or the phone may still ring: whoever
/// declared it over was not the provider, and its longest end has not come. False if it stays closed.
pub async fn reopen(
    conn: &mut PgConnection,
    id: &str,
    run_id: &str,
    slot: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let opened = sqlx::query!(
        "update conversations c set status = 'SCHEDULED', slot = $2, outcome = null,
            outcome_time = null, reason = null, notes = null, joined_at = null, ended_at = null,
            talk_secs = null, settled_at = null, updated_at = $3
        where c.id = $1 and c.run_id <> $4 and $4 <> all (c.earlier_runs) and (c.status in ('FAILED', 'CANCELLED') or c.outcome = 'NO_RESPONSE')
            and not exists (select 1 from conversations o where o.prospect_id = c.prospect_id
                and o.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS'))
            and not (c.ended_at is null and coalesce(c.reason, 'reported_failure') = 'reported_failure'
                and exists (select 1 from dials d
                    where d.conversation_id = c.id and d.state = 'PLACED'
                        and d.sent_at + (d.reserved_minutes + 5) * interval '1 minute' > $3))",
        id,
        slot,
        now,
        run_id
    )
    .execute(conn)
    .await?;
    Ok(opened.rows_affected() == 1)
}

/// A prospect as the guard sees it.
pub struct ProspectNow {
    /// Its name.
    pub name: String,
    /// Its number as stored.
    pub phone: String,
    /// Where it stands.
    pub status: ProspectStatus,
    /// Its own time zone.
    pub time_zone: Option<String>,
    /// The state in which it is said to be, as `US-FL`.
    pub state: Option<String>,
    /// Whether its number is on a do-not-call list.
    pub suppressed: bool,
    /// Conversations in which it was dialled before.
    pub attempts: i32,
}

/// Reads a prospect; nothing if it was deleted.
pub async fn prospect(
    conn: &mut PgConnection,
    id: &str,
    except_conversation: &str,
) -> Result<Option<ProspectNow>, StoreError> {
    let row = sqlx::query!(
        r#"select p.name, p.phone, p.status::text as "status!", p.time_zone, p.state,
            exists (select 1 from suppressions s where s.phone = p.phone
                and (s.user_id is null or s.user_id = p.user_id)) as "suppressed!",
            (select count(distinct d.conversation_id) from dials d where d.prospect_id = p.id
                and d.sent_at is not null and (d.state <> 'NOT_PLACED' or d.refusal is not null)
                and d.conversation_id <> $2) as "attempts!"
        from prospects p where p.id = $1"#,
        id,
        except_conversation
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(ProspectNow {
            status: word("prospects.status", &row.status, ProspectStatus::parse)?,
            name: row.name,
            phone: row.phone,
            time_zone: row.time_zone,
            state: row.state,
            suppressed: row.suppressed,
            attempts: row.attempts as i32,
        })
    })
    .transpose()
}

/// Conversations of a user that were dialled since the start of its day or hold a dial, but for the
/// dial that one of them holds.
pub async fn calls_today(
    conn: &mut PgConnection,
    user_id: &str,
    day_start: DateTime<Utc>,
    except_conversation: &str,
) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(distinct conversation_id) as "count!" from dials
        where user_id = $1 and (sent_at >= $2 or closed_at is null)
            and (conversation_id <> $3 or closed_at is not null)"#,
        user_id,
        day_start,
        except_conversation
    )
    .fetch_one(conn)
    .await?;
    Ok(count as i32)
}
