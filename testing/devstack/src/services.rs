//! How our own processes are started: the one place that knows their settings and when they are ready.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::process::{self, Program, Ready};
use crate::{Result, StackOptions, development, workspace};

/// Where the parts of one stack find one another.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub log_dir: PathBuf,
    pub bin_dir: PathBuf,
    pub database_url: String,
    pub temporal_address: String,
    pub webhook_port: u16,
    pub simulator_port: u16,
}

impl Surroundings {
    /// The address of the webhook server.
    pub fn webhook_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.webhook_port)
    }

    /// The address of the simulator.
    pub fn simulator_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.simulator_port)
    }

    /// The worker; another name makes a second one beside the first.
    pub fn worker(&self, name: &str, options: &StackOptions) -> Result<(Program, Ready)> {
        let program = self
            .binary(name, "worker")?
            .env([
                ("DATABASE_URL", self.database_url.as_str()),
                ("ULTRAVOX_API_KEY", development::ULTRAVOX_API_KEY),
                ("ULTRAVOX_API_URL", &self.simulator_url()),
                ("TELNYX_FROM_NUMBER", development::FROM_NUMBER),
                ("TELNYX_API_URL", &self.simulator_url()),
                ("TELNYX_ACCOUNT_SID", development::TELNYX_ACCOUNT_SID),
                ("TELNYX_API_KEY", development::TELNYX_API_KEY),
                ("SERVICE_URL", &self.webhook_url()),
                ("BATCH_SIZE", "10"),
                ("SCHEDULE_INTERVAL", "30"),
                ("MAX_CONCURRENT_CALLS", "5"),
            ])
            .env(secrets(&options.worker_env))
            .env(self.temporal(options))
            .env(&options.worker_env);
        Ok((program, Ready::Line("\"message\":\"Worker started\"".to_owned())))
    }

    /// A webhook server on the given port.
    pub fn webhook(
        &self,
        name: &str,
        port: u16,
        options: &StackOptions,
    ) -> Result<(Program, Ready)> {
        let program = self
            .binary(name, "webhook")?
            .env([("PORT", port.to_string().as_str()), ("HOST", "127.0.0.1")])
            .env(secrets(&options.webhook_env))
            .env(carrier_key(&options.webhook_env))
            .env(self.temporal(options))
            .env(&options.webhook_env);
        let ready = match webhook_scheme(options) {
            "https" => Ready::Line("\"message\":\"Webhook server started\"".to_owned()),
            _ => Ready::Http(format!("http://127.0.0.1:{port}/readyz")),
        };
        Ok((program, ready))
    }

    /// The simulator, which sends its webhooks to the webhook server.
    pub fn simulator(&self, options: &StackOptions) -> Result<(Program, Ready)> {
        let port = self.simulator_port.to_string();
        let outcomes = format!("{}/webhooks/outcome", self.webhook_url());
        let account =
            ["--webhook-url", &outcomes, "--webhook-secrets", development::WEBHOOK_SECRET];
        let program = self
            .binary("simulator", "simulator")?
            .args(["--port", &port])
            .args(if options.account_webhook { &account[..] } else { &[] })
            .args(["--telnyx-account-sid", development::TELNYX_ACCOUNT_SID])
            .args(["--telnyx-api-key", development::TELNYX_API_KEY])
            .args(&options.simulator_args)
            .env([
                ("ULTRAVOX_API_KEY", development::ULTRAVOX_API_KEY),
                ("SIMULATOR_SPEED", &options.speed.to_string()),
                ("CLOCK_OFFSET_SECS", &options.clock_offset_secs.to_string()),
            ])
            .env(&options.simulator_env);
        Ok((program, Ready::Http(format!("{}/sim/health", self.simulator_url()))))
    }

    fn temporal(&self, options: &StackOptions) -> [(&'static str, String); 3] {
        [
            ("TEMPORAL_ADDRESS", self.temporal_address.clone()),
            ("TEMPORAL_NAMESPACE", development::NAMESPACE.to_owned()),
            ("CLOCK_OFFSET_SECS", options.clock_offset_secs.to_string()),
        ]
    }

    fn binary(&self, name: &str, binary: &str) -> Result<Program> {
        let path = self.bin_dir.join(binary);
        process::require(&path, || "build it with `cargo build --workspace --bins`".to_owned())?;
        // At the root, where the worker looks for nothing, but where a path in a message makes sense.
        Ok(Program::new(name, path, &self.log_dir).current_dir(Path::new(&workspace::root())))
    }
}

/// How a webhook server with these settings is spoken to.
pub(crate) fn webhook_scheme(options: &StackOptions) -> &'static str {
    if options.webhook_env.contains_key("TLS_CERT_FILE") { "https" } else { "http" }
}

/// The secret of the local stack, unless these variables name a file of secrets or do without.
fn secrets(env: &BTreeMap<String, String>) -> Option<(&'static str, &'static str)> {
    let others = ["WEBHOOK_SECRETS_FILE", "ALLOW_UNSIGNED_WEBHOOKS"];
    let others = others.iter().any(|name| env.contains_key(*name));
    (!others).then_some(("WEBHOOK_SECRETS", development::WEBHOOK_SECRET))
}

/// The key of the simulated carrier, unless these variables name a file of keys.
fn carrier_key(env: &BTreeMap<String, String>) -> Option<(&'static str, &'static str)> {
    let in_file = env.contains_key("TELNYX_PUBLIC_KEY_FILE");
    (!in_file).then_some(("TELNYX_PUBLIC_KEY", development::TELNYX_PUBLIC_KEY))
}
