//! Missing and invalid settings: the process names the setting in one line and exits.

use std::process::{Command, Output};

use anyhow::{Context as _, Result};
use devstack::workspace;

/// Part of every secret below; must not be printed.
const SECRET: &str = "hunter2";

/// Valid settings of a worker, except that nothing listens at the address of the database.
const WORKER: [(&str, &str); 5] = [
    ("DATABASE_URL", "postgres://calls:hunter2@127.0.0.1:1/calls"),
    ("ULTRAVOX_API_KEY", "hunter2a.abcdefghabcdefghabcdefghabcdefgh"),
    ("TELNYX_FROM_NUMBER", "+12125550199"),
    ("SERVICE_URL", "https://calls.example.com"),
    ("WEBHOOK_SECRETS", "hunter2-0123456789"),
];

/// Valid settings of a webhook server.
const WEBHOOK: [(&str, &str); 1] = [("WEBHOOK_SECRETS", "hunter2-0123456789")];

/// Runs a binary to its end with only these settings.
fn run(binary: &str, settings: &[(&str, &str)]) -> Result<Output> {
    let path = workspace::bin_dir()?.join(binary);
    let mut command = Command::new(&path);
    command.env_clear().envs(settings.iter().copied());
    command.output().with_context(|| format!("running {}", path.display()))
}

/// Runs a binary with one setting changed, or left out for `None`.
fn run_with(
    binary: &str,
    valid: &[(&str, &str)],
    name: &str,
    value: Option<&str>,
) -> Result<Output> {
    let others = valid.iter().copied().filter(|(other, _)| *other != name);
    let changed: Vec<(&str, &str)> = others.chain(value.map(|value| (name, value))).collect();
    run(binary, &changed)
}

/// Checks that the process failed with one line that names the setting and contains no secret.
fn assert_names(output: &Output, setting: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{setting}: it started");
    assert_eq!(error.lines().count(), 1, "{setting}: {error}");
    assert!(error.starts_with("error: ") && error.contains(setting), "{setting}: {error}");
    let logged = String::from_utf8_lossy(&output.stdout);
    assert!(!error.contains(SECRET) && !logged.contains(SECRET), "{setting}: {error}{logged}");
}

#[test]
fn worker_without_a_required_setting_names_it() -> Result<()> {
    for (name, _) in WORKER {
        assert_names(&run_with("worker", &WORKER, name, None)?, name);
    }
    Ok(())
}

#[test]
fn worker_with_an_invalid_setting_names_it() -> Result<()> {
    for (name, value) in [
        ("DATABASE_URL", "mysql://calls:hunter2@127.0.0.1/calls"),
        ("ULTRAVOX_API_KEY", "hunter2"),
        ("TELNYX_FROM_NUMBER", "212 555 0199"),
        ("SERVICE_URL", "calls.example.com"),
        ("WEBHOOK_SECRETS", "hunter2"),
        ("WEBHOOK_SECRETS", ""),
        ("SCHEDULE_INTERVAL", "0"),
        ("BATCH_SIZE", "many"),
        ("MAX_CONCURRENT_CALLS", "-1"),
        ("RING_TIMEOUT", "600"),
        ("VOICES", "female"),
        // Allowed only with a provider on this machine.
        ("CLOCK_OFFSET_SECS", "3600"),
        ("LOG_DIR", "/proc/no-such-folder"),
    ] {
        assert_names(&run_with("worker", &WORKER, name, Some(value))?, name);
    }
    Ok(())
}

#[test]
fn worker_without_a_reachable_database_names_the_setting() -> Result<()> {
    assert_names(&run("worker", &WORKER)?, "DATABASE_URL");
    Ok(())
}

#[test]
fn webhook_server_with_an_invalid_setting_names_it() -> Result<()> {
    for (name, value) in [
        ("WEBHOOK_SECRETS", None),
        ("WEBHOOK_SECRETS", Some("hunter2")),
        ("PORT", Some("none")),
        ("HOST", Some("localhost:3000")),
        ("WEBHOOK_TOLERANCE_SECS", Some("0")),
        ("MAX_BODY_BYTES", Some("much")),
        ("READ_TIMEOUT_SECS", Some("0")),
        ("MAX_CONNECTIONS", Some("0")),
        ("TRUSTED_PROXIES", Some("10.0.0.0/64")),
        ("ALLOWED_NETWORKS", Some("example.com")),
        ("WEBHOOK_SECRETS_FILE", Some("/no/such/file")),
        ("CLIENT_SECRETS_FILE", Some("/no/such/file")),
        ("TELNYX_PUBLIC_KEY", Some("hunter2")),
        ("TELNYX_PUBLIC_KEY_FILE", Some("/no/such/file")),
        ("TLS_CERT_FILE", Some("/no/such/file")),
        ("TLS_KEY_FILE", Some("/no/such/file")),
        ("TEMPORAL_ADDRESS", Some("http://127.0.0.1:1")),
    ] {
        assert_names(&run_with("webhook", &WEBHOOK, name, value)?, name);
    }
    Ok(())
}

#[test]
fn simulator_with_an_invalid_setting_names_it() -> Result<()> {
    let valid = [("ULTRAVOX_API_KEY", "hunter2a.abcdefghabcdefghabcdefghabcdefgh")];
    for (name, value, flag) in [
        ("ULTRAVOX_API_KEY", None, "--api-key"),
        ("SIMULATOR_SPEED", Some("fast"), "--speed"),
        ("CLOCK_OFFSET_SECS", Some("later"), "--clock-offset-secs"),
    ] {
        let output = run_with("simulator", &valid, name, value)?;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name}: it started");
        assert!(error.starts_with("error: ") && error.contains(flag), "{name}: {error}");
        assert!(!error.contains(SECRET), "{name}: {error}");
    }
    Ok(())
}
