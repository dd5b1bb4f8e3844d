//! The current time, and the conversion between simulated and real durations.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// The wall clock with an offset, and the speed of simulated time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    offset: TimeDelta,
    speed: f64,
}

impl Clock {
    pub fn new(offset_secs: i64, speed: f64) -> Self {
        Self { offset: TimeDelta::try_seconds(offset_secs).unwrap_or_default(), speed }
    }

    /// The time for bodies: wall clock plus offset, in whole microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        let now = Utc::now() + self.offset;
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    pub fn to_real(self, simulated: Duration) -> Duration {
        simulated.div_f64(self.speed)
    }

    pub fn to_simulated(self, real: Duration) -> Duration {
        real.mul_f64(self.speed)
    }
}

/// Adds a duration; saturates at the end of the calendar.
pub fn add(start: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    start.checked_add_signed(TimeDelta::microseconds(micros)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A timestamp as in Ultravox's bodies: `2026-05-01T12:00:00.123456Z`.
pub fn format_timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The real time as in Ultravox's signature header: `2026-05-01T12:00:00.123456+00:00`.
pub fn ultravox_signature_timestamp() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// The real time as in Telnyx's signature header: seconds since 1970.
pub fn telnyx_signature_timestamp() -> String {
    Utc::now().timestamp().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_converts_between_simulated_and_real_durations() {
        let clock = Clock::new(0, 60.0);
        assert_eq!(clock.to_real(Duration::from_secs(240)), Duration::from_secs(4));
        assert_eq!(clock.to_simulated(Duration::from_secs(4)), Duration::from_secs(240));
    }

    #[test]
    fn signature_timestamp_has_six_decimals_and_a_numeric_offset() {
        let timestamp = ultravox_signature_timestamp();
        assert_eq!(timestamp.len(), "2026-05-01T12:00:00.123456+00:00".len());
        assert!(timestamp.ends_with("+00:00"));
    }

    #[test]
    fn offset_is_added_to_the_time_for_bodies() {
        let ahead = Clock::new(3600, 1.0).now() - Clock::new(0, 1.0).now();
        assert!((3590..=3610).contains(&ahead.num_seconds()));
    }
}
