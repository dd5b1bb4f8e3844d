//! Calling hours: the user's window and the legal hours, each in its time zone.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{
    DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
    Weekday,
};
use chrono_tz::Tz;

use crate::rules::Law;
use crate::weekdays::Weekdays;
use crate::{Block, BlockReason};

/// How far ahead the next allowed time is searched, in days.
const MAX_SEARCH_DAYS: i64 = 35;

/// The maximum seconds from the last check of a dial to its request.
pub const SEND_TIMEOUT_SECS: u32 = 10;
/// The maximum seconds for the provider's answer to the request.
pub const REQUEST_TIMEOUT_SECS: u32 = 25;
/// The seconds that the carrier may take from the provider's answer to the first ring.
const FIRST_RING_SECS: u32 = 10;
/// How long before the end of the hours the last call may start: its phone may begin to ring that much later.
pub const DIAL_MARGIN: TimeDelta =
    TimeDelta::seconds((SEND_TIMEOUT_SECS + REQUEST_TIMEOUT_SECS + FIRST_RING_SECS) as i64);

/// A user's calling window: local time from `start` to `end` (exclusive) on some days of the week.
///
/// A window whose end is not after its start crosses midnight; it belongs to the day on which it starts. An end at 0:00 is
/// the end of that day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    zone: Tz,
    start: NaiveTime,
    end: NaiveTime,
    days: Weekdays,
    days_off: Arc<BTreeSet<NaiveDate>>,
}

/// The window is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Not in the IANA database.
    #[error("the time zone {0:?} is unknown; use an IANA name such as America/New_York")]
    UnknownZone(String),
    /// Start and end are equal.
    #[error("the calling window is empty: it starts and ends at {0}")]
    Empty(NaiveTime),
    #[error("the calling window has no day of the week")]
    NoDays,
}

impl DailyWindow {
    /// A window on every day.
    ///
    /// # Errors
    ///
    /// The zone is not an IANA name, or start and end are equal.
    pub fn new(zone: &str, start: NaiveTime, end: NaiveTime) -> Result<Self, WindowError> {
        let zone = parse_zone(zone)?;
        if start == end {
            return Err(WindowError::Empty(start));
        }
        Ok(Self { zone, start, end, days: Weekdays::ALL, days_off: Arc::default() })
    }

    /// A window on every day, from `start` to the end of the day.
    ///
    /// # Errors
    ///
    /// The zone is not an IANA name.
    pub fn until_midnight(zone: &str, start: NaiveTime) -> Result<Self, WindowError> {
        let (zone, end) = (parse_zone(zone)?, NaiveTime::MIN);
        Ok(Self { zone, start, end, days: Weekdays::ALL, days_off: Arc::default() })
    }

    /// The same window on these days of the week only.
    pub fn on(self, days: Weekdays) -> Result<Self, WindowError> {
        if days.is_empty() {
            return Err(WindowError::NoDays);
        }
        Ok(Self { days, ..self })
    }

    /// The same window without these local dates.
    pub fn without(self, days_off: impl IntoIterator<Item = NaiveDate>) -> Self {
        Self { days_off: Arc::new(days_off.into_iter().collect()), ..self }
    }

    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The start of the local day that contains `time`.
    pub fn day_start(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        let today = time.with_timezone(&self.zone).date_naive();
        local_times(self.zone, today, NaiveTime::MIN).next().unwrap_or(time)
    }
}

/// Parses an IANA zone name.
pub fn parse_zone(name: &str) -> Result<Tz, WindowError> {
    name.trim().parse().map_err(|_| WindowError::UnknownZone(name.to_owned()))
}

/// Parses a timestamp; without an offset it is local to `zone`.
///
/// An ambiguous time resolves to the earlier instant, a skipped time to the end of the gap. `None` if unparsable.
pub fn parse_local_time(text: &str, zone: Option<Tz>) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text.trim()) {
        return Some(time.to_utc());
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text.trim(), format).ok())?;
    local_times(zone?, local.date(), local.time()).next()
}

