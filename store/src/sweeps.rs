//! Calls that a sweep or the suppressions watcher looks at.

use chrono::{DateTime, Utc};
use domain::ids::ConversationId;
use sqlx::PgConnection;

use crate::StoreError;

/// Finds open conversations that a live workflow would have moved on: not dialled long after the slot, or dialled and
/// unchanged for a while.
pub async fn overdue(
    conn: &mut PgConnection,
    slot_before: DateTime<Utc>,
    dialed_before: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ConversationId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from open_conversations
        where (status = 'SCHEDULED' and slot < $1)
            or (status <> 'SCHEDULED' and updated_at < $2)
        order by updated_at limit $3"#,
        slot_before,
        dialed_before,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ConversationId::from).collect())
}

/// Finds open conversations whose number is suppressed, without those in which the callee has opted out.
pub async fn open_and_suppressed(
    conn: &mut PgConnection,
) -> Result<Vec<ConversationId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"select c.id as "id!" from open_conversations c
            join prospects p on p.id = c.prospect_id
            join suppressions s on s.phone = p.phone and (s.user_id is null or s.user_id = c.user_id)
        where s.conversation_id is distinct from c.id
        union
        select d.conversation_id from dials d
            join suppressions s on s.phone = d.phone and (s.user_id is null or s.user_id = d.user_id)
        where d.closed_at is null and s.conversation_id is distinct from d.conversation_id"#
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ConversationId::from).collect())
}
