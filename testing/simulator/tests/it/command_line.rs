//! The command line of the program.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn program_prints_its_address_and_answers() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(["--port", "0", "--api-key", "key"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let url = line.strip_prefix("simulator listening on ").unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let health = client.get(format!("{url}/sim/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn help_lists_the_options() {
    let output = Command::new(env!("CARGO_BIN_EXE_simulator")).arg("--help").output();
    let help = String::from_utf8(output.await.unwrap().stdout).unwrap();
    for option in ["--speed", "--scenarios", "--clock-offset-secs", "--max-concurrent"] {
        assert!(help.contains(option), "{option}");
    }
}

#[tokio::test]
async fn invalid_settings_are_rejected() {
    for arguments in [
        ["--speed", "0"],
        ["--speed", "NaN"],
        ["--scenarios", "/nonexistent.json"],
        ["--retry-base-secs", "-1"],
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_simulator"));
        let program = program.args(["--port", "0", "--api-key", "key"]).args(arguments);
        let status = program.stderr(Stdio::null()).stdout(Stdio::null()).status();
        assert!(!status.await.unwrap().success(), "{arguments:?}");
    }
}
