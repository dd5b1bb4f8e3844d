//! Rows and clock of the demo.

use anyhow::Context;
use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

/// Rows as users write them.
const ROWS: &str = include_str!("../demo.sql");

/// Time from loading the rows until the requested callback is due.
const CALLBACK_DELAY: TimeDelta = TimeDelta::seconds(25);

/// The clock of the stack.
#[derive(Debug)]
pub struct Clock {
    /// Seconds ahead of real time.
    pub offset_secs: i64,
}

impl Clock {
    /// A clock that starts at 15:00 UTC today. All prospects of the demo may be called then, all year.
    pub fn starting_at_15_utc() -> Self {
        Self::starting_at_15_utc_from(Utc::now())
    }

    fn starting_at_15_utc_from(now: DateTime<Utc>) -> Self {
        let start = NaiveTime::from_hms_opt(15, 0, 0).unwrap_or_default();
        let stack_time = now.date_naive().and_time(start).and_utc();
        Self { offset_secs: (stack_time - now).num_seconds() }
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.offset_secs)
    }
}

pub async fn load(database: &mut PgConnection, clock: &Clock) -> anyhow::Result<()> {
    let soon = (clock.now() + CALLBACK_DELAY).to_rfc3339_opts(SecondsFormat::Secs, true);
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
    fn stack_clock_shows_15_utc_at_any_real_time() {
        for now in ["2026-01-15T00:00:00Z", "2026-07-15T15:00:00Z", "2026-07-15T23:59:59Z"] {
            let now: DateTime<Utc> = now.parse().unwrap();
            let clock = Clock::starting_at_15_utc_from(now);
            let stack_time = now + TimeDelta::seconds(clock.offset_secs);
            assert_eq!(stack_time.format("%H:%M:%S").to_string(), "15:00:00");
            assert_eq!(stack_time.date_naive(), now.date_naive());
        }
    }

    #[test]
    fn prospects_have_distinct_fictitious_phone_numbers() {
        let numbers: std::collections::BTreeSet<&str> =
            ROWS.split('\'').filter(|text| text.starts_with('+')).collect();
        assert_eq!(numbers.len(), ROWS.matches("INSERT INTO \"Prospect\"").count());
        assert!(
            numbers.iter().all(|number| number.len() == 12 && &number[5..10] == "55501"),
            "{numbers:?}"
        );
    }
}
