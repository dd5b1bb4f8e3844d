//! The program itself.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn the_program_announces_its_address_and_answers() {
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
async fn every_option_is_explained() {
    let output = Command::new(env!("CARGO_BIN_EXE_simulator")).arg("--help").output();
    let help = String::from_utf8(output.await.unwrap().stdout).unwrap();
    for option in ["--speed", "--scenarios", "--clock-offset-secs", "--telnyx-seed"] {
        assert!(help.contains(option), "{option}");
    }
}

#[tokio::test]
async fn senseless_settings_are_refused() {
    for arguments in [
        ["--speed", "0"],
        ["--speed", "NaN"],
        ["--telnyx-seed", "xyz"],
        ["--scenarios", "/nonexistent.json"],
        ["--webhook-events", "call.lost"],
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_simulator"));
        let program = program.args(["--port", "0", "--api-key", "key"]).args(arguments);
        let status = program.stderr(Stdio::null()).stdout(Stdio::null()).status();
        assert!(!status.await.unwrap().success(), "{arguments:?}");
    }
}
