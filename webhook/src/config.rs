//! Settings from the environment and from flags.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bootstrap::secrets::SecretSettings;
use clap::{Parser, value_parser};
use ipnet::IpNet;

/// Receives webhooks and the agents' reports and forwards them to the workflows of the calls.
///
/// Temporal has its own settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY,
/// TEMPORAL_TLS_*, or a profile in temporal.toml.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Config {
    /// Address to listen on
    #[arg(long, env, default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    pub host: IpAddr,

    /// Port to listen on
    #[arg(long, env, default_value_t = 3000)]
    pub port: u16,

    #[command(flatten)]
    pub secrets: SecretSettings,

    /// File with secrets of users, one `<user id> <secret>` per line, with which their own systems
    /// sign events of their calls; reloaded when it changes
    #[arg(long, env)]
    pub client_secrets_file: Option<PathBuf>,

    /// Public key of the Telnyx account, 32 bytes in base64, or several separated by commas;
    /// without one, webhooks of Telnyx are rejected
    #[arg(long, env)]
    pub telnyx_public_key: Option<String>,

    /// File with these keys, one per line; reloaded when it changes
    #[arg(long, env)]
    pub telnyx_public_key_file: Option<PathBuf>,

    /// Largest accepted difference between a webhook's time and the server's clock, in seconds
    #[arg(long, env, default_value_t = 300, value_parser = value_parser!(i64).range(1..=86_400))]
    pub webhook_tolerance_secs: i64,

    /// TLS certificates in PEM, the server's own first; without them the server uses plain HTTP
    #[arg(long, env)]
    pub tls_cert_file: Option<PathBuf>,

    /// Private key of the certificate, in PEM; both files are reloaded when they change
    #[arg(long, env)]
    pub tls_key_file: Option<PathBuf>,

    #[command(flatten)]
    pub limits: LimitConfig,

    /// Seconds between the end of readiness and the end of listening, so that a load balancer
    /// notices
    #[arg(long, env, default_value_t = 0, value_parser = value_parser!(u64).range(..=300))]
    pub shutdown_delay_secs: u64,

    /// Folder for combined.log and error.log, in addition to standard output
    #[arg(long, env)]
    pub log_dir: Option<PathBuf>,

    /// Seconds by which the service's clock is ahead of real time, for rehearsals; same as the
    /// worker's
    #[arg(long, env, default_value_t = 0, allow_negative_numbers = true)]
    pub clock_offset_secs: i64,
}

/// Limits on requests, connections and senders.
#[derive(Clone, Debug, clap::Args)]
pub struct LimitConfig {
    /// Largest body, in bytes
    #[arg(long, env, default_value_t = 262_144, value_parser = value_parser!(u32).range(1_024..=1_048_576))]
    pub max_body_bytes: u32,

    /// Seconds within which the head of a request, and then its body, must arrive
    #[arg(long, env, default_value_t = 10, value_parser = value_parser!(u64).range(1..=300))]
    pub read_timeout_secs: u64,

    /// Maximum number of connections
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// Maximum number of connections from one address; TRUSTED_PROXIES are not limited
    #[arg(long, env, default_value_t = 500, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections_per_source: u32,

    /// Requests per second from one address; a burst may be five times as large
    #[arg(long, env, default_value_t = 500, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_requests_per_source: u32,

    /// Maximum number of events that are being forwarded to Temporal
    #[arg(long, env, default_value_t = 256, value_parser = value_parser!(u32).range(1..=10_000))]
    pub max_events_in_flight: u32,

    /// Networks of proxies whose X-Forwarded-For is trusted, such as 10.0.0.0/8, separated by commas
    #[arg(long, env, value_delimiter = ',', value_parser = parse_network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Networks that may send requests, such as 192.0.2.0/24, separated by commas; unset: all
    #[arg(long, env, value_delimiter = ',', value_parser = parse_network)]
    pub allowed_networks: Vec<IpNet>,
}

impl LimitConfig {
    /// The time within which the head or the body of a request must arrive.
    pub fn read_timeout(&self) -> Duration {
        Duration::from_secs(self.read_timeout_secs)
    }
}

impl bootstrap::Settings for Config {
    fn log_dir(&self) -> Option<&Path> {
        self.log_dir.as_deref()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = self.secrets.problems();
        let mut check = |is_wrong: bool, problem: &str| {
            problems.extend(is_wrong.then(|| problem.to_owned()));
        };
        check(
            !self.secrets.are_given() && !self.host.is_loopback(),
            "ALLOW_UNSIGNED_WEBHOOKS is true, but HOST is open to others; set HOST=127.0.0.1, or secrets",
        );
        check(
            self.telnyx_public_key.is_some() && self.telnyx_public_key_file.is_some(),
            "TELNYX_PUBLIC_KEY and TELNYX_PUBLIC_KEY_FILE are both set; remove one of them",
        );
        let tls = (self.tls_cert_file.is_some(), self.tls_key_file.is_some());
        check(tls == (true, false), "TLS_KEY_FILE is missing; TLS_CERT_FILE needs it");
        check(tls == (false, true), "TLS_CERT_FILE is missing; TLS_KEY_FILE needs it");
        problems
    }
}

/// Parses a network or a single address.
fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network =
        text.parse().or_else(|_| text.parse().map(|address: IpAddr| IpNet::from(address)));
    network.map_err(|_| "must be networks such as 192.0.2.0/24, separated by commas".to_owned())
}

#[cfg(test)]
mod tests {
    use bootstrap::Settings as _;

    use super::*;

    fn parse(flags: &[&str]) -> Result<Config, String> {
        let secret = ["webhook", "--webhook-secrets", "0123456789abcdef"];
        let config = Config::try_parse_from(secret.iter().chain(flags));
        let config = config.map_err(|error| error.to_string())?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(problems.join("\n")) }
    }

    #[test]
    fn missing_secret_is_accepted_only_for_unsigned_webhooks_on_loopback() {
        let missing = Config::try_parse_from(["webhook"]).unwrap_err().to_string();
        assert!(missing.contains("--webhook-secrets"), "{missing}");
        let unsigned = ["webhook", "--allow-unsigned-webhooks", "--host", "127.0.0.1"];
        assert_eq!(Config::try_parse_from(unsigned).unwrap().problems(), Vec::<String>::new());
        let public = Config::try_parse_from(&unsigned[..2]).unwrap().problems();
        assert!(public[0].contains("HOST"));
        assert!(parse(&[]).is_ok());
    }

    #[test]
    fn networks_and_addresses_are_parsed_from_lists() {
        let config = parse(&["--trusted-proxies", "10.0.0.0/8, ::1,127.0.0.1"]).unwrap();
        let shown: Vec<String> =
            config.limits.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "::1/128", "127.0.0.1/32"]);
        assert!(parse(&["--allowed-networks", "10.0.0.0/33"]).is_err());
        assert!(parse(&["--allowed-networks", "example.com"]).is_err());
    }

    #[test]
    fn incomplete_or_conflicting_settings_are_rejected() {
        for (flags, missing) in [
            (&["--tls-cert-file", "c"][..], "TLS_KEY_FILE"),
            (&["--tls-key-file", "k"], "TLS_CERT_FILE"),
            (&["--telnyx-public-key", "a", "--telnyx-public-key-file", "b"], "both set"),
        ] {
            let error = parse(flags).unwrap_err();
            assert!(error.contains(missing), "{error}");
        }
    }
}
