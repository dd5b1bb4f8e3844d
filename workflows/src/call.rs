//! One planned call, from its slot to its records.

mod dialing;
mod local_activities;
mod monitoring;
mod recording;
mod rescheduling;
mod wait;

use chrono::{DateTime, Utc};
use domain::call_log::RunEnd;
use domain::facts::{DialEvent, DialFacts};
use domain::ids::{ConversationId, DialId, ProspectId, UserId};
use domain::status::{Outcome, Reason};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination,
    workflow, workflow_methods,
};

use crate::activities::calls::{Admitted, ConversationRef, DialRef, ReceivedEvent};
use crate::attributes;
use crate::clock::ClockOffset;
use crate::events::{self, Received};
use crate::input::{Input, InvalidInput};
use dialing::Dialed;

/// Why the slot was not moved, as a sentence.
type RescheduleError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallInput {
    /// The conversation; its row exists before the workflow starts.
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    pub prospect_id: ProspectId,
    /// The time for which the call is planned.
    pub slot: DateTime<Utc>,
    #[serde(default)]
    pub clock_offset: ClockOffset,
}

/// The result of the workflow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallResult {
    pub outcome: Option<Outcome>,
    /// Why the call ended, where the outcome does not say it.
    pub reason: Option<Reason>,
    /// Minutes charged.
    pub minutes: i32,
}

/// The state of a call, as in the search attribute `CallState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum CallState {
    /// Waits for its slot, for calling hours or for a line.
    Waiting,
    /// The request to the provider is being sent.
    Dialing,
    /// The provider has the call, or may have it.
    Ringing,
    Talking,
    /// Over; the outcome is being recorded.
    Recording,
    Recorded,
}

/// The answer to the query `progress`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub state: CallState,
    /// The state as a sentence.
    pub details: String,
    pub slot: DateTime<Utc>,
    pub dial_id: Option<DialId>,
    pub provider_call_id: Option<String>,
}

/// The workflow of one planned call.
#[workflow]
pub struct Call {
    input: CallInput,
    /// Why the workflow has no input.
    invalid_input: Option<InvalidInput>,
    /// Why the last signal that can't be read was skipped, as a sentence.
    skipped_signal: Option<String>,
    state: CallState,
    details: String,
    dial: Option<Admitted>,
    /// All events, each once. After a reset, events of an earlier dial may arrive.
    events: Vec<ReceivedEvent>,
    /// The facts of the present dial, and what the callee has decided on any dial.
    facts: DialFacts,
    /// Messages with a word that this build does not know.
    unread: Vec<serde_json::Value>,
    /// Counts what was received.
    received: u64,
    /// The value of `received` at the last record.
    recorded: u64,
    /// When this run first asked for admission.
    first_asked: Option<DateTime<Utc>>,
    /// When the dial request was sent, as far as this run knows.
    sent_at: Option<DateTime<Utc>>,
    /// How often the slot was moved.
    reschedules: u64,
    transcript: Option<String>,
}

