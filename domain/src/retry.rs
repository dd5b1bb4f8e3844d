//! How long a prospect rests after a call that reached nobody.

use chrono::TimeDelta;

use crate::status::Reason;

/// The rest where no rule says another.
const OTHERWISE: TimeDelta = TimeDelta::hours(24);

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRule {
    /// The reason of the call's end, as [`Reason`] spells it; `*` for any other.
    pub reason: String,
    /// The how manieth call of a prospect that ended so. The last rule of a reason holds for all later ones.
    pub attempt: i32,
    /// The rest.
    pub pause: TimeDelta,
}

/// The rest after a prospect's `nth` call that ended for that reason.
pub fn rest(rules: &[RetryRule], reason: Option<Reason>, nth: i32) -> TimeDelta {
    let of = |word: &str| {
        let rules = rules.iter().filter(|rule| rule.reason == word && rule.attempt <= nth);
        rules.max_by_key(|rule| rule.attempt).map(|rule| rule.pause)
    };
    reason.and_then(|reason| of(reason.as_str())).or_else(|| of("*")).unwrap_or(OTHERWISE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_of_a_reason_holds_on_and_other_reasons_share_one() {
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
            assert_eq!(rest(&rules, reason, nth), TimeDelta::hours(hours), "{reason:?} {nth}");
        }
        assert_eq!(rest(&[], None, 1), TimeDelta::hours(24));
    }
}
