//! When a call may be made: daily windows in a time zone, and what several of them allow.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The hours within which US federal law allows telephone solicitation, in the called party's
/// local time: 8 a.m. to 9 p.m. (47 CFR 64.1200(c)(1)). Applied to every prospect.
pub const LEGAL_START: NaiveTime = NaiveTime::from_hms_opt(8, 0, 0).expect("08:00 is a time");
/// See [`LEGAL_START`].
pub const LEGAL_END: NaiveTime = NaiveTime::from_hms_opt(21, 0, 0).expect("21:00 is a time");

/// How many days ahead the next allowed moment is looked for.
const HORIZON_DAYS: usize = 8;

/// A span of every day's local time: from `start` up to, not including, `end`.
///
/// A window whose start lies after its end goes across midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    zone: Tz,
    start: NaiveTime,
    end: NaiveTime,
}

/// Why a window can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The name is none of the IANA database.
    #[error("the time zone {0:?} is unknown; use an IANA name such as America/New_York")]
    UnknownZone(String),
    /// Start and end are the same moment, so that nothing lies between them.
    #[error("the calling window is empty: it starts and ends at {0}")]
    Empty(NaiveTime),
}

impl DailyWindow {
    /// A window in the zone of that IANA name.
    pub fn new(zone: &str, start: NaiveTime, end: NaiveTime) -> Result<Self, WindowError> {
        Self::in_zone(parse_zone(zone)?, start, end)
    }

    /// A window in a zone.
    pub fn in_zone(zone: Tz, start: NaiveTime, end: NaiveTime) -> Result<Self, WindowError> {
        if start == end {
            return Err(WindowError::Empty(start));
        }
        Ok(Self { zone, start, end })
    }

    /// The legal hours in a zone.
    pub fn legal(zone: Tz) -> Self {
        Self { zone, start: LEGAL_START, end: LEGAL_END }
    }

    /// The zone of the window.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Whether a moment lies within the window.
    pub fn contains(&self, moment: DateTime<Utc>) -> bool {
        let time = moment.with_timezone(&self.zone).time();
        if self.start < self.end {
            (self.start..self.end).contains(&time)
        } else {
            time >= self.start || time < self.end
        }
    }

    /// The first moment of the local day in which a moment lies.
    pub fn day_start(&self, moment: DateTime<Utc>) -> DateTime<Utc> {
        let today = moment.with_timezone(&self.zone).date_naive();
        self.edges(today, NaiveTime::MIN).next().unwrap_or(moment)
    }

    /// The first moment from `from` on that lies within the window.
    fn next_open(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.contains(from) {
            return Some(from);
        }
        let today = from.with_timezone(&self.zone).date_naive();
        days_from(today)
            .flat_map(|date| self.edges(date, self.start))
            .find(|open| *open >= from && self.contains(*open))
    }

    /// The first moment after `from` that lies outside the window, for a `from` within it.
    fn next_close(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = from.with_timezone(&self.zone).date_naive();
        days_from(today)
            .flat_map(|date| self.edges(date, self.end))
            .find(|close| *close > from && !self.contains(*close))
    }

    /// The moments at which the local clock shows `time` on `date`: two if it shows it twice,
    /// the end of the gap if it never does.
    fn edges(&self, date: NaiveDate, time: NaiveTime) -> impl Iterator<Item = DateTime<Utc>> {
        let wanted = date.and_time(time);
        let shown: Option<LocalResult<DateTime<Tz>>> = (0..=24 * 60)
            .map(|minutes| self.zone.from_local_datetime(&(wanted + TimeDelta::minutes(minutes))))
            .find(|local| local.earliest().is_some());
        let first = shown.and_then(|local| local.earliest());
        let again = shown.and_then(|local| local.latest()).filter(|again| Some(*again) != first);
        [first, again].into_iter().flatten().map(|local| local.with_timezone(&Utc))
    }
}

fn days_from(date: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    date.iter_days().take(HORIZON_DAYS + 1)
}

/// Reads an IANA zone name.
pub fn parse_zone(name: &str) -> Result<Tz, WindowError> {
    name.trim().parse().map_err(|_| WindowError::UnknownZone(name.to_owned()))
}

/// Several windows that must all be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(Vec<DailyWindow>);

impl Hours {
    /// Hours within the user's window and within the legal hours of each zone in which the
    /// prospect may be.
    pub fn of_call(user: DailyWindow, prospect: impl IntoIterator<Item = Tz>) -> Self {
        let legal = prospect.into_iter().map(DailyWindow::legal);
        Self(std::iter::once(user).chain(legal).collect())
    }

    /// Whether a call may start at that moment.
    pub fn allow(&self, moment: DateTime<Utc>) -> bool {
        self.0.iter().all(|window| window.contains(moment))
    }

    /// The first moment from `from` on at which a call may start, within the next eight days.
    pub fn next_allowed(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let limit = from + TimeDelta::days(HORIZON_DAYS as i64);
        let mut moment = from;
        while moment <= limit {
            match self.0.iter().find(|window| !window.contains(moment)) {
                None => return Some(moment),
                Some(closed) => moment = closed.next_open(moment)?,
            }
        }
        None
    }

    /// The first moment after an allowed `from` at which a call may no longer start.
    pub fn allowed_until(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.iter().filter_map(|window| window.next_close(from)).min()
    }
}

#[cfg(test)]
mod tests;
