//! Sets of days of the week.

use chrono::Weekday;

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    pub const ALL: Self = Self(0b111_1111);

    /// Days by their ISO numbers, 1 for Monday to 7 for Sunday; other numbers are ignored.
    pub fn from_iso(numbers: impl IntoIterator<Item = i32>) -> Self {
        let bits = numbers.into_iter().filter(|day| (1..=7).contains(day));
        Self(bits.fold(0, |days, day| days | 1 << (day - 1)))
    }

    pub fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.num_days_from_monday()) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
