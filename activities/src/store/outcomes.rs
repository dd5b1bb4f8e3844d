//! What the record of an outcome writes, all within one transaction.

use chrono::{DateTime, Utc};
use domain::status::{ConversationStatus, Outcome, ProspectStatus};
use sqlx::PgConnection;
use workflows::activities::calls::Record;

use super::StoreError;
use super::dials::Dial;

/// Notes that somebody answered, in a conversation that rings.
pub async fn mark_answered(
    conn: &mut PgConnection,
    conversation_id: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set status = 'IN_PROGRESS', updated_at = $2
        where id = $1 and status = 'DIALING'",
        conversation_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes a conversation with what came of it.
pub async fn close_conversation(
    conn: &mut PgConnection,
    record: &Record,
    status: ConversationStatus,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set status = $2::text::conversation_status,
            outcome = $3::text::call_outcome, reason = $4, notes = $5,
            transcript = coalesce(transcript, $6), joined_at = $7, ended_at = $8, talk_secs = $9,
            settled_at = coalesce(settled_at, $10), updated_at = $10
        where id = $1",
        record.conversation_id,
        status.as_str(),
        record.outcome.map(Outcome::as_str),
        record.reason.map(|reason| reason.as_str()),
        record.notes,
        record.transcript,
        record.joined,
        record.ended,
        i32::try_from(record.talk_secs).unwrap_or(i32::MAX),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes a dial, frees its line, gives back what was reserved and charges what was talked.
/// Each happens once however often this runs.
pub async fn close_dial(
    conn: &mut PgConnection,
    dial: &Dial,
    placed: bool,
    provider_call_id: Option<&str>,
    minutes: i32,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = case when $2 then 'PLACED'::dial_state else 'NOT_PLACED' end,
            provider_call_id = coalesce(provider_call_id, $3), closed_at = coalesce(closed_at, $4)
        where id = $1",
        dial.id,
        placed,
        provider_call_id,
        now
    )
    .execute(&mut *conn)
    .await?;
    for (kind, amount) in [("release", dial.reserved_minutes), ("charge", -minutes)] {
        if amount == 0 {
            continue;
        }
        sqlx::query!(
            "insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
            values ($1, $2, $3, $4::text::minute_kind, $5)
            on conflict (dial_id, kind) do nothing",
            dial.subscription_id,
            dial.conversation_id,
            dial.id,
            kind,
            amount
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Minutes charged for a conversation.
pub async fn charged(conn: &mut PgConnection, conversation_id: &str) -> Result<i32, StoreError> {
    let minutes = sqlx::query_scalar!(
        r#"select coalesce(-sum(minutes), 0) as "minutes!" from minute_ledger
        where conversation_id = $1 and kind = 'charge'"#,
        conversation_id
    )
    .fetch_one(conn)
    .await?;
    Ok(minutes as i32)
}

/// Moves a prospect on. One who asked not to be called stays so, whatever else came.
pub async fn move_prospect(
    conn: &mut PgConnection,
    prospect_id: &str,
    status: ProspectStatus,
    rescheduled_for: Option<DateTime<Utc>>,
    newly_rescheduled: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update prospects set status = $2::text::prospect_status, rescheduled_for = $3,
            times_rescheduled = times_rescheduled + case when $4 then 1 else 0 end,
            last_contacted = $5, updated_at = $5
        where id = $1 and (status <> 'DO_NOT_CALL' or $2 = 'DO_NOT_CALL')",
        prospect_id,
        status.as_str(),
        rescheduled_for,
        newly_rescheduled,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a prospect was talked to, and leaves everything else of it as it is.
pub async fn touch_prospect(
    conn: &mut PgConnection,
    prospect_id: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update prospects set last_contacted = $2, updated_at = $2 where id = $1",
        prospect_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Enters the appointment of a conversation, or moves it.
pub async fn set_appointment(
    conn: &mut PgConnection,
    conversation_id: &str,
    user_id: &str,
    prospect_id: &str,
    time: DateTime<Utc>,
    notes: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into appointments
            (id, conversation_id, user_id, prospect_id, appointment_time, notes)
        values ($1, $1, $2, $3, $4, $5)
        on conflict (conversation_id) do update
            set appointment_time = excluded.appointment_time, notes = excluded.notes",
        conversation_id,
        user_id,
        prospect_id,
        time,
        notes
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a number on a client's do-not-call list.
pub async fn suppress(
    conn: &mut PgConnection,
    user_id: &str,
    phone: &str,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into suppressions (user_id, phone, reason) values ($1, $2, $3)
        on conflict (user_id, phone) do nothing",
        user_id,
        phone,
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores a transcript.
pub async fn store_transcript(
    conn: &mut PgConnection,
    conversation_id: &str,
    transcript: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set transcript = $2 where id = $1",
        conversation_id,
        transcript
    )
    .execute(conn)
    .await?;
    Ok(())
}
