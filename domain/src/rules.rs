//! Legal calling hours and caps, as data: which rules concern a number, and what they come to together.

use std::sync::Arc;

use chrono::{Datelike as _, NaiveDate, NaiveTime};

use crate::hours::Weekdays;
use crate::jurisdictions;

/// The hours that hold where no rule is known: 8 a.m. to 9 p.m. of the called party's local time (47 CFR
/// 64.1200(c)(1)).
const OTHERWISE: (NaiveTime, NaiveTime) = (
    NaiveTime::from_hms_opt(8, 0, 0).expect("08:00 is a time"),
    NaiveTime::from_hms_opt(21, 0, 0).expect("21:00 is a time"),
);

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, as in `us-fl`.
    pub id: String,
    /// Where it holds: `*` everywhere, an ISO 3166-1 code as `US`, or an ISO 3166-2 code as `US-FL`.
    pub jurisdiction: String,
    /// Days of the week that it is about.
    pub days: Weekdays,
    /// The hours of these days, of the called party's local time; nothing if no call may be made on them.
    pub open: Option<(NaiveTime, NaiveTime)>,
    /// Calls to one number within any 24 hours.
    pub cap_per_day: Option<i32>,
    /// Calls to one number in all.
    pub cap_in_all: Option<i32>,
    /// First local day on which it holds.
    pub from: Option<NaiveDate>,
    /// First local day on which it no longer holds.
    pub until: Option<NaiveDate>,
}

impl Rule {
    fn holds_on(&self, date: NaiveDate) -> bool {
        self.from.is_none_or(|from| date >= from) && self.until.is_none_or(|until| date < until)
    }
}

/// The rules that concern one callee. All of them hold: the strictest wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Law(Arc<Vec<Rule>>);

impl Law {
    /// Of all rules those that concern a number, and the state in which its holder is said to be.
    pub fn of(rules: &[Rule], phone: &str, state: Option<&str>) -> Self {
        let places: Vec<&str> = jurisdictions::of(phone).iter().copied().chain(state).collect();
        let concerns = |rule: &&Rule| {
            rule.jurisdiction == "*"
                || places.iter().any(|place| {
                    let country = place.split('-').next();
                    *place == rule.jurisdiction || country == Some(rule.jurisdiction.as_str())
                })
        };
        Self(Arc::new(rules.iter().filter(concerns).cloned().collect()))
    }

    /// The legal hours of a local day, which may be none.
    pub(crate) fn span(&self, date: NaiveDate) -> Option<(NaiveTime, NaiveTime)> {
        let mut rules = self.about(date).peekable();
        if rules.peek().is_none() {
            return Some(OTHERWISE);
        }
        let (mut start, mut end) = (NaiveTime::MIN, NaiveTime::from_hms_opt(23, 59, 59)?);
        for rule in rules {
            let (opens, closes) = rule.open?;
            (start, end) = (start.max(opens), end.min(closes));
        }
        (start < end).then_some((start, end))
    }

    /// The names of the rules that hold on a local day.
    pub(crate) fn names(&self, date: NaiveDate) -> String {
        let names: Vec<&str> = self.about(date).map(|rule| rule.id.as_str()).collect();
        if names.is_empty() { "47 CFR 64.1200".to_owned() } else { names.join(", ") }
    }

    /// The most calls to the number within 24 hours, on a day.
    pub fn cap_per_day(&self, date: NaiveDate) -> Option<i32> {
        self.0.iter().filter(|rule| rule.holds_on(date)).filter_map(|rule| rule.cap_per_day).min()
    }

    /// The most calls to the number in all.
    pub fn cap_in_all(&self, date: NaiveDate) -> Option<i32> {
        self.0.iter().filter(|rule| rule.holds_on(date)).filter_map(|rule| rule.cap_in_all).min()
    }

    fn about(&self, date: NaiveDate) -> impl Iterator<Item = &Rule> {
        let day = date.weekday();
        self.0.iter().filter(move |rule| rule.holds_on(date) && rule.days.contains(day))
    }
}

#[cfg(test)]
mod tests;
