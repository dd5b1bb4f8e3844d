//! Requests to the webhook server, genuine and other.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use devstack::development::WEBHOOK_SECRET;
use devstack::sign::{self, carrier_token};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;

use super::Story;

/// The headers of a signed webhook.
pub const HEADERS: [&str; 2] = ["X-Ultravox-Webhook-Timestamp", "X-Ultravox-Webhook-Signature"];

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The type of the body.
    pub content_type: String,
    /// The body; null if it is not JSON.
    pub body: Value,
}

/// What a sender shows: time and signature.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The time of sending.
    pub timestamp: String,
    /// The signature.
    pub signature: String,
}

impl Signed {
    /// By the secret of the local stack, now.
    pub fn now(body: &str) -> Self {
        Self::with(WEBHOOK_SECRET, body)
    }

    /// By another secret, now.
    pub fn with(secret: &str, body: &str) -> Self {
        Self::at(secret, body, Utc::now())
    }

    /// At another time, as the provider writes it.
    pub fn at(secret: &str, body: &str, time: DateTime<Utc>) -> Self {
        Self::stamped(secret, body, &time.to_rfc3339_opts(SecondsFormat::Micros, false))
    }

    /// With a time as it is written here.
    pub fn stamped(secret: &str, body: &str, timestamp: &str) -> Self {
        let signature = sign::webhook_signature(secret, body.as_bytes(), timestamp.as_bytes());
        Self { timestamp: timestamp.to_owned(), signature }
    }

    /// The headers.
    pub fn headers(&self) -> [(&str, &str); 2] {
        [(HEADERS[0], &self.timestamp), (HEADERS[1], &self.signature)]
    }
}

/// Sends a body as the provider does: signed, with the time of sending.
pub async fn signed_post(url: &str, body: &str) -> Result<Answer> {
    post(url, body, &Signed::now(body).headers()).await
}

/// Sends a body with these headers.
pub async fn post(url: &str, body: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = reqwest::Client::new().post(url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.with_context(|| format!("posting to {url}"))?;
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type");
    let content_type = content_type.and_then(|text| text.to_str().ok()).unwrap_or("").to_owned();
    let body = serde_json::from_str(&response.text().await?).unwrap_or_default();
    Ok(Answer { status, content_type, body })
}

/// Sends a form as the carrier does, for a dial: signed with the key of the simulated carrier.
pub async fn carrier_post(story: &Story, dial: &str, form: &str) -> Result<Answer> {
    let key = SigningKey::from_bytes(&std::array::from_fn(|index| index as u8));
    let time = Utc::now().timestamp().to_string();
    let signature = STANDARD.encode(key.sign(format!("{time}|{form}").as_bytes()).to_bytes());
    let token = carrier_token(WEBHOOK_SECRET, dial);
    let url = story.webhook(&format!("/webhooks/telnyx?dial={token}"));
    post(&url, form, &[("Telnyx-Timestamp", &time), ("Telnyx-Signature-Ed25519", &signature)]).await
}
