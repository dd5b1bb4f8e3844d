//! The two signature schemes: HMAC for webhooks, Ed25519 for carrier callbacks.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Lower-case hex HMAC-SHA256 over the body followed directly by the timestamp.
pub fn webhook(secret: &str, body: &[u8], timestamp: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("an HMAC key may have any length");
    mac.update(body);
    mac.update(timestamp.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// One signature per secret, separated by commas.
pub fn webhook_list(secrets: &[String], body: &[u8], timestamp: &str) -> String {
    let signatures: Vec<String> =
        secrets.iter().map(|secret| webhook(secret, body, timestamp)).collect();
    signatures.join(",")
}

/// The carrier's signing key.
#[derive(Debug, Clone)]
pub struct CarrierKey(SigningKey);

impl CarrierKey {
    /// A key from 64 hex digits; `None` if they aren't that.
    pub fn from_hex(seed: &str) -> Option<Self> {
        let bytes = seed.as_bytes();
        if bytes.len() != 64 || !bytes.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(seed.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(SigningKey::from_bytes(&key)))
    }

    /// The base64 public key that receivers verify with.
    pub fn public_key(&self) -> String {
        BASE64.encode(self.0.verifying_key().as_bytes())
    }

    /// Base64 signature over timestamp, a bar and the raw body.
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> String {
        let mut message = format!("{timestamp}|").into_bytes();
        message.extend_from_slice(body);
        BASE64.encode(self.0.sign(&message).to_bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string can't fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test_0123456789abcdef";
    const BODY: &[u8] =
        br#"{"event":"call.ended","call":{"callId":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}"#;

    #[test]
    fn webhook_signatures_match_the_known_vectors() {
        assert_eq!(
            webhook(SECRET, BODY, "2026-05-01T12:00:00.123456+00:00"),
            "3def85c3f0aadae36f2601817f60cb721d91a03df4ac1781ec4888085aa29256"
        );
        assert_eq!(
            webhook(SECRET, BODY, "2026-05-01T12:00:00Z"),
            "575a43344148e2b6049975c345afe59cbff6420ecfbe7974cfc2f7792333a040"
        );
    }

    #[test]
    fn every_secret_gives_one_signature() {
        let secrets = [SECRET.to_owned(), "another".to_owned()];
        let list = webhook_list(&secrets, BODY, "2026-05-01T12:00:00Z");
        let parts: Vec<&str> = list.split(',').collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0], webhook(SECRET, BODY, "2026-05-01T12:00:00Z"));
    }

    #[test]
    fn carrier_signatures_match_the_known_vector() {
        let seed = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let key = CarrierKey::from_hex(seed).unwrap();
        assert_eq!(key.public_key(), "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
        assert_eq!(
            key.sign("1767225600", b"CallSid=v3%3Aabc&CallStatus=no-answer"),
            "B64I8Tja5ELPcwf9cU9EcdqAXqEdNLZfU5kKxll9b5PKStRw67ROAZy9jo4Ozage1rRnDj148/hpdQNIBfy0Cw=="
        );
    }

    #[test]
    fn a_seed_of_another_length_is_no_key() {
        assert!(CarrierKey::from_hex("00").is_none());
        assert!(CarrierKey::from_hex(&"zz".repeat(32)).is_none());
    }
}
