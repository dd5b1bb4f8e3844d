//! What the command line and the environment decide.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::calls::Event;

/// A stand-in for the Ultravox REST API and its Telnyx phone leg.
///
/// Calls are made up: the number that is called decides how the call goes. Nothing leaves this
/// process but the webhooks, tool calls and carrier callbacks that the requests ask for.
#[derive(Debug, Clone, Parser)]
#[command(name = "simulator", version, args_override_self = true)]
pub struct Settings {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// Port to listen on; 0 picks a free one, printed at start
    #[arg(long, default_value_t = 8080)]
    pub port: u16,

    /// The key that requests must carry in X-API-Key
    #[arg(long, env = "ULTRAVOX_API_KEY", hide_env_values = true)]
    pub api_key: String,

    /// Simulated seconds per real second
    #[arg(long, env = "SIMULATOR_SPEED", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,

    /// Seconds added to the wall clock for every timestamp in a body (signatures keep real time)
    #[arg(long, env = "CLOCK_OFFSET_SECS", default_value_t = 0, allow_negative_numbers = true)]
    pub clock_offset_secs: i64,

    /// JSON file: called number or number prefix to a scenario name or a whole scenario
    #[arg(long, value_name = "FILE")]
    pub scenarios: Option<PathBuf>,

    /// An account webhook that exists from the start
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<String>,

    /// Secrets of that webhook, separated by commas; generated if absent
    #[arg(long, value_delimiter = ',', hide_env_values = true)]
    pub webhook_secrets: Vec<String>,

    /// Events of that webhook, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "call.started,call.joined,call.ended,call.billed"
    )]
    pub webhook_events: Vec<Event>,

    /// Calls that may be created but not ended at one time
    #[arg(long, default_value_t = 5)]
    pub max_concurrent: usize,

    /// Calls that may be created in one real minute; no cap if absent
    #[arg(long)]
    pub calls_per_minute: Option<usize>,

    /// Calls that may be created in one real second; no cap if absent
    #[arg(long)]
    pub calls_per_second: Option<usize>,

    /// Real seconds until a failed webhook is first repeated; doubles each time, ten times
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    pub retry_base_secs: f64,

    /// Account in the path of the carrier's API
    #[arg(long, default_value = "telnyx-account")]
    pub telnyx_account_sid: String,

    /// Bearer key of the carrier's API; without it every carrier request is refused
    #[arg(long, env = "TELNYX_API_KEY", hide_env_values = true)]
    pub telnyx_api_key: Option<String>,

    /// Seed of the carrier's signing key, 64 hex digits
    #[arg(
        long,
        default_value = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        hide_default_value = true
    )]
    pub telnyx_seed: String,
}

fn speed(text: &str) -> Result<f64, String> {
    bounded(text, 0.001, 10_000_000.0)
}

fn positive(text: &str) -> Result<f64, String> {
    bounded(text, 0.0, 86_400.0)
}

fn bounded(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(format!("must be from {low} to {high}"))
    }
}
