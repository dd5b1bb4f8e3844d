//! Sends signed requests in order and retries those that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock;
use crate::signature::{self, TelnyxKey};

/// Becomes true once the first attempt of a delivery is over.
pub type FirstAttempt = watch::Receiver<bool>;

/// Waits until the first attempt of a delivery is over, whether or not it succeeded.
pub async fn wait_for_first_attempt(mut first_attempt: FirstAttempt) {
    // An error means that the sender is gone, so no attempt is left to wait for.
    let _ = first_attempt.wait_for(|is_over| *is_over).await;
}

/// How a request is signed.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Ultravox's headers, with one signature per secret.
    Ultravox(Vec<String>),
    /// Telnyx's headers.
    Telnyx(TelnyxKey),
}

/// A request to send by POST. All durations are real time.
#[derive(Debug)]
pub struct Delivery {
    pub url: String,
    pub content_type: &'static str,
    pub body: Bytes,
    pub auth: Auth,
    pub timeout: Duration,
    pub max_retries: u32,
    /// Delay before the first retry; doubles each time.
    pub retry_base: Duration,
    pub counters: Arc<DeliveryCounters>,
}

/// Injected faults of one delivery. All durations are real time.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFaults {
    /// Never sent.
    pub dropped: bool,
    /// Additional requests after the first attempt.
    pub duplicates: u32,
    /// Delay of this delivery and of those behind it.
    pub delay: Duration,
    /// Delay of this delivery only, so that those behind it overtake it.
    pub hold: Option<Duration>,
}

#[derive(Debug, Default)]
pub struct DeliveryCounters {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    pending: AtomicU64,
}

impl DeliveryCounters {
    /// Attempts (`sent`) and their results, and deliveries that are dropped or not yet finished.
    pub fn to_json(&self) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        json!({
            "sent": read(&self.sent),
            "acknowledged": read(&self.acknowledged),
            "failed": read(&self.failed),
            "dropped": read(&self.dropped),
            "pending": read(&self.pending),
        })
    }
}

/// The HTTP client for webhooks, Telnyx's callbacks and tool requests.
#[derive(Debug, Clone)]
pub struct WebhookSender(Client);

impl WebhookSender {
    pub fn new() -> reqwest::Result<Self> {
        Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("simulator")
            .build()
            .map(Self)
    }

    pub fn client(&self) -> &Client {
        &self.0
    }

    /// Sends a delivery in the background, after the first attempt of the one before it.
    pub fn send(
        &self,
        delivery: Delivery,
        faults: DeliveryFaults,
        after: Option<FirstAttempt>,
    ) -> FirstAttempt {
        let (is_attempted, first_attempt) = watch::channel(false);
        if faults.dropped {
            delivery.counters.dropped.fetch_add(1, Ordering::SeqCst);
            is_attempted.send_replace(true);
            return first_attempt;
        }
        delivery.counters.pending.fetch_add(1, Ordering::SeqCst);
        let sender = self.clone();
        tokio::spawn(async move {
            if let Some(hold) = faults.hold {
                is_attempted.send_replace(true);
                tokio::time::sleep(hold).await;
            }
            if let Some(after) = after {
                wait_for_first_attempt(after).await;
            }
            if !faults.delay.is_zero() {
                tokio::time::sleep(faults.delay).await;
            }
            let mut acknowledged = sender.attempt(&delivery).await;
            is_attempted.send_replace(true);
            for _ in 0..faults.duplicates {
                sender.attempt(&delivery).await;
            }
            let mut delay = delivery.retry_base;
            for _ in 0..delivery.max_retries {
                if acknowledged {
                    break;
                }
                tokio::time::sleep(delay).await;
                delay *= 2;
                acknowledged = sender.attempt(&delivery).await;
            }
            delivery.counters.pending.fetch_sub(1, Ordering::SeqCst);
            if !acknowledged {
                tracing::warn!("Delivery failed after its last retry");
            }
        });
        first_attempt
    }

    /// Sends once with a new signature; returns whether the answer is 2xx and in time.
    async fn attempt(&self, delivery: &Delivery) -> bool {
        let counters = &delivery.counters;
        counters.sent.fetch_add(1, Ordering::SeqCst);
        let acknowledged = match self.request(delivery).send().await {
            Ok(response) => response.status().is_success(),
            Err(error) => {
                tracing::debug!(%error, "Delivery attempt failed");
                false
            }
        };
        let counter = if acknowledged { &counters.acknowledged } else { &counters.failed };
        counter.fetch_add(1, Ordering::SeqCst);
        acknowledged
    }

    fn request(&self, delivery: &Delivery) -> reqwest::RequestBuilder {
        let body = &delivery.body;
        let request = self
            .0
            .post(&delivery.url)
            .timeout(delivery.timeout)
            .header("content-type", delivery.content_type)
            .body(body.clone());
        match &delivery.auth {
            Auth::Ultravox(secrets) => {
                let timestamp = clock::ultravox_signature_timestamp();
                let signatures = signature::sign_webhook_with_all(secrets, body, &timestamp);
                let request = request.header("X-Ultravox-Webhook-Timestamp", timestamp);
                if secrets.is_empty() {
                    request
                } else {
                    request.header("X-Ultravox-Webhook-Signature", signatures)
                }
            }
            Auth::Telnyx(key) => {
                let timestamp = clock::telnyx_signature_timestamp();
                request
                    .header("telnyx-signature-ed25519", key.sign(&timestamp, body))
                    .header("telnyx-timestamp", timestamp)
            }
        }
    }
}
