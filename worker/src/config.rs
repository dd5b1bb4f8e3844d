//! Settings from the environment and from flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use activities::clock::Clock;
use activities::telnyx::Telnyx;
use activities::ultravox::{CARRIER_PATH, Ultravox, UltravoxError};
use activities::{CallSettings, PlanSettings};
use anyhow::{Context as _, Result, anyhow, bail};
use bootstrap::reload::Watched;
use bootstrap::secrets::SecretSettings;
use chrono::TimeDelta;
use clap::Parser;
use domain::phone::PhoneNumber;
use secrecy::{ExposeSecret as _, SecretString};
use store::Store;
use store::database_url::DatabaseUrl;
use url::{Host, Url};
use workflows::clock::ClockOffset;

/// The longest address of a callback that Ultravox accepts, and so its use of Telnyx (its API reference, webhooks).
const MAX_CALLBACK_URL_CHARS: usize = 200;
/// The longest address of the webhook server: what is left of a callback without path and token.
const MAX_SERVICE_URL_CHARS: usize =
    MAX_CALLBACK_URL_CHARS - CARRIER_PATH.len() - bootstrap::token::MAX_LENGTH;
/// How the secrets begin that .env.example and the local stack contain.
const PUBLISHED: &str = "development-only-";

/// Plans calls, places them and records their outcomes. Without a command: until it is stopped.
///
/// Temporal has its own settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY,
/// TEMPORAL_TLS_*, or a profile in temporal.toml.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Config {
    #[command(flatten)]
    pub database: DatabaseConfig,

    #[command(flatten)]
    pub ultravox: UltravoxConfig,

    /// Number that callees see, as +12125550100
    #[arg(long, env, value_parser = parse_number)]
    pub telnyx_from_number: PhoneNumber,

    #[command(flatten)]
    pub telnyx: TelnyxConfig,

    #[command(flatten)]
    pub webhook: WebhookConfig,

    #[command(flatten)]
    pub schedule: ScheduleConfig,

    #[command(flatten)]
    pub plans: PlanConfig,

    /// Days for which the decisions of plan runs and of admission are kept
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub decision_days: u32,

    /// Maximum length of a call, in minutes; as many are reserved while it lasts
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=60))]
    pub max_call_minutes: i32,

    /// Seconds that a phone rings
    #[arg(long = "ring-timeout", env = "RING_TIMEOUT", default_value_t = 25, value_parser = clap::value_parser!(u32).range(5..=120))]
    pub ring_timeout_secs: u32,

    /// Seconds for which Ultravox must go on not listing a call whose request had no answer until it counts as never
    /// placed and its prospect may be called again
    #[arg(long, env, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub never_placed_after_secs: u32,

    /// Calls of a user that Ultravox rejects in a row, for another reason than the number, until calls pause and one trial
    /// call at a time is made
    #[arg(long, env, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=1_000))]
    pub pause_after_rejections: i32,

    #[command(flatten)]
    pub voices: VoiceConfig,

    /// Folder for combined.log and error.log, in addition to standard output
    #[arg(long, env)]
    pub log_dir: Option<PathBuf>,
}

/// The account at Ultravox.
#[derive(Clone, Debug, clap::Args)]
pub struct UltravoxConfig {
    /// Key of the Ultravox account: 8 characters, a dot, 32 characters
    #[arg(long, env, hide_env_values = true, value_parser = parse_api_key)]
    pub ultravox_api_key: SecretString,

    /// Address of the Ultravox API
    #[arg(long, env, default_value = "https://api.ultravox.ai", value_parser = parse_url)]
    pub ultravox_api_url: Url,
}

/// The account at Telnyx.
#[derive(Clone, Debug, clap::Args)]
pub struct TelnyxConfig {
    /// Key of the Telnyx account; with it, a call that is cancelled while it rings is ended at Telnyx
    #[arg(long, env, hide_env_values = true)]
    pub telnyx_api_key: Option<SecretString>,

    /// Id of the Telnyx account
    #[arg(long, env)]
    pub telnyx_account_sid: Option<String>,

    /// Address of the Telnyx API
    #[arg(long, env, default_value = "https://api.telnyx.com", value_parser = parse_url)]
    pub telnyx_api_url: Url,
}

/// The webhook server.
#[derive(Clone, Debug, clap::Args)]
pub struct WebhookConfig {
    /// Public address of the webhook server, as https://calls.example.com
    #[arg(long, env, value_parser = parse_service_url)]
    pub service_url: Url,

    #[command(flatten)]
    pub secrets: SecretSettings,
}

#[derive(Clone, Debug, clap::Args)]
pub struct VoiceConfig {
    /// Voices of Ultravox for the plain words that users write, as female=Jessica,male=Mark
    #[arg(long, env, default_value = "female=Jessica,male=Mark", value_delimiter = ',',
        value_parser = parse_voice)]
    pub voices: Vec<(String, String)>,
}

