//! The keys that authenticate senders.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use bootstrap::reload::{self, Watched};
use bootstrap::secrets::{numbered_lines, parse_webhook_secret};
use bootstrap::token::{self, Purpose};
use domain::ids::{DialId, UserId};
use ed25519_dalek::VerifyingKey;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::Config;
use crate::signature::telnyx;

pub(crate) type UserSecrets = BTreeMap<UserId, Vec<SecretString>>;

/// All keys. Those from files are reloaded when the file changes.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The secrets of the service; empty only if unsigned webhooks are allowed.
    pub service_secrets: Watched<Vec<SecretString>>,
    pub user_secrets: Watched<UserSecrets>,
    /// Telnyx's public keys; without one, every webhook of Telnyx is rejected.
    pub carrier_keys: Watched<Vec<VerifyingKey>>,
}

impl Keys {
    /// Loads all keys and watches their files.
    ///
    /// # Errors
    ///
    /// A file can't be read or a key is invalid; the message names the setting.
    pub async fn watch(config: &Config) -> Result<Self> {
        Ok(Self {
            service_secrets: config.secrets.watch().await?,
            user_secrets: watch_user_secrets(config).await?,
            carrier_keys: watch_carrier_keys(config).await?,
        })
    }

    /// Whether a service secret is one that the repository publishes.
    pub fn contain_published_secret(&self) -> bool {
        let secrets = self.service_secrets.borrow();
        secrets.iter().any(|secret| secret.expose_secret().starts_with("development-only-"))
    }

    /// The dial of a token that was issued for `purpose` with a current secret.
    pub fn dial_of_token(&self, purpose: Purpose, token: &str) -> Option<DialId> {
        let secrets = self.service_secrets.borrow().clone();
        let mut secrets: Vec<&[u8]> =
            secrets.iter().map(|secret| secret.expose_secret().as_bytes()).collect();
        // If unsigned webhooks are allowed, tokens are issued with an empty secret.
        if secrets.is_empty() {
            secrets.push(b"");
        }
        token::check(secrets, purpose, token)
    }
}

async fn watch_user_secrets(config: &Config) -> Result<Watched<UserSecrets>> {
    let files = config.client_secrets_file.iter().cloned().collect();
    reload::watch("user secrets", files, |contents| match contents.first() {
        None => Ok(UserSecrets::new()),
        Some(content) => parse_user_secrets(content.expose_secret()),
    })
    .await
    .context("CLIENT_SECRETS_FILE can't be used")
}

async fn watch_carrier_keys(config: &Config) -> Result<Watched<Vec<VerifyingKey>>> {
    let setting = config.telnyx_public_key.clone().unwrap_or_default();
    let files: Vec<_> = config.telnyx_public_key_file.iter().cloned().collect();
    let context = match files.first() {
        None => "TELNYX_PUBLIC_KEY can't be used",
        Some(_) => "TELNYX_PUBLIC_KEY_FILE can't be used",
    };
    reload::watch("Telnyx public keys", files, move |contents| {
        let keys: Vec<&str> = match contents.first() {
            None => setting.split(',').filter(|key| !key.trim().is_empty()).collect(),
            Some(content) => {
                numbered_lines(content.expose_secret())?.map(|(_, line)| line).collect()
            }
        };
        if keys.is_empty() && !contents.is_empty() {
            bail!("the file has no key; write one per line, 32 bytes in base64");
        }
        Ok(keys.into_iter().map(telnyx::parse_public_key).collect::<Result<_, _>>()?)
    })
    .await
    .context(context)
}

/// Parses lines of a user's id and a secret.
fn parse_user_secrets(content: &[u8]) -> Result<UserSecrets> {
    let mut secrets = UserSecrets::new();
    for (number, line) in numbered_lines(content)? {
        let Some((user, secret)) = line.rsplit_once(char::is_whitespace) else {
            bail!("line {number}: must be a user's id, a blank and a secret");
        };
        let secret = parse_webhook_secret(secret)
            .map_err(|reason| anyhow::anyhow!("line {number}: {reason}"))?;
        secrets.entry(UserId::new(user.trim())).or_default().push(secret);
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_may_have_several_secrets() {
        let file = b"user1-id 0123456789abcdef\n# old\nuser1-id fedcba9876543210\n";
        let secrets = parse_user_secrets(file).unwrap();
        assert_eq!(secrets[&UserId::new("user1-id")].len(), 2);
        for (content, word) in [("user1-id", "line 1: must be"), ("\nuser1-id hunter2", "line 2")] {
            let error = parse_user_secrets(content.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
    }
}
