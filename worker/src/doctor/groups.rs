//! The settings by what they are for, so that one wrong setting hides only the checks that need it.

use std::ffi::OsString;

use bootstrap::settings::parse_settings;
use clap::{Args, Command, Parser};

use crate::config::{
    Config, DatabaseConfig, PlanConfig, ScheduleConfig, TelnyxConfig, UltravoxConfig, VoiceConfig,
    WebhookConfig,
};

/// Each group that can be read.
#[derive(Debug)]
pub(crate) struct Groups {
    pub database: Option<DatabaseConfig>,
    pub ultravox: Option<UltravoxConfig>,
    pub telnyx: Option<TelnyxConfig>,
    pub webhook: Option<WebhookConfig>,
    pub voices: Option<VoiceConfig>,
    pub plans: Option<PlanConfig>,
    pub schedule: Option<ScheduleConfig>,
}

#[derive(Parser)]
struct Only<G: Args> {
    #[command(flatten)]
    group: G,
}

impl Groups {
    pub fn parse(environment: &[(OsString, OsString)]) -> Self {
        Self {
            database: parse(environment),
            ultravox: parse(environment),
            telnyx: parse(environment),
            webhook: parse(environment),
            voices: parse(environment),
            plans: parse(environment),
            schedule: parse(environment),
        }
    }
}

impl From<&Config> for Groups {
    fn from(config: &Config) -> Self {
        Self {
            database: Some(config.database.clone()),
            ultravox: Some(config.ultravox.clone()),
            telnyx: Some(config.telnyx.clone()),
            webhook: Some(config.webhook.clone()),
            voices: Some(config.voices.clone()),
            plans: Some(config.plans.clone()),
            schedule: Some(config.schedule.clone()),
        }
    }
}

fn parse<G: Args>(environment: &[(OsString, OsString)]) -> Option<G> {
    let command = G::augment_args(Command::new("settings"));
    let is_own = |name: &OsString| {
        command.get_arguments().any(|arg| arg.get_env() == Some(name.as_os_str()))
    };
    let own = environment.iter().filter(|(name, _)| is_own(name)).cloned().collect();
    parse_settings::<Only<G>>(vec![OsString::from("worker")], own).ok().map(|only| only.group)
}
