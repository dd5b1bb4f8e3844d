//! Recording how a call ended, in one transaction.

use chrono::{DateTime, Utc};
use domain::facts::CallSummary;
use domain::ids::{ConversationId, DialId, ProspectId, UserId};
use domain::status::{ConversationStatus, ProspectStatus, Reason};
use sqlx::PgConnection;

use crate::dials::Dial;
use crate::{StoreError, parse_enum};

/// A conversation and its record.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    pub user_id: UserId,
    pub status: ConversationStatus,
    pub summary: CallSummary,
}

/// Locks a conversation and reads its record.
pub async fn lock_recorded(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
) -> Result<Option<RecordedCall>, StoreError> {
    let row = sqlx::query!(
        r#"select user_id, status::text as "status!", outcome::text as "outcome", reason, outcome_time,
            notes, answered_at, ended_at, talk_secs
        from conversations where id = $1 for update"#,
        conversation_id.as_str()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let status = parse_enum("conversations.status", &row.status)?;
        let outcome = row.outcome.as_deref();
        let outcome = outcome.map(|outcome| parse_enum("conversations.outcome", outcome));
        let reason = row.reason.as_deref();
        let reason = reason.map(|reason| parse_enum("conversations.reason", reason));
        let summary = CallSummary {
            outcome: outcome.transpose()?,
            reason: reason.transpose()?,
            time: row.outcome_time,
            notes: row.notes,
            answered_at: row.answered_at,
            ended_at: row.ended_at,
            talk_secs: i64::from(row.talk_secs.unwrap_or(0)),
            superseded: Vec::new(),
        };
        Ok(RecordedCall { user_id: row.user_id.into(), status, summary })
    })
    .transpose()
}

/// Marks a ringing conversation as answered.
pub async fn mark_answered(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set status = 'IN_PROGRESS', updated_at = $2
        where id = $1 and status = 'DIALING'",
        conversation_id.as_str(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The end of a conversation.
#[derive(Clone, Debug)]
pub struct ClosedConversation<'a> {
    pub id: &'a ConversationId,
    pub status: ConversationStatus,
    pub summary: &'a CallSummary,
    pub notes: Option<&'a str>,
    pub reason: Option<Reason>,
    pub transcript: Option<&'a str>,
}

/// Closes a conversation, or replaces its record.
pub async fn close_conversation(
    conn: &mut PgConnection,
    closed: &ClosedConversation<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set status = $2::text::conversation_status,
            outcome = $3::text::call_outcome, reason = $4, notes = $5,
            transcript = coalesce(transcript, $6), answered_at = coalesce($7, answered_at),
            ended_at = coalesce($8, ended_at), talk_secs = $9,
            outcome_time = $10, recorded_at = coalesce(recorded_at, $11), updated_at = $11
        where id = $1",
        closed.id.as_str(),
        closed.status.into_str(),
        closed.summary.outcome.map(|outcome| outcome.into_str()),
        closed.reason.map(|reason| reason.into_str()),
        closed.notes,
        closed.transcript,
        closed.summary.answered_at,
        closed.summary.ended_at,
        i32::try_from(closed.summary.talk_secs).unwrap_or(i32::MAX),
        closed.summary.time,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The end of a dial.
pub struct ClosedDial<'a> {
    /// Whether the provider had the call.
    pub placed: bool,
    pub provider_call_id: Option<&'a str>,
    /// The carrier's id of the leg.
    pub carrier_call_id: Option<&'a str>,
    /// Minutes to charge for the dial.
    pub minutes: i32,
}

/// Closes a dial, frees its line, releases its reservation and charges the talk. Idempotent; a different charge is
/// corrected by a ledger entry.
pub async fn close_dial(
    conn: &mut PgConnection,
    dial: &Dial,
    closed: &ClosedDial<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    // The balance limits the charge, so no other transaction may change it meanwhile.
    sqlx::query!("select id from subscriptions where id = $1 for update", dial.subscription_id)
        .fetch_optional(&mut *conn)
        .await?;
    sqlx::query!(
        "update dials set state = case when $2 then 'PLACED'::dial_state else 'NOT_PLACED' end,
            provider_call_id = coalesce(provider_call_id, $3),
            carrier_call_id = coalesce(carrier_call_id, $4), closed_at = coalesce(closed_at, $5),
            sent_at = case when $2 then coalesce(sent_at, intended_at) else sent_at end
        where id = $1",
        dial.id.as_str(),
        closed.placed,
        closed.provider_call_id,
        closed.carrier_call_id,
        now
    )
    .execute(&mut *conn)
    .await?;
    add_ledger_entry(conn, dial, "release", dial.reserved_minutes).await?;
    add_ledger_entry(conn, dial, "charge", -closed.minutes).await?;
    let charged = charged_of_dial(conn, &dial.id).await?;
    add_ledger_entry(conn, dial, "correct", charged - closed.minutes).await
}

/// Reads the minutes charged for a dial.
pub async fn charged_of_dial(conn: &mut PgConnection, dial_id: &DialId) -> Result<i32, StoreError> {
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
) -> Result<(), StoreError> {
    if minutes == 0 {
        return Ok(());
    }
    sqlx::query!(
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
    Ok(())
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
    /// Whether the callback is a new one.
    pub newly_rescheduled: bool,
    /// When the prospect was contacted; `None` keeps the stored time.
    pub contacted: Option<DateTime<Utc>>,
    /// The end of the cool-down.
    pub next_call_at: Option<DateTime<Utc>>,
}

impl ProspectUpdate {
    /// The effect of an opt-out.
    pub fn opt_out() -> Self {
        Self {
            status: ProspectStatus::DoNotCall,
            rescheduled_for: None,
            newly_rescheduled: false,
            contacted: None,
            next_call_at: None,
        }
    }
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
            times_rescheduled = times_rescheduled + case when $4 then 1 else 0 end,
            last_contacted = greatest(last_contacted, $5), next_call_at = $7, updated_at = $6
        where id = $1 and (status <> 'DO_NOT_CALL' or $2 = 'DO_NOT_CALL')
            and (status in ('INITIAL', 'RESCHEDULED', 'NOT_RESPONDED', 'FAILED')
                or $2 not in ('NOT_RESPONDED', 'FAILED'))",
        prospect_id.as_str(),
        update.status.into_str(),
        update.rescheduled_for,
        update.newly_rescheduled,
        update.contacted,
        now,
        update.next_call_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores that a prospect was contacted.
pub async fn touch_prospect(
    conn: &mut PgConnection,
    prospect_id: &ProspectId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update prospects set last_contacted = $2, updated_at = $2 where id = $1",
        prospect_id.as_str(),
        now
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
        ) as number where phone is not null
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

/// Whether a number is on a do-not-call list of the user or of all users.
pub async fn is_suppressed(
    conn: &mut PgConnection,
    user_id: &UserId,
    prospect_id: &ProspectId,
    dialed: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select 1 from suppressions where (user_id is null or user_id = $1)
            and phone = coalesce($3, (select phone from prospects where id = $2))) as "exists!""#,
        user_id.as_str(),
        prospect_id.as_str(),
        dialed
    )
    .fetch_one(conn)
    .await?)
}

/// Stores a transcript.
pub async fn store_transcript(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    transcript: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set transcript = $2 where id = $1",
        conversation_id.as_str(),
        transcript
    )
    .execute(conn)
    .await?;
    Ok(())
}
