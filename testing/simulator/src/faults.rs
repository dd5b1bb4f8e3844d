//! Fault injection: what goes wrong with the next call creations, webhooks and lists.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::delivery::DeliveryFaults;

const DEFAULT_HOLD_MS: u64 = 500;

/// A fault of `POST /api/calls`; several effects may be combined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CreateFault {
    /// Close the connection without an answer; no call is created.
    pub drop_before_accept: bool,
    /// Create the call, then close the connection without an answer.
    pub drop_after_accept: bool,
    /// Answer with this 5xx; no call is created. A 503 has `Retry-After`, as the provider's own.
    pub status_before_accept: Option<u16>,
    /// Create the call, then answer with this 5xx.
    pub status_after_accept: Option<u16>,
    /// Create the call, then delay the answer by so many real milliseconds.
    pub slow_ms: Option<u64>,
    /// Answer 429; no call is created.
    pub refuse_429: Option<RetryAfter>,
    /// Answer 400, 401, 402, 403 or 422; no call is created.
    pub refuse: Option<u16>,
    /// The number of requests that the fault still applies to; 1 if absent.
    pub times: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryAfter {
    /// In seconds.
    pub retry_after: u64,
}

/// Faults of all webhooks. All durations are real time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookFaults {
    /// Probability that a webhook is never sent.
    pub drop: f64,
    /// Additional requests per webhook.
    pub duplicate: u32,
    /// Delay that keeps the order.
    pub delay_ms: u64,
    /// Probability that a webhook is held while later ones overtake it.
    pub reorder: f64,
    /// How long a webhook is held; 500 if absent.
    pub hold_ms: Option<u64>,
}

/// An outage of Ultravox's API: every request is answered with a 5xx and has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    pub status: u16,
    /// Real seconds from now on.
    pub secs: f64,
}

/// A change of the faults: faults of call creations are added, other values are replaced.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultChange {
    pub create_call: Vec<CreateFault>,
    pub webhooks: Option<WebhookFaults>,
    pub outage: Option<Outage>,
    /// Real seconds until a new call appears in lists.
    pub list_lag_secs: Option<f64>,
    /// Seed of the random generator.
    pub seed: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct ActiveFaults {
    pub create_call: Vec<CreateFault>,
    pub webhooks: WebhookFaults,
    pub list_lag_secs: f64,
}

#[derive(Debug)]
struct State {
    active: ActiveFaults,
    /// Status and end of the outage.
    outage: Option<(StatusCode, Instant)>,
    random: Pcg32,
}

#[derive(Debug)]
pub struct Faults(Mutex<State>);

impl Default for Faults {
    fn default() -> Self {
        let random = Pcg32::seed_from_u64(0);
        let state = State { active: ActiveFaults::default(), outage: None, random };
        Self(Mutex::new(state))
    }
}

impl Faults {
    pub fn active(&self) -> ActiveFaults {
        self.lock().active.clone()
    }

    /// Removes every fault; the random generator keeps its state.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.active = ActiveFaults::default();
        state.outage = None;
    }

    /// Applies a change.
    ///
    /// # Errors
    ///
    /// If a probability, a status or a duration is out of range; nothing is changed then.
    pub fn change(&self, change: FaultChange) -> anyhow::Result<()> {
        check(&change)?;
        let outage = change.outage.map(Outage::begin).transpose()?;
        let mut state = self.lock();
        state.active.create_call.extend(change.create_call);
        if let Some(webhooks) = change.webhooks {
            state.active.webhooks = webhooks;
        }
        if outage.is_some() {
            state.outage = outage;
        }
        if let Some(lag) = change.list_lag_secs {
            state.active.list_lag_secs = lag;
        }
        if let Some(seed) = change.seed {
            state.random = Pcg32::seed_from_u64(seed);
        }
        Ok(())
    }

    /// Takes the fault of the next call creation, if there is one.
    pub fn take_create_fault(&self) -> Option<CreateFault> {
        let mut state = self.lock();
        let faults = &mut state.active.create_call;
        faults.retain(|fault| fault.times != Some(0));
        let fault = faults.first_mut()?;
        let taken = fault.clone();
        fault.times = Some(fault.times.unwrap_or(1) - 1);
        faults.retain(|fault| fault.times != Some(0));
        Some(taken)
    }

    /// Draws the faults of one webhook.
    pub fn draw_webhook_faults(&self) -> DeliveryFaults {
        let mut state = self.lock();
        let State { active, random, .. } = &mut *state;
        let faults = &active.webhooks;
        let mut draw = |probability: f64| {
            f64::from(random.next_u32()) < probability * (f64::from(u32::MAX) + 1.0)
        };
        let hold = Duration::from_millis(faults.hold_ms.unwrap_or(DEFAULT_HOLD_MS));
        DeliveryFaults {
            dropped: draw(faults.drop),
            duplicates: faults.duplicate,
            delay: Duration::from_millis(faults.delay_ms),
            hold: draw(faults.reorder).then_some(hold),
        }
    }

    /// The status of all answers, during an outage.
    pub fn outage(&self) -> Option<StatusCode> {
        self.lock().outage.filter(|(_, end)| Instant::now() < *end).map(|(status, _)| status)
    }

    /// Real time from the creation of a call until it appears in lists.
    pub fn list_lag(&self) -> Duration {
        Duration::try_from_secs_f64(self.lock().active.list_lag_secs).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the faults panics")
    }
}

