//! What calls are made with.

use std::collections::BTreeMap;
use std::sync::Arc;

use bootstrap::token::{self, Purpose};
use domain::ids::DialId;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

/// Seconds by which the provider waits longer for an answer than the phone rings: else a callee
/// who answers at the last ring would be cut off.
const JOIN_SLACK_SECS: i64 = 20;

/// What calls are made with.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// The number that callees see, in E.164 form.
    pub from_number: String,
    /// The public address of the webhook server.
    pub service_url: String,
    /// What webhooks are signed with, as it is now; the first secret signs, and makes the tokens.
    pub webhook_secrets: watch::Receiver<Arc<Vec<SecretString>>>,
    /// The provider's voice for a plain word such as `female`.
    pub voices: BTreeMap<String, String>,
    /// How long a phone rings.
    pub ring_timeout_secs: u32,
    /// The longest that a call may be, in minutes.
    pub max_call_minutes: i32,
    /// Calls that may be under way at once.
    pub max_concurrent_calls: i32,
    /// Whether nobody is called of whom nothing tells a time zone.
    pub strict_calling_hours: bool,
    /// For how many days decisions are kept.
    pub decision_days: u32,
}

impl CallSettings {
    /// How long the provider waits for an answer, from the request on.
    pub(super) fn join_timeout_secs(&self) -> i64 {
        i64::from(self.ring_timeout_secs) + JOIN_SLACK_SECS
    }

    /// The provider's voice for what a client has set.
    pub(super) fn voice<'a>(&'a self, word: &'a str) -> &'a str {
        self.voices.get(&word.to_ascii_lowercase()).map_or(word, String::as_str)
    }

    /// What signs at this moment; nothing in unsigned operation.
    pub(super) fn secret(&self) -> Option<SecretString> {
        self.webhook_secrets.borrow().first().cloned()
    }
}

/// The token of a dial; without a secret nobody checks it.
pub(super) fn token(secret: Option<&SecretString>, purpose: Purpose, dial: &DialId) -> String {
    let secret = secret.map_or("", |secret| secret.expose_secret());
    token::issue(secret.as_bytes(), purpose, dial)
}