#[workflow_methods]
impl Call {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: Input<CallInput>) -> Self {
        let (input, invalid_input) = match input.into_result() {
            Ok(input) => (input, None),
            Err(error) => (CallInput::default(), Some(error)),
        };
        Self {
            input,
            invalid_input,
            skipped_signal: None,
            state: CallState::Waiting,
            details: String::new(),
            dial: None,
            events: Vec::new(),
            facts: DialFacts::default(),
            unread: Vec::new(),
            received: 0,
            recorded: 0,
            first_asked: None,
            sent_at: None,
            reschedules: 0,
            transcript: None,
        }
    }

    /// Waits for the slot, dials, monitors the call to its end and records the outcome.
    #[run(name = "Call")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<CallResult> {
        if let Some(error) = ctx.state(|call| call.invalid_input.clone()) {
            return Err(error.into_termination());
        }
        let (end, dial) = match dialing::wait_and_dial(ctx).await? {
            Dialed::Live(dial) => (monitoring::monitor(ctx, &dial).await, Some(dial)),
            Dialed::NotMade(end) => (end, None),
        };
        let result = recording::record_outcome(ctx, dial.as_ref(), end.as_ref()).await?;
        match end {
            Some(RunEnd::Cancelled) => Err(WorkflowTermination::cancelled()),
            _ => Ok(result),
        }
    }

    /// Takes an event from the webhook server. A signal that can't be read is skipped, and shown in the details.
    #[signal(name = "call_event")]
    pub fn call_event(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        payload: Input<serde_json::Value>,
    ) {
        let payload = match payload.into_result() {
            Ok(payload) => payload,
            Err(error) => {
                self.skipped_signal = Some(format!("A signal was skipped: it {error}."));
                ctx.set_current_details(self.full_details());
                return;
            }
        };
        let message = match events::parse_message(&payload, &self.input.user_id) {
            Received::Event(message) => message,
            Received::Unread => {
                self.receive_unread(payload);
                return;
            }
            Received::Ignored => return,
        };
        let (events, transcript) = message.event.into_dial_events();
        // The longest transcript counts, in any order of arrival.
        let length = |text: &Option<String>| text.as_ref().map(String::len);
        if length(&transcript) > length(&self.transcript) {
            self.transcript = transcript;
            self.received += 1;
        }
        for event in events {
            self.receive(message.dial_id.clone(), event);
        }
    }

    /// Moves the slot of a waiting call; returns the new slot, or an error that says why it stays.
    #[update(name = "reschedule")]
    pub async fn reschedule(
        ctx: &mut WorkflowContext<Self>,
        slot: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, RescheduleError> {
        rescheduling::reschedule(ctx, Some(slot)).await
    }

    #[update_validator(reschedule)]
    fn validate_reschedule(
        &self,
        _ctx: &WorkflowContextView,
        _slot: &DateTime<Utc>,
    ) -> Result<(), RescheduleError> {
        rescheduling::check_waiting(self)
    }

    /// Moves the slot of a waiting call to now; returns the new slot, or an error that says why it stays.
    #[update(name = "call_now")]
    pub async fn call_now(
        ctx: &mut WorkflowContext<Self>,
    ) -> Result<DateTime<Utc>, RescheduleError> {
        rescheduling::reschedule(ctx, None).await
    }

    #[query(name = "progress")]
    pub fn progress(&self, _ctx: &WorkflowContextView) -> Progress {
        Progress {
            state: self.state,
            details: self.details.clone(),
            slot: self.input.slot,
            dial_id: self.dial.as_ref().map(|dial| dial.dial_id.clone()),
            provider_call_id: self.facts.provider_call_id().map(str::to_owned),
        }
    }
}

impl Call {
    /// The details, and the last signal that was skipped.
    fn full_details(&self) -> String {
        match &self.skipped_signal {
            None => self.details.clone(),
            Some(skipped) => format!("{}\n\n{skipped}", self.details),
        }
    }

    /// Keeps an event, unless it is a repetition.
    fn receive(&mut self, dial_id: Option<DialId>, event: DialEvent) {
        let received = ReceivedEvent { dial_id, event };
        if !self.events.contains(&received) {
            self.apply_event(&received);
            self.events.push(received);
            self.received += 1;
        }
    }

    fn receive_unread(&mut self, message: serde_json::Value) {
        if !self.unread.contains(&message) {
            self.unread.push(message);
            self.received += 1;
        }
    }

    /// Applies an event of the present dial. What the callee has decided applies to any dial.
    fn apply_event(&mut self, received: &ReceivedEvent) {
        let is_decision =
            matches!(&received.event, DialEvent::Reported(report) if report.is_decision());
        if is_decision || self.is_present_dial(received.dial_id.as_ref()) {
            self.facts.apply(received.event.clone());
        }
    }

    /// Sets the present dial: from now on, only its events count.
    fn set_dial(&mut self, dial: Admitted) {
        self.dial = Some(dial);
        self.facts = DialFacts::default();
        let events = std::mem::take(&mut self.events);
        events.iter().for_each(|received| self.apply_event(received));
        self.events = events;
    }

    /// Whether something was received since the last record.
    fn has_news(&self) -> bool {
        self.received != self.recorded
    }

    /// Before there is a dial, an event with a dial belongs to an earlier run.
    fn is_present_dial(&self, dial: Option<&DialId>) -> bool {
        dial.is_none_or(|id| self.dial.as_ref().is_some_and(|present| present.dial_id == *id))
    }

    fn dial_ref(&self, dial: &Admitted) -> DialRef {
        DialRef {
            dial_id: dial.dial_id.clone(),
            provider_call_id: self.facts.provider_call_id().map(str::to_owned),
        }
    }

    fn conversation_ref(&self) -> ConversationRef {
        ConversationRef { conversation_id: self.input.conversation_id.clone() }
    }
}

/// Shows the state in the UI, in the query and in the search attribute. The attribute gets the last states together with
/// the outcome, which saves an event.
fn show(ctx: &WorkflowContext<Call>, state: CallState, details: impl Into<String>) {
    let details = details.into();
    let (changed, details) = ctx.state_mut(|call| {
        call.details = details;
        (std::mem::replace(&mut call.state, state) != state, call.full_details())
    });
    ctx.set_current_details(details);
    let searchable = !matches!(state, CallState::Recording | CallState::Recorded);
    if changed && searchable {
        ctx.upsert_search_attributes([attributes::CALL_STATE.value_set(state.into_str().into())]);
    }
}
