//! Arguments, environment and readiness of the programs of this workspace.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::process::{self, Program, Ready};
use crate::{Endpoints, Result, StackOptions, development, workspace};

/// The programs of one stack.
#[derive(Debug)]
pub(crate) struct Programs {
    pub bin_dir: PathBuf,
    pub endpoints: Endpoints,
}

impl Programs {
    /// A worker. Several workers of a stack have different names.
    pub fn worker(&self, name: &str, options: &StackOptions) -> Result<(Program, Ready)> {
        let program = self.binary(name, "worker")?.env(self.worker_settings(options));
        Ok((program, Ready::Line("\"message\":\"Worker started\"".to_owned())))
    }

    /// The environment of a worker.
    pub fn worker_settings(&self, options: &StackOptions) -> BTreeMap<String, String> {
        let endpoints = &self.endpoints;
        let own = [
            ("DATABASE_URL", endpoints.database_url.as_str()),
            ("ULTRAVOX_API_KEY", development::ULTRAVOX_API_KEY),
            ("ULTRAVOX_API_URL", &endpoints.simulator_url),
            ("TELNYX_FROM_NUMBER", development::FROM_NUMBER),
            ("TELNYX_API_URL", &endpoints.simulator_url),
            ("TELNYX_ACCOUNT_SID", development::TELNYX_ACCOUNT_SID),
            ("TELNYX_API_KEY", development::TELNYX_API_KEY),
            ("SERVICE_URL", &endpoints.webhook_url),
            ("BATCH_SIZE", "10"),
            ("SCHEDULE_INTERVAL", "30"),
            ("MAX_CONCURRENT_CALLS", "5"),
        ];
        let own = own.into_iter().chain(webhook_secrets(&options.worker_env));
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let temporal = self.temporal(options).map(|(name, value)| (name.to_owned(), value));
        own.chain(temporal).chain(options.worker_env.clone()).collect()
    }

    pub fn webhook(
        &self,
        name: &str,
        port: u16,
        options: &StackOptions,
    ) -> Result<(Program, Ready)> {
        let program = self
            .binary(name, "webhook")?
            .env([("PORT", port.to_string().as_str()), ("HOST", "127.0.0.1")])
            .env(webhook_secrets(&options.webhook_env))
            .env(telnyx_public_key(&options.webhook_env))
            .env(self.temporal(options))
            .env(&options.webhook_env);
        let ready = match webhook_scheme(options) {
            "https" => Ready::Line("\"message\":\"Webhook server started\"".to_owned()),
            _ => Ready::Http(format!("http://127.0.0.1:{port}/readyz")),
        };
        Ok((program, ready))
    }

    /// The simulator, which sends webhooks to the stack's webhook server.
    pub fn simulator(&self, port: u16, options: &StackOptions) -> Result<(Program, Ready)> {
        let outcomes = format!("{}/webhooks/outcome", self.endpoints.webhook_url);
        let account =
            ["--webhook-url", &outcomes, "--webhook-secrets", development::WEBHOOK_SECRET];
        let program = self
            .binary("simulator", "simulator")?
            .args(["--port", &port.to_string()])
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
        Ok((program, Ready::Http(format!("{}/sim/health", self.endpoints.simulator_url))))
    }

    fn temporal(&self, options: &StackOptions) -> [(&'static str, String); 3] {
        [
            ("TEMPORAL_ADDRESS", self.endpoints.temporal_address.clone()),
            ("TEMPORAL_NAMESPACE", self.endpoints.temporal_namespace.clone()),
            ("CLOCK_OFFSET_SECS", options.clock_offset_secs.to_string()),
        ]
    }

    fn binary(&self, name: &str, binary: &str) -> Result<Program> {
        let path = self.bin_dir.join(binary);
        process::require_program(&path, || {
            "build it with `cargo build --workspace --bins`".to_owned()
        })?;
        // In the root, so that relative paths in messages are correct.
        Ok(Program::new(name, path, &self.endpoints.log_dir).current_dir(&workspace::root()))
    }
}

/// The URL scheme of a webhook server with these options.
pub(crate) fn webhook_scheme(options: &StackOptions) -> &'static str {
    if options.webhook_env.contains_key("TLS_CERT_FILE") { "https" } else { "http" }
}

/// The stack's webhook secret, unless these variables configure secrets otherwise.
fn webhook_secrets(env: &BTreeMap<String, String>) -> Option<(&'static str, &'static str)> {
    let alternatives = ["WEBHOOK_SECRETS_FILE", "ALLOW_UNSIGNED_WEBHOOKS"];
    let overridden = alternatives.iter().any(|name| env.contains_key(*name));
    (!overridden).then_some(("WEBHOOK_SECRETS", development::WEBHOOK_SECRET))
}

/// The simulator's Telnyx key, unless these variables name a file of keys.
fn telnyx_public_key(env: &BTreeMap<String, String>) -> Option<(&'static str, &'static str)> {
    let in_file = env.contains_key("TELNYX_PUBLIC_KEY_FILE");
    (!in_file).then_some(("TELNYX_PUBLIC_KEY", development::TELNYX_PUBLIC_KEY))
}
