//! The simulator as the provider.

use chrono::Utc;
use devstack::{Process, Program, Ready, TempDir, development, ports, workspace};
use reqwest::Client;
use serde_json::Value;

use super::{NOW, TIMEOUT, at, eventually};

/// Simulated seconds per second: a call lasts for the whole test.
pub const LIVE: &str = "1";
/// Simulated seconds per second: a call is over at once.
pub const FAST: &str = "3000";

/// A running simulator, whose time is [`NOW`] at its start.
pub struct Provider {
    pub url: String,
    pub process: Process,
    http: Client,
    _temp_dir: TempDir,
}

impl Provider {
    /// Starts a simulator with this speed and more arguments.
    pub async fn start(speed: &str, args: &[&str]) -> Self {
        let temp_dir = workspace::temp_dir().unwrap();
        let port = ports::find_free().unwrap().to_string();
        let url = format!("http://127.0.0.1:{port}");
        let offset = (at(NOW) - Utc::now()).num_seconds().to_string();
        let program = workspace::bin_dir().unwrap().join("simulator");
        let program = Program::new("simulator", program, temp_dir.path())
            .args(["--port", &port, "--speed", speed, "--clock-offset-secs", &offset])
            .args(["--telnyx-account-sid", development::TELNYX_ACCOUNT_SID])
            .args(["--telnyx-api-key", development::TELNYX_API_KEY])
            .args(args)
            .env([("ULTRAVOX_API_KEY", development::ULTRAVOX_API_KEY)]);
        let ready = Ready::Http(format!("{url}/sim/health"));
        let process = Process::start(program, ready).await;
        let process = process.expect("build it with `cargo build --workspace --bins`");
        Self { url, process, http: Client::new(), _temp_dir: temp_dir }
    }

    /// Sets the next faults.
    pub async fn fault(&self, change: Value) {
        let url = format!("{}/sim/faults", self.url);
        let answer = self.http.post(url).json(&change).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{change}");
    }

    /// All calls of its ledger.
    pub async fn calls(&self) -> Vec<Value> {
        self.ledger().await["calls"].as_array().unwrap().clone()
    }

    /// Requests that violate the contract.
    pub async fn violations(&self) -> Vec<Value> {
        self.ledger().await["violations"].as_array().unwrap().clone()
    }

    /// Waits until its only call is over.
    pub async fn over(&self) -> Value {
        self.only_call("the call is over", |call| !call["billedDuration"].is_null()).await
    }

    /// Waits until its only call is answered.
    pub async fn joined(&self) -> Value {
        self.only_call("somebody answers", |call| !call["joined"].is_null()).await
    }

    async fn only_call(&self, awaited: &str, holds: fn(&Value) -> bool) -> Value {
        eventually(TIMEOUT, awaited, async || {
            let mut calls = self.calls().await;
            assert_eq!(calls.len(), 1, "{calls:?}");
            Ok(calls.pop().filter(holds))
        })
        .await
    }

    async fn ledger(&self) -> Value {
        let answer = self.http.get(format!("{}/sim/ledger", self.url)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Deletes a call, as the provider does with old ones.
    pub async fn forget(&self, call_id: &str) {
        let request = self.http.delete(format!("{}/api/calls/{call_id}", self.url));
        let request = request.header("X-API-Key", development::ULTRAVOX_API_KEY);
        assert_eq!(request.send().await.unwrap().status(), 204);
    }
}
