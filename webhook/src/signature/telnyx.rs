//! Telnyx signs `timestamp|body` with Ed25519 and sends the signature in base64 (Telnyx API
//! documentation, "Webhook signing"). Telnyx's portal shows the public key.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{Signature, VerifyingKey};

use super::InvalidSignature;

/// Header with the time of sending, in seconds since 1970.
pub const TIMESTAMP: &str = "telnyx-timestamp";
/// Header with the signature.
pub const SIGNATURE: &str = "telnyx-signature-ed25519";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the public key of the Telnyx portal: 32 bytes in base64")]
pub struct InvalidPublicKey;

pub fn parse_public_key(text: &str) -> Result<VerifyingKey, InvalidPublicKey> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidPublicKey)?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| InvalidPublicKey)?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| InvalidPublicKey)
}

/// Verifies the signature over the body as received, with any of the keys, and the time.
pub fn verify(
    keys: &[VerifyingKey],
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
    tolerance: TimeDelta,
) -> Result<(), InvalidSignature> {
    let header = |name| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let timestamp = header(TIMESTAMP);
    let signature = STANDARD.decode(header(SIGNATURE).trim_ascii()).ok();
    let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
    let signature = signature.unwrap_or_else(|| Signature::from_bytes(&[0; 64]));
    let message = [timestamp, b"|", body].concat();
    let mut valid = false;
    for key in keys {
        valid |= key.verify_strict(&message, &signature).is_ok();
    }
    let sent = std::str::from_utf8(timestamp).ok().and_then(|text| text.trim().parse().ok());
    let sent = sent.and_then(|secs| DateTime::from_timestamp(secs, 0));
    let fresh = sent.is_some_and(|sent| (now - sent).abs() <= tolerance);
    if valid && fresh { Ok(()) } else { Err(InvalidSignature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
    const STAMP: &str = "1767225600";
    const BODY: &str = "CallSid=v3%3Aabc&CallStatus=no-answer";
    const SIGNED: &str = "B64I8Tja5ELPcwf9cU9EcdqAXqEdNLZfU5kKxll9b5PKStRw67ROAZy9jo4Ozage1rRnDj148/\
        hpdQNIBfy0Cw==";

    fn check(stamp: &str, body: &str, signature: &str, now: i64) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP, stamp.parse().unwrap());
        headers.insert(SIGNATURE, signature.parse().unwrap());
        let now = DateTime::from_timestamp(now, 0).unwrap();
        let key = parse_public_key(KEY).unwrap();
        verify(&[key], &headers, body.as_bytes(), now, TimeDelta::seconds(300)).is_ok()
    }

    #[test]
    fn valid_signature_is_accepted_within_the_tolerance() {
        assert!(check(STAMP, BODY, SIGNED, 1_767_225_600));
        assert!(check(STAMP, BODY, SIGNED, 1_767_225_900));
        assert!(!check(STAMP, BODY, SIGNED, 1_767_225_901));
        assert!(!check(STAMP, BODY, SIGNED, 1_767_225_299));
    }

    #[test]
    fn any_changed_byte_invalidates_the_signature() {
        for i in 0..BODY.len() {
            let mut body = BODY.as_bytes().to_vec();
            body[i] ^= 1;
            let body = String::from_utf8(body).unwrap();
            assert!(!check(STAMP, &body, SIGNED, 1_767_225_600), "body {i}");
        }
        assert!(!check("1767225601", BODY, SIGNED, 1_767_225_600));
        for garbled in ["", "AAAA", &SIGNED[..86], "!"] {
            assert!(!check(STAMP, BODY, garbled, 1_767_225_600), "{garbled:?}");
        }
    }

    #[test]
    fn invalid_public_keys_are_rejected() {
        for text in ["", "AAAA", "not base64", &format!("{KEY}AA")] {
            assert_eq!(parse_public_key(text), Err(InvalidPublicKey), "{text:?}");
        }
    }
}
