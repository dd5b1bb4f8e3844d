//! Everything a running call sends, each receiver in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::calls::{Call, Event};
use crate::deliveries::{Tail, settled};
use crate::scenario::Scenario;
use crate::simulator::Simulator;
use crate::telnyx::{Leg, LegEvent};

const CARRIER: &str = "carrier";

/// The ends of the lines of deliveries of one call.
pub struct Outbox {
    simulator: Arc<Simulator>,
    call: Arc<Call>,
    tails: BTreeMap<String, Tail>,
}

impl Outbox {
    /// Nothing sent yet.
    pub fn new(simulator: Arc<Simulator>, call: Arc<Call>) -> Self {
        Self { simulator, call, tails: BTreeMap::new() }
    }

    /// Announces an event to everyone who listens.
    pub fn announce(&mut self, event: Event, scenario: &Scenario) {
        let plan = &scenario.webhooks;
        for (line, parcel) in self.simulator.webhooks.parcels(event, &self.call) {
            let mut handling = self.simulator.faults.for_webhook();
            handling.lost |= plan.drop.contains(&event);
            handling.extra += plan.duplicate;
            if let Some(secs) = plan.delay_secs.get(&event) {
                let delay = Duration::try_from_secs_f64(*secs).unwrap_or_default();
                handling.held_back = Some(self.simulator.clock.real(delay));
            }
            let after = self.tails.get(&line).cloned();
            let tail = self.simulator.courier.send(parcel, handling, after);
            self.tails.insert(line, tail);
        }
    }

    /// Reports the leg, unless the scenario keeps the carrier silent.
    pub fn report(&mut self, leg: &Leg, event: LegEvent, now: DateTime<Utc>, scenario: &Scenario) {
        if scenario.carrier_silent {
            return;
        }
        let after = self.tails.get(CARRIER).cloned();
        let carrier = &self.simulator.carrier;
        if let Some(tail) = carrier.advance(&self.call, leg, event, now, after) {
            self.tails.insert(CARRIER.to_owned(), tail);
        }
    }

    /// Reports who picked up.
    pub fn report_detection(&mut self, leg: &Leg, answered_by: &'static str, scenario: &Scenario) {
        if scenario.carrier_silent {
            return;
        }
        let after = self.tails.get(CARRIER).cloned();
        if let Some(tail) = self.simulator.carrier.detected(leg, answered_by, after) {
            self.tails.insert(CARRIER.to_owned(), tail);
        }
    }

    /// Waits until everything announced so far had its first attempt.
    pub async fn settled(&self) {
        for (line, tail) in &self.tails {
            if line != CARRIER {
                settled(tail.clone()).await;
            }
        }
    }
}
