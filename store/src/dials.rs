//! The ledger of requests to ring a phone.
//!
//! `INTENDED`: no request that may live has left. `SENT`: one may have been accepted; it is never
//! repeated. `PLACED`: the provider has the call. `NOT_PLACED`: it has not, and never will.

use chrono::{DateTime, Utc};
use domain::status::ConversationStatus;
use sqlx::PgConnection;

use crate::{StoreError, word};

/// Where a dial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialState {
    /// No request that may live has left.
    Intended,
    /// A request left and may have been accepted.
    Sent,
    /// The provider has the call.
    Placed,
    /// The provider does not have the call and never will.
    NotPlaced,
}

impl DialState {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "INTENDED" => Some(Self::Intended),
            "SENT" => Some(Self::Sent),
            "PLACED" => Some(Self::Placed),
            "NOT_PLACED" => Some(Self::NotPlaced),
            _ => None,
        }
    }
}

/// A row of the ledger.
pub struct Dial {
    /// Its id.
    pub id: String,
    /// The conversation it belongs to.
    pub conversation_id: String,
    /// The client.
    pub user_id: String,
    /// The person to call.
    pub prospect_id: String,
    /// Where it stands.
    pub state: DialState,
    /// The number to ring.
    pub phone: String,
    /// The subscription that pays.
    pub subscription_id: String,
    /// Minutes held for it.
    pub reserved_minutes: i32,
    /// The last moment at which the request may leave.
    pub good_until: DateTime<Utc>,
    /// The provider's id of the call.
    pub provider_call_id: Option<String>,
    /// The carrier's id of the leg.
    pub carrier_call_id: Option<String>,
    /// Why the provider did not place it.
    pub refusal: Option<String>,
    /// When the request left.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub closed_at: Option<DateTime<Utc>>,
    /// Where its conversation stands.
    pub conversation_status: ConversationStatus,
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
    good_until: DateTime<Utc>,
    provider_call_id: Option<String>,
    carrier_call_id: Option<String>,
    refusal: Option<String>,
    sent_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    conversation_status: String,
}

impl Row {
    fn read(self) -> Result<Dial, StoreError> {
        let status = &self.conversation_status;
        Ok(Dial {
            state: word("dials.state", &self.state, DialState::parse)?,
            conversation_status: word("conversations.status", status, ConversationStatus::parse)?,
            id: self.id,
            conversation_id: self.conversation_id,
            user_id: self.user_id,
            prospect_id: self.prospect_id,
            phone: self.phone,
            subscription_id: self.subscription_id,
            reserved_minutes: self.reserved_minutes,
            good_until: self.good_until,
            provider_call_id: self.provider_call_id,
            carrier_call_id: self.carrier_call_id,
            refusal: self.refusal,
            sent_at: self.sent_at,
            closed_at: self.closed_at,
        })
    }
}

/// Locks a dial until the end of the transaction.
pub async fn lock(conn: &mut PgConnection, id: &str) -> Result<Option<Dial>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select d.id, d.conversation_id, d.user_id, d.prospect_id, d.state::text as "state!",
            d.phone, d.subscription_id, d.reserved_minutes, d.good_until, d.provider_call_id,
            d.carrier_call_id, d.refusal, d.sent_at, d.closed_at, c.status::text as "conversation_status!"
        from dials d join conversations c on c.id = d.conversation_id
        where d.id = $1 for update of d"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    row.map(Row::read).transpose()
}

/// Locks a conversation's last dial until the end of the transaction.
pub async fn lock_last(
    conn: &mut PgConnection,
    conversation_id: &str,
) -> Result<Option<Dial>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select d.id, d.conversation_id, d.user_id, d.prospect_id, d.state::text as "state!",
            d.phone, d.subscription_id, d.reserved_minutes, d.good_until, d.provider_call_id,
            d.carrier_call_id, d.refusal, d.sent_at, d.closed_at, c.status::text as "conversation_status!"
        from dials d join conversations c on c.id = d.conversation_id
        where d.conversation_id = $1 order by d.number desc limit 1 for update of d"#,
        conversation_id
    )
    .fetch_optional(conn)
    .await?;
    row.map(Row::read).transpose()
}

/// Dials that a conversation has had.
pub async fn count(conn: &mut PgConnection, conversation_id: &str) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from dials where conversation_id = $1"#,
        conversation_id
    )
    .fetch_one(conn)
    .await?;
    Ok(count as i32)
}

/// A dial that the guard admits.
pub struct NewDial<'a> {
    /// Its id.
    pub id: &'a str,
    /// The conversation it belongs to.
    pub conversation_id: &'a str,
    /// Counts the conversation's dials from 1.
    pub number: i32,
    /// The client.
    pub user_id: &'a str,
    /// The person to call.
    pub prospect_id: &'a str,
    /// The number to ring.
    pub phone: &'a str,
    /// The subscription that pays.
    pub subscription_id: &'a str,
    /// Minutes held for it.
    pub reserved_minutes: i32,
    /// The last moment at which the request may leave.
    pub good_until: DateTime<Utc>,
}

/// Enters a dial and the reservation of its minutes, and takes a line for it.
pub async fn insert(
    conn: &mut PgConnection,
    new: &NewDial<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into dials (id, conversation_id, number, user_id, prospect_id, phone,
            subscription_id, reserved_minutes, good_until, intended_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new.id,
        new.conversation_id,
        new.number,
        new.user_id,
        new.prospect_id,
        new.phone,
        new.subscription_id,
        new.reserved_minutes,
        new.good_until,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
        values ($1, $2, $3, 'reserve', $4)",
        new.subscription_id,
        new.conversation_id,
        new.id,
        -new.reserved_minutes
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update conversations set status = 'DIALING', updated_at = $2 where id = $1",
        new.conversation_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the last moment at which the request may leave.
pub async fn renew(
    conn: &mut PgConnection,
    id: &str,
    good_until: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!("update dials set good_until = $2 where id = $1", id, good_until)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that the request is about to leave.
pub async fn mark_sent(
    conn: &mut PgConnection,
    id: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!("update dials set state = 'SENT', sent_at = $2 where id = $1", id, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that the request that left was certainly not accepted, and may be made again.
pub async fn mark_unsent(conn: &mut PgConnection, id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = 'INTENDED', sent_at = null where id = $1 and state = 'SENT'",
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that no request will leave any more.
pub async fn mark_withdrawn(conn: &mut PgConnection, id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = 'NOT_PLACED', refusal = 'withdrawn'
        where id = $1 and state = 'INTENDED'",
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the provider has the call.
pub async fn mark_placed(
    conn: &mut PgConnection,
    id: &str,
    provider_call_id: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = 'PLACED', provider_call_id = $2 where id = $1 and state = 'SENT'",
        id,
        provider_call_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the provider refused the call for good.
pub async fn mark_refused(
    conn: &mut PgConnection,
    id: &str,
    refusal: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update dials set state = 'NOT_PLACED', refusal = $2 where id = $1 and state = 'SENT'",
        id,
        refusal
    )
    .execute(conn)
    .await?;
    Ok(())
}
