//! Telnyx's callbacks: form-encoded, signed and retried.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use url::form_urlencoded::Serializer;

use crate::delivery::{Auth, Delivery, DeliveryCounters, DeliveryFaults};
use crate::delivery::{FirstAttempt, WebhookSender};
use crate::leg::{AnsweredBy, Leg, LegState, LegStatus};
use crate::schema::LegEvent;
use crate::signature::TelnyxKey;

const CONNECTION_ID: &str = "1234567890";
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_RETRIES: u32 = 5;
const RETRY_BASE: Duration = Duration::from_secs(1);

type Form = Vec<(&'static str, String)>;

#[derive(Debug)]
pub struct TelnyxCallbacks {
    pub account_sid: String,
    pub key: TelnyxKey,
    pub counters: Arc<DeliveryCounters>,
    sender: WebhookSender,
}

impl TelnyxCallbacks {
    pub fn new(account_sid: String, sender: WebhookSender) -> Self {
        Self { account_sid, key: TelnyxKey::fixed(), counters: Arc::default(), sender }
    }

    /// Numbers a status event and sends its callback if the request asks for it.
    pub fn report_status(
        &self,
        leg: &Leg,
        event: LegEvent,
        now: DateTime<Utc>,
        after: Option<FirstAttempt>,
    ) -> Option<FirstAttempt> {
        let state = {
            let mut state = leg.state();
            let snapshot = state.clone();
            state.sequence += 1;
            snapshot
        };
        let url = leg.status_callback.as_ref()?;
        if !leg.status_events.contains(&event) {
            return None;
        }
        let mut form = self.leg_fields(leg);
        form.extend(status_fields(leg, &state, now));
        Some(self.send(url, form, after))
    }

    /// Reports who answered if the request asks for a callback of its own.
    pub fn report_detection(
        &self,
        leg: &Leg,
        answered_by: AnsweredBy,
        after: Option<FirstAttempt>,
    ) -> Option<FirstAttempt> {
        let url = leg.detection_callback.as_ref()?;
        let mut form = self.leg_fields(leg);
        form.push(("AnsweredBy", <&str>::from(answered_by).to_owned()));
        form.push(("MachineDetectionDuration", "3200".to_owned()));
        Some(self.send(url, form, after))
    }

    fn leg_fields(&self, leg: &Leg) -> Form {
        vec![
            ("AccountSid", self.account_sid.clone()),
            ("CallSid", leg.sid.clone()),
            ("CallSidLegacy", leg.sid.clone()),
            ("ConnectionId", CONNECTION_ID.to_owned()),
        ]
    }

    fn send(&self, url: &str, form: Form, after: Option<FirstAttempt>) -> FirstAttempt {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let delivery = Delivery {
            url: url.to_owned(),
            content_type: "application/x-www-form-urlencoded",
            body: body.into(),
            auth: Auth::Telnyx(self.key.clone()),
            timeout: TIMEOUT,
            max_retries: MAX_RETRIES,
            retry_base: RETRY_BASE,
            counters: Arc::clone(&self.counters),
        };
        self.sender.send(delivery, DeliveryFaults::default(), after)
    }
}

fn status_fields(leg: &Leg, state: &LegState, now: DateTime<Utc>) -> Form {
    let timestamp = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut form = vec![
        ("CallStatus", <&str>::from(state.status).to_owned()),
        ("CallbackSource", "call-progress-events".to_owned()),
        ("From", leg.from.clone()),
        ("To", leg.to.clone()),
        ("SequenceNumber", state.sequence.to_string()),
        ("Timestamp", now.to_rfc3339_opts(SecondsFormat::Secs, true)),
        ("CallInitiatedAt", timestamp(leg.initiated_at)),
        ("CallControlId", leg.sid.clone()),
        ("CallLegId", leg.leg_id.to_string()),
        ("CallSessionId", leg.session_id.to_string()),
    ];
    if let Some(answered_at) = state.answered_at {
        form.push(("AnsweredTime", timestamp(answered_at)));
    }
    if let Some(answered_by) = state.answered_by {
        form.push(("AnsweredBy", <&str>::from(answered_by).to_owned()));
    }
    if state.status.is_over() {
        let ended_at = state.ended_at.unwrap_or(now);
        let talk_secs = state.answered_at.map_or(0, |start| (ended_at - start).num_seconds());
        form.push(("EndTime", timestamp(ended_at)));
        form.push(("CallDuration", talk_secs.to_string()));
    }
    if let Some((cause, source)) = state.hangup {
        form.push(("HangupCause", <&str>::from(cause).to_owned()));
        form.push(("HangupSource", <&str>::from(source).to_owned()));
    }
    if state.status == LegStatus::Failed {
        form.push(("ErrorMessage", "the call could not be completed".to_owned()));
    }
    form
}
