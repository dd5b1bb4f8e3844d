//! How often a phone number was called, and whether the law allows another call.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::rules::Law;

/// The calls that were made to a number, for all users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhoneUsage {
    /// The times of recent calls in ascending order: at least those of the last 24 hours.
    pub recent: Vec<DateTime<Utc>>,
    /// The number of all calls.
    pub total: i32,
}

/// A cap of the law is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapReached {
    /// When another call is allowed; `None` for never.
    pub until: Option<DateTime<Utc>>,
}

impl PhoneUsage {
    /// Checks that the law allows another call to the number at a time.
    ///
    /// # Errors
    ///
    /// A cap is reached.
    pub fn check(&self, law: &Law, time: DateTime<Utc>) -> Result<(), CapReached> {
        // A rule counts on every day that it may be where the callee is.
        let dates = [time - TimeDelta::hours(12), time + TimeDelta::hours(14)];
        let strictest = |cap: fn(&Law, NaiveDate) -> Option<i32>| {
            dates.iter().filter_map(|time| cap(law, time.date_naive())).min()
        };
        if strictest(Law::cap_total).is_some_and(|cap| self.total >= cap) {
            return Err(CapReached { until: None });
        }
        let Some(cap) = strictest(Law::cap_per_day) else { return Ok(()) };
        let day = TimeDelta::hours(24);
        let last_day: Vec<_> = self.recent.iter().filter(|at| **at > time - day).collect();
        let cap = usize::try_from(cap).unwrap_or(0);
        match last_day.len().checked_sub(cap) {
            // Once the oldest of the last `cap` calls is a day old, another one is allowed.
            Some(extra) => {
                Err(CapReached { until: last_day.get(extra).map(|oldest| **oldest + day) })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rule;
    use crate::weekdays::Weekdays;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Three calls a day and ten in all.
    fn rule() -> Rule {
        Rule {
            id: "three".into(),
            jurisdiction: "*".into(),
            days: Weekdays::ALL,
            open: Some(("08:00:00".parse().unwrap(), "20:00:00".parse().unwrap())),
            cap_per_day: Some(3),
            cap_total: Some(10),
            from: None,
            until: None,
        }
    }

    #[test]
    fn cap_counts_wherever_its_day_has_begun_or_not_ended() {
        let (from, until) = ("2025-03-01".parse().ok(), "2025-03-02".parse().ok());
        let law = Law::for_phone(&[Rule { from, until, ..rule() }], "+12125550100", None);
        let used_up = PhoneUsage { total: 10, ..PhoneUsage::default() };
        let allows = |time| used_up.check(&law, at(time)).is_ok();
        // Midnight at UTC+14 and at UTC-12.
        assert!(allows("2025-02-28T09:59:59Z") && !allows("2025-02-28T10:00:00Z"));
        assert!(!allows("2025-03-02T11:59:59Z") && allows("2025-03-02T12:00:00Z"));
    }

    #[test]
    fn daily_cap_covers_the_last_24_hours() {
        let law = Law::for_phone(&[rule()], "+12125550100", None);
        let recent = ["2025-02-24T15:00:00Z", "2025-02-24T16:00:00Z", "2025-02-25T09:00:00Z"];
        let usage = PhoneUsage { recent: recent.map(at).to_vec(), total: 3 };
        let until = Some(at("2025-02-25T15:00:00Z"));
        assert_eq!(usage.check(&law, at("2025-02-25T14:59:59Z")), Err(CapReached { until }));
        assert_eq!(usage.check(&law, at("2025-02-25T15:00:00Z")), Ok(()));
        let used_up = PhoneUsage { total: 10, ..PhoneUsage::default() };
        assert_eq!(
            used_up.check(&law, at("2025-02-25T15:00:00Z")),
            Err(CapReached { until: None })
        );
    }
}
