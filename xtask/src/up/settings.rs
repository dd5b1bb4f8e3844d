//! The settings of the service that `cargo xtask up` is given, in the command or in a file such as `.env`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use devstack::{Parts, StackOptions, workspace};

/// Settings that the stack determines by itself, each with what to use instead.
const OWN: [(&str, &str); 9] = [
    ("DATABASE_URL", "the stack has its own PostgreSQL; see --port-postgres"),
    ("DATABASE_URL_FILE", "the stack has its own PostgreSQL; see --port-postgres"),
    ("TEMPORAL_ADDRESS", "the stack has its own Temporal; see --port-temporal"),
    ("TEMPORAL_NAMESPACE", "the stack has its own Temporal, with the namespace default"),
    ("HOST", "the webhook server listens on 127.0.0.1"),
    ("PORT", "see --port-webhook"),
    ("CLOCK_OFFSET_SECS", "see --clock-offset-secs"),
    ("TLS_CERT_FILE", "the webhook server speaks plain HTTP, for a proxy or tunnel in front"),
    ("TLS_KEY_FILE", "the webhook server speaks plain HTTP, for a proxy or tunnel in front"),
];
/// Names of docker-compose.yml for machines that `cargo xtask up` does not have.
const COMPOSE_HOSTS: [&str; 2] = ["simulator", "webhook"];
/// The address of Ultravox, without which the simulator takes its place.
const PROVIDER: &str = "ULTRAVOX_API_URL";

#[derive(Debug, clap::Args)]
pub struct GivenSettings {
    /// File with settings of the service, such as .env. The simulator is started unless the file sets ULTRAVOX_API_URL to
    /// a real address
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,

    /// Settings of the service, as MAX_CONCURRENT_CALLS=20; they win over those of the file
    #[arg(last = true, value_name = "SETTING=VALUE")]
    settings: Vec<String>,
}

/// The settings, sorted out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    given: BTreeMap<String, String>,
    /// Settings of the file that the stack determines by itself.
    pub ignored: Vec<String>,
}

impl GivenSettings {
    pub fn read(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::default();
        if let Some(file) = &self.env_file {
            for (name, value) in read_file(file)? {
                if OWN.iter().any(|(own, _)| *own == name) || is_of_compose(&value) {
                    settings.ignored.push(name);
                } else {
                    settings.given.insert(name, value);
                }
            }
        }
        let known = if self.settings.is_empty() { Vec::new() } else { known_settings()? };
        for text in &self.settings {
            let (name, value) = text
                .split_once('=')
                .with_context(|| format!("{text:?} is no setting; write it as SETTING=VALUE"))?;
            if let Some((_, instead)) = OWN.iter().find(|(own, _)| *own == name) {
                bail!("{name} can't be set: {instead}");
            }
            if !known.iter().any(|known| known == name) {
                bail!("{name} is no setting of the service; see .env.example");
            }
            settings.given.insert(name.to_owned(), value.to_owned());
        }
        settings.given.retain(|_, value| !value.trim().is_empty());
        settings.check()?;
        Ok(settings)
    }
}

impl Settings {
    /// Whether real phones may ring.
    pub fn has_real_provider(&self) -> bool {
        self.given.contains_key(PROVIDER)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.has_real_provider() {
            for name in ["ULTRAVOX_API_KEY", "TELNYX_FROM_NUMBER", "SERVICE_URL"] {
                if !self.given.contains_key(name) {
                    bail!("{name} is missing: {PROVIDER} is set, so that real phones may ring");
                }
            }
        }
        Ok(())
    }

    /// Applies the settings to a stack.
    pub fn apply(&self, options: &mut StackOptions) {
        options.worker_env.clone_from(&self.given);
        options.webhook_env.clone_from(&self.given);
        if self.has_real_provider() {
            options.parts = Parts { simulator: false, ..options.parts };
            // The stack would set those of its simulator.
            for name in
                ["TELNYX_API_URL", "TELNYX_ACCOUNT_SID", "TELNYX_API_KEY", "TELNYX_PUBLIC_KEY"]
            {
                for env in [&mut options.worker_env, &mut options.webhook_env] {
                    env.entry(name.to_owned()).or_default();
                }
            }
            return;
        }
        let mut args = Vec::new();
        for (name, flag) in [
            ("ULTRAVOX_API_KEY", "--api-key"),
            ("TELNYX_API_KEY", "--telnyx-api-key"),
            ("TELNYX_ACCOUNT_SID", "--telnyx-account-sid"),
            ("MAX_CONCURRENT_CALLS", "--max-concurrent"),
        ] {
            if let Some(value) = self.given.get(name) {
                args.push(format!("{flag}={value}"));
            }
        }
        options.simulator_args = args;
    }
}

fn read_file(file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let read = || dotenvy::from_path_iter(file)?.collect::<Result<Vec<_>, _>>();
    read().with_context(|| format!("reading the settings in {}", file.display()))
}

/// Whether a value is an address inside of docker compose.
fn is_of_compose(value: &str) -> bool {
    let host = value.split_once("://").map(|(_, rest)| rest.split([':', '/']).next());
    host.flatten().is_some_and(|host| COMPOSE_HOSTS.contains(&host))
}

/// The settings of worker and webhook server, from their help.
fn known_settings() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for program in ["worker", "webhook"] {
        let help = Command::new(workspace::bin_dir()?.join(program)).arg("--help").output()?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let variables = help.split("[env: ").skip(1);
        names.extend(variables.filter_map(|rest| rest.split(['=', ']']).next()).map(str::to_owned));
    }
    names.push("RUST_LOG".to_owned());
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Settings> {
        let dir = workspace::temp_dir()?;
        let file = dir.path().join(".env");
        std::fs::write(&file, text)?;
        GivenSettings { env_file: Some(file), settings: Vec::new() }.read()
    }

    #[test]
    fn example_file_uses_the_simulator() {
        let file = Some(workspace::root().join(".env.example"));
        let settings = GivenSettings { env_file: file, settings: Vec::new() }.read().unwrap();
        assert!(!settings.has_real_provider());
        assert_eq!(settings.ignored, ["TEMPORAL_NAMESPACE", PROVIDER, "SERVICE_URL"]);
        assert_eq!(settings.given["MAX_CONCURRENT_CALLS"], "5");
    }

    #[test]
    fn real_provider_needs_no_simulator_and_all_that_it_needs() {
        let real = "ULTRAVOX_API_URL=https://api.ultravox.ai\nULTRAVOX_API_KEY=k\n\
            TELNYX_FROM_NUMBER=+12125550199\n";
        assert!(read(real).unwrap_err().to_string().contains("SERVICE_URL"));
        let settings =
            read(&format!("{real}SERVICE_URL=https://calls.example.com\nHOST=::")).unwrap();
        assert_eq!(settings.ignored, ["HOST"]);
        let mut options = StackOptions::default();
        settings.apply(&mut options);
        assert!(!options.parts.simulator && options.parts.worker);
        // Nothing of the simulator's account is left.
        assert_eq!(options.worker_env["TELNYX_ACCOUNT_SID"], "");
        assert_eq!(options.worker_env["SERVICE_URL"], "https://calls.example.com");
    }

    #[test]
    fn setting_of_the_command_must_be_one() {
        for (text, words) in [
            ("BATCH_SIZE", "write it as SETTING=VALUE"),
            ("PORT=1", "see --port-webhook"),
            ("DATABASE_URL=postgres://h/d", "its own PostgreSQL"),
        ] {
            let given = GivenSettings { env_file: None, settings: vec![text.to_owned()] };
            let error = given.read().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
