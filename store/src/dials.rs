//! Dials: requests to ring a phone.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ConversationId, DialId, ProspectId, UserId};
use domain::status::ConversationStatus;
use sqlx::PgConnection;

use crate::{StoreError, parse_enum};

#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", const_into_str)]
pub enum DialState {
    /// No request was sent, or it was certainly not accepted.
    Intended,
    /// A request was sent and may have been accepted. It is never repeated.
    Sent,
    /// The provider has the call.
    Placed,
    /// The provider does not have the call and never will.
    NotPlaced,
}

pub struct Dial {
    pub id: DialId,
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    pub prospect_id: ProspectId,
    pub state: DialState,
    /// The number to ring.
    pub phone: String,
    /// The subscription that is charged.
    pub subscription_id: String,
    pub reserved_minutes: i32,
    /// The last time at which the request may leave.
    pub dial_deadline: DateTime<Utc>,
    /// How often the call had been reopened when the dial was admitted.
    pub generation: i32,
    pub join_timeout: TimeDelta,
    pub max_duration: TimeDelta,
    pub provider_call_id: Option<String>,
    /// The carrier's id of the leg.
    pub carrier_call_id: Option<String>,
    /// Why the provider did not place the call.
    pub rejection: Option<String>,
    /// Whether the rejection concerns the user's settings or the account, not the prospect.
    pub rejection_concerns_settings: bool,
    /// When the request was sent.
    pub sent_at: Option<DateTime<Utc>>,
    /// The first of the lookups in a row that did not find the call.
    pub not_found_at: Option<DateTime<Utc>>,
    pub answered_at: Option<DateTime<Utc>>,
    /// When the messages of the call were read.
    pub transcript_read_at: Option<DateTime<Utc>>,
    /// When the dial was over.
    pub closed_at: Option<DateTime<Utc>>,
    pub conversation_status: ConversationStatus,
}

impl Dial {
    /// Whether a request was sent and the dial is not over.
    pub fn is_live(&self) -> bool {
        matches!(self.state, DialState::Sent | DialState::Placed) && self.closed_at.is_none()
    }

    /// Whether the call is over and its messages were not read yet.
    pub fn transcript_is_due(&self) -> bool {
        self.answered_at.is_some() && self.closed_at.is_some() && self.transcript_read_at.is_none()
    }
}

struct Row {
    id: String,
    conversation_id: String,
    user_id: String,
    prospect_id: String,
    state: String,
    phone: String,
    subscription_id: String,
    reserved_minutes: i32,
    dial_deadline: DateTime<Utc>,
    generation: i32,
    join_timeout_secs: i32,
    max_duration_secs: i32,
    provider_call_id: Option<String>,
    carrier_call_id: Option<String>,
    rejection: Option<String>,
    rejection_concerns_settings: bool,
    sent_at: Option<DateTime<Utc>>,
    not_found_at: Option<DateTime<Utc>>,
    answered_at: Option<DateTime<Utc>>,
    transcript_read_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    conversation_status: String,
}

impl TryFrom<Row> for Dial {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            state: parse_enum("dials.state", &row.state)?,
            conversation_status: parse_enum("conversations.status", &row.conversation_status)?,
            id: row.id.into(),
            conversation_id: row.conversation_id.into(),
            user_id: row.user_id.into(),
            prospect_id: row.prospect_id.into(),
            phone: row.phone,
            subscription_id: row.subscription_id,
            reserved_minutes: row.reserved_minutes,
            dial_deadline: row.dial_deadline,
            generation: row.generation,
            join_timeout: TimeDelta::seconds(row.join_timeout_secs.into()),
            max_duration: TimeDelta::seconds(row.max_duration_secs.into()),
            provider_call_id: row.provider_call_id,
            carrier_call_id: row.carrier_call_id,
            rejection: row.rejection,
            rejection_concerns_settings: row.rejection_concerns_settings,
            sent_at: row.sent_at,
            not_found_at: row.not_found_at,
            answered_at: row.answered_at,
            transcript_read_at: row.transcript_read_at,
            closed_at: row.closed_at,
        })
    }
}

