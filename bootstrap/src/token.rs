//! Tokens that speak for one dial, and for no other.

use domain::ids::DialId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a token is good for. The token of one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The agent of the dial reports its outcome.
    Outcome,
    /// The carrier reports on the dial's leg, at an address that only it was given.
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

/// The token of a dial under a secret of the service: the dial's id in hexadecimal, a dot and 256
/// bits as 64 hexadecimal digits.
///
/// It is derived, not stored: whoever holds the secret can check it, and nobody can make the
/// token of one dial from that of another. The key is itself derived, so that the same secret
/// may sign webhooks without a signature ever being a token. It names its dial, so that it can be
/// checked before anything else of a request is read.
pub fn issue(secret: &[u8], purpose: Purpose, dial: &DialId) -> String {
    let id = dial.as_str().as_bytes();
    format!("{}.{}", hex::encode(id), hex::encode(mac(secret, purpose, id).finalize().into_bytes()))
}

/// The dial for which a token was issued for that purpose with one of these secrets. How long it
/// takes does not tell how much of a wrong token is right.
pub fn check<'s>(
    secrets: impl IntoIterator<Item = &'s [u8]>,
    purpose: Purpose,
    token: &str,
) -> Option<DialId> {
    let (id, proof) = token.split_once('.')?;
    let (id, proof) = (unhex(id)?, unhex(proof)?);
    let mut genuine = false;
    for secret in secrets {
        genuine |= mac(secret, purpose, &id).verify_slice(&proof).is_ok();
    }
    genuine.then(|| String::from_utf8(id).ok().map(DialId::new)).flatten()
}

/// Bytes from lower-case hexadecimal digits: a token has one spelling.
fn unhex(text: &str) -> Option<Vec<u8>> {
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
    fn a_token_names_its_dial_and_is_good_for_its_purpose_alone() {
        let dial = DialId::new("p é/1-1.1");
        for secret in SECRETS {
            let token = issue(secret, Purpose::Outcome, &dial);
            assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'.'), "{token}");
            assert_eq!(check(SECRETS, Purpose::Outcome, &token), Some(dial.clone()));
            assert_eq!(check(SECRETS, Purpose::Carrier, &token), None);
        }
        let of_another = issue(b"another secret", Purpose::Outcome, &dial);
        assert_eq!(check(SECRETS, Purpose::Outcome, &of_another), None);
        assert_eq!(check([], Purpose::Outcome, &issue(b"", Purpose::Outcome, &dial)), None);
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let token = issue(SECRETS[0], Purpose::Outcome, &DialId::new("p1-1.1"));
        for index in 0..token.len() {
            for other in (0x20..0x7f_u8).filter(|other| *other != token.as_bytes()[index]) {
                let mut changed = token.clone().into_bytes();
                changed[index] = other;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(check(SECRETS, Purpose::Outcome, &changed), None, "{changed}");
            }
        }
        for garbled in ["", ".", "7031", &token[..token.len() - 1], &format!("{token}00")] {
            assert_eq!(check(SECRETS, Purpose::Outcome, garbled), None, "{garbled:?}");
        }
    }
}
