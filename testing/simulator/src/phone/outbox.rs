//! The webhooks and callbacks of a running call: each receiver gets them in order.

use chrono::{DateTime, Utc};

use crate::call::Call;
use crate::delivery::{Delivery, FirstAttempt, wait_for_first_attempt};
use crate::leg::AnsweredBy;
use crate::scenario::Scenario;
use crate::schema::LegEvent;
use crate::simulator::Simulator;
use crate::webhook_event::WebhookEvent;

/// The last delivery to each receiver.
#[derive(Debug, Default)]
pub struct Outbox {
    account: Option<FirstAttempt>,
    callback: Option<FirstAttempt>,
    telnyx: Option<FirstAttempt>,
}

impl Outbox {
    pub fn send_event(
        &mut self,
        simulator: &Simulator,
        call: &Call,
        scenario: &Scenario,
        event: WebhookEvent,
    ) {
        let deliveries = simulator.webhooks.deliveries(event, call);
        let send = |delivery: Delivery, last: &mut Option<FirstAttempt>| {
            let mut faults = simulator.faults.draw_webhook_faults();
            faults.dropped |= scenario.webhooks.drop.contains(&event);
            *last = Some(simulator.sender.send(delivery, faults, last.take()));
        };
        if let Some(delivery) = deliveries.account {
            send(delivery, &mut self.account);
        }
        if let Some(delivery) = deliveries.callback {
            send(delivery, &mut self.callback);
        }
    }

    pub fn send_status(
        &mut self,
        simulator: &Simulator,
        call: &Call,
        event: LegEvent,
        now: DateTime<Utc>,
    ) {
        let after = self.telnyx.clone();
        let sent = simulator.telnyx.report_status(&call.leg, event, now, after);
        self.telnyx = sent.or(self.telnyx.take());
    }

    pub fn send_detection(&mut self, simulator: &Simulator, call: &Call, answered_by: AnsweredBy) {
        let after = self.telnyx.clone();
        let sent = simulator.telnyx.report_detection(&call.leg, answered_by, after);
        self.telnyx = sent.or(self.telnyx.take());
    }

    /// Waits until every webhook so far had its first attempt.
    pub async fn wait_for_webhooks(&self) {
        for first_attempt in [&self.account, &self.callback].into_iter().flatten() {
            wait_for_first_attempt(first_attempt.clone()).await;
        }
    }
}
