//! Ultravox's webhooks: those of the account and those of single calls.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::call::{Call, call_json};
use crate::delivery::{Auth, Delivery, DeliveryCounters};
use crate::webhook_event::WebhookEvent;

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_RETRIES: u32 = 10;

/// Where webhooks are sent, and what signs them.
#[derive(Debug)]
pub struct WebhookTarget {
    pub url: String,
    pub secrets: Vec<String>,
}

#[derive(Debug)]
pub struct Webhooks {
    account: Option<WebhookTarget>,
    retry_base: Duration,
    pub counters: Arc<DeliveryCounters>,
}

/// The deliveries of one event; each receiver gets its deliveries in order.
#[derive(Debug)]
pub struct EventDeliveries {
    pub account: Option<Delivery>,
    pub callback: Option<Delivery>,
}

impl Webhooks {
    /// Webhooks whose first retry is after `retry_base` (real time).
    pub fn new(account: Option<WebhookTarget>, retry_base: Duration) -> Self {
        Self { account, retry_base, counters: Arc::default() }
    }

    /// The deliveries of an event, with the call as it is now.
    pub fn deliveries(&self, event: WebhookEvent, call: &Call) -> EventDeliveries {
        let body = json!({"event": event, "call": call_json(call)}).to_string();
        let delivery = |url: &str, secrets: &[String]| Delivery {
            url: url.to_owned(),
            content_type: "application/json",
            body: body.clone().into(),
            auth: Auth::Ultravox(secrets.to_vec()),
            timeout: TIMEOUT,
            max_retries: MAX_RETRIES,
            retry_base: self.retry_base,
            counters: Arc::clone(&self.counters),
        };
        let callbacks = &call.request.callbacks;
        let callback = match event {
            WebhookEvent::Started => None,
            WebhookEvent::Joined => callbacks.joined.as_ref(),
            WebhookEvent::Ended => callbacks.ended.as_ref(),
            WebhookEvent::Billed => callbacks.billed.as_ref(),
        };
        EventDeliveries {
            account: self.account.as_ref().map(|target| delivery(&target.url, &target.secrets)),
            callback: callback.map(|callback| delivery(&callback.url.0, &callback.secrets)),
        }
    }
}