/// Selects dials; the argument is the rest of the statement.
macro_rules! select_dials {
    ($rest:literal, $id:expr) => {
        sqlx::query_as!(
            Row,
            r#"select d.id, d.conversation_id, d.user_id, d.prospect_id, d.state::text as "state!",
                d.phone, d.subscription_id, d.reserved_minutes, d.dial_deadline, d.generation,
                d.join_timeout_secs, d.max_duration_secs, d.provider_call_id, d.carrier_call_id,
                d.rejection, d.rejection_concerns_settings, d.sent_at, d.not_found_at,
                d.answered_at, d.transcript_read_at, d.closed_at,
                c.status::text as "conversation_status!"
            from dials d join conversations c on c.id = d.conversation_id "#
                + $rest,
            $id
        )
    };
}

/// Locks a dial until the end of the transaction.
pub async fn lock(conn: &mut PgConnection, id: &DialId) -> Result<Option<Dial>, StoreError> {
    let row = select_dials!("where d.id = $1 for update of d", id.as_str());
    row.fetch_optional(conn).await?.map(Dial::try_from).transpose()
}

/// Reads a dial.
pub async fn read(conn: &mut PgConnection, id: &DialId) -> Result<Option<Dial>, StoreError> {
    let row = select_dials!("where d.id = $1", id.as_str());
    row.fetch_optional(conn).await?.map(Dial::try_from).transpose()
}

/// Locks the dials of a conversation until the end of the transaction, in the order of their sequence.
pub async fn lock_all(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
) -> Result<Vec<Dial>, StoreError> {
    let rows = select_dials!(
        "where d.conversation_id = $1 order by d.sequence for update of d",
        conversation_id.as_str()
    );
    rows.fetch_all(conn).await?.into_iter().map(Dial::try_from).collect()
}

/// Locks a conversation's last dial until the end of the transaction.
pub async fn lock_last(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
) -> Result<Option<Dial>, StoreError> {
    let row = select_dials!(
        "where d.conversation_id = $1 order by d.sequence desc limit 1 for update of d",
        conversation_id.as_str()
    );
    row.fetch_optional(conn).await?.map(Dial::try_from).transpose()
}

/// Reads a conversation's last dial.
pub async fn read_last(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
) -> Result<Option<Dial>, StoreError> {
    let row = select_dials!(
        "where d.conversation_id = $1 order by d.sequence desc limit 1",
        conversation_id.as_str()
    );
    row.fetch_optional(conn).await?.map(Dial::try_from).transpose()
}

/// Counts the dials of a conversation.
pub async fn count(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from dials where conversation_id = $1"#,
        conversation_id.as_str()
    )
    .fetch_one(conn)
    .await?;
    Ok(count as i32)
}

/// An admitted dial.
pub struct NewDial<'a> {
    pub id: &'a DialId,
    pub conversation_id: &'a ConversationId,
    /// 1-based count of the conversation's dials.
    pub sequence: i32,
    pub user_id: &'a UserId,
    pub prospect_id: &'a ProspectId,
    /// The number to ring.
    pub phone: &'a str,
    /// The subscription that is charged.
    pub subscription_id: &'a str,
    pub reserved_minutes: i32,
    /// The last time at which the request may leave.
    pub dial_deadline: DateTime<Utc>,
    pub join_timeout: TimeDelta,
    pub max_duration: TimeDelta,
}

