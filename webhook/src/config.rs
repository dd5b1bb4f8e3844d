//! Settings, by environment and flags.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use ed25519_dalek::VerifyingKey;
use secrecy::SecretString;
use service::settings::webhook_secret;

use crate::signature::telnyx;

/// Takes webhooks and the agents' reports, and hands them to the calls' workflows.
///
/// Temporal is found by its own settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY,
/// TEMPORAL_TLS_*, or a profile of temporal.toml.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Config {
    /// Address to listen on
    #[arg(long, env, default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    pub host: IpAddr,

    /// Port to listen on
    #[arg(long, env, default_value_t = 3000)]
    pub port: u16,

    /// Secrets by which webhooks are known to be genuine, separated by commas: every current one
    #[arg(long, env, hide_env_values = true, value_delimiter = ',', value_parser = webhook_secret)]
    pub webhook_secrets: Vec<SecretString>,

    /// Take webhooks without a signature; for tests on one machine only
    #[arg(long, env, default_value_t = false)]
    pub allow_unsigned_webhooks: bool,

    /// Public key of the Telnyx account, 32 bytes in base64; without it Telnyx is not believed
    #[arg(long, env)]
    pub telnyx_public_key: Option<String>,

    /// Seconds that a webhook's time may be from ours, either way
    #[arg(long, env, default_value_t = 300, value_parser = clap::value_parser!(i64).range(1..=86_400))]
    pub webhook_tolerance_secs: i64,

    /// Longest body, in bytes
    #[arg(long, env, default_value_t = 262_144)]
    pub max_body_bytes: usize,

    /// Folder for combined.log and error.log, beside the log on standard output
    #[arg(long, env)]
    pub log_dir: Option<PathBuf>,

    /// Seconds by which the service's clock stands ahead, in a rehearsal; as set for the worker
    #[arg(long, env, default_value_t = 0, allow_negative_numbers = true)]
    pub clock_offset_secs: i64,
}

impl service::Settings for Config {
    fn log_dir(&self) -> Option<&Path> {
        self.log_dir.as_deref()
    }
}

impl Config {
    /// The key by which Telnyx's webhooks are known to be genuine, if it was given.
    pub fn telnyx_key(&self) -> Result<Option<VerifyingKey>> {
        let text = self.telnyx_public_key.as_deref().filter(|text| !text.trim().is_empty());
        text.map(telnyx::public_key).transpose().context("TELNYX_PUBLIC_KEY can't be used")
    }

    /// Checks what one value alone does not show.
    pub fn check(&self) -> Result<()> {
        if self.webhook_secrets.is_empty() && !self.allow_unsigned_webhooks {
            bail!(
                "WEBHOOK_SECRETS is missing; set one or more secrets of 16 to 120 characters, \
                separated by commas, or ALLOW_UNSIGNED_WEBHOOKS=true to test on one machine"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_secret_the_server_starts_only_where_that_is_allowed() {
        let config = Config::try_parse_from(["webhook"]).unwrap();
        assert!(config.check().unwrap_err().to_string().contains("WEBHOOK_SECRETS"));
        let config = Config::try_parse_from(["webhook", "--allow-unsigned-webhooks"]).unwrap();
        assert!(config.check().is_ok());
        let config =
            Config::try_parse_from(["webhook", "--webhook-secrets", "0123456789abcdef"]).unwrap();
        assert!(config.check().is_ok());
    }
}
