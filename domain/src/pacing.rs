//! The minimum distance between the slots of all users.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

/// How long a planned call is assumed to use a line, in seconds: most calls are not answered.
const TYPICAL_CALL_SECS: i64 = 30;

/// The planned slots, and the minimum time between two of them.
#[derive(Clone, Debug)]
pub struct Pacing {
    step: TimeDelta,
    planned: BTreeSet<DateTime<Utc>>,
}

impl Pacing {
    /// Keeps within the lines and within the provider's calls per minute. `planned`: slots that exist already.
    pub fn new(
        lines: i32,
        calls_per_minute: i32,
        planned: impl IntoIterator<Item = DateTime<Utc>>,
    ) -> Self {
        let by_lines = TYPICAL_CALL_SECS * 1_000 / i64::from(lines.max(1));
        let by_rate = 60_000 / i64::from(calls_per_minute.max(1));
        let step = TimeDelta::milliseconds(by_lines.max(by_rate));
        Self { step, planned: planned.into_iter().collect() }
    }

    pub fn add(&mut self, slot: DateTime<Utc>) {
        self.planned.insert(slot);
    }

    /// The earliest free slot at or after `from`.
    pub fn first_free(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        let mut slot = from;
        let mut near =
            self.planned.range(from - self.step..).skip_while(|taken| **taken <= from - self.step);
        while let Some(taken) = near.next().filter(|taken| **taken < slot + self.step) {
            slot = *taken + self.step;
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_740_495_600 + secs, 0).unwrap()
    }

    #[test]
    fn scarcer_of_lines_and_rate_gives_the_step() {
        for (lines, rate, step) in [(5, 30, 6), (60, 30, 2), (1, 30, 30), (60, 6, 10)] {
            let pacing = Pacing::new(lines, rate, [at(0)]);
            assert_eq!(pacing.first_free(at(0)), at(step), "{lines} lines, {rate} a minute");
        }
    }

    #[test]
    fn free_slot_is_a_step_away_from_every_planned_slot() {
        let pacing = Pacing::new(5, 30, [at(0), at(8), at(30)]);
        for (from, free) in
            [(-7, -7), (-5, 14), (0, 14), (7, 14), (14, 14), (24, 24), (25, 36), (36, 36)]
        {
            assert_eq!(pacing.first_free(at(from)), at(free), "{from}");
        }
    }
}