/// Settings of the database, which the worker and its tools share.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseConfig {
    /// PostgreSQL, as postgres://user:password@host:5432/database
    #[arg(long, env, hide_env_values = true, value_parser = parse_database_url,
        required_unless_present = "database_url_file")]
    pub database_url: Option<DatabaseUrl>,

    /// File with this address, instead of DATABASE_URL
    #[arg(long, env)]
    pub database_url_file: Option<PathBuf>,

    /// Connections to PostgreSQL that this process keeps open at most
    #[arg(long, env, default_value_t = 16, value_parser = clap::value_parser!(u32).range(4..=1_000))]
    pub database_max_connections: u32,
}

/// Settings that the schedules carry to their workflows.
#[derive(Clone, Debug, clap::Args)]
pub struct ScheduleConfig {
    /// Users planned in one run
    #[arg(long, env, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch_size: u32,

    /// Minutes between plan runs
    #[arg(long = "schedule-interval", env = "SCHEDULE_INTERVAL", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_440))]
    pub schedule_interval_minutes: u32,

    /// Seconds by which the service's clock is ahead of real time, for rehearsals; rejected unless
    /// the Ultravox API is on this machine
    #[arg(long, env, default_value_t = 0, allow_negative_numbers = true)]
    pub clock_offset_secs: i64,
}

/// Settings of plan runs, which `worker plan` and `worker explain` share.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanConfig {
    /// Calls that may be in progress at once
    #[arg(long, env, default_value_t = 5, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub max_concurrent_calls: i32,

    /// Calls that the Ultravox account may create per minute
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub ultravox_calls_per_minute: i32,

    /// Skip prospects whose time zone is unknown, by their row and by their number
    #[arg(long, env, default_value_t = false)]
    pub strict_calling_hours: bool,
}

impl bootstrap::Settings for Config {
    fn log_dir(&self) -> Option<&Path> {
        self.log_dir.as_deref()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = self.webhook.secrets.problems();
        problems.extend(self.database.problems());
        let mut check = |is_wrong: bool, problem: &str| {
            problems.extend(is_wrong.then(|| problem.to_owned()));
        };
        let telnyx = &self.telnyx;
        let telnyx = (telnyx.telnyx_api_key.is_some(), telnyx.telnyx_account_sid.is_some());
        check(telnyx == (true, false), "TELNYX_ACCOUNT_SID is missing; TELNYX_API_KEY needs it");
        check(telnyx == (false, true), "TELNYX_API_KEY is missing; TELNYX_ACCOUNT_SID needs it");
        check(
            self.schedule.clock_offset_secs != 0 && !is_loopback(&self.ultravox.ultravox_api_url),
            "CLOCK_OFFSET_SECS is set, but ULTRAVOX_API_URL is not on this machine; real phones need \
            the real time: remove CLOCK_OFFSET_SECS",
        );
        if !self.ultravox.is_real() {
            return problems;
        }
        let service_url = &self.webhook.service_url;
        check(
            service_url.scheme() != "https" || !is_public(service_url),
            "SERVICE_URL can't be used: Ultravox and Telnyx must reach it on the internet with \
            https, as https://calls.example.com",
        );
        let number = phonenumber::parse(None, self.telnyx_from_number.as_str());
        check(
            !number.is_ok_and(|number| number.is_valid()),
            "TELNYX_FROM_NUMBER can't be used: no country has such a number; set it to a number of \
            the Telnyx account",
        );
        check(
            !self.webhook.secrets.are_given(),
            "WEBHOOK_SECRETS is missing: with ALLOW_UNSIGNED_WEBHOOKS anybody could forge the \
            outcomes of real calls; set a secret, as `openssl rand -hex 32` prints it",
        );
        problems
    }
}

impl Config {
    pub fn calls(&self, webhook_secrets: Watched<Vec<SecretString>>) -> CallSettings {
        CallSettings {
            from_number: self.telnyx_from_number.clone(),
            service_url: self.webhook.service_url.as_str().trim_end_matches('/').to_owned(),
            webhook_secrets,
            voices: self.voices.voices.iter().cloned().collect::<BTreeMap<_, _>>(),
            ring_timeout_secs: self.ring_timeout_secs,
            never_placed_after: TimeDelta::seconds(self.never_placed_after_secs.into()),
            max_call_minutes: self.max_call_minutes,
            max_concurrent_calls: self.plans.max_concurrent_calls,
            strict_calling_hours: self.plans.strict_calling_hours,
            pause_after_rejections: self.pause_after_rejections,
            decision_days: self.decision_days,
        }
    }
}

