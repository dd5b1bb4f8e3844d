//! Settings of the calls.

use std::collections::BTreeMap;

use bootstrap::reload::Watched;
use bootstrap::token::{self, Purpose};
use chrono::TimeDelta;
use domain::ids::DialId;
use domain::phone::PhoneNumber;
use secrecy::{ExposeSecret, SecretString};

/// By how much the join timeout exceeds the ring timeout, in seconds, so that an answer at the last ring counts.
const JOIN_TIMEOUT_SLACK_SECS: i64 = 20;

#[derive(Clone, Debug)]
pub struct CallSettings {
    /// The number that callees see.
    pub from_number: PhoneNumber,
    /// The public address of the webhook server.
    pub service_url: String,
    /// The present webhook secrets; the first one signs and issues the tokens.
    pub webhook_secrets: Watched<Vec<SecretString>>,
    /// The provider's voices by plain names such as `female`.
    pub voices: BTreeMap<String, String>,
    /// After this time without an answer the phone stops ringing.
    pub ring_timeout_secs: u32,
    /// How long the provider must go on not listing a dial until it counts as never placed.
    pub never_placed_after: TimeDelta,
    /// The maximum length of a call, in minutes.
    pub max_call_minutes: i32,
    /// Calls that may be in progress at once.
    pub max_concurrent_calls: i32,
    /// Whether callees without a determined time zone are denied.
    pub strict_calling_hours: bool,
    /// Calls of a user that the provider rejects in a row, for another reason than the number, until calls pause.
    pub pause_after_rejections: i32,
    /// Days after which decisions are deleted.
    pub decision_days: u32,
}

impl CallSettings {
    /// Seconds from the request after which the provider gives up on an unanswered call.
    pub(super) fn join_timeout_secs(&self) -> i64 {
        i64::from(self.ring_timeout_secs) + JOIN_TIMEOUT_SLACK_SECS
    }

    /// The provider's voice for the voice that a user has set.
    pub(super) fn voice<'a>(&'a self, name: &'a str) -> &'a str {
        self.voices.get(&name.to_ascii_lowercase()).map_or(name, String::as_str)
    }

    /// The present secret; `None` in unsigned operation.
    pub(super) fn secret(&self) -> Option<SecretString> {
        self.webhook_secrets.borrow().first().cloned()
    }
}

/// Issues the token of a dial. Without a secret, tokens are not checked.
pub(super) fn issue_token(
    secret: Option<&SecretString>,
    purpose: Purpose,
    dial: &DialId,
) -> String {
    let secret = secret.map_or("", |secret| secret.expose_secret());
    token::issue(secret.as_bytes(), purpose, dial)
}
