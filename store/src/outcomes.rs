//! What the record of an outcome writes, all within one transaction.

use chrono::{DateTime, Utc};
use domain::late::Recorded;
use domain::status::{ConversationStatus, Outcome, ProspectStatus, Reason};
use sqlx::PgConnection;

use crate::dials::Dial;
use crate::{StoreError, word};

/// A conversation and what is recorded of it.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// On whose behalf the call was made.
    pub user_id: String,
    /// Where it stands.
    pub status: ConversationStatus,
    /// What is recorded.
    pub recorded: Recorded,
}

/// Locks a conversation and reads what is recorded of it.
pub async fn recorded(
    conn: &mut PgConnection,
    conversation_id: &str,
) -> Result<Option<RecordedCall>, StoreError> {
    let row = sqlx::query!(
        r#"select user_id, status::text as "status!", outcome::text as "outcome", reason, outcome_time,
            notes, joined_at, ended_at, talk_secs
        from conversations where id = $1 for update"#,
        conversation_id
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let status = word("conversations.status", &row.status, ConversationStatus::parse)?;
        let outcome = row.outcome.as_deref();
        let outcome = outcome.map(|text| word("conversations.outcome", text, Outcome::parse));
        let reason = row.reason.as_deref();
        let reason = reason.map(|text| word("conversations.reason", text, Reason::parse));
        let recorded = Recorded {
            outcome: outcome.transpose()?,
            reason: reason.transpose()?,
            time: row.outcome_time,
            notes: row.notes,
            joined: row.joined_at,
            ended: row.ended_at,
            talk_secs: i64::from(row.talk_secs.unwrap_or(0)),
        };
        Ok(RecordedCall { user_id: row.user_id, status, recorded })
    })
    .transpose()
}

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

/// What is written to a conversation when it closes.
#[derive(Clone, Debug)]
pub struct ClosedConversation<'a> {
    pub id: &'a str,
    pub status: ConversationStatus,
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    /// The time of the appointment or of the callback.
    pub time: Option<DateTime<Utc>>,
    pub notes: Option<&'a str>,
    pub transcript: Option<&'a str>,
    pub joined: Option<DateTime<Utc>>,
    pub ended: Option<DateTime<Utc>>,
    pub talk_secs: i64,
}

/// Closes a conversation with what came of it.
pub async fn close_conversation(
    conn: &mut PgConnection,
    closed: &ClosedConversation<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update conversations set status = $2::text::conversation_status,
            outcome = $3::text::call_outcome, reason = $4, notes = $5,
            transcript = coalesce(transcript, $6), joined_at = coalesce($7, joined_at),
            ended_at = coalesce($8, ended_at), talk_secs = $9,
            outcome_time = $10, settled_at = coalesce(settled_at, $11), updated_at = $11
        where id = $1",
        closed.id,
        closed.status.as_str(),
        closed.outcome.map(Outcome::as_str),
        closed.reason.map(|reason| reason.as_str()),
        closed.notes,
        closed.transcript,
        closed.joined,
        closed.ended,
        i32::try_from(closed.talk_secs).unwrap_or(i32::MAX),
        closed.time,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is known of a dial at its end.
pub struct Closed<'a> {
    /// Whether the provider had the call.
    pub placed: bool,
    /// The provider's id of the call.
    pub provider_call_id: Option<&'a str>,
    /// The carrier's id of the leg.
    pub carrier_call_id: Option<&'a str>,
    /// Minutes to charge in all.
    pub minutes: i32,
}

/// Closes a dial, frees its line, gives back what was reserved and charges what was talked. Each
/// happens once however often this runs; a charge that turns out to be another is corrected.
pub async fn close_dial(
    conn: &mut PgConnection,
    dial: &Dial,
    closed: &Closed<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    // What is left of the subscription bounds the charge, so nobody else may spend it meanwhile.
    sqlx::query!("select id from subscriptions where id = $1 for update", dial.subscription_id)
        .fetch_optional(&mut *conn)
        .await?;
    sqlx::query!(
        "update dials set state = case when $2 then 'PLACED'::dial_state else 'NOT_PLACED' end,
            provider_call_id = coalesce(provider_call_id, $3),
            carrier_call_id = coalesce(carrier_call_id, $4), closed_at = coalesce(closed_at, $5),
            sent_at = case when $2 then coalesce(sent_at, intended_at) else sent_at end
        where id = $1",
        dial.id,
        closed.placed,
        closed.provider_call_id,
        closed.carrier_call_id,
        now
    )
    .execute(&mut *conn)
    .await?;
    enter_minutes(conn, dial, "release", dial.reserved_minutes).await?;
    enter_minutes(conn, dial, "charge", -closed.minutes).await?;
    let charged = charged_of_dial(conn, &dial.id).await?;
    enter_minutes(conn, dial, "correct", charged - closed.minutes).await
}