impl Outage {
    /// Returns the status and the end of an outage that begins now.
    fn begin(self) -> anyhow::Result<(StatusCode, Instant)> {
        ensure!(
            (500..=599).contains(&self.status),
            "the status of an outage must be from 500 to 599"
        );
        let status = StatusCode::from_u16(self.status)?;
        let length = Duration::try_from_secs_f64(self.secs)?;
        let end = Instant::now().checked_add(length);
        Ok((status, end.context("the outage is too long")?))
    }
}

fn check(change: &FaultChange) -> anyhow::Result<()> {
    if let Some(faults) = &change.webhooks {
        let is_probability = |value| (0.0..=1.0).contains(&value);
        let are_probabilities = is_probability(faults.drop) && is_probability(faults.reorder);
        ensure!(are_probabilities, "drop and reorder must be from 0 to 1");
    }
    for fault in &change.create_call {
        let statuses = [fault.status_before_accept, fault.status_after_accept];
        let are_server_errors =
            statuses.iter().flatten().all(|status| (500..=599).contains(status));
        ensure!(are_server_errors, "an injected status must be from 500 to 599");
        let is_client_error = fault.refuse.is_none_or(|status| matches!(status, 400..=403 | 422));
        ensure!(is_client_error, "refuse must be 400, 401, 402, 403 or 422");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: FaultChange) -> Faults {
        let faults = Faults::default();
        faults.change(change).unwrap();
        faults
    }

    #[test]
    fn create_fault_without_times_applies_once() {
        let fault = CreateFault { drop_after_accept: true, ..CreateFault::default() };
        let faults = faults(FaultChange { create_call: vec![fault], ..FaultChange::default() });
        assert!(faults.take_create_fault().unwrap().drop_after_accept);
        assert_eq!(faults.take_create_fault(), None);
        assert_eq!(faults.active().create_call, []);
    }

    #[test]
    fn same_seed_drops_the_same_webhooks() {
        let draw = || {
            let webhooks = WebhookFaults { drop: 0.5, ..WebhookFaults::default() };
            let change =
                FaultChange { webhooks: Some(webhooks), seed: Some(7), ..FaultChange::default() };
            let faults = faults(change);
            (0..64).map(|_| faults.draw_webhook_faults().dropped).collect::<Vec<bool>>()
        };
        assert_eq!(draw(), draw());
        assert!(draw().contains(&true) && draw().contains(&false));
    }

    #[test]
    fn probabilities_zero_and_one_are_certain() {
        let webhooks = WebhookFaults { drop: 1.0, ..WebhookFaults::default() };
        let faults = faults(FaultChange { webhooks: Some(webhooks), ..FaultChange::default() });
        for _ in 0..1000 {
            let drawn = faults.draw_webhook_faults();
            assert!(drawn.dropped && drawn.hold.is_none());
        }
    }

    #[test]
    fn outage_ends_by_itself_and_needs_a_server_error() {
        let outage = |status, secs| FaultChange {
            outage: Some(Outage { status, secs }),
            ..FaultChange::default()
        };
        assert_eq!(faults(outage(502, 60.0)).outage(), Some(StatusCode::BAD_GATEWAY));
        assert_eq!(faults(outage(502, 0.0)).outage(), None);
        for (status, secs) in [(200, 1.0), (600, 1.0), (500, -1.0), (500, f64::MAX)] {
            assert!(Faults::default().change(outage(status, secs)).is_err(), "{status} {secs}");
        }
    }
}
