//! Requests to the webhook server.

use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use devstack::development::WEBHOOK_SECRET;
use devstack::sign::{self, carrier_token};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::TestSystem;

/// For how long a sender repeats a webhook that the server can't take, and how often. The provider
/// repeats for longer and more seldom.
const REPEAT_FOR: Duration = Duration::from_secs(60);
const REPEAT_INTERVAL: Duration = Duration::from_millis(500);

/// The headers of a signed webhook: timestamp and signature.
pub const HEADERS: [&str; 2] = ["X-Ultravox-Webhook-Timestamp", "X-Ultravox-Webhook-Signature"];

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub content_type: String,
    /// `null` if the body is not JSON.
    pub body: Value,
}

/// The signature of a body.
#[derive(Clone, Debug)]
pub struct Signed {
    pub timestamp: String,
    pub signature: String,
}

impl Signed {
    /// Signs now, with the secret of the stack.
    pub fn now(body: &str) -> Self {
        Self::with(WEBHOOK_SECRET, body)
    }

    /// Signs now, with any secret.
    pub fn with(secret: &str, body: &str) -> Self {
        Self::at(secret, body, Utc::now())
    }

    /// Signs at any time, which is written as the provider writes it.
    pub fn at(secret: &str, body: &str, time: DateTime<Utc>) -> Self {
        Self::with_timestamp(secret, body, &time.to_rfc3339_opts(SecondsFormat::Micros, false))
    }

    /// Signs with this timestamp.
    pub fn with_timestamp(secret: &str, body: &str, timestamp: &str) -> Self {
        let signature = sign::webhook_signature(secret, body.as_bytes(), timestamp.as_bytes());
        Self { timestamp: timestamp.to_owned(), signature }
    }

    pub fn headers(&self) -> [(&str, &str); 2] {
        [(HEADERS[0], &self.timestamp), (HEADERS[1], &self.signature)]
    }
}

/// Posts a signed body, as the provider does: repeats it while the server answers 503.
pub async fn post_signed(url: &str, body: &str) -> Result<Response> {
    post_repeatedly(&reqwest::Client::new(), url, body, &Signed::now(body).headers()).await
}

/// Posts with a shared client and repeats the request while the server answers 503, as it does if
/// Temporal is slow.
pub async fn post_repeatedly(
    client: &reqwest::Client,
    url: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Result<Response> {
    let deadline = Instant::now() + REPEAT_FOR;
    loop {
        let response = post_with(client, url, body, headers).await?;
        if response.status != 503 || Instant::now() > deadline {
            return Ok(response);
        }
        sleep(REPEAT_INTERVAL).await;
    }
}

pub async fn post(url: &str, body: &str, headers: &[(&str, &str)]) -> Result<Response> {
    post_with(&reqwest::Client::new(), url, body, headers).await
}

/// Posts with a shared client. Creating a client takes long enough that a hundred of them exceed the
/// server's time for a head.
async fn post_with(
    client: &reqwest::Client,
    url: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Result<Response> {
    let mut request = client.post(url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.with_context(|| format!("posting to {url}"))?;
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type");
    let content_type = content_type.and_then(|text| text.to_str().ok()).unwrap_or("").to_owned();
    let body = serde_json::from_str(&response.text().await?).unwrap_or_default();
    Ok(Response { status, content_type, body })
}

/// Posts a form about a dial, signed with the key of the simulated carrier.
pub async fn post_as_carrier(system: &TestSystem, dial: &str, form: &str) -> Result<Response> {
    let key = SigningKey::from_bytes(&std::array::from_fn(|index| index as u8));
    let time = Utc::now().timestamp().to_string();
    let signature = STANDARD.encode(key.sign(format!("{time}|{form}").as_bytes()).to_bytes());
    let token = carrier_token(WEBHOOK_SECRET, dial);
    let url = system.webhook(&format!("/webhooks/telnyx?dial={token}"));
    post(&url, form, &[("Telnyx-Timestamp", &time), ("Telnyx-Signature-Ed25519", &signature)]).await
}
