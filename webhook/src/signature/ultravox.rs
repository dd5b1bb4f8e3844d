//! Verifies the signatures of Ultravox, which sends one per secret, separated by commas.

use axum::http::{HeaderMap, HeaderValue};
pub use bootstrap::webhook_signature::{SIGNATURE, TIMESTAMP, sign};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::InvalidSignature;

/// Further signatures of a request are ignored.
const MAX_SIGNATURES: usize = 8;

/// Verifies a signature over the body as received, with any of the secrets, and the time. A missing
/// header takes as long as a wrong signature.
pub fn verify(
    secrets: &[SecretString],
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
    tolerance: TimeDelta,
) -> Result<(), InvalidSignature> {
    let header = |name| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let timestamp = header(TIMESTAMP);
    // No early exit: the duration must not depend on which signature matches.
    let mut valid = Choice::from(0);
    for secret in secrets {
        let expected = sign(secret.expose_secret().as_bytes(), body, timestamp);
        for signature in header(SIGNATURE).split(|byte| *byte == b',').take(MAX_SIGNATURES) {
            valid |= signature.trim_ascii().ct_eq(expected.as_bytes());
        }
    }
    let sent = std::str::from_utf8(timestamp).ok().and_then(parse_time);
    let fresh = sent.is_some_and(|sent| (now - sent).abs() <= tolerance);
    if bool::from(valid) && fresh { Ok(()) } else { Err(InvalidSignature) }
}

/// Parses an ISO 8601 time; one without an offset is UTC.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok().or_else(|| {
        Some(NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?.and_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test_0123456789abcdef";
    const BODY: &[u8] =
        br#"{"event":"call.ended","call":{"callId":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}"#;
    const STAMP: &str = "2026-05-01T12:00:00.123456+00:00";

    fn headers(timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP, timestamp.parse().unwrap());
        headers.insert(SIGNATURE, signature.parse().unwrap());
        headers
    }

    fn check(headers: &HeaderMap, body: &[u8], now: &str) -> bool {
        let secrets = [SecretString::from("another secret"), SecretString::from(SECRET)];
        let tolerance = TimeDelta::seconds(300);
        verify(&secrets, headers, body, now.parse().unwrap(), tolerance).is_ok()
    }

    const NOW: &str = "2026-05-01T12:00:01Z";

    #[test]
    fn known_signatures_are_created_and_accepted() {
        for (stamp, signature) in [
            (STAMP, "3def85c3f0aadae36f2601817f60cb721d91a03df4ac1781ec4888085aa29256"),
            (
                "2026-05-01T12:00:00Z",
                "575a43344148e2b6049975c345afe59cbff6420ecfbe7974cfc2f7792333a040",
            ),
        ] {
            assert_eq!(sign(SECRET.as_bytes(), BODY, stamp.as_bytes()), signature);
            assert!(check(&headers(stamp, signature), BODY, NOW));
            assert!(check(&headers(stamp, &format!("00, {signature} ,ff")), BODY, NOW));
        }
    }

    #[test]
    fn any_changed_byte_invalidates_the_signature() {
        let signature = sign(SECRET.as_bytes(), BODY, STAMP.as_bytes());
        for i in 0..BODY.len() {
            let mut body = BODY.to_vec();
            body[i] ^= 1;
            assert!(!check(&headers(STAMP, &signature), &body, NOW), "body {i}");
        }
        for i in 0..signature.len() {
            let mut changed = signature.clone().into_bytes();
            changed[i] = if changed[i] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!check(&headers(STAMP, &changed), BODY, NOW), "signature {i}");
        }
        assert!(!check(&headers("2026-05-01T12:00:00.123457+00:00", &signature), BODY, NOW));
    }

    #[test]
    fn missing_or_invalid_headers_are_rejected() {
        let signature = sign(SECRET.as_bytes(), BODY, STAMP.as_bytes());
        assert!(!check(&HeaderMap::new(), BODY, NOW));
        for (stamp, signature) in
            [("", signature.as_str()), (STAMP, ""), (STAMP, ","), (STAMP, &signature[..63])]
        {
            assert!(!check(&headers(stamp, signature), BODY, NOW), "{stamp:?} {signature:?}");
        }
        let secrets: [SecretString; 0] = [];
        let now = NOW.parse().unwrap();
        let headers = headers(STAMP, &signature);
        assert!(verify(&secrets, &headers, BODY, now, TimeDelta::seconds(300)).is_err());
    }

    #[test]
    fn webhook_outside_the_tolerance_is_rejected() {
        let signature = sign(SECRET.as_bytes(), BODY, STAMP.as_bytes());
        for (now, accepted) in [
            ("2026-05-01T12:05:00Z", true),
            ("2026-05-01T12:05:01Z", false),
            ("2026-05-01T11:55:01Z", true),
            ("2026-05-01T11:55:00Z", false),
        ] {
            assert_eq!(check(&headers(STAMP, &signature), BODY, now), accepted, "{now}");
        }
    }

    #[test]
    fn iso_8601_times_are_accepted() {
        for stamp in [
            "2026-05-01T12:00:00Z",
            "2026-05-01T14:00:00+02:00",
            "2026-05-01T12:00:00.5",
            "2026-05-01T12:00:00",
        ] {
            let signature = sign(SECRET.as_bytes(), BODY, stamp.as_bytes());
            assert!(check(&headers(stamp, &signature), BODY, NOW), "{stamp}");
        }
        for stamp in ["1777636800", "yesterday", "2026-05-01"] {
            let signature = sign(SECRET.as_bytes(), BODY, stamp.as_bytes());
            assert!(!check(&headers(stamp, &signature), BODY, NOW), "{stamp}");
        }
    }
}
