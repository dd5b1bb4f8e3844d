//! Status callbacks: form-encoded, signed, repeated a few times.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use url::form_urlencoded::Serializer;

use super::{Leg, LegCallback, LegState, LegStatus};
use crate::calls::Call;
use crate::deliveries::{Counters, Courier, Handling, Parcel, Seal, Tail};
use crate::signature::CarrierKey;

const CONNECTION: &str = "1234567890";
const TIMEOUT: Duration = Duration::from_secs(2);
const RETRIES: u32 = 5;
const RETRY_BASE: Duration = Duration::from_secs(1);

/// What a status callback reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegEvent {
    Initiated,
    Ringing,
    Answered,
    Completed,
}

impl LegEvent {
    fn name(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Completed => "completed",
        }
    }
}

/// The carrier's side of the line.
#[derive(Debug)]
pub struct Carrier {
    pub account: String,
    key: CarrierKey,
    courier: Courier,
    /// How its callbacks fared.
    pub counters: Arc<Counters>,
}

impl Carrier {
    /// A carrier that signs with this key.
    pub fn new(account: String, key: CarrierKey, courier: Courier) -> Self {
        Self { account, key, courier, counters: Arc::default() }
    }

    /// The base64 key to verify callbacks with.
    pub fn public_key(&self) -> String {
        self.key.public_key()
    }

    /// Moves a leg on and reports it, after the report before it.
    pub fn advance(
        &self,
        call: &Call,
        leg: &Leg,
        event: LegEvent,
        now: DateTime<Utc>,
        after: Option<Tail>,
    ) -> Option<Tail> {
        let state = {
            let mut state = leg.state();
            let snapshot = state.clone();
            state.sequence += 1;
            snapshot
        };
        let callback = leg.dial.status_callback.as_ref()?;
        let wanted = leg.dial.status_events.iter();
        if !wanted.map(String::as_str).any(|name| name == event.name()) {
            return None;
        }
        let mut form = self.identity(leg);
        progress_fields(&mut form, call, leg, &state, now);
        Some(self.send(callback, form, after))
    }

    /// Reports who answered, if the client asked to be told separately.
    pub fn detected(
        &self,
        leg: &Leg,
        answered_by: &'static str,
        after: Option<Tail>,
    ) -> Option<Tail> {
        let callback = leg.dial.detection_callback.as_ref()?;
        let mut form = self.identity(leg);
        form.push(("AnsweredBy", answered_by.to_owned()));
        form.push(("MachineDetectionDuration", "3200".to_owned()));
        Some(self.send(callback, form, after))
    }

    fn identity(&self, leg: &Leg) -> Vec<(&'static str, String)> {
        vec![
            ("AccountSid", self.account.clone()),
            ("CallSid", leg.sid.clone()),
            ("CallSidLegacy", leg.sid.clone()),
            ("ConnectionId", CONNECTION.to_owned()),
        ]
    }

    fn send(&self, callback: &LegCallback, form: Vec<(&str, String)>, after: Option<Tail>) -> Tail {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let parcel = Parcel {
            url: callback.url.clone(),
            get: callback.get,
            content_type: "application/x-www-form-urlencoded",
            body: body.into(),
            seal: Seal::Carrier(self.key.clone()),
            timeout: TIMEOUT,
            retries: RETRIES,
            retry_base: RETRY_BASE,
            counters: Arc::clone(&self.counters),
        };
        self.courier.send(parcel, Handling::default(), after)
    }
}

fn progress_fields(
    form: &mut Vec<(&'static str, String)>,
    call: &Call,
    leg: &Leg,
    state: &LegState,
    now: DateTime<Utc>,
) {
    let stamp = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
    form.extend([
        ("CallStatus", state.status.name().to_owned()),
        ("CallbackSource", "call-progress-events".to_owned()),
        ("From", leg.dial.from.clone()),
        ("To", leg.dial.to.clone()),
        ("SequenceNumber", state.sequence.to_string()),
        ("Timestamp", now.to_rfc3339_opts(SecondsFormat::Secs, true)),
        ("CallInitiatedAt", stamp(call.created)),
        ("CallControlId", leg.sid.clone()),
        ("CallLegId", leg.leg_id.to_string()),
        ("CallSessionId", leg.session_id.to_string()),
    ]);
    if let Some(answered) = state.answered {
        form.push(("AnsweredTime", stamp(answered)));
    }
    if let Some(answered_by) = state.answered_by {
        form.push(("AnsweredBy", answered_by.to_owned()));
    }
    if state.status.is_over() {
        let ended = state.ended.unwrap_or(now);
        let talk = state.answered.map_or(0, |start| (ended - start).num_seconds());
        form.push(("EndTime", stamp(ended)));
        form.push(("CallDuration", talk.to_string()));
        form.push(("HangupCause", state.hangup_cause.unwrap_or("unspecified").to_owned()));
        form.push(("HangupSource", state.hangup_source.unwrap_or("unknown").to_owned()));
    }
    if state.status == LegStatus::Failed {
        form.push(("ErrorMessage", "the call could not be completed".to_owned()));
    }
}
