//! The signature of webhooks: HMAC-SHA256 of the body followed by the timestamp (documentation of Ultravox, "Securing
//! webhooks").

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Header with the time of sending, in ISO 8601.
pub const TIMESTAMP: &str = "x-ultravox-webhook-timestamp";
/// Header with the signatures, separated by commas.
pub const SIGNATURE: &str = "x-ultravox-webhook-signature";

/// Signs a body: 64 lower-case hex digits.
pub fn sign(secret: &[u8], body: &[u8], timestamp: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC accepts keys of any length");
    mac.update(body);
    mac.update(timestamp);
    hex::encode(mac.finalize().into_bytes())
}