/// Minutes charged for a dial.
pub async fn charged_of_dial(conn: &mut PgConnection, dial_id: &str) -> Result<i32, StoreError> {
    let minutes = sqlx::query_scalar!(
        r#"select coalesce(-sum(minutes), 0) as "minutes!" from minute_ledger
        where dial_id = $1 and kind in ('charge', 'correct')"#,
        dial_id
    )
    .fetch_one(conn)
    .await?;
    Ok(minutes as i32)
}

/// Enters minutes for a dial, unless an entry of that kind, of which there is only one, is there.
/// Minutes that a subscription no longer has are not taken from it.
async fn enter_minutes(
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
        dial.conversation_id,
        dial.id,
        kind,
        minutes
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Minutes charged for a conversation.
pub async fn charged(conn: &mut PgConnection, conversation_id: &str) -> Result<i32, StoreError> {
    let minutes = sqlx::query_scalar!(
        r#"select coalesce(-sum(minutes), 0) as "minutes!" from minute_ledger
        where conversation_id = $1 and kind in ('charge', 'correct')"#,
        conversation_id
    )
    .fetch_one(conn)
    .await?;
    Ok(minutes as i32)
}

/// Whether a prospect has a later conversation in which it was dialled.
pub async fn was_called_again(
    conn: &mut PgConnection,
    prospect_id: &str,
    conversation_id: &str,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select 1 from conversations c
            join dials d on d.conversation_id = c.id and d.sent_at is not null
            where c.prospect_id = $1
                and c.number > (select number from conversations where id = $2)) as "exists!""#,
        prospect_id,
        conversation_id
    )
    .fetch_one(conn)
    .await?)
}

/// How many conversations of a prospect have ended for a reason.
pub async fn endings(
    conn: &mut PgConnection,
    prospect_id: &str,
    reason: Option<Reason>,
) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from conversations
        where prospect_id = $1 and reason is not distinct from $2 and settled_at is not null
            and status <> 'CANCELLED'"#,
        prospect_id,
        reason.map(|reason| reason.as_str())
    )
    .fetch_one(conn)
    .await?;
    Ok(count as i32)
}

/// Where a call leaves its prospect.
pub struct Moved {
    /// Where it stands now.
    pub status: ProspectStatus,
    /// When it was promised a call.
    pub rescheduled_for: Option<DateTime<Utc>>,
    /// Whether that is a new promise.
    pub newly_rescheduled: bool,
    /// When it was contacted; nothing leaves that as it is.
    pub contacted: Option<DateTime<Utc>>,
    /// Until when it rests, if it is to be called again by nobody's promise.
    pub rests_until: Option<DateTime<Utc>>,
}

/// Moves a prospect on. One who asked not to be called stays so, whatever else came, and one whom
/// the client has taken off the list meanwhile is not put back by a call that reached nobody.
pub async fn move_prospect(
    conn: &mut PgConnection,
    prospect_id: &str,
    moved: &Moved,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update prospects set status = $2::text::prospect_status, rescheduled_for = $3,
            times_rescheduled = times_rescheduled + case when $4 then 1 else 0 end,
            last_contacted = greatest(last_contacted, $5), next_call_at = $7, updated_at = $6
        where id = $1 and (status <> 'DO_NOT_CALL' or $2 = 'DO_NOT_CALL')
            and (status in ('INITIAL', 'RESCHEDULED', 'NOT_RESPONDED', 'FAILED')
                or $2 not in ('NOT_RESPONDED', 'FAILED'))",
        prospect_id,
        moved.status.as_str(),
        moved.rescheduled_for,
        moved.newly_rescheduled,
        moved.contacted,
        now,
        moved.rests_until
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

/// A number that must not be called any more.
pub struct Suppressed<'a> {
    /// The client for whom it holds.
    pub user_id: &'a str,
    /// The person who asked for it.
    pub prospect_id: &'a str,
    /// The number that was dialled; nothing for the prospect's own.
    pub dialled: Option<&'a str>,
    /// The call in which it was asked for.
    pub conversation_id: &'a str,
}

/// Removes the appointment of a conversation that came to something else.
pub async fn drop_appointment(
    conn: &mut PgConnection,
    conversation_id: &str,
) -> Result<(), StoreError> {
    sqlx::query!("delete from appointments where conversation_id = $1", conversation_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Puts a number on a client's do-not-call list.
pub async fn suppress(conn: &mut PgConnection, new: &Suppressed<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into suppressions (user_id, phone, reason, conversation_id)
        select $1, phone, 'asked on a call', $4 from (
            select coalesce($3, (select phone from prospects where id = $2)) as phone
        ) as number where phone is not null
        on conflict (user_id, phone) do nothing",
        new.user_id,
        new.prospect_id,
        new.dialled,
        new.conversation_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a number is on a do-not-call list of a client, or of all.
pub async fn is_suppressed(
    conn: &mut PgConnection,
    user_id: &str,
    prospect_id: &str,
    dialled: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select 1 from suppressions where (user_id is null or user_id = $1)
            and phone = coalesce($3, (select phone from prospects where id = $2))) as "exists!""#,
        user_id,
        prospect_id,
        dialled
    )
    .fetch_one(conn)
    .await?)
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
