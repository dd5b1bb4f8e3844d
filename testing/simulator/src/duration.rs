//! Durations in the provider's JSON: decimal seconds followed by `s`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A duration that is written as `30s` or `0.384s`, with 0, 3, 6 or 9 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonDuration(pub Duration);

impl TryFrom<String> for JsonDuration {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse(&text).map(Self).ok_or("must be a duration such as \"30s\"")
    }
}

impl From<JsonDuration> for String {
    fn from(duration: JsonDuration) -> Self {
        duration.to_string()
    }
}

impl fmt::Display for JsonDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanos == 0 {
            write!(f, "{secs}s")
        } else if nanos.is_multiple_of(1_000_000) {
            write!(f, "{secs}.{:03}s", nanos / 1_000_000)
        } else if nanos.is_multiple_of(1_000) {
            write!(f, "{secs}.{:06}s", nanos / 1_000)
        } else {
            write!(f, "{secs}.{nanos:09}s")
        }
    }
}

fn parse(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (secs, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let has_digits = |part: &str, max: usize| {
        (1..=max).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let leading_zero = secs.len() > 1 && secs.starts_with('0');
    if !has_digits(secs, 12) || !has_digits(fraction, 9) || leading_zero {
        return None;
    }
    Some(Duration::new(secs.parse().ok()?, format!("{fraction:0<9}").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_durations_are_parsed() {
        for (text, millis) in [("0s", 0), ("30s", 30_000), ("5.5s", 5_500), ("0.384s", 384)] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn malformed_durations_are_rejected() {
        let malformed = "30,s,030s,1.s,.5s,-1s,+1s,1e3s, 1s,1m,1.0123456789s,1234567890123s";
        for text in malformed.split(',') {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_written_with_as_many_decimals_as_needed() {
        for (duration, text) in [
            (Duration::from_secs(60), "60s"),
            (Duration::from_millis(5_500), "5.500s"),
            (Duration::from_micros(1), "0.000001s"),
            (Duration::from_nanos(1), "0.000000001s"),
        ] {
            assert_eq!(JsonDuration(duration).to_string(), text);
        }
    }
}
