//! The cool-down of a prospect after a call without a final outcome.

use chrono::TimeDelta;

use crate::status::Reason;

/// The cool-down without a matching rule.
const DEFAULT_COOL_DOWN: TimeDelta = TimeDelta::hours(24);

/// A row of `retry_rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRule {
    /// A [`Reason`]; `*` matches every reason without a rule of its own.
    pub reason: String,
    /// 1-based count of the prospect's calls that ended for this reason. The highest rule applies to all later calls.
    pub attempt: i32,
    /// The cool-down.
    pub pause: TimeDelta,
}

/// The cool-down after a prospect's `nth` call that ended for this reason.
pub fn cool_down(rules: &[RetryRule], reason: Option<Reason>, nth: i32) -> TimeDelta {
    let of = |name: &str| {
        let rules = rules.iter().filter(|rule| rule.reason == name && rule.attempt <= nth);
        rules.max_by_key(|rule| rule.attempt).map(|rule| rule.pause)
    };
    reason.and_then(|reason| of(reason.into_str())).or_else(|| of("*")).unwrap_or(DEFAULT_COOL_DOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_rule_of_a_reason_applies_on_and_other_reasons_share_one() {
        let rule = |reason: &str, attempt, hours| RetryRule {
            reason: reason.into(),
            attempt,
            pause: TimeDelta::hours(hours),
        };
        let rules = [rule("no_answer", 3, 24), rule("no_answer", 1, 2), rule("*", 1, 48)];
        for (reason, nth, hours) in [
            (Some(Reason::NoAnswer), 1, 2),
            (Some(Reason::NoAnswer), 2, 2),
            (Some(Reason::NoAnswer), 3, 24),
            (Some(Reason::NoAnswer), 9, 24),
            (Some(Reason::Busy), 1, 48),
            (None, 1, 48),
        ] {
            assert_eq!(cool_down(&rules, reason, nth), TimeDelta::hours(hours), "{reason:?} {nth}");
        }
        assert_eq!(cool_down(&[], None, 1), TimeDelta::hours(24));
    }
}
