//! What a sweep reads.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::StoreError;

/// Open conversations that should have moved on by now, if their workflow lives: those not dialled
/// long after their slot, and those dialled a while ago.
pub async fn overdue(
    conn: &mut PgConnection,
    slot_before: DateTime<Utc>,
    dialled_before: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "select c.id from conversations c
        where (c.status = 'SCHEDULED' and c.slot < $1)
            or (c.status in ('DIALING', 'IN_PROGRESS') and c.updated_at < $2)
        order by c.updated_at limit $3",
        slot_before,
        dialled_before,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?)
}

/// Open conversations whose number is on a do-not-call list, but for those in which the callee asked for it.
pub async fn open_and_suppressed(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"select c.id as "id!" from conversations c
            join prospects p on p.id = c.prospect_id
            join suppressions s on s.phone = p.phone and (s.user_id is null or s.user_id = c.user_id)
        where c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS')
            and s.conversation_id is distinct from c.id
        union
        select d.conversation_id from dials d
            join suppressions s on s.phone = d.phone and (s.user_id is null or s.user_id = d.user_id)
        where d.closed_at is null and s.conversation_id is distinct from d.conversation_id"#
    )
    .fetch_all(conn)
    .await?)
}
