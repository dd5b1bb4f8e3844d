//! Recording how a call ended, in one transaction.

use chrono::{DateTime, Utc};
use domain::facts::CallSummary;
use domain::ids::{ConversationId, DialId, ProspectId, UserId};
use domain::status::{ConversationStatus, ProspectStatus, Reason};
use sqlx::PgConnection;

use crate::StoreError;
use crate::dials::Dial;

/// The end of a conversation.
#[derive(Clone, Debug)]
pub struct ClosedConversation<'a> {
    pub id: &'a ConversationId,
    pub status: ConversationStatus,
    pub summary: &'a CallSummary,
}

/// Closes a conversation, or replaces its record; returns whether anything changed.
pub async fn close_conversation(
    conn: &mut PgConnection,
    closed: &ClosedConversation<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let CallSummary { outcome, reason, time, answered_at, ended_at, talk_secs, .. } =
        closed.summary;
    let updated = sqlx::query!(
        "update conversations set status = $2::text::conversation_status,
            outcome = $3::text::call_outcome, reason = $4, notes = $5, answered_at = $6,
            ended_at = $7, talk_secs = $8, outcome_time = $9,
            recorded_at = coalesce(recorded_at, $10), updated_at = $10
        where id = $1 and (status::text, outcome::text, reason, notes, answered_at, ended_at,
                talk_secs, outcome_time)
            is distinct from ($2, $3, $4, $5, $6, $7, $8, $9)",
        closed.id.as_str(),
        closed.status.into_str(),
        outcome.map(|outcome| outcome.into_str()),
        reason.map(|reason| reason.into_str()),
        closed.summary.full_notes(),
        *answered_at,
        *ended_at,
        i32::try_from(*talk_secs).unwrap_or(i32::MAX),
        *time,
        now
    )
    .execute(conn)
    .await?;
    Ok(updated.rows_affected() > 0)
}

/// Releases the reservation of a dial that is over and charges its talk. Idempotent; a different charge is corrected by a
/// ledger entry. Returns whether anything was entered.
pub async fn charge(
    conn: &mut PgConnection,
    dial: &Dial,
    minutes: i32,
) -> Result<bool, StoreError> {
    // The balance limits the charge, so no other transaction may change it meanwhile.
    sqlx::query!("select id from subscriptions where id = $1 for update", dial.subscription_id)
        .fetch_optional(&mut *conn)
        .await?;
    let released = add_ledger_entry(conn, dial, "release", dial.reserved_minutes).await?;
    let charged = add_ledger_entry(conn, dial, "charge", -minutes).await?;
    let so_far = charged_of_dial(conn, &dial.id).await?;
    let corrected = add_ledger_entry(conn, dial, "correct", so_far - minutes).await?;
    Ok(released || charged || corrected)
}

/// Reads the minutes charged for a dial.
async fn charged_of_dial(conn: &mut PgConnection, dial_id: &DialId) -> Result<i32, StoreError> {
    let minutes = sqlx::query_scalar!(
        r#"select coalesce(-sum(minutes), 0) as "minutes!" from minute_ledger
        where dial_id = $1 and kind in ('charge', 'correct')"#,
        dial_id.as_str()
    )
    .fetch_one(conn)
    .await?;
    Ok(minutes as i32)
}

/// Adds a ledger entry for a dial, unless there is one of a kind that is allowed once. The balance of the subscription
/// limits a charge.
async fn add_ledger_entry(
    conn: &mut PgConnection,
    dial: &Dial,
    kind: &str,
    minutes: i32,
) -> Result<bool, StoreError> {
    if minutes == 0 {
        return Ok(false);
    }
    let added = sqlx::query!(
        "insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
        select $1, $2, $3, $4::text::minute_kind, minutes from (
            select greatest(
                $5::int,
                coalesce((select -minutes_left from subscriptions where id = $1), $5)
            ) as minutes
        ) as capped where minutes <> 0
        on conflict (dial_id, kind) where kind in ('reserve', 'release', 'charge') do nothing",
        dial.subscription_id,
        dial.conversation_id.as_str(),
        dial.id.as_str(),
        kind,
        minutes
    )
    .execute(conn)
    .await?;
    Ok(added.rows_affected() > 0)
}

/// Reads the minutes charged for a conversation.
pub async fn charged(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
) -> Result<i32, StoreError> {
    let minutes = sqlx::query_scalar!(
        r#"select coalesce(-sum(minutes), 0) as "minutes!" from minute_ledger
        where conversation_id = $1 and kind in ('charge', 'correct')"#,
        conversation_id.as_str()
    )
    .fetch_one(conn)
    .await?;
    Ok(minutes as i32)
}

/// Whether a prospect has a later conversation in which it was dialled.
pub async fn was_called_again(
    conn: &mut PgConnection,
    prospect_id: &ProspectId,
    conversation_id: &ConversationId,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select 1 from conversations c
            join dials d on d.conversation_id = c.id and d.sent_at is not null
            where c.prospect_id = $1
                and c.sequence > (select sequence from conversations where id = $2)) as "exists!""#,
        prospect_id.as_str(),
        conversation_id.as_str()
    )
    .fetch_one(conn)
    .await?)
}

/// Counts the recorded conversations of a prospect that ended for a reason.
pub async fn count_ended_for(
    conn: &mut PgConnection,
    prospect_id: &ProspectId,
    reason: Option<Reason>,
) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from conversations
        where prospect_id = $1 and reason is not distinct from $2 and recorded_at is not null
            and status <> 'CANCELLED'"#,
        prospect_id.as_str(),
        reason.map(|reason| reason.into_str())
    )
    .fetch_one(conn)
    .await?;
    Ok(count as i32)
}

