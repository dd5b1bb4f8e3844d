//! What a sweep reads.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::StoreError;

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