impl UltravoxConfig {
    /// Whether real phones may ring: the provider is neither on this machine nor in its network.
    pub fn is_real(&self) -> bool {
        is_public(&self.ultravox_api_url)
    }

    /// What is wrong with the secrets of webhooks: real calls must not be reported with one that the repository publishes.
    pub fn problem_of(&self, secrets: &[SecretString]) -> Option<&'static str> {
        let is_published = |secret: &SecretString| secret.expose_secret().starts_with(PUBLISHED);
        (self.is_real() && secrets.iter().any(is_published)).then_some(
            "WEBHOOK_SECRETS has a secret that the repository publishes: anybody could forge the \
            outcomes of real calls; create another one with `openssl rand -hex 32`, for worker and \
            webhook server",
        )
    }

    pub fn client(&self) -> Result<Ultravox, UltravoxError> {
        Ultravox::new(self.ultravox_api_url.clone(), self.ultravox_api_key.clone())
    }
}

impl TelnyxConfig {
    /// The client of the carrier; `None` without credentials.
    pub fn client(&self) -> Result<Option<Telnyx>> {
        let (Some(key), Some(sid)) = (&self.telnyx_api_key, &self.telnyx_account_sid) else {
            return Ok(None);
        };
        Ok(Some(Telnyx::new(self.telnyx_api_url.clone(), sid.clone(), key.clone())?))
    }
}

impl DatabaseConfig {
    fn problems(&self) -> Vec<String> {
        let both = self.database_url.is_some() && self.database_url_file.is_some();
        let problem = "DATABASE_URL and DATABASE_URL_FILE are both set; remove one of them";
        both.then(|| problem.to_owned()).into_iter().collect()
    }

    /// The address of the database, of the setting or of its file.
    pub fn url(&self) -> Result<DatabaseUrl> {
        if let Some(problem) = self.problems().pop() {
            bail!(problem);
        }
        match (&self.database_url, &self.database_url_file) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file);
                let text = text.with_context(|| {
                    format!("DATABASE_URL_FILE can't be used: reading {}", file.display())
                })?;
                let url = text.parse::<DatabaseUrl>();
                url.map_err(|error| anyhow!("the address in DATABASE_URL_FILE {error}"))
            }
            (None, None) => bail!("DATABASE_URL is missing"),
        }
    }

    /// Connects to the database.
    pub async fn connect(&self) -> Result<Store> {
        let url = self.url()?;
        let store = Store::connect(&url, self.database_max_connections).await;
        store.with_context(|| {
            format!("connecting to PostgreSQL at {}, from DATABASE_URL", url.server())
        })
    }
}

impl ScheduleConfig {
    pub fn clock_offset(&self) -> ClockOffset {
        ClockOffset(self.clock_offset_secs)
    }

    pub fn clock(&self) -> Clock {
        Clock::Running(self.clock_offset())
    }

    /// The time from one plan run to the next.
    pub fn interval(&self) -> TimeDelta {
        TimeDelta::minutes(self.schedule_interval_minutes.into())
    }
}

impl PlanConfig {
    pub fn settings(&self) -> PlanSettings {
        PlanSettings {
            strict_calling_hours: self.strict_calling_hours,
            max_concurrent_calls: self.max_concurrent_calls,
            calls_per_minute: self.ultravox_calls_per_minute,
        }
    }
}

fn parse_database_url(text: &str) -> Result<DatabaseUrl, String> {
    text.parse::<DatabaseUrl>().map_err(|error| format!("it {error}"))
}

fn parse_api_key(text: &str) -> Result<SecretString, String> {
    let alphanumeric = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    let valid = text.split_once('.').is_some_and(|(prefix, rest)| {
        prefix.len() == 8 && rest.len() == 32 && alphanumeric(prefix) && alphanumeric(rest)
    });
    valid
        .then(|| SecretString::from(text))
        .ok_or_else(|| "must be 8 letters or digits, a dot, and 32 letters or digits".to_owned())
}

fn parse_number(text: &str) -> Result<PhoneNumber, String> {
    PhoneNumber::parse(text).map_err(|error| error.to_string())
}

/// Parses an http or https URL without query and fragment.
fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| {
        let plain = url.query().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "http" | "https") && plain && !text.contains(char::is_whitespace)
    });
    url.ok_or_else(|| "must look like https://calls.example.com".to_owned())
}

/// Parses the address of the webhook server: without a path, and short enough for the addresses of callbacks.
fn parse_service_url(text: &str) -> Result<Url, String> {
    let url = parse_url(text)?;
    if url.path() != "/" || !url.username().is_empty() || url.password().is_some() {
        return Err(
            "must be a scheme, a host and perhaps a port, without a path, as https://calls.example.com"
                .to_owned(),
        );
    }
    let length = url.as_str().trim_end_matches('/').len();
    if length > MAX_SERVICE_URL_CHARS {
        return Err(format!(
            "must have at most {MAX_SERVICE_URL_CHARS} characters, but has {length}: Ultravox takes \
            addresses of callbacks of up to {MAX_CALLBACK_URL_CHARS}"
        ));
    }
    Ok(url)
}

