//! When a call may be made: the client's window and the legal hours, each in its time zone, and what they allow
//! together.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chrono::{
    DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
    Weekday,
};
use chrono_tz::Tz;

use crate::rules::Law;

/// How many days ahead the next allowed moment is looked for.
const HORIZON_DAYS: i64 = 35;

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// All seven.
    pub const ALL: Self = Self(0b111_1111);

    /// Days by their ISO numbers, 1 for Monday to 7 for Sunday; others are passed over.
    pub fn from_iso(numbers: impl IntoIterator<Item = i32>) -> Self {
        let bits = numbers.into_iter().filter(|day| (1..=7).contains(day));
        Self(bits.fold(0, |days, day| days | 1 << (day - 1)))
    }

    /// Whether a day is among them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.num_days_from_monday()) != 0
    }

    /// Whether none is.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A client's calling window: a span of local time, from `start` up to, not including, `end`, on some days.
///
/// A window whose start lies after its end goes across midnight and belongs to the day on which it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    zone: Tz,
    start: NaiveTime,
    end: NaiveTime,
    days: Weekdays,
    days_off: Arc<BTreeSet<NaiveDate>>,
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
    /// No day of the week is left.
    #[error("the calling window has no day of the week")]
    NoDays,
}

impl DailyWindow {
    /// A window of every day in the zone of that IANA name.
    pub fn new(zone: &str, start: NaiveTime, end: NaiveTime) -> Result<Self, WindowError> {
        let zone = parse_zone(zone)?;
        if start == end {
            return Err(WindowError::Empty(start));
        }
        Ok(Self { zone, start, end, days: Weekdays::ALL, days_off: Arc::default() })
    }

    /// The same on these days alone.
    pub fn on(self, days: Weekdays) -> Result<Self, WindowError> {
        if days.is_empty() {
            return Err(WindowError::NoDays);
        }
        Ok(Self { days, ..self })
    }

    /// The same without these dates.
    pub fn without(self, days_off: impl IntoIterator<Item = NaiveDate>) -> Self {
        Self { days_off: Arc::new(days_off.into_iter().collect()), ..self }
    }

    /// The zone of the window.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first moment of the local day in which a moment lies.
    pub fn day_start(&self, moment: DateTime<Utc>) -> DateTime<Utc> {
        let today = moment.with_timezone(&self.zone).date_naive();
        edges(self.zone, today, NaiveTime::MIN).next().unwrap_or(moment)
    }
}

/// Reads an IANA zone name.
pub fn parse_zone(name: &str) -> Result<Tz, WindowError> {
    name.trim().parse().map_err(|_| WindowError::UnknownZone(name.to_owned()))
}

/// A moment as somebody in a zone names it: with an offset that counts, or without one, by the local clock. What the clock
/// shows twice is taken for the first time, what it never shows for the end of the gap. Nothing if it is no moment.
pub fn named_moment(text: &str, zone: Option<Tz>) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text.trim()) {
        return Some(moment.to_utc());
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text.trim(), form).ok())?;
    edges(zone?, local.date(), local.time()).next()
}

/// Hours that must all be open.
#[derive(Clone, Debug)]
pub struct Hours(Vec<Opening>);

/// One of them.
#[derive(Clone, Debug)]
enum Opening {
    Window(DailyWindow),
    Legal(Tz, Law),
}

/// Why no call may start at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Whose hours they are, as a sentence.
    pub why: String,
    /// The first moment from then on at which a call may start; nothing if there is none for five weeks.
    pub next: Option<DateTime<Utc>>,
}

impl fmt::Display for Shut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Hours {
    /// Hours within the client's window and within the legal hours of each zone in which the callee may be.
    pub fn of_call(user: DailyWindow, callee: impl IntoIterator<Item = Tz>, law: &Law) -> Self {
        let legal = callee.into_iter().map(|zone| Opening::Legal(zone, law.clone()));
        Self(std::iter::once(Opening::Window(user)).chain(legal).collect())
    }

    /// The hours of a window alone.
    pub fn of_window(window: DailyWindow) -> Self {
        Self(vec![Opening::Window(window)])
    }

    /// Whether a call may start at that moment; if not, why, and when one may.
    pub fn allowed(&self, moment: DateTime<Utc>) -> Result<(), Shut> {
        match self.0.iter().find(|opening| !opening.contains(moment)) {
            None => Ok(()),
            Some(shut) => Err(Shut { why: shut.sentence(moment), next: self.next_allowed(moment) }),
        }
    }

