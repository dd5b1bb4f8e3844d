//! Settings from the command line and the environment.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;

/// A stand-in for Ultravox's REST API and the Telnyx call leg.
///
/// No phone rings: the called number decides how a call goes. The simulator only sends the
/// webhooks, tool requests and Telnyx callbacks that the requests ask for.
#[derive(Debug, Clone, Parser)]
#[command(name = "simulator", version, args_override_self = true)]
pub struct Settings {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// Port to listen on; 0 picks a free one, which is printed at start
    #[arg(long, default_value_t = 8080)]
    pub port: u16,

    /// Key that requests must carry in X-API-Key
    #[arg(long, env = "ULTRAVOX_API_KEY", hide_env_values = true)]
    pub api_key: String,

    /// Simulated seconds per real second
    #[arg(long, env = "SIMULATOR_SPEED", default_value_t = 1.0, value_parser = parse_speed)]
    pub speed: f64,

    /// Seconds added to the wall clock for timestamps in bodies (signatures use real time)
    #[arg(long, env = "CLOCK_OFFSET_SECS", default_value_t = 0, allow_negative_numbers = true)]
    pub clock_offset_secs: i64,

    /// JSON file that maps a called number or number prefix to a scenario name or a scenario
    #[arg(long, value_name = "FILE")]
    pub scenarios: Option<PathBuf>,

    /// Webhook of the account, which gets the events of all calls
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<String>,

    /// Secrets that sign this webhook, separated by commas; unsigned if absent
    #[arg(long, value_delimiter = ',', hide_env_values = true)]
    pub webhook_secrets: Vec<String>,

    /// Maximum number of calls that have not ended
    #[arg(long, default_value_t = 5)]
    pub max_concurrent: usize,

    /// Real seconds before the first of ten retries of a failed webhook; doubles each time
    #[arg(long, default_value_t = 30.0, value_parser = parse_retry_base)]
    pub retry_base_secs: f64,

    /// Account in the paths of Telnyx's API
    #[arg(long, default_value = "telnyx-account")]
    pub telnyx_account_sid: String,

    /// Bearer key of Telnyx's API; if absent, every request to it is rejected
    #[arg(long, env = "TELNYX_API_KEY", hide_env_values = true)]
    pub telnyx_api_key: Option<String>,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    parse_bounded(text, 0.001, 10_000_000.0)
}

fn parse_retry_base(text: &str) -> Result<f64, String> {
    parse_bounded(text, 0.0, 86_400.0)
}

fn parse_bounded(text: &str, min: f64, max: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(format!("must be from {min} to {max}"))
    }
}
