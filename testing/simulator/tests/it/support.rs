//! A simulator and a receiver on free ports, and a valid request.

mod receiver;
mod request;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser as _;
use reqwest::{Client, Response};
use serde_json::Value;
use simulator::{Settings, Simulator};
use tokio::net::TcpListener;

pub use receiver::{Hit, Receiver};
pub use request::{call_to, set};

pub const KEY: &str = "testkey1.0123456789abcdef0123456789abcdef";
pub const SECRET: &str = "whsec_test_0123456789abcdef";
pub const TOOL_TOKEN: &str = "tool-token-for-one-call";

/// A running simulator.
pub struct Sim {
    pub url: String,
    pub client: Client,
}

impl Sim {
    /// Fast enough that a whole call takes less than a second.
    pub async fn fast() -> Self {
        Self::start(&["--speed", "2000"]).await
    }

    /// With these arguments of the command line.
    pub async fn start(arguments: &[&str]) -> Self {
        let base = ["simulator", "--api-key", KEY, "--retry-base-secs", "0.05"];
        let settings = Settings::try_parse_from(base.iter().chain(arguments)).unwrap();
        let simulator = Arc::new(Simulator::new(settings).unwrap());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(simulator::serve(listener, simulator, std::future::pending()));
        Self { url, client: Client::builder().no_proxy().build().unwrap() }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.try_post(path, body).await.unwrap()
    }

    pub async fn try_post(&self, path: &str, body: &Value) -> reqwest::Result<Response> {
        let request = self.client.post(format!("{}{path}", self.url));
        request.header("X-API-Key", KEY).json(body).send().await
    }

    pub async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        request.header("X-API-Key", KEY).send().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.unwrap()
    }

    /// Creates a call and returns its id.
    pub async fn create(&self, body: &Value) -> String {
        let response = self.post("/api/calls", body).await;
        let status = response.status();
        let call: Value = response.json().await.unwrap();
        assert_eq!(status, 201, "{call}");
        call["callId"].as_str().unwrap().to_owned()
    }

    /// The ledger's entry of a call.
    pub async fn entry(&self, id: &str) -> Value {
        let ledger = self.json("/sim/ledger").await;
        let calls = ledger["calls"].as_array().unwrap();
        calls.iter().find(|call| call["callId"] == id).unwrap().clone()
    }

    /// The ledger's entry of a call, once it is billed and no delivery is pending.
    pub async fn finished(&self, id: &str) -> Value {
        eventually("the call is billed", async || {
            let entry = self.entry(id).await;
            let ledger = self.json("/sim/ledger").await;
            let is_delivered = ledger["deliveries"]["pending"] == 0;
            (is_delivered && !entry["billedDuration"].is_null()).then_some(entry)
        })
        .await
    }

    /// Waits until a call is joined.
    pub async fn joined(&self, id: &str) {
        eventually("the call is joined", async || {
            let call = self.json(&format!("/api/calls/{id}")).await;
            (!call["joined"].is_null()).then_some(())
        })
        .await;
    }

    pub async fn violations(&self) -> Vec<Value> {
        self.json("/sim/ledger").await["violations"].as_array().unwrap().clone()
    }

    /// Every message of a call.
    pub async fn messages(&self, id: &str) -> Vec<Value> {
        let page = self.json(&format!("/api/calls/{id}/messages?pageSize=100")).await;
        page["results"].as_array().unwrap().clone()
    }
}

/// Polls until there is an answer; panics when the deadline passes.
pub async fn eventually<T>(what: &str, probe: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut interval = tokio::time::interval(Duration::from_millis(5));
    while Instant::now() < deadline {
        interval.tick().await;
        if let Some(found) = probe().await {
            return found;
        }
    }
    panic!("deadline passed, still waiting until {what}");
}
