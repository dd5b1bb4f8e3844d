//! Rules that are kept as data.

use chrono::TimeDelta;
use domain::hours::Weekdays;
use domain::retry::RetryRule;
use domain::rules::Rule;
use sqlx::PgConnection;

use crate::StoreError;

/// All legal rules, in the order of their names.
pub async fn legal(conn: &mut PgConnection) -> Result<Vec<Rule>, StoreError> {
    let rows = sqlx::query!(
        "select id, jurisdiction, days, opens, closes, cap_per_day, cap_in_all, effective_from,
            effective_until
        from calling_rules order by id"
    )
    .fetch_all(conn)
    .await?;
    let rule = rows.into_iter().map(|row| Rule {
        id: row.id,
        jurisdiction: row.jurisdiction,
        days: Weekdays::from_iso(row.days),
        open: row.opens.zip(row.closes),
        cap_per_day: row.cap_per_day,
        cap_in_all: row.cap_in_all,
        from: row.effective_from,
        until: row.effective_until,
    });
    Ok(rule.collect())
}

/// All rules about the rest after a call that reached nobody.
pub async fn retries(conn: &mut PgConnection) -> Result<Vec<RetryRule>, StoreError> {
    let rows = sqlx::query!(
        r#"select reason, attempt, extract(epoch from pause)::bigint as "secs!" from retry_rules"#
    )
    .fetch_all(conn)
    .await?;
    let rule = rows.into_iter().map(|row| RetryRule {
        reason: row.reason,
        attempt: row.attempt,
        pause: TimeDelta::seconds(row.secs),
    });
    Ok(rule.collect())
}
