//! What the demo starts from.

use anyhow::Context;
use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

/// The rows, as clients would write them.
const ROWS: &str = include_str!("../demo.sql");

/// When the call is due that somebody asked for, counted from the moment when the rows are loaded.
const SOON: TimeDelta = TimeDelta::seconds(25);

/// The time inside the stack.
#[derive(Debug)]
pub struct Clock {
    /// Seconds from real time to the time inside.
    pub offset_secs: i64,
}

impl Clock {
    /// 15:00 UTC today: a moment at which every prospect of the demo may be called, in summer and in winter.
    pub fn at_three_in_the_afternoon() -> Self {
        Self::at_three_in_the_afternoon_seen_from(Utc::now())
    }

    fn at_three_in_the_afternoon_seen_from(now: DateTime<Utc>) -> Self {
        let three = NaiveTime::from_hms_opt(15, 0, 0).unwrap_or_default();
        let inside = now.date_naive().and_time(three).and_utc();
        Self { offset_secs: (inside - now).num_seconds() }
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.offset_secs)
    }
}

/// Loads the rows.
pub async fn load(database: &mut PgConnection, clock: &Clock) -> anyhow::Result<()> {
    let soon = (clock.now() + SOON).to_rfc3339_opts(SecondsFormat::Secs, true);
    let rows = ROWS.replace("{soon}", &soon);
    sqlx::raw_sql(AssertSqlSafe(rows))
        .execute(database)
        .await
        .context("could not load the demo's rows")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_inside_is_three_in_the_afternoon_at_any_hour() {
        for now in ["2026-01-15T00:00:00Z", "2026-07-15T15:00:00Z", "2026-07-15T23:59:59Z"] {
            let now: DateTime<Utc> = now.parse().unwrap();
            let clock = Clock::at_three_in_the_afternoon_seen_from(now);
            let inside = now + TimeDelta::seconds(clock.offset_secs);
            assert_eq!(inside.format("%H:%M:%S").to_string(), "15:00:00");
            assert_eq!(inside.date_naive(), now.date_naive());
        }
    }

    #[test]
    fn every_prospect_has_a_number_of_its_own_that_is_reserved_for_fiction() {
        let numbers: std::collections::BTreeSet<&str> =
            ROWS.split('\'').filter(|text| text.starts_with('+')).collect();
        assert_eq!(numbers.len(), ROWS.matches("INSERT INTO \"Prospect\"").count());
        assert!(
            numbers.iter().all(|number| number.len() == 12 && &number[5..10] == "55501"),
            "{numbers:?}"
        );
    }
}
