//! Calls that a sweep or the suppressions watcher looks at.

use chrono::{DateTime, Utc};
use domain::ids::{ConversationId, DialId};
use sqlx::PgConnection;

use crate::StoreError;

/// Finds open conversations that a live workflow would have moved on: not dialled long after the slot, or dialled and
/// unchanged for a while; and recorded ones with a live dial. Those that wait for their slot come first: they need no
/// provider.
pub async fn overdue(
    conn: &mut PgConnection,
    slot_before: DateTime<Utc>,
    dialed_before: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ConversationId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from (
            select id, updated_at, status = 'SCHEDULED' as waits from open_conversations
            where (status = 'SCHEDULED' and slot < $1)
                or (status <> 'SCHEDULED' and updated_at < $2)
            union
            select c.id, c.updated_at, false from dials d
                join conversations c on c.id = d.conversation_id
            where d.closed_at is null and c.recorded_at < $2
        ) as overdue
        order by waits desc, updated_at limit $3"#,
        slot_before,
        dialed_before,
        i64::from(limit)
    );
    Ok(ids.fetch_all(conn).await?.into_iter().map(ConversationId::from).collect())
}

/// Finds those of some conversations that are open.
pub async fn open_among(
    conn: &mut PgConnection,
    ids: &[ConversationId],
) -> Result<Vec<ConversationId>, StoreError> {
    let ids: Vec<String> = ids.iter().map(|id| id.as_str().to_owned()).collect();
    let open = sqlx::query_scalar!(
        r#"select id as "id!" from open_conversations where id = any ($1)"#,
        &ids
    );
    Ok(open.fetch_all(conn).await?.into_iter().map(ConversationId::from).collect())
}

/// Finds dials of recorded calls whose messages were not read yet, with their conversations.
pub async fn transcripts_due(
    conn: &mut PgConnection,
    closed_after: DateTime<Utc>,
    closed_before: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<(DialId, ConversationId)>, StoreError> {
    let dials = sqlx::query!(
        "select id, conversation_id from dials
        where answered_at is not null and transcript_read_at is null and state = 'PLACED'
            and closed_at between $1 and $2
        order by closed_at limit $3",
        closed_after,
        closed_before,
        i64::from(limit)
    );
    let dials = dials.fetch_all(conn).await?.into_iter();
    Ok(dials.map(|dial| (dial.id.into(), dial.conversation_id.into())).collect())
}

/// Finds open conversations whose number is suppressed, without those in which the callee has opted out.
pub async fn open_and_suppressed(
    conn: &mut PgConnection,
) -> Result<Vec<ConversationId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"select c.id as "id!" from open_conversations c
            join prospects p on p.id = c.prospect_id
            join suppressions s on canonical_phone(s.phone) = canonical_phone(p.phone)
                and (s.user_id is null or s.user_id = c.user_id)
        where s.conversation_id is distinct from c.id
        union
        select d.conversation_id from dials d
            join suppressions s on canonical_phone(s.phone) = canonical_phone(d.phone)
                and (s.user_id is null or s.user_id = d.user_id)
        where d.closed_at is null and s.conversation_id is distinct from d.conversation_id"#
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ConversationId::from).collect())
}
