//! The minimum distance between the slots of all users.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

/// How long a planned call is assumed to use a line, in seconds: most calls are not answered.
const TYPICAL_CALL_SECS: i64 = 30;

/// The planned slots, and the minimum time between two of them.
#[derive(Clone, Debug)]
pub struct Pacing {
    step: TimeDelta,
    planned: BTreeSet<DateTime<Utc>>,
}

impl Pacing {
    /// Keeps within the lines and within the provider's calls per minute. `planned`: slots that exist already.
    pub fn new(
        lines: i32,
        calls_per_minute: i32,
        planned: impl IntoIterator<Item = DateTime<Utc>>,
    ) -> Self {
        let by_lines = TYPICAL_CALL_SECS * 1_000 / i64::from(lines.max(1));
        let by_rate = 60_000 / i64::from(calls_per_minute.max(1));
        let step = TimeDelta::milliseconds(by_lines.max(by_rate));
        Self { step, planned: planned.into_iter().collect() }
    }

    pub fn add(&mut self, slot: DateTime<Utc>) {
        self.planned.insert(slot);
    }

    /// The earliest free slot at or after `from`.
    pub fn first_free(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        let mut slot = from;
        let mut near =
            self.planned.range(from - self.step..).skip_while(|taken| **taken <= from - self.step);
        while let Some(taken) = near.next().filter(|taken| **taken < slot + self.step) {
            slot = *taken + self.step;
        }
        slot
    }

    /// The last point at or before `time` of the grid of slots that ends at `until`.
    pub fn on_grid(&self, time: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
        let step = self.step.num_milliseconds().max(1);
        let before_end = (until - time).num_milliseconds();
        until - TimeDelta::milliseconds((before_end + step - 1).div_euclid(step) * step)
    }

    /// The number of free slots from `from` to `until` (exclusive), counted up to `max`.
    pub fn room(&self, from: DateTime<Utc>, until: DateTime<Utc>, max: usize) -> usize {
        let step = self.step.max(TimeDelta::milliseconds(1));
        let first = self.first_free(from);
        let slots = std::iter::successors(Some(first), |slot| Some(self.first_free(*slot + step)));
        slots.take_while(|slot| *slot < until).take(max).count()
    }
}

/// Shares slots among users by what they want, in rounds: as long as slots are left, each user that wants more gets one.
/// So nobody gets more than another one who wants more. `first`: the user who begins each round.
pub fn share(slots: usize, wanted: &[usize], first: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.rotate_left(first.checked_rem(wanted.len()).unwrap_or(0));
    // Those who want least are served in full before the others are cut.
    order.sort_by_key(|user| wanted[*user]);
    let mut shares = vec![0; wanted.len()];
    let mut left = slots;
    for (served, user) in order.iter().enumerate() {
        let users_left = wanted.len() - served;
        // Of an uneven rest, those at the end of the order get one more.
        shares[*user] = wanted[*user].min(left / users_left);
        left -= shares[*user];
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_more_than_another_one_who_wants_more() {
        for (slots, wanted, shares) in [
            (50, vec![120, 120], vec![25, 25]),
            (50, vec![10, 120], vec![10, 40]),
            (50, vec![10, 20], vec![10, 20]),
            (7, vec![1, 9, 9], vec![1, 3, 3]),
            (2, vec![9, 0, 9, 9], vec![0, 0, 1, 1]),
            (5, vec![], vec![]),
        ] {
            assert_eq!(share(slots, &wanted, 0), shares, "{slots} for {wanted:?}");
        }
    }

    #[test]
    fn odd_slots_go_to_each_user_in_turn() {
        let mut sums = vec![0; 3];
        for run in 0..6 {
            for (sum, share) in sums.iter_mut().zip(share(4, &[9, 9, 9], run)) {
                *sum += share;
            }
        }
        assert_eq!(sums, [8, 8, 8]);
    }

    #[test]
    fn room_is_the_number_of_slots_that_can_be_planned() {
        let pacing = Pacing::new(5, 30, [at(8)]);
        // 14, 20, 26; before 8 there is room for one at 0 to 2.
        assert_eq!(pacing.room(at(0), at(30), usize::MAX), 4);
        assert_eq!(pacing.room(at(0), at(30), 2), 2);
        assert_eq!(pacing.room(at(30), at(30), usize::MAX), 0);
    }

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_740_495_600 + secs, 0).unwrap()
    }

    #[test]
    fn scarcer_of_lines_and_rate_gives_the_step() {
        for (lines, rate, step) in [(5, 30, 6), (60, 30, 2), (1, 30, 30), (60, 6, 10)] {
            let pacing = Pacing::new(lines, rate, [at(0)]);
            assert_eq!(pacing.first_free(at(0)), at(step), "{lines} lines, {rate} a minute");
        }
    }

    #[test]
    fn free_slot_is_a_step_away_from_every_planned_slot() {
        let pacing = Pacing::new(5, 30, [at(0), at(8), at(30)]);
        for (from, free) in
            [(-7, -7), (-5, 14), (0, 14), (7, 14), (14, 14), (24, 24), (25, 36), (36, 36)]
        {
            assert_eq!(pacing.first_free(at(from)), at(free), "{from}");
        }
    }
}
