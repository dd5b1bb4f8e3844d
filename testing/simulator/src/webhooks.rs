//! Account webhooks, and who hears of an event.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::calls::{Call, Event, call_json};
use crate::clock::in_body;
use crate::deliveries::{Counters, Parcel, Seal};

const TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES: u32 = 10;

/// A webhook of the whole account.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub id: Uuid,
    pub url: String,
    pub secrets: Vec<String>,
    pub events: Vec<Event>,
    pub created: DateTime<Utc>,
}

impl Webhook {
    /// A webhook with a secret of its own if none is given.
    pub fn new(
        url: String,
        secrets: Vec<String>,
        events: Vec<Event>,
        created: DateTime<Utc>,
    ) -> Self {
        let secrets =
            if secrets.is_empty() { vec![Uuid::new_v4().simple().to_string()] } else { secrets };
        Self { id: Uuid::new_v4(), url, secrets, events, created }
    }

    /// The API's object.
    pub fn to_json(&self) -> Value {
        json!({
            "webhookId": self.id,
            "agentId": null,
            "created": in_body(self.created),
            "url": self.url,
            "secrets": self.secrets,
            "events": self.events.iter().map(|event| event.name()).collect::<Vec<_>>(),
            "status": "normal",
            "lastStatusChange": null,
            "recentFailures": [],
        })
    }
}

/// The account's webhooks.
#[derive(Debug)]
pub struct Webhooks {
    all: Mutex<Vec<Webhook>>,
    retry_base: Duration,
    /// How deliveries fared, per-call callbacks included.
    pub counters: Arc<Counters>,
}

impl Webhooks {
    /// No webhooks yet; failed deliveries are first repeated after `retry_base` (real time).
    pub fn new(retry_base: Duration) -> Self {
        Self { all: Mutex::default(), retry_base, counters: Arc::default() }
    }

    /// Every webhook, oldest first.
    pub fn list(&self) -> Vec<Webhook> {
        self.lock().clone()
    }

    /// Adds one.
    pub fn add(&self, webhook: Webhook) {
        self.lock().push(webhook);
    }

    /// Removes one; false if there is none.
    pub fn remove(&self, id: Uuid) -> bool {
        let mut all = self.lock();
        let before = all.len();
        all.retain(|webhook| webhook.id != id);
        all.len() < before
    }

    /// One parcel for everyone who hears of this event, each with a name for its line of
    /// deliveries. The call is shown as it is now.
    pub fn parcels(&self, event: Event, call: &Call) -> Vec<(String, Parcel)> {
        let body = json!({"event": event.name(), "call": call_json(call)}).to_string();
        let parcel = |url: &str, secrets: &[String]| Parcel {
            url: url.to_owned(),
            get: false,
            content_type: "application/json",
            body: body.clone().into(),
            seal: Seal::Webhook(secrets.to_vec()),
            timeout: TIMEOUT,
            retries: RETRIES,
            retry_base: self.retry_base,
            counters: Arc::clone(&self.counters),
        };
        let all = self.lock();
        let account = all.iter().filter(|webhook| webhook.events.contains(&event));
        let account = account.map(|webhook| {
            let line = webhook.id.to_string();
            (line, parcel(&webhook.url, &webhook.secrets))
        });
        let own = call.request.callbacks.get(&event).map(|callback| {
            let line = "callbacks".to_owned();
            (line, parcel(&callback.url, &callback.secrets))
        });
        account.chain(own).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Webhook>> {
        self.all.lock().expect("nothing panics while it holds the webhooks")
    }
}