    /// The first moment from `from` on at which a call may start, within the next five weeks.
    pub fn next_allowed(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let limit = from + TimeDelta::days(HORIZON_DAYS);
        let mut moment = from;
        while moment <= limit {
            match self.0.iter().find(|opening| !opening.contains(moment)) {
                None => return Some(moment),
                Some(shut) => moment = shut.next_open(moment)?,
            }
        }
        None
    }

    /// The first moment after an allowed `from` at which a call may no longer start.
    pub fn allowed_until(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.iter().filter_map(|opening| opening.next_close(from)).min()
    }
}

impl Opening {
    fn zone(&self) -> Tz {
        match self {
            Self::Window(window) => window.zone,
            Self::Legal(zone, _) => *zone,
        }
    }

    /// What is open from a local day on; an end before its start lies on the next day.
    fn span(&self, date: NaiveDate) -> Option<(NaiveTime, NaiveTime)> {
        match self {
            Self::Window(window) => {
                let open = window.days.contains(date.weekday()) && !window.days_off.contains(&date);
                open.then_some((window.start, window.end))
            }
            Self::Legal(_, law) => law.span(date),
        }
    }

    fn contains(&self, moment: DateTime<Utc>) -> bool {
        let local = moment.with_timezone(&self.zone()).naive_local();
        let (date, time) = (local.date(), local.time());
        let today = self
            .span(date)
            .is_some_and(|(start, end)| time >= start && (time < end || end < start));
        let since_yesterday = || {
            let span = date.pred_opt().and_then(|yesterday| self.span(yesterday));
            span.is_some_and(|(start, end)| end < start && time < end)
        };
        today || since_yesterday()
    }

    /// The first moment from `from` on that is open.
    fn next_open(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.contains(from) {
            return Some(from);
        }
        let starts = self.days_from(from).filter_map(|date| Some((date, self.span(date)?.0)));
        starts
            .flat_map(|(date, start)| edges(self.zone(), date, start))
            .find(|open| *open >= from && self.contains(*open))
    }

    /// The first moment after `from` that is not open, for a `from` that is.
    fn next_close(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let yesterday = self.days_from(from).next().and_then(|today| today.pred_opt());
        let ends = yesterday.into_iter().chain(self.days_from(from)).filter_map(|date| {
            let (start, end) = self.span(date)?;
            let date = if end < start { date.succ_opt()? } else { date };
            Some((date, end))
        });
        ends.flat_map(|(date, end)| edges(self.zone(), date, end))
            .find(|close| *close > from && !self.contains(*close))
    }

    fn days_from(&self, moment: DateTime<Utc>) -> impl Iterator<Item = NaiveDate> {
        let today = moment.with_timezone(&self.zone()).date_naive();
        today.iter_days().take(HORIZON_DAYS as usize + 1)
    }

    /// Why a moment outside is outside.
    fn sentence(&self, moment: DateTime<Utc>) -> String {
        let zone = self.zone();
        let date = moment.with_timezone(&zone).date_naive();
        match self {
            Self::Window(window) if window.days_off.contains(&date) => {
                format!("{date} is a day off of the client.")
            }
            Self::Window(window) if !window.days.contains(date.weekday()) => {
                format!("The client calls nobody on a {}.", long_name(date.weekday()))
            }
            Self::Window(window) => {
                let (start, end) = (window.start.format("%H:%M"), window.end.format("%H:%M"));
                format!("It is outside the client's hours, {start} to {end} in {zone}.")
            }
            Self::Legal(_, law) => match law.span(date) {
                Some((start, end)) => {
                    let (start, end) = (start.format("%H:%M"), end.format("%H:%M"));
                    let rules = law.names(date);
                    format!("It is outside the legal hours, {start} to {end} in {zone} ({rules}).")
                }
                None => {
                    let (day, rules) = (long_name(date.weekday()), law.names(date));
                    format!("No call is legal on that {day} in {zone} ({rules}).")
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

/// The moments at which the clock of a zone shows `time` on `date`: two if it shows it twice, the end of the gap if it
/// never does.
fn edges(zone: Tz, date: NaiveDate, time: NaiveTime) -> impl Iterator<Item = DateTime<Utc>> {
    let wanted = date.and_time(time);
    let shown: Option<LocalResult<DateTime<Tz>>> = (0..=24 * 60)
        .map(|minutes| zone.from_local_datetime(&(wanted + TimeDelta::minutes(minutes))))
        .find(|local| local.earliest().is_some());
    let first = shown.and_then(|local| local.earliest());
    let again = shown.and_then(|local| local.latest()).filter(|again| Some(*again) != first);
    [first, again].into_iter().flatten().map(|local| local.with_timezone(&Utc))
}

#[cfg(test)]
mod tests;