/// The effect of a call on its prospect.
pub struct ProspectUpdate {
    pub status: ProspectStatus,
    /// When the callback is due.
    pub rescheduled_for: Option<DateTime<Utc>>,
    /// By how much the number of callbacks changes.
    pub rescheduled: i32,
    /// When the prospect was contacted.
    pub contacted: Option<DateTime<Utc>>,
    /// The end of the cool-down.
    pub next_call_at: Option<DateTime<Utc>>,
}

/// Updates a prospect after a call. `DO_NOT_CALL` is final, and a call without a response does not make a prospect
/// callable that the user has set to another status meanwhile.
pub async fn update_prospect(
    conn: &mut PgConnection,
    prospect_id: &ProspectId,
    update: &ProspectUpdate,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update prospects set status = $2::text::prospect_status, rescheduled_for = $3,
            times_rescheduled = greatest(0, times_rescheduled + $4),
            last_contacted = greatest(last_contacted, $5), next_call_at = $7, updated_at = $6
        where id = $1 and (status <> 'DO_NOT_CALL' or $2 = 'DO_NOT_CALL')
            and (status in ('INITIAL', 'RESCHEDULED', 'NOT_RESPONDED', 'FAILED')
                or $2 not in ('NOT_RESPONDED', 'FAILED'))",
        prospect_id.as_str(),
        update.status.into_str(),
        update.rescheduled_for,
        update.rescheduled,
        update.contacted,
        now,
        update.next_call_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets a prospect cool down that no call has reached.
pub async fn cool_down_prospect(
    conn: &mut PgConnection,
    prospect_id: &ProspectId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update prospects set next_call_at = greatest(next_call_at, $2), updated_at = $3
        where id = $1",
        prospect_id.as_str(),
        until,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores that a prospect was contacted.
pub async fn touch_prospect(
    conn: &mut PgConnection,
    prospect_id: &ProspectId,
    contacted: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update prospects set last_contacted = greatest(last_contacted, $2), updated_at = $2
        where id = $1",
        prospect_id.as_str(),
        contacted
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts the appointment of a conversation, or updates it.
pub async fn set_appointment(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    user_id: &UserId,
    prospect_id: &ProspectId,
    time: DateTime<Utc>,
    notes: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into appointments
            (id, conversation_id, user_id, prospect_id, appointment_time, notes)
        values ($1, $1, $2, $3, $4, $5)
        on conflict (conversation_id) do update
            set appointment_time = excluded.appointment_time, notes = excluded.notes",
        conversation_id.as_str(),
        user_id.as_str(),
        prospect_id.as_str(),
        time,
        notes
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A number that must not be called any more.
pub struct NewSuppression<'a> {
    pub user_id: &'a UserId,
    pub prospect_id: &'a ProspectId,
    /// The number that was dialled; the prospect's number if `None`.
    pub dialed: Option<&'a str>,
    /// The call in which the callee has opted out.
    pub conversation_id: &'a ConversationId,
}

/// Deletes the appointment of a conversation.
pub async fn delete_appointment(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
) -> Result<(), StoreError> {
    sqlx::query!("delete from appointments where conversation_id = $1", conversation_id.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// Puts a number on a user's do-not-call list.
pub async fn suppress(conn: &mut PgConnection, new: &NewSuppression<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into suppressions (user_id, phone, reason, conversation_id)
        select $1, phone, 'asked on a call', $4 from (
            select coalesce($3, (select phone from prospects where id = $2)) as phone
        ) as number where is_canonical_phone(phone)
        on conflict (user_id, phone) do nothing",
        new.user_id.as_str(),
        new.prospect_id.as_str(),
        new.dialed,
        new.conversation_id.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a prospect and its number on the do-not-call list of its user, for an opt-out whose conversation was deleted.
/// Returns whether there is such a prospect.
pub async fn opt_prospect_out(
    conn: &mut PgConnection,
    prospect_id: &ProspectId,
    conversation_id: &ConversationId,
) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"with opted_out as (
            update prospects set status = 'DO_NOT_CALL' where id = $1 returning user_id, phone
        ), suppressed as (
            insert into suppressions (user_id, phone, reason, conversation_id)
            select user_id, phone, 'asked on a call', $2 from opted_out where is_canonical_phone(phone)
            on conflict (user_id, phone) do nothing
        )
        select exists (select 1 from opted_out) as "found!""#,
        prospect_id.as_str(),
        conversation_id.as_str()
    );
    Ok(found.fetch_one(conn).await?)
}

/// Whether a number is on a do-not-call list of the user or of all users.
pub async fn is_suppressed(
    conn: &mut PgConnection,
    user_id: &UserId,
    prospect_id: &ProspectId,
    dialed: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select 1 from suppressions where (user_id is null or user_id = $1)
            and canonical_phone(phone)
                = canonical_phone(coalesce($3, (select phone from prospects where id = $2)))) as "exists!""#,
        user_id.as_str(),
        prospect_id.as_str(),
        dialed
    )
    .fetch_one(conn)
    .await?)
}

/// Stores the transcript of the user's system, unless there is one.
pub async fn store_user_transcript(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    transcript: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set transcript = $2 where id = $1 and transcript is null",
        conversation_id.as_str(),
        transcript
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the transcript of a dial; an empty one keeps what there is.
pub async fn store_transcript(
    conn: &mut PgConnection,
    dial: &Dial,
    transcript: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!("update dials set transcript_read_at = $2 where id = $1", dial.id.as_str(), now)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "update conversations set transcript = coalesce(nullif($2, ''), transcript) where id = $1",
        dial.conversation_id.as_str(),
        transcript
    )
    .execute(conn)
    .await?;
    Ok(())
}