/// Whether a time is within the range of the service: the 20th to the 22nd century. The database has the same range.
pub fn is_plausible(time: DateTime<Utc>) -> bool {
    (1900..2200).contains(&time.year())
}

/// Hours that must all be open for a call.
#[derive(Clone, Debug)]
pub struct Hours(Vec<OpenHours>);

#[derive(Clone, Debug)]
enum OpenHours {
    Window(DailyWindow),
    Legal(Tz, Law),
}

/// No call may start at this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Which hours are closed, as a sentence.
    pub detail: String,
    /// The next time at which a call may start; `None` if there is none for five weeks.
    pub next_open: Option<DateTime<Utc>>,
}

impl From<Closed> for Block {
    fn from(closed: Closed) -> Self {
        let reason = BlockReason::OutsideHours;
        Self { reason, detail: closed.detail, until: closed.next_open }
    }
}

impl Hours {
    /// The user's window and the legal hours in each zone in which the callee may be.
    pub fn of_call(user: DailyWindow, callee: impl IntoIterator<Item = Tz>, law: &Law) -> Self {
        let legal = callee.into_iter().map(|zone| OpenHours::Legal(zone, law.clone()));
        Self(std::iter::once(OpenHours::Window(user)).chain(legal).collect())
    }

    /// The hours of a window only.
    pub fn of_window(window: DailyWindow) -> Self {
        Self(vec![OpenHours::Window(window)])
    }

    /// Checks that a call may start at `time`.
    ///
    /// # Errors
    ///
    /// The hours are closed.
    pub fn check(&self, time: DateTime<Utc>) -> Result<(), Closed> {
        match self.0.iter().find(|hours| !hours.contains(time)) {
            None => Ok(()),
            Some(closed) => {
                let (detail, next_open) = (closed.describe(time), self.next_allowed(time));
                Err(Closed { detail, next_open })
            }
        }
    }

    /// The earliest time at or after `from` at which a call may start, within the next five weeks.
    pub fn next_allowed(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let limit = from + TimeDelta::days(MAX_SEARCH_DAYS);
        let mut time = from;
        while time <= limit {
            match self.0.iter().find(|hours| !hours.contains(time)) {
                None => return Some(time),
                Some(closed) => time = closed.next_open(time)?,
            }
        }
        None
    }

    /// The first time after an open `from` at which no call may start.
    pub fn allowed_until(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.iter().filter_map(|hours| hours.next_close(from)).min()
    }
}

impl OpenHours {
    fn zone(&self) -> Tz {
        match self {
            Self::Window(window) => window.zone,
            Self::Legal(zone, _) => *zone,
        }
    }

    /// The local opening time of a date; an end that is not after its start is on the next day.
    fn span(&self, date: NaiveDate) -> Option<(NaiveTime, NaiveTime)> {
        match self {
            Self::Window(window) => {
                let open = window.days.contains(date.weekday()) && !window.days_off.contains(&date);
                open.then_some((window.start, window.end))
            }
            Self::Legal(_, law) => law.span(date),
        }
    }

    /// Whether a call may start: its phone begins to ring within the hours.
    fn contains(&self, at: DateTime<Utc>) -> bool {
        self.is_open(at) && self.is_open(at + DIAL_MARGIN)
    }

