//! Tokens that authenticate reports on one dial.

use domain::ids::DialId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a token authenticates. A token is valid for one purpose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The agent of the dial reports its outcome.
    Outcome,
    /// The carrier reports on the dial's leg; the token is part of the callback URL.
    Carrier,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Outcome => b"outcome-token/1",
            Self::Carrier => b"carrier-token/1",
        }
    }
}

/// Issues the token of a dial under a secret of the service: the dial's id in hexadecimal, a dot and an HMAC-SHA256 as 64
/// hexadecimal digits.
///
/// The token is derived, not stored; the secret is enough to check it. Its key is derived from the secret by purpose, so
/// that the same secret can sign webhooks and a signature is never a token. The token contains its dial, so that it can be
/// checked before the request is read.
pub fn issue(secret: &[u8], purpose: Purpose, dial: &DialId) -> String {
    let id = dial.as_str().as_bytes();
    format!("{}.{}", hex::encode(id), hex::encode(mac(secret, purpose, id).finalize().into_bytes()))
}

/// Returns the dial of a token that was issued for `purpose` with one of the secrets; `None` if the token is invalid.
/// Compares in constant time.
pub fn check<'s>(
    secrets: impl IntoIterator<Item = &'s [u8]>,
    purpose: Purpose,
    token: &str,
) -> Option<DialId> {
    let (id, tag) = token.split_once('.')?;
    let (id, tag) = (parse_hex(id)?, parse_hex(tag)?);
    let mut valid = false;
    for secret in secrets {
        valid |= mac(secret, purpose, &id).verify_slice(&tag).is_ok();
    }
    valid.then(|| String::from_utf8(id).ok().map(DialId::new)).flatten()
}

/// Parses lower-case hexadecimal digits only, so that a token has one spelling.
fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    if upper { None } else { hex::decode(text).ok() }
}

fn mac(secret: &[u8], purpose: Purpose, id: &[u8]) -> Hmac<Sha256> {
    let keyed = |key: &[u8], message: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(message);
        mac
    };
    keyed(&keyed(secret, purpose.label()).finalize().into_bytes(), id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: [&[u8]; 2] = [b"the new secret", b"the old secret"];

    #[test]
    fn token_contains_its_dial_and_is_valid_for_its_purpose_only() {
        let dial = DialId::new("p é/1-1.1");
        for secret in SECRETS {
            let token = issue(secret, Purpose::Outcome, &dial);
            assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'.'), "{token}");
            assert_eq!(check(SECRETS, Purpose::Outcome, &token), Some(dial.clone()));
            assert_eq!(check(SECRETS, Purpose::Carrier, &token), None);
        }
        let with_another_secret = issue(b"another secret", Purpose::Outcome, &dial);
        assert_eq!(check(SECRETS, Purpose::Outcome, &with_another_secret), None);
        assert_eq!(check([], Purpose::Outcome, &issue(b"", Purpose::Outcome, &dial)), None);
    }

    #[test]
    fn token_with_a_changed_character_is_invalid() {
        let token = issue(SECRETS[0], Purpose::Outcome, &DialId::new("p1-1.1"));
        for index in 0..token.len() {
            for other in (0x20..0x7f_u8).filter(|other| *other != token.as_bytes()[index]) {
                let mut changed = token.clone().into_bytes();
                changed[index] = other;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(check(SECRETS, Purpose::Outcome, &changed), None, "{changed}");
            }
        }
        for malformed in ["", ".", "7031", &token[..token.len() - 1], &format!("{token}00")] {
            assert_eq!(check(SECRETS, Purpose::Outcome, malformed), None, "{malformed:?}");
        }
    }
}