/// Inserts a dial, reserves its minutes and occupies a line.
pub async fn insert(
    conn: &mut PgConnection,
    new: &NewDial<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into dials (id, conversation_id, sequence, user_id, prospect_id, phone,
            subscription_id, reserved_minutes, dial_deadline, intended_at, join_timeout_secs,
            max_duration_secs, generation)
        select $1, id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, generation
        from conversations where id = $2",
        new.id.as_str(),
        new.conversation_id.as_str(),
        new.sequence,
        new.user_id.as_str(),
        new.prospect_id.as_str(),
        new.phone,
        new.subscription_id,
        new.reserved_minutes,
        new.dial_deadline,
        now,
        new.join_timeout.num_seconds() as i32,
        new.max_duration.num_seconds() as i32
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
        values ($1, $2, $3, 'reserve', $4)",
        new.subscription_id,
        new.conversation_id.as_str(),
        new.id.as_str(),
        -new.reserved_minutes
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update conversations set status = 'DIALING', updated_at = $2 where id = $1",
        new.conversation_id.as_str(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the dial deadline.
pub async fn set_deadline(
    conn: &mut PgConnection,
    id: &DialId,
    dial_deadline: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!("update dials set dial_deadline = $2 where id = $1", id.as_str(), dial_deadline)
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks the request as sent, before it leaves.
pub async fn mark_sent(
    conn: &mut PgConnection,
    id: &DialId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!("update dials set state = 'SENT', sent_at = $2 where id = $1", id.as_str(), now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks a sent request as certainly not accepted: it may be repeated.
pub async fn mark_not_sent(conn: &mut PgConnection, id: &DialId) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = 'INTENDED', sent_at = null where id = $1 and state = 'SENT'",
        id.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the dial as cancelled: no request will be sent.
pub async fn mark_cancelled(conn: &mut PgConnection, id: &DialId) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = 'NOT_PLACED', rejection = 'cancelled'
        where id = $1 and state = 'INTENDED'",
        id.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the dial as placed.
pub async fn mark_placed(
    conn: &mut PgConnection,
    id: &DialId,
    provider_call_id: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = 'PLACED', provider_call_id = $2, not_found_at = null
        where id = $1 and state = 'SENT'",
        id.as_str(),
        provider_call_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the dial as rejected by the provider for good. A dial whose rejection concerns the user's settings or the account
/// counts as never sent.
pub async fn mark_rejected(
    conn: &mut PgConnection,
    id: &DialId,
    rejection: &str,
    concerns_settings: bool,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = 'NOT_PLACED', rejection = $2, rejection_concerns_settings = $3,
            sent_at = case when $3 then null else sent_at end
        where id = $1 and state = 'SENT'",
        id.as_str(),
        rejection,
        concerns_settings
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores that a lookup did not find the call, unless an earlier one did not either.
pub async fn set_not_found(
    conn: &mut PgConnection,
    id: &DialId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set not_found_at = coalesce(not_found_at, $2) where id = $1",
        id.as_str(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What the log of its conversation says of a dial.
pub struct DialUpdate<'a> {
    pub state: DialState,
    /// Whether the phone can't ring or talk any more.
    pub over: bool,
    pub provider_call_id: Option<&'a str>,
    /// The carrier's id of the leg.
    pub carrier_call_id: Option<&'a str>,
    pub answered_at: Option<DateTime<Utc>>,
}

/// Updates a dial; returns whether anything changed. A dial that is over frees its line and its number; one that turns out
/// to be live occupies them again.
pub async fn update(
    conn: &mut PgConnection,
    dial: &Dial,
    update: &DialUpdate<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let updated = sqlx::query!(
        "update dials d set state = $2::text::dial_state,
            provider_call_id = coalesce(provider_call_id, (select $3::text
                where not exists (select 1 from dials where provider_call_id = $3::text and id <> $1))),
            carrier_call_id = coalesce(carrier_call_id, $4::text),
            answered_at = coalesce(answered_at, $5::timestamptz),
            sent_at = case when $2 = 'PLACED' then coalesce(sent_at, intended_at) else sent_at end,
            closed_at = case when $6 then coalesce(closed_at, $7)
                when exists (select 1 from dials o where o.conversation_id = d.conversation_id
                    and o.id <> d.id and o.closed_at is null) then closed_at end
        where id = $1
            and (state::text <> $2
                or (provider_call_id is null and $3::text is not null)
                or (carrier_call_id is null and $4::text is not null)
                or (answered_at is null and $5::timestamptz is not null)
                or (closed_at is null) = $6)",
        dial.id.as_str(),
        update.state.into_str(),
        update.provider_call_id,
        update.carrier_call_id,
        update.answered_at,
        update.over,
        now
    )
    .execute(conn)
    .await?;
    Ok(updated.rows_affected() > 0)
}
