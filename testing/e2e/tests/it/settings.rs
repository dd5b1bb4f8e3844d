//! A process that lacks a setting, or has a senseless one, says which in one line and ends.

use std::process::{Command, Output};

use anyhow::{Context as _, Result};
use devstack::workspace;

/// Stands for a secret: must never be repeated.
const SECRET: &str = "hunter2";

/// What lets a worker begin to start; nobody listens at the address of its database.
const WORKER: [(&str, &str); 5] = [
    ("DATABASE_URL", "postgres://calls:hunter2@127.0.0.1:1/calls"),
    ("ULTRAVOX_API_KEY", "hunter2a.abcdefghabcdefghabcdefghabcdefgh"),
    ("TELNYX_FROM_NUMBER", "+12125550199"),
    ("SERVICE_URL", "https://calls.example.com"),
    ("WEBHOOK_SECRETS", "hunter2-0123456789"),
];

/// What lets a webhook server begin to start.
const WEBHOOK: [(&str, &str); 1] = [("WEBHOOK_SECRETS", "hunter2-0123456789")];

/// Runs one of our binaries to its end, with nothing in its surroundings but these settings.
fn run(binary: &str, settings: &[(&str, &str)]) -> Result<Output> {
    let path = workspace::bin_dir()?.join(binary);
    let mut command = Command::new(&path);
    command.env_clear().envs(settings.iter().copied());
    command.output().with_context(|| format!("running {}", path.display()))
}

/// Runs it with one setting changed, or left out where there is no value.
fn run_with(
    binary: &str,
    sound: &[(&str, &str)],
    name: &str,
    value: Option<&str>,
) -> Result<Output> {
    let others = sound.iter().copied().filter(|(other, _)| *other != name);
    let changed: Vec<(&str, &str)> = others.chain(value.map(|value| (name, value))).collect();
    run(binary, &changed)
}

/// Checks that it failed with one line that names the setting and holds no secret.
fn assert_names(output: &Output, setting: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{setting}: it started");
    assert_eq!(said.lines().count(), 1, "{setting}: {said}");
    assert!(said.starts_with("error: ") && said.contains(setting), "{setting}: {said}");
    let logged = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains(SECRET) && !logged.contains(SECRET), "{setting}: {said}{logged}");
}

#[test]
fn a_worker_without_a_needed_setting_names_it() -> Result<()> {
    for (name, _) in WORKER {
        assert_names(&run_with("worker", &WORKER, name, None)?, name);
    }
    Ok(())
}

#[test]
fn a_worker_with_a_senseless_setting_names_it() -> Result<()> {
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
        // The clock moves only against a provider on this machine.
        ("CLOCK_OFFSET_SECS", "3600"),
        ("LOG_DIR", "/proc/no-such-folder"),
    ] {
        assert_names(&run_with("worker", &WORKER, name, Some(value))?, name);
    }
    Ok(())
}

#[test]
fn a_worker_that_cannot_reach_its_database_names_the_setting() -> Result<()> {
    assert_names(&run("worker", &WORKER)?, "DATABASE_URL");
    Ok(())
}

#[test]
fn a_webhook_server_that_cannot_start_names_the_setting() -> Result<()> {
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
fn a_simulator_that_cannot_start_names_the_setting() -> Result<()> {
    let sound = [("ULTRAVOX_API_KEY", "hunter2a.abcdefghabcdefghabcdefghabcdefgh")];
    for (name, value, flag) in [
        ("ULTRAVOX_API_KEY", None, "--api-key"),
        ("SIMULATOR_SPEED", Some("fast"), "--speed"),
        ("CLOCK_OFFSET_SECS", Some("later"), "--clock-offset-secs"),
    ] {
        let output = run_with("simulator", &sound, name, value)?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name}: it started");
        assert!(said.starts_with("error: ") && said.contains(flag), "{name}: {said}");
        assert!(!said.contains(SECRET), "{name}: {said}");
    }
    Ok(())
}
