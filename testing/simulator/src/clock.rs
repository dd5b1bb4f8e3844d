//! The one door to "now", and the pace at which simulated time passes.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Wall clock with an offset, plus the exchange rate between simulated and real time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    offset: TimeDelta,
    speed: f64,
}

impl Clock {
    /// A clock `offset_secs` away from the wall clock that plays `speed` simulated seconds per
    /// real second.
    pub fn new(offset_secs: i64, speed: f64) -> Self {
        Self { offset: TimeDelta::try_seconds(offset_secs).unwrap_or_default(), speed }
    }

    /// The moment that bodies carry: wall clock plus offset, in whole microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        let now = Utc::now() + self.offset;
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// How long a simulated span lasts in real time.
    pub fn real(&self, simulated: Duration) -> Duration {
        simulated.div_f64(self.speed)
    }

    /// How much simulated time a real span covers.
    pub fn simulated(&self, real: Duration) -> Duration {
        real.mul_f64(self.speed)
    }
}

/// A moment some span later; saturates at the end of the calendar.
pub fn later(start: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    start.checked_add_signed(TimeDelta::microseconds(micros)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The notation of timestamps in API bodies: `2026-05-01T12:00:00.123456Z`.
pub fn in_body(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The notation of the webhook signature header, always the real wall clock:
/// `2026-05-01T12:00:00.123456+00:00`.
pub fn signature_stamp() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// The notation of the carrier's signature header: real seconds since 1970.
pub fn carrier_stamp() -> String {
    Utc::now().timestamp().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faster_clock_shortens_real_time_only() {
        let clock = Clock::new(0, 60.0);
        assert_eq!(clock.real(Duration::from_secs(240)), Duration::from_secs(4));
        assert_eq!(clock.simulated(Duration::from_secs(4)), Duration::from_secs(240));
    }

    #[test]
    fn the_signature_stamp_is_written_as_python_writes_it() {
        let stamp = signature_stamp();
        assert_eq!(stamp.len(), "2026-05-01T12:00:00.123456+00:00".len());
        assert!(stamp.ends_with("+00:00"));
    }

    #[test]
    fn the_offset_moves_the_moment_in_bodies() {
        let ahead = Clock::new(3600, 1.0).now() - Clock::new(0, 1.0).now();
        assert!((3590..=3610).contains(&ahead.num_seconds()));
    }
}
