//! Legal calling hours and caps as data: the rules that apply to a number, combined.

use std::sync::Arc;

use chrono::{Datelike as _, NaiveDate, NaiveTime};

use crate::jurisdictions;
use crate::weekdays::Weekdays;

/// The hours without a matching rule: 8 a.m. to 9 p.m. of the called party's local time (47 CFR
/// 64.1200(c)(1)).
const DEFAULT_HOURS: (NaiveTime, NaiveTime) = (
    NaiveTime::from_hms_opt(8, 0, 0).expect("08:00 is a time"),
    NaiveTime::from_hms_opt(21, 0, 0).expect("21:00 is a time"),
);

/// A row of `calling_rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name, such as `us-fl`.
    pub id: String,
    /// Where the rule applies: `*` everywhere, an ISO 3166-1 code as `US`, or an ISO 3166-2 code as `US-FL`.
    pub jurisdiction: String,
    /// The days of the week to which the rule applies.
    pub days: Weekdays,
    /// The hours of these days in the callee's local time; `None` forbids calls on these days.
    pub open: Option<(NaiveTime, NaiveTime)>,
    /// Calls to one number within any 24 hours.
    pub cap_per_day: Option<i32>,
    /// Calls to one number, ever.
    pub cap_total: Option<i32>,
    /// The first local day on which the rule applies.
    pub from: Option<NaiveDate>,
    /// The first local day on which the rule no longer applies.
    pub until: Option<NaiveDate>,
}

impl Rule {
    fn applies_on(&self, date: NaiveDate) -> bool {
        self.from.is_none_or(|from| date >= from) && self.until.is_none_or(|until| date < until)
    }
}

/// The rules that apply to one callee, combined: the strictest wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Law(Arc<Vec<Rule>>);

impl Law {
    /// The rules that apply to a number and to the prospect's state.
    pub fn for_phone(rules: &[Rule], phone: &str, state: Option<&str>) -> Self {
        let places: Vec<&str> = jurisdictions::of(phone).iter().copied().chain(state).collect();
        let applies = |rule: &&Rule| {
            rule.jurisdiction == "*"
                || places.iter().any(|place| {
                    let country = place.split('-').next();
                    *place == rule.jurisdiction || country == Some(rule.jurisdiction.as_str())
                })
        };
        Self(Arc::new(rules.iter().filter(applies).cloned().collect()))
    }

    /// The legal hours of a local day; `None` if calls are forbidden.
    pub(crate) fn span(&self, date: NaiveDate) -> Option<(NaiveTime, NaiveTime)> {
        let mut rules = self.rules_on(date).peekable();
        if rules.peek().is_none() {
            return Some(DEFAULT_HOURS);
        }
        let (mut start, mut end) = (NaiveTime::MIN, NaiveTime::from_hms_opt(23, 59, 59)?);
        for rule in rules {
            let (opens, closes) = rule.open?;
            (start, end) = (start.max(opens), end.min(closes));
        }
        (start < end).then_some((start, end))
    }

    /// The names of the rules that apply on a local day.
    pub(crate) fn names(&self, date: NaiveDate) -> String {
        let names: Vec<&str> = self.rules_on(date).map(|rule| rule.id.as_str()).collect();
        if names.is_empty() { "47 CFR 64.1200".to_owned() } else { names.join(", ") }
    }

    /// The maximum number of calls to the number within 24 hours.
    pub fn cap_per_day(&self, date: NaiveDate) -> Option<i32> {
        self.0.iter().filter(|rule| rule.applies_on(date)).filter_map(|rule| rule.cap_per_day).min()
    }

    /// The maximum number of calls to the number, ever.
    pub fn cap_total(&self, date: NaiveDate) -> Option<i32> {
        self.0.iter().filter(|rule| rule.applies_on(date)).filter_map(|rule| rule.cap_total).min()
    }

    fn rules_on(&self, date: NaiveDate) -> impl Iterator<Item = &Rule> {
        let day = date.weekday();
        self.0.iter().filter(move |rule| rule.applies_on(date) && rule.days.contains(day))
    }
}

#[cfg(test)]
mod tests;
