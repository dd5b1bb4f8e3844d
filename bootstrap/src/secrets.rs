//! The secrets that sign webhooks, with the same settings in worker and webhook server.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use crate::reload::{self, Watched};

/// Length of a secret in characters. Ultravox accepts at most 120 (its API reference, "webhooks").
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 16..=120;

#[derive(Clone, Debug, Args)]
pub struct SecretSettings {
    /// Secrets that sign webhooks, of 16 to 120 characters, separated by commas; all are accepted, the first one signs
    #[arg(long, env, hide_env_values = true, value_delimiter = ',', value_parser = parse_webhook_secret,
        required_unless_present_any = ["webhook_secrets_file", "allow_unsigned_webhooks"])]
    pub webhook_secrets: Vec<SecretString>,

    /// File with these secrets, one per line, instead of WEBHOOK_SECRETS; reloaded when it changes
    #[arg(long, env)]
    pub webhook_secrets_file: Option<PathBuf>,

    /// Start without secrets, so that anybody can forge the outcome of a call; for tests on one
    /// machine only
    #[arg(long, env, default_value_t = false)]
    pub allow_unsigned_webhooks: bool,
}

impl SecretSettings {
    /// What is wrong with settings that depend on each other.
    pub fn problems(&self) -> Vec<String> {
        match (&self.webhook_secrets[..], &self.webhook_secrets_file) {
            ([_, ..], Some(_)) => vec![
                "WEBHOOK_SECRETS and WEBHOOK_SECRETS_FILE are both set; remove one of them"
                    .to_owned(),
            ],
            _ => Vec::new(),
        }
    }

    pub fn are_given(&self) -> bool {
        !self.webhook_secrets.is_empty() || self.webhook_secrets_file.is_some()
    }

    /// Loads the secrets and watches their file. The first one signs; the list is empty only if unsigned webhooks are
    /// allowed.
    ///
    /// # Errors
    ///
    /// The file can't be read or a secret is invalid; the message names the setting.
    pub async fn watch(&self) -> Result<Watched<Vec<SecretString>>> {
        let secrets = self.webhook_secrets.clone();
        let files: Vec<PathBuf> = self.webhook_secrets_file.iter().cloned().collect();
        reload::watch("webhook secrets", files, move |contents| match contents.first() {
            None => Ok(secrets.clone()),
            Some(content) => parse_secrets(content.expose_secret()),
        })
        .await
        .context("WEBHOOK_SECRETS_FILE can't be used")
    }
}

fn parse_secrets(content: &[u8]) -> Result<Vec<SecretString>> {
    let secrets: Vec<SecretString> = numbered_lines(content)?
        .map(|(number, line)| {
            // A list, a quoted text or an assignment would be one wrong secret.
            if line.contains([',', '"', '\'']) || line.contains(char::is_whitespace) {
                bail!("line {number}: must be one secret, without commas, quotes or blanks");
            }
            parse_webhook_secret(line).map_err(|reason| anyhow::anyhow!("line {number}: {reason}"))
        })
        .collect::<Result<_>>()?;
    // An empty file must not turn signature checks off.
    if secrets.is_empty() {
        bail!("the file has no secret; write one per line, of 16 to 120 characters");
    }
    Ok(secrets)
}

/// Returns the lines of a file with their numbers, without empty lines and those that begin with `#`.
pub fn numbered_lines(content: &[u8]) -> Result<impl Iterator<Item = (usize, &str)>> {
    let text = std::str::from_utf8(content).context("the file is not text in UTF-8")?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    Ok(lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')))
}

pub fn parse_webhook_secret(text: &str) -> Result<SecretString, String> {
    let text = text.trim();
    if SECRET_LENGTH.contains(&text.chars().count()) {
        Ok(SecretString::from(text))
    } else {
        Err("each secret must have 16 to 120 characters".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_has_one_secret_per_line() {
        let secrets =
            parse_secrets(b"# the new one\n0123456789abcdef\n\n  fedcba9876543210 \n").unwrap();
        let secrets: Vec<&str> = secrets.iter().map(|secret| secret.expose_secret()).collect();
        assert_eq!(secrets, ["0123456789abcdef", "fedcba9876543210"]);
    }

    #[test]
    fn file_without_valid_secrets_is_rejected_and_its_content_not_repeated() {
        for (content, word) in [
            ("", "no secret"),
            ("# none\n", "no secret"),
            ("0123456789abcdef\nhunter2", "line 2"),
            ("0123456789abcdef,hunter2-hunter2", "line 1"),
            ("\"hunter2-hunter2-hunter2\"", "line 1"),
        ] {
            let error = format!("{:#}", parse_secrets(content.as_bytes()).unwrap_err());
            assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        }
        assert!(parse_secrets(&[0xff]).is_err());
    }

    #[test]
    fn secrets_come_from_either_list_or_file() {
        let settings = |secrets: &[&str], file: Option<&str>| SecretSettings {
            webhook_secrets: secrets.iter().map(|text| SecretString::from(*text)).collect(),
            webhook_secrets_file: file.map(PathBuf::from),
            allow_unsigned_webhooks: false,
        };
        assert_eq!(settings(&["a"], None).problems(), Vec::<String>::new());
        assert_eq!(settings(&[], Some("f")).problems(), Vec::<String>::new());
        assert!(settings(&["a"], Some("f")).problems()[0].contains("both set"));
    }
}