fn parse_voice(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((word, voice)) if !word.trim().is_empty() && !voice.trim().is_empty() => {
            Ok((word.trim().to_ascii_lowercase(), voice.trim().to_owned()))
        }
        _ => Err("must look like female=Jessica,male=Mark".to_owned()),
    }
}

/// Whether the host of an address may be one of the internet.
fn is_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => {
            let domain = domain.trim_end_matches('.');
            let is_private = |suffix: &&str| domain.ends_with(*suffix);
            domain.contains('.') && ![".localhost", ".local", ".internal"].iter().any(is_private)
        }
        Some(Host::Ipv4(ip)) => {
            !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified())
        }
        Some(Host::Ipv6(ip)) => {
            !(ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_unspecified())
        }
        None => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use bootstrap::Settings as _;

    use super::*;

    const VALID: [(&str, &str); 6] = [
        ("--database-url", "postgres://u:hunter2@h/d"),
        ("--ultravox-api-key", "abcdefgh.abcdefghabcdefghabcdefghabcdefgh"),
        ("--ultravox-api-url", "http://127.0.0.1:8080/"),
        ("--telnyx-from-number", "+12125550100"),
        ("--service-url", "https://calls.example.com/"),
        ("--webhook-secrets", "0123456789abcdef,fedcba9876543210"),
    ];

    fn parse(changed: &[(&str, &str)]) -> Result<Config> {
        let mut args = vec!["worker".to_owned()];
        for (flag, value) in VALID {
            let changed = changed.iter().find(|(other, _)| *other == flag);
            args.push(format!("{flag}={}", changed.map_or(value, |(_, value)| value)));
        }
        for (flag, value) in changed {
            if VALID.iter().all(|(other, _)| other != flag) {
                args.push(format!("{flag}={value}"));
            }
        }
        let config = Config::try_parse_from(args)?;
        match config.problems().pop() {
            Some(problem) => bail!(problem),
            None => Ok(config),
        }
    }

    #[test]
    fn valid_settings_are_parsed() {
        let config = parse(&[("--clock-offset-secs", "-60")]).unwrap();
        assert_eq!(config.webhook.secrets.webhook_secrets.len(), 2);
        assert_eq!(config.webhook.service_url.as_str(), "https://calls.example.com/");
        assert_eq!(config.voices.voices[0], ("female".to_owned(), "Jessica".to_owned()));
    }

    #[test]
    fn invalid_setting_is_named_and_its_value_not_repeated() {
        for (flag, value, word) in [
            ("--ultravox-api-key", "hunter2", "32 letters or digits"),
            ("--telnyx-from-number", "555", "E.164"),
            ("--service-url", "calls.example.com", "https://calls.example.com"),
            ("--batch-size", "0", "1..=10000"),
            ("--schedule-interval", "x", "schedule-interval"),
            ("--voices", "female", "female=Jessica"),
            ("--webhook-secrets", "short", "16 to 120"),
        ] {
            let error = parse(&[(flag, value)]).unwrap_err().to_string();
            assert!(error.contains(word), "{flag}: {error}");
            assert!(error.contains(flag), "{flag}: {error}");
        }
    }

    #[test]
    fn simulated_provider_in_the_same_network_needs_no_public_address() {
        for api in ["http://simulator:3001", "http://127.0.0.1:3001", "http://10.0.0.7:3001"] {
            let config = parse(&[
                ("--ultravox-api-url", api),
                ("--service-url", "http://webhook:3000"),
                ("--webhook-secrets", "development-only-0123456789"),
                ("--telnyx-from-number", "+12125550199"),
            ]);
            assert!(!config.unwrap().ultravox.is_real(), "{api}");
        }
    }

    #[test]
    fn clock_offset_is_rejected_unless_the_provider_is_on_this_machine() {
        let api = ("--ultravox-api-url", "https://api.ultravox.ai");
        let error = parse(&[api, ("--clock-offset-secs", "5")]).unwrap_err();
        assert!(error.to_string().contains("CLOCK_OFFSET_SECS"));
        for local in ["http://localhost:1", "http://127.0.0.9", "http://[::1]:8080/api"] {
            assert!(is_loopback(&local.parse().unwrap()), "{local}");
        }
        for remote in ["http://localhost.example.com", "https://127.example.com", "http://10.0.0.1"]
        {
            assert!(!is_loopback(&remote.parse().unwrap()), "{remote}");
        }
    }
}
