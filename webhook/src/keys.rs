//! The keys by which senders are known, as they are now.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use bootstrap::live::{self, Live};
use bootstrap::secrets::{lines, webhook_secret};
use bootstrap::token::{self, Purpose};
use domain::ids::{DialId, UserId};
use ed25519_dalek::VerifyingKey;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::Config;
use crate::signature::telnyx;

/// Secrets of single clients, by user.
pub type ClientSecrets = BTreeMap<UserId, Vec<SecretString>>;

/// Everything that a request may be genuine by. Each is read anew when its file changes.
#[derive(Debug)]
pub struct Keys {
    /// The secrets of the service itself; none in unsigned operation alone.
    pub secrets: Live<Vec<SecretString>>,
    /// The secrets of single clients.
    pub clients: Live<ClientSecrets>,
    /// The public keys of the carrier; without one it is not believed.
    pub carrier: Live<Vec<VerifyingKey>>,
}

impl Keys {
    /// Reads all keys, and follows those that stand in files.
    ///
    /// # Errors
    ///
    /// A file can't be read, or a key can't be used; the message names the setting.
    pub async fn follow(config: &Config) -> Result<Self> {
        let files = config.client_secrets_file.iter().cloned().collect();
        let clients = live::follow("client secrets", files, |contents| {
            contents.first().map_or_else(|| Ok(BTreeMap::new()), |one| clients(one.expose_secret()))
        });
        let given = config.telnyx_public_key.clone().unwrap_or_default();
        let files: Vec<_> = config.telnyx_public_key_file.iter().cloned().collect();
        let setting = match files.first() {
            None => "TELNYX_PUBLIC_KEY can't be used",
            Some(_) => "TELNYX_PUBLIC_KEY_FILE can't be used",
        };
        let carrier = live::follow("Telnyx public keys", files, move |contents| {
            let keys: Vec<&str> = match contents.first() {
                None => given.split(',').filter(|key| !key.trim().is_empty()).collect(),
                Some(content) => lines(content.expose_secret())?.map(|(_, line)| line).collect(),
            };
            if keys.is_empty() && !contents.is_empty() {
                bail!("it holds no key; write one a line, 32 bytes in base64");
            }
            carrier(keys)
        });
        Ok(Self {
            secrets: config.secrets.follow().await?,
            clients: clients.await.context("CLIENT_SECRETS_FILE can't be used")?,
            carrier: carrier.await.context(setting)?,
        })
    }

    /// Whether one of the service's secrets is written in its own sources.
    pub fn hold_a_published_secret(&self) -> bool {
        let secrets = self.secrets.borrow();
        secrets.iter().any(|secret| secret.expose_secret().starts_with("development-only-"))
    }

    /// The dial for which a token was made, with any current secret.
    pub fn dial(&self, purpose: Purpose, token: &str) -> Option<DialId> {
        let secrets = self.secrets.borrow().clone();
        let mut secrets: Vec<&[u8]> =
            secrets.iter().map(|secret| secret.expose_secret().as_bytes()).collect();
        // In unsigned operation tokens are made without a secret.
        if secrets.is_empty() {
            secrets.push(b"");
        }
        token::check(secrets, purpose, token)
    }
}

fn carrier(texts: Vec<&str>) -> Result<Vec<VerifyingKey>> {
    Ok(texts.into_iter().map(telnyx::public_key).collect::<Result<_, _>>()?)
}

/// Reads the secrets of clients: a user's id and a secret a line.
fn clients(content: &[u8]) -> Result<ClientSecrets> {
    let mut secrets = ClientSecrets::new();
    for (number, line) in lines(content)? {
        let Some((user, secret)) = line.rsplit_once(char::is_whitespace) else {
            bail!("line {number}: must be a user's id, a blank and a secret");
        };
        let secret =
            webhook_secret(secret).map_err(|why| anyhow::anyhow!("line {number}: {why}"))?;
        secrets.entry(UserId::new(user.trim())).or_default().push(secret);
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_have_several_secrets() {
        let read =
            clients(b"user1-id 0123456789abcdef\n# old\nuser1-id fedcba9876543210\n").unwrap();
        assert_eq!(read[&UserId::new("user1-id")].len(), 2);
        for (content, word) in [("user1-id", "line 1: must be"), ("\nuser1-id hunter2", "line 2")] {
            let error = clients(content.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
    }
}
