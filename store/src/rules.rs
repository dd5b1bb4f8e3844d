//! The rules of `calling_rules` and `retry_rules`.

use chrono::TimeDelta;
use domain::cool_down::RetryRule;
use domain::rules::Rule;
use domain::weekdays::Weekdays;
use sqlx::PgConnection;

use crate::StoreError;

/// Reads all legal rules, ordered by id.
pub async fn calling_rules(conn: &mut PgConnection) -> Result<Vec<Rule>, StoreError> {
    let rows = sqlx::query!(
        "select id, jurisdiction, days, opens, closes, cap_per_day, cap_in_all, effective_from,
            effective_until
        from calling_rules order by id"
    )
    .fetch_all(conn)
    .await?;
    let rules = rows.into_iter().map(|row| Rule {
        id: row.id,
        jurisdiction: row.jurisdiction,
        days: Weekdays::from_iso(row.days),
        open: row.opens.zip(row.closes),
        cap_per_day: row.cap_per_day,
        cap_total: row.cap_in_all,
        from: row.effective_from,
        until: row.effective_until,
    });
    Ok(rules.collect())
}

/// Reads all cool-down rules.
pub async fn retry_rules(conn: &mut PgConnection) -> Result<Vec<RetryRule>, StoreError> {
    let rows = sqlx::query!(
        r#"select reason, attempt, extract(epoch from pause)::bigint as "secs!" from retry_rules"#
    )
    .fetch_all(conn)
    .await?;
    let rules = rows.into_iter().map(|row| RetryRule {
        reason: row.reason,
        attempt: row.attempt,
        pause: TimeDelta::seconds(row.secs),
    });
    Ok(rules.collect())
}
