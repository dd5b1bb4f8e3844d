//! How closely calls may follow each other, whoever they are made for.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

/// How long a call is taken to use a line when calls are planned, in seconds: most reach nobody.
const TYPICAL_CALL_SECS: i64 = 30;

/// The moments at which calls are planned, and the least time between two of them.
#[derive(Clone, Debug)]
pub struct Pace {
    step: TimeDelta,
    taken: BTreeSet<DateTime<Utc>>,
}

impl Pace {
    /// A pace at which neither the lines nor the calls that the provider takes per minute run out, beside calls that are
    /// planned for these moments.
    pub fn new(
        lines: i32,
        calls_per_minute: i32,
        taken: impl IntoIterator<Item = DateTime<Utc>>,
    ) -> Self {
        let by_lines = TYPICAL_CALL_SECS * 1_000 / i64::from(lines.max(1));
        let by_rate = 60_000 / i64::from(calls_per_minute.max(1));
        let step = TimeDelta::milliseconds(by_lines.max(by_rate));
        Self { step, taken: taken.into_iter().collect() }
    }

    /// Notes a call.
    pub fn take(&mut self, moment: DateTime<Utc>) {
        self.taken.insert(moment);
    }

    /// The first moment from `from` on that is far enough from every call.
    pub fn first_free(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        let mut moment = from;
        let mut near =
            self.taken.range(from - self.step..).skip_while(|taken| **taken <= from - self.step);
        while let Some(taken) = near.next().filter(|taken| **taken < moment + self.step) {
            moment = *taken + self.step;
        }
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_740_495_600 + secs, 0).unwrap()
    }

    #[test]
    fn the_scarcer_of_lines_and_rate_gives_the_step() {
        for (lines, rate, step) in [(5, 30, 6), (60, 30, 2), (1, 30, 30), (60, 6, 10)] {
            let pace = Pace::new(lines, rate, [at(0)]);
            assert_eq!(pace.first_free(at(0)), at(step), "{lines} lines, {rate} a minute");
        }
    }

    #[test]
    fn a_free_moment_is_a_step_away_from_every_call() {
        let pace = Pace::new(5, 30, [at(0), at(8), at(30)]);
        for (from, free) in
            [(-7, -7), (-5, 14), (0, 14), (7, 14), (14, 14), (24, 24), (25, 36), (36, 36)]
        {
            assert_eq!(pace.first_free(at(from)), at(free), "{from}");
        }
    }
}
