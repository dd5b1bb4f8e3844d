//! Charged minutes, reserved minutes, and the maximum length of a call.

/// Whole minutes charged for `talk_secs` of talk: rounded up; 0 if the call was not answered.
pub fn charged(talk_secs: i64) -> i32 {
    if talk_secs <= 0 {
        return 0;
    }
    i32::try_from((talk_secs + 59) / 60).unwrap_or(i32::MAX)
}

/// Minutes to reserve for one call: at most `max`, so that one call does not block a whole subscription; 0 if no minutes
/// are left.
pub fn reservation(left: i32, max: i32) -> i32 {
    left.min(max).max(0)
}

/// The maximum length of a call under a reservation, in seconds.
pub fn max_call_secs(reserved_minutes: i32) -> i64 {
    i64::from(reserved_minutes.max(0)) * 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_is_charged_in_whole_minutes_rounded_up() {
        for (secs, minutes) in [(-5, 0), (0, 0), (1, 1), (59, 1), (60, 1), (61, 2), (240, 4)] {
            assert_eq!(charged(secs), minutes, "{secs} s");
        }
    }

    #[test]
    fn reservation_never_exceeds_the_balance() {
        for (left, reserved) in [(-1, 0), (0, 0), (1, 1), (9, 9), (600, 10)] {
            assert_eq!(reservation(left, 10), reserved, "{left} left");
        }
    }

    #[test]
    fn longest_call_costs_no_more_than_its_reservation() {
        for reserved in 0..=10 {
            assert_eq!(charged(max_call_secs(reserved)), reserved);
        }
    }
}
