//! In which order a user's prospects are called.

use chrono::{DateTime, Utc};

use crate::ids::ProspectId;

/// What the order depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The tie-breaker.
    pub prospect: ProspectId,
    /// Whether the prospect was promised a call at a time.
    pub promised: bool,
    /// When the prospect's wait began: the last contact or, if there was none, its creation.
    pub waiting_since: DateTime<Utc>,
    /// How often the prospect has been rescheduled.
    pub times_rescheduled: i32,
}

/// Days without contact after which a prospect gets [`LONG_WAIT_BONUS`].
const LONG_WAIT_DAYS: f64 = 30.0;
const LONG_WAIT_BONUS: f64 = 10.0;
const PER_DAY: f64 = 0.5;
const PER_RESCHEDULING: f64 = 2.0;

impl Standing {
    /// The prospect's score at `now`: higher is called earlier.
    ///
    /// Days of waiting × 0.5 + times rescheduled × 2, + 10 beyond 30 days.
    pub fn score(&self, now: DateTime<Utc>) -> f64 {
        let days = (now - self.waiting_since).num_seconds().max(0) as f64 / 86_400.0;
        let bonus = if days > LONG_WAIT_DAYS { LONG_WAIT_BONUS } else { 0.0 };
        days * PER_DAY + f64::from(self.times_rescheduled) * PER_RESCHEDULING + bonus
    }
}

/// Sorts into calling order: promised calls first, then by score, ties by id.
pub fn rank<T>(items: &mut [T], now: DateTime<Utc>, standing: impl Fn(&T) -> &Standing) {
    items.sort_by(|a, b| {
        let (a, b) = (standing(a), standing(b));
        b.promised
            .cmp(&a.promised)
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

    fn standing(id: &str, promised: bool, days: i64, times_rescheduled: i32) -> Standing {
        Standing {
            prospect: ProspectId::new(id),
            promised,
            waiting_since: now() - TimeDelta::days(days),
            times_rescheduled,
        }
    }

    #[test]
    fn the_score_follows_the_formula() {
        for (days, times, score) in
            [(0, 0, 0.0), (2, 0, 1.0), (2, 3, 7.0), (30, 0, 15.0), (31, 0, 25.5), (-3, 1, 2.0)]
        {
            assert_eq!(standing("p", false, days, times).score(now()), score, "{days} d");
        }
    }

    #[test]
    fn promised_calls_come_first_and_ties_go_by_id() {
        let mut items = vec![
            standing("b", false, 40, 0),
            standing("d", false, 2, 0),
            standing("c", false, 2, 0),
            standing("a", true, 0, 0),
        ];
        rank(&mut items, now(), |s| s);
        let order: Vec<_> = items.iter().map(|s| s.prospect.as_str()).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
