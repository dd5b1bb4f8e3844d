//! Requests to the webhook server, genuine and other.

use anyhow::{Context as _, Result};
use chrono::{SecondsFormat, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use stack::development::WEBHOOK_SECRET;

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

/// Sends a body as the provider does: signed, with the time of sending.
pub async fn signed_post(url: &str, body: &str) -> Result<Answer> {
    let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false);
    let signature = sign(body, &timestamp);
    let headers = [
        ("X-Ultravox-Webhook-Timestamp", timestamp.as_str()),
        ("X-Ultravox-Webhook-Signature", signature.as_str()),
    ];
    post(url, body, &headers).await
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

/// The signature of a body and the time of its sending.
fn sign(body: &str, timestamp: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(body.as_bytes());
    mac.update(timestamp.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
