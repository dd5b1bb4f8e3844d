//! Missing and invalid settings: the process names the setting in one line and exits.

use std::process::{Command, Output};

use anyhow::{Context as _, Result};
use devstack::workspace;
use serde_json::Value;

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

/// What the process says of its failure: lines of standard error and the errors of its log.
fn errors(output: &Output) -> Vec<String> {
    let (printed, logged) =
        (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(!output.status.success(), "it started: {logged}");
    assert!(!printed.contains(SECRET) && !logged.contains(SECRET), "{printed}{logged}");
    let printed = printed.lines().map(|line| {
        line.strip_prefix("error: ").unwrap_or_else(|| panic!("no error: {line}")).to_owned()
    });
    let logged = logged.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["level"] == "error").then(|| line["message"].as_str().unwrap().to_owned())
    });
    printed.chain(logged).collect()
}

/// Checks that the process failed with one sentence that names the setting and contains no secret.
fn assert_names(output: &Output, setting: &str) {
    let errors = errors(output);
    assert_eq!(errors.len(), 1, "{setting}: {errors:?}");
    assert!(errors[0].contains(setting) && !errors[0].contains("at line"), "{setting}: {errors:?}");
}

/// The variables of a program, from its help.
fn variables(binary: &str) -> Result<Vec<String>> {
    let path = workspace::bin_dir()?.join(binary);
    let help = Command::new(path).arg("--help").env_clear().output()?;
    let help = String::from_utf8(help.stdout)?;
    let names = help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next());
    Ok(names.map(str::to_owned).collect())
}

#[test]
fn worker_without_a_required_setting_names_it() -> Result<()> {
    for (name, _) in WORKER {
        assert_names(&run_with("worker", &WORKER, name, None)?, name);
    }
    Ok(())
}

#[test]
fn everything_that_is_missing_or_wrong_is_named_at_once() -> Result<()> {
    let settings = [("BATCH_SIZE", "many"), ("MAX_CONCURENT_CALLS", "7")];
    let errors = errors(&run("worker", &settings)?);
    let names = WORKER.map(|(name, _)| name);
    for name in names.into_iter().chain(["BATCH_SIZE", "MAX_CONCURENT_CALLS"]) {
        assert!(errors.iter().any(|error| error.starts_with(name)), "{name}: {errors:?}");
    }
    assert!(errors.iter().any(|error| error.ends_with("did you mean MAX_CONCURRENT_CALLS?")));
    assert_eq!(errors.len(), names.len() + 2, "{errors:?}");
    Ok(())
}

#[test]
fn settings_are_trimmed_and_blank_ones_are_unset() -> Result<()> {
    let unreachable = |settings: &[(&str, &str)]| {
        let output = run("worker", settings)?;
        assert_names(&output, "connecting to PostgreSQL at 127.0.0.1:1, from DATABASE_URL");
        anyhow::Ok(())
    };
    let with_breaks = WORKER.map(|(name, value)| (name, format!(" {value}\r\n")));
    let with_breaks: Vec<_> =
        with_breaks.iter().map(|(name, value)| (*name, value.as_str())).collect();
    unreachable(&with_breaks)?;
    let names = variables("worker")?;
    assert!(names.len() > 20, "{names:?}");
    for blank in ["", " ", "\n"] {
        let given = |name: &&String| WORKER.iter().any(|(other, _)| other == name);
        let blanks = names.iter().filter(|name| !given(name)).map(|name| (name.as_str(), blank));
        unreachable(&blanks.chain(WORKER).collect::<Vec<_>>())?;
    }
    let names = variables("webhook")?;
    let blanks: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_names(&run("webhook", &blanks)?, "WEBHOOK_SECRETS");
    Ok(())
}

/// Real phones would ring, and nothing could be reported.
#[test]
fn worker_with_a_real_provider_needs_an_address_and_a_number_of_the_world() -> Result<()> {
    for (name, value) in [
        ("SERVICE_URL", "http://calls.example.com"),
        ("SERVICE_URL", "https://localhost:3000"),
        ("SERVICE_URL", "https://calls"),
        ("SERVICE_URL", "https://10.1.2.3"),
        ("SERVICE_URL", "https://[fd00::1]"),
        ("SERVICE_URL", "https://calls.example.com/hooks"),
        ("SERVICE_URL", "https://https://calls.example.com"),
        ("SERVICE_URL", "https://calls.example.com?a=b"),
        ("SERVICE_URL", "https://u:hunter2@calls.example.com"),
        (
            "SERVICE_URL",
            "https://a-host-name-that-is-too-long-for-the-callbacks-of-the-provider-and-of-the-carrier.example.com",
        ),
        ("TELNYX_FROM_NUMBER", "+19999999999"),
        ("TELNYX_FROM_NUMBER", "+1234567890"),
        ("WEBHOOK_SECRETS", "development-only-hunter3"),
        ("ALLOW_UNSIGNED_WEBHOOKS", "true"),
    ] {
        let named = if name == "ALLOW_UNSIGNED_WEBHOOKS" { "WEBHOOK_SECRETS" } else { name };
        let others = WORKER.iter().copied().filter(|(other, _)| *other != named);
        let settings: Vec<_> = others.chain([(name, value)]).collect();
        assert_names(&run("worker", &settings)?, named);
    }
    Ok(())
}

#[test]
fn worker_with_an_invalid_setting_names_it() -> Result<()> {
    for (name, value) in [
        ("DATABASE_URL", "mysql://calls:hunter2@127.0.0.1/calls"),
        ("DATABASE_URL", "postgres://calls@127.0.0.1/calls?sslpassword=hunter2"),
        ("DATABASE_URL_FILE", "/no/such/file"),
        ("TELNYX_API_KEY", "hunter2"),
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
