//! The order in which a user's prospects are called.

use chrono::{DateTime, Utc};

use crate::ids::ProspectId;

#[derive(Clone, Debug, PartialEq)]
pub struct PriorityInput {
    /// Breaks ties.
    pub prospect: ProspectId,
    /// Whether the prospect has asked for a callback.
    pub callback: bool,
    /// The last contact; without one, the creation of the prospect.
    pub waiting_since: DateTime<Utc>,
    pub times_rescheduled: i32,
}

/// Days without contact after which [`LONG_WAIT_BONUS`] is added.
const LONG_WAIT_DAYS: f64 = 30.0;
const LONG_WAIT_BONUS: f64 = 10.0;
const PER_DAY: f64 = 0.5;
const PER_RESCHEDULING: f64 = 2.0;

impl PriorityInput {
    /// The score at `now`; a higher score is called earlier.
    ///
    /// Days since the last contact × 0.5 + times rescheduled × 2, + 10 beyond 30 days.
    pub fn score(&self, now: DateTime<Utc>) -> f64 {
        let days = (now - self.waiting_since).num_seconds().max(0) as f64 / 86_400.0;
        let bonus = if days > LONG_WAIT_DAYS { LONG_WAIT_BONUS } else { 0.0 };
        days * PER_DAY + f64::from(self.times_rescheduled) * PER_RESCHEDULING + bonus
    }
}

/// Sorts into calling order: callbacks first, then by score, ties by id.
pub fn rank<T>(items: &mut [T], now: DateTime<Utc>, input: impl Fn(&T) -> &PriorityInput) {
    items.sort_by(|a, b| {
        let (a, b) = (input(a), input(b));
        b.callback
            .cmp(&a.callback)
            .then_with(|| b.score(now).total_cmp(&a.score(now)))
            .then_with(|| a.prospect.cmp(&b.prospect))
    });
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2025-02-25T14:00:00Z".parse().unwrap()
    }

    fn input(id: &str, callback: bool, days: i64, times_rescheduled: i32) -> PriorityInput {
        PriorityInput {
            prospect: ProspectId::new(id),
            callback,
            waiting_since: now() - TimeDelta::days(days),
            times_rescheduled,
        }
    }

    #[test]
    fn score_follows_the_formula() {
        for (days, times, score) in
            [(0, 0, 0.0), (2, 0, 1.0), (2, 3, 7.0), (30, 0, 15.0), (31, 0, 25.5), (-3, 1, 2.0)]
        {
            assert_eq!(input("p", false, days, times).score(now()), score, "{days} d");
        }
    }

    #[test]
    fn callbacks_come_first_and_ties_are_broken_by_id() {
        let mut items = vec![
            input("b", false, 40, 0),
            input("d", false, 2, 0),
            input("c", false, 2, 0),
            input("a", true, 0, 0),
        ];
        rank(&mut items, now(), |s| s);
        let order: Vec<_> = items.iter().map(|s| s.prospect.as_str()).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
