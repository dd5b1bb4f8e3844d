//! Durations as the API writes them: decimal seconds followed by `s`.

use std::time::Duration;

/// Reads a span such as `30s` or `0.384s`; `None` if malformed or negative.
pub fn parse(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !digits(whole) || !digits(fraction) || leading_zero || whole.len() > 12 || fraction.len() > 9
    {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

/// Writes a span with none, three, six or nine decimals, whichever suffices.
pub fn write(span: Duration) -> String {
    let (secs, nanos) = (span.as_secs(), span.subsec_nanos());
    if nanos == 0 {
        format!("{secs}s")
    } else if nanos % 1_000_000 == 0 {
        format!("{secs}.{:03}s", nanos / 1_000_000)
    } else if nanos % 1_000 == 0 {
        format!("{secs}.{:06}s", nanos / 1_000)
    } else {
        format!("{secs}.{nanos:09}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_spans_are_read() {
        for (text, millis) in [("0s", 0), ("30s", 30_000), ("5.5s", 5_500), ("0.384s", 384)] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn malformed_spans_are_refused() {
        for text in [
            "30",
            "s",
            "030s",
            "1.s",
            ".5s",
            "-1s",
            "1e3s",
            " 1s",
            "1m",
            "1.0123456789s",
            "1234567890123s",
            "+1s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn spans_are_written_with_just_enough_decimals() {
        assert_eq!(write(Duration::from_secs(60)), "60s");
        assert_eq!(write(Duration::from_millis(5_500)), "5.500s");
        assert_eq!(write(Duration::from_micros(1)), "0.000001s");
        assert_eq!(write(Duration::from_nanos(1)), "0.000000001s");
    }
}
