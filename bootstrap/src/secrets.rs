//! The secrets by which webhooks are known to be genuine, of worker and webhook server alike.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use crate::live::{self, Live};

/// Shortest and longest secret that may sign webhooks, in characters (Ultravox takes no longer
/// ones; its API reference, "webhooks").
const LENGTH: std::ops::RangeInclusive<usize> = 16..=120;

/// Where the secrets come from.
#[derive(Clone, Debug, Args)]
pub struct SecretSettings {
    /// Secrets by which webhooks are known to be genuine, separated by commas. All are accepted;
    /// the first one signs
    #[arg(long, env, hide_env_values = true, value_delimiter = ',', value_parser = webhook_secret)]
    pub webhook_secrets: Vec<SecretString>,

    /// File with these secrets, one a line, instead of WEBHOOK_SECRETS; read again when it changes
    #[arg(long, env)]
    pub webhook_secrets_file: Option<PathBuf>,

    /// Go on without secrets, so that anybody can forge an outcome; for tests on one machine only
    #[arg(long, env, default_value_t = false)]
    pub allow_unsigned_webhooks: bool,
}

impl SecretSettings {
    /// Checks what one value alone does not show.
    pub fn check(&self) -> Result<()> {
        match (&self.webhook_secrets[..], &self.webhook_secrets_file) {
            ([], None) if !self.allow_unsigned_webhooks => bail!(
                "WEBHOOK_SECRETS is missing; set one or more secrets of 16 to 120 characters, \
                separated by commas, or WEBHOOK_SECRETS_FILE, or ALLOW_UNSIGNED_WEBHOOKS=true to \
                test on one machine"
            ),
            ([_, ..], Some(_)) => {
                bail!("WEBHOOK_SECRETS and WEBHOOK_SECRETS_FILE are both set; remove one of them")
            }
            _ => Ok(()),
        }
    }

    /// Whether there are any.
    pub fn are_given(&self) -> bool {
        !self.webhook_secrets.is_empty() || self.webhook_secrets_file.is_some()
    }

    /// The secrets, first the one that signs; none in unsigned operation alone.
    pub async fn follow(&self) -> Result<Live<Vec<SecretString>>> {
        let given = self.webhook_secrets.clone();
        let files: Vec<PathBuf> = self.webhook_secrets_file.iter().cloned().collect();
        live::follow("webhook secrets", files, move |contents| match contents.first() {
            None => Ok(given.clone()),
            Some(content) => listed(content.expose_secret()),
        })
        .await
        .context("WEBHOOK_SECRETS_FILE can't be used")
    }
}

/// Reads the secrets of a file: one a line; empty lines and those that begin with `#` don't count.
fn listed(content: &[u8]) -> Result<Vec<SecretString>> {
    let secrets: Vec<SecretString> = lines(content)?
        .map(|(number, line)| {
            // A list, a quoted text or an assignment would be one wrong secret.
            if line.contains([',', '"', '\'']) || line.contains(char::is_whitespace) {
                bail!("line {number}: must be one secret alone, without commas, quotes or blanks");
            }
            webhook_secret(line).map_err(|why| anyhow::anyhow!("line {number}: {why}"))
        })
        .collect::<Result<_>>()?;
    // An empty file must never mean that signatures are not asked for.
    if secrets.is_empty() {
        bail!("it holds no secret; write one a line, of 16 to 120 characters");
    }
    Ok(secrets)
}

/// The lines of a file that say something, with their numbers.
pub fn lines(content: &[u8]) -> Result<impl Iterator<Item = (usize, &str)>> {
    let text = std::str::from_utf8(content).context("it is not text in UTF-8")?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    Ok(lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')))
}

/// Reads one secret by which webhooks are known to be genuine.
pub fn webhook_secret(text: &str) -> Result<SecretString, String> {
    let text = text.trim();
    if LENGTH.contains(&text.chars().count()) {
        Ok(SecretString::from(text))
    } else {
        Err("each secret must have 16 to 120 characters".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lists_a_secret_a_line() {
        let secrets = listed(b"# the new one\n0123456789abcdef\n\n  fedcba9876543210 \n").unwrap();
        let secrets: Vec<&str> = secrets.iter().map(|secret| secret.expose_secret()).collect();
        assert_eq!(secrets, ["0123456789abcdef", "fedcba9876543210"]);
    }

    #[test]
    fn a_file_without_a_sound_secret_is_refused_and_not_repeated() {
        for (content, word) in [
            ("", "no secret"),
            ("# none\n", "no secret"),
            ("0123456789abcdef\nhunter2", "line 2"),
            ("0123456789abcdef,hunter2-hunter2", "line 1"),
            ("\"hunter2-hunter2-hunter2\"", "line 1"),
        ] {
            let error = format!("{:#}", listed(content.as_bytes()).unwrap_err());
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
        assert!(listed(&[0xff]).is_err());
    }

    #[test]
    fn secrets_come_from_one_place() {
        let settings = |secrets: &[&str], file: Option<&str>| SecretSettings {
            webhook_secrets: secrets.iter().map(|text| SecretString::from(*text)).collect(),
            webhook_secrets_file: file.map(PathBuf::from),
            allow_unsigned_webhooks: false,
        };
        assert!(settings(&["a"], None).check().is_ok());
        assert!(settings(&[], Some("f")).check().is_ok());
        for wrong in [settings(&[], None), settings(&["a"], Some("f"))] {
            assert!(wrong.check().unwrap_err().to_string().contains("WEBHOOK_SECRETS"));
        }
    }
}
