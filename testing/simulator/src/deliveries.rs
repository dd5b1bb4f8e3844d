//! Sends signed requests in order, and repeats the ones that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;

use crate::clock;
use crate::signature::{self, CarrierKey};

/// Becomes true once the first attempt of a delivery is over.
pub type Tail = watch::Receiver<bool>;

/// Waits until the first attempt of a delivery is over, whatever came of it.
pub async fn settled(mut tail: Tail) {
    // A closed channel means that the sender is gone, which is as settled as it gets.
    let _ = tail.wait_for(|over| *over).await;
}

/// How a request proves where it comes from.
#[derive(Clone)]
pub enum Seal {
    /// Webhook headers, one signature per secret.
    Webhook(Vec<String>),
    /// Carrier headers.
    Carrier(CarrierKey),
}

/// Something to deliver, with the rules for doing so (all in real time).
pub struct Parcel {
    pub url: String,
    /// GET with the body as the query, instead of POST.
    pub get: bool,
    pub content_type: &'static str,
    pub body: Bytes,
    pub seal: Seal,
    pub timeout: Duration,
    pub retries: u32,
    /// Pause before the first repetition; doubles each time.
    pub retry_base: Duration,
    pub counters: Arc<Counters>,
}

/// What is done to a delivery on purpose (real time).
#[derive(Debug, Clone, Default)]
pub struct Handling {
    /// Never sent at all.
    pub lost: bool,
    /// Sent so many times more after the first attempt.
    pub extra: u32,
    /// Sent so much later; deliveries behind it wait too.
    pub delay: Duration,
    /// Sent so much later while deliveries behind it overtake.
    pub held_back: Option<Duration>,
}

/// How deliveries fared.
#[derive(Debug, Default)]
pub struct Counters {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    pending: AtomicU64,
}

impl Counters {
    /// Attempts, how they ended, deliveries lost on purpose and deliveries not yet settled.
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

/// The one that carries parcels.
#[derive(Debug, Clone)]
pub struct Courier(Client);

impl Courier {
    /// A courier that follows no redirects.
    pub fn new() -> reqwest::Result<Self> {
        Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("simulator")
            .build()
            .map(Self)
    }

    /// The client behind it, for requests that aren't repeated.
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// Delivers in the background, not before the delivery ahead of it had its first attempt.
    pub fn send(&self, parcel: Parcel, handling: Handling, after: Option<Tail>) -> Tail {
        let (first_attempt, tail) = watch::channel(false);
        if handling.lost {
            parcel.counters.dropped.fetch_add(1, Ordering::SeqCst);
            first_attempt.send_replace(true);
            return tail;
        }
        parcel.counters.pending.fetch_add(1, Ordering::SeqCst);
        let courier = self.clone();
        tokio::spawn(async move {
            if let Some(pause) = handling.held_back {
                first_attempt.send_replace(true);
                tokio::time::sleep(pause).await;
            }
            if let Some(after) = after {
                settled(after).await;
            }
            if !handling.delay.is_zero() {
                tokio::time::sleep(handling.delay).await;
            }
            let mut acknowledged = courier.attempt(&parcel).await;
            first_attempt.send_replace(true);
            for _ in 0..handling.extra {
                courier.attempt(&parcel).await;
            }
            let mut pause = parcel.retry_base;
            for _ in 0..parcel.retries {
                if acknowledged {
                    break;
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
                acknowledged = courier.attempt(&parcel).await;
            }
            parcel.counters.pending.fetch_sub(1, Ordering::SeqCst);
            if !acknowledged {
                tracing::warn!("A delivery was given up after its last repetition.");
            }
        });
        tail
    }

    /// One attempt with fresh signature headers; true if it was answered with 2xx in time.
    async fn attempt(&self, parcel: &Parcel) -> bool {
        parcel.counters.sent.fetch_add(1, Ordering::SeqCst);
        let acknowledged = match self.request(parcel) {
            Some(request) => match request.send().await {
                Ok(response) => response.status().is_success(),
                Err(error) => {
                    tracing::debug!(%error, "A delivery attempt failed.");
                    false
                }
            },
            None => false,
        };
        let counter =
            if acknowledged { &parcel.counters.acknowledged } else { &parcel.counters.failed };
        counter.fetch_add(1, Ordering::SeqCst);
        acknowledged
    }

    fn request(&self, parcel: &Parcel) -> Option<reqwest::RequestBuilder> {
        let mut url = Url::parse(&parcel.url).ok()?;
        let body: &[u8] = if parcel.get { b"" } else { &parcel.body };
        let request = if parcel.get {
            let own = url.query().map(|query| format!("{query}&")).unwrap_or_default();
            let query = format!("{own}{}", String::from_utf8_lossy(&parcel.body));
            url.set_query(Some(&query));
            self.0.get(url)
        } else {
            self.0.post(url).header("content-type", parcel.content_type).body(parcel.body.clone())
        };
        let request = match &parcel.seal {
            Seal::Webhook(secrets) => {
                let stamp = clock::signature_stamp();
                let signatures = signature::webhook_list(secrets, body, &stamp);
                let stamped = request.header("X-Ultravox-Webhook-Timestamp", stamp);
                if secrets.is_empty() {
                    stamped
                } else {
                    stamped.header("X-Ultravox-Webhook-Signature", signatures)
                }
            }
            Seal::Carrier(key) => {
                let stamp = clock::carrier_stamp();
                request
                    .header("telnyx-signature-ed25519", key.sign(&stamp, body))
                    .header("telnyx-timestamp", stamp)
            }
        };
        Some(request.timeout(parcel.timeout))
    }
}
