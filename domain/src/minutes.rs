//! How talk turns into charged minutes, and minutes into the longest call.

/// Whole minutes charged for `talk_secs` of talk: rounded up, nothing if nobody joined.
pub fn charged(talk_secs: i64) -> i32 {
    if talk_secs <= 0 {
        return 0;
    }
    i32::try_from((talk_secs + 59) / 60).unwrap_or(i32::MAX)
}

/// Minutes to reserve for one call when `left` minutes are left: none if there are none, and no
/// more than `longest`, so that one call does not lock up a whole subscription.
pub fn reservation(left: i32, longest: i32) -> i32 {
    left.min(longest).max(0)
}

/// The longest that a call may last under a reservation, in seconds.
pub fn longest_call_secs(reserved_minutes: i32) -> i64 {
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
    fn a_reservation_never_exceeds_what_is_left() {
        for (left, reserved) in [(-1, 0), (0, 0), (1, 1), (9, 9), (600, 10)] {
            assert_eq!(reservation(left, 10), reserved, "{left} left");
        }
    }

    #[test]
    fn the_longest_call_costs_no_more_than_its_reservation() {
        for reserved in 0..=10 {
            assert_eq!(charged(longest_call_secs(reserved)), reserved);
        }
    }
}