    fn is_open(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone()).naive_local();
        let (date, time) = (local.date(), local.time());
        let today = self
            .span(date)
            .is_some_and(|(start, end)| time >= start && (time < end || end <= start));
        let since_yesterday = || {
            let span = date.pred_opt().and_then(|yesterday| self.span(yesterday));
            span.is_some_and(|(start, end)| end <= start && time < end)
        };
        today || since_yesterday()
    }

    /// The earliest open time at or after `from`.
    fn next_open(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.contains(from) {
            return Some(from);
        }
        let starts = self.days_from(from).filter_map(|date| Some((date, self.span(date)?.0)));
        starts
            .flat_map(|(date, start)| local_times(self.zone(), date, start))
            .find(|open| *open >= from && self.contains(*open))
    }

    /// The first time after an open `from` at which no call may start.
    fn next_close(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let yesterday = self.days_from(from).next().and_then(|today| today.pred_opt());
        let days = yesterday.into_iter().chain(self.days_from(from));
        days.flat_map(|date| self.closes_of(date))
            .map(|close| close - DIAL_MARGIN)
            .find(|close| *close > from && !self.contains(*close))
    }

    /// The times at which the hours of a date may close, in order: their end and, if the clock goes back over their start,
    /// the whole minutes from the first start to the second.
    fn closes_of(&self, date: NaiveDate) -> Vec<DateTime<Utc>> {
        let Some((start, end)) = self.span(date) else { return Vec::new() };
        let end_date = if end <= start { date.succ_opt() } else { Some(date) };
        let starts: Vec<_> = local_times(self.zone(), date, start).collect();
        let mut closes = match starts[..] {
            [first, second] => whole_minutes(first, second),
            _ => Vec::new(),
        };
        closes.extend(end_date.into_iter().flat_map(|date| local_times(self.zone(), date, end)));
        closes
    }

    fn days_from(&self, from: DateTime<Utc>) -> impl Iterator<Item = NaiveDate> {
        let today = from.with_timezone(&self.zone()).date_naive();
        today.iter_days().take(MAX_SEARCH_DAYS as usize + 1)
    }

    /// Describes hours that are closed at `at`.
    fn describe(&self, at: DateTime<Utc>) -> String {
        let zone = self.zone();
        let date = at.with_timezone(&zone).date_naive();
        if self.is_open(at) {
            let margin = DIAL_MARGIN.num_seconds();
            return format!("The calling hours in {zone} end in less than {margin} s.");
        }
        match self {
            Self::Window(window) if window.days_off.contains(&date) => {
                format!("{date} is a day off of the user.")
            }
            Self::Window(window) if !window.days.contains(date.weekday()) => {
                format!("The user's window is closed on {}s.", long_name(date.weekday()))
            }
            Self::Window(window) => {
                let start = window.start.format("%H:%M");
                let end = match window.end {
                    NaiveTime::MIN => "24:00".to_owned(),
                    end => end.format("%H:%M").to_string(),
                };
                format!("It is outside the user's window, {start} to {end} in {zone}.")
            }
            Self::Legal(_, law) => match law.span(date) {
                Some((start, end)) => {
                    let (start, end) = (start.format("%H:%M"), end.format("%H:%M"));
                    let rules = law.names(date);
                    format!("It is outside the legal hours, {start} to {end} in {zone} ({rules}).")
                }
                None => {
                    let (day, rules) = (long_name(date.weekday()), law.names(date));
                    format!("No call is legal on {day}s in {zone} ({rules}).")
                }
            },
        }
    }
}

fn long_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Monday",
        Weekday::Tue => "Tuesday",
        Weekday::Wed => "Wednesday",
        Weekday::Thu => "Thursday",
        Weekday::Fri => "Friday",
        Weekday::Sat => "Saturday",
        Weekday::Sun => "Sunday",
    }
}

/// The instants at which a zone's local time is `time` on `date`: two if it is ambiguous, the end of the gap if it is
/// skipped.
fn local_times(zone: Tz, date: NaiveDate, time: NaiveTime) -> impl Iterator<Item = DateTime<Utc>> {
    let wanted = date.and_time(time);
    let shown: Option<LocalResult<DateTime<Tz>>> = (0..=24 * 60)
        .map(|minutes| zone.from_local_datetime(&(wanted + TimeDelta::minutes(minutes))))
        .find(|local| local.earliest().is_some());
    let first = shown.and_then(|local| local.earliest());
    let again = shown.and_then(|local| local.latest()).filter(|again| Some(*again) != first);
    [first, again].into_iter().flatten().map(|local| local.with_timezone(&Utc))
}

fn whole_minutes(from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let minutes = from.timestamp() / 60 + 1..=until.timestamp() / 60;
    minutes.filter_map(|minute| DateTime::from_timestamp(minute * 60, 0)).collect()
}

#[cfg(test)]
mod tests;
