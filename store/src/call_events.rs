//! The log of a conversation: everything that was said about its call.

use chrono::{DateTime, Utc};
use domain::call_log::{LogEntry, Statement};
use domain::ids::{ConversationId, DialId};
use domain::text::replace_nul;
use serde_json::Value;
use sqlx::PgConnection;

use crate::StoreError;

/// A statement to be stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// `None` if the sender does not know dials.
    pub dial_id: Option<DialId>,
    /// The run that ended; `None` for events.
    pub run_id: Option<String>,
    pub statement: Statement,
}

/// Stores what is new of these statements; returns whether anything is.
pub async fn insert(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    events: &[NewEvent],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let text = |id: &DialId| id.as_str().to_owned();
    let dials: Vec<Option<String>> = events.iter().map(|e| e.dial_id.as_ref().map(text)).collect();
    let runs: Vec<Option<String>> = events.iter().map(|event| event.run_id.clone()).collect();
    let source = |event: &NewEvent| event.statement.source().into_str().to_owned();
    let sources: Vec<String> = events.iter().map(source).collect();
    let json = |event: &NewEvent| serde_json::to_value(&event.statement).map(storable);
    let events: Vec<Value> = events.iter().map(json).collect::<Result<_, _>>()?;
    let inserted = sqlx::query!(
        "insert into call_events
            (conversation_id, dial_id, run_id, generation, source, event, received_at)
        select c.id, e.dial_id, e.run_id, c.generation, e.source, e.event, $6
        from conversations c,
            unnest($2::text[], $3::text[], $4::text[], $5::jsonb[])
                as e(dial_id, run_id, source, event)
        where c.id = $1
        on conflict do nothing",
        conversation_id.as_str(),
        &dials as &[Option<String>],
        &runs as &[Option<String>],
        &sources,
        &events,
        now
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Reads the log.
///
/// # Errors
///
/// An entry was stored by a newer build and has a word that this build does not know: a worker of that build must record
/// the call.
pub async fn read(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
) -> Result<Vec<LogEntry>, StoreError> {
    let rows = sqlx::query!(
        "select dial_id, run_id, generation, event from call_events where conversation_id = $1",
        conversation_id.as_str()
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let statement = serde_json::from_value(row.event.clone());
            let statement = statement.map_err(|_| StoreError::UnknownVariant {
                column: "call_events.event",
                value: row.event.to_string(),
            })?;
            Ok(LogEntry {
                dial_id: row.dial_id.map(DialId::from),
                run_id: row.run_id,
                generation: row.generation,
                statement,
            })
        })
        .collect()
}

/// Stores messages with a word that this build does not know.
pub async fn insert_unread(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    messages: &[Value],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let messages: Vec<Value> = messages.iter().cloned().map(storable).collect();
    sqlx::query!(
        "insert into unread_messages (conversation_id, message, received_at)
        select c.id, message, $3 from conversations c, unnest($2::jsonb[]) as message
        where c.id = $1 on conflict do nothing",
        conversation_id.as_str(),
        &messages,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads messages that an earlier build could not read.
pub async fn unread(
    conn: &mut PgConnection,
    limit: u32,
) -> Result<Vec<(ConversationId, Value)>, StoreError> {
    let rows = sqlx::query!(
        "select conversation_id, message from unread_messages order by received_at limit $1",
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.conversation_id.into(), row.message)).collect())
}

/// Deletes a message that was read.
pub async fn delete_unread(
    conn: &mut PgConnection,
    conversation_id: &ConversationId,
    message: &Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from unread_messages where conversation_id = $1 and message = $2",
        conversation_id.as_str(),
        message
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The same JSON in a form that PostgreSQL can store.
fn storable(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) => *text = replace_nul(text).into_owned(),
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = storable(item.take()));
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| *field = storable(field.take()));
        }
        _ => {}
    }
    value
}
