//! One planned call, from its slot to its records.

mod call_end;
mod dialing;
mod local_activities;
mod monitoring;
mod recording;
mod rescheduling;
mod wait;

use chrono::{DateTime, Utc};
use domain::facts::{DialEvent, DialFacts};
use domain::ids::{ConversationId, DialId, ProspectId, UserId};
use domain::status::{Outcome, Reason};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination,
    workflow, workflow_methods,
};

use crate::activities::calls::{Admitted, ConversationRef, DialRef};
use crate::attributes;
use crate::clock::ClockOffset;
use crate::events;
use call_end::CallEnd;
use dialing::Dialed;

/// Why the slot was not moved, as a sentence.
type RescheduleError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Debug, Serialize, Deserialize)]
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
    state: CallState,
    details: String,
    dial: Option<Admitted>,
    /// All events with their dials: after a reset, events of an earlier dial may arrive.
    events: Vec<(Option<DialId>, DialEvent)>,
    /// The facts of the present dial.
    facts: DialFacts,
    /// When this run first asked for admission.
    first_asked: Option<DateTime<Utc>>,
    /// How often the slot was moved.
    reschedules: u64,
    transcript: Option<String>,
}

#[workflow_methods]
impl Call {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: CallInput) -> Self {
        Self {
            input,
            state: CallState::Waiting,
            details: String::new(),
            dial: None,
            events: Vec::new(),
            facts: DialFacts::default(),
            first_asked: None,
            reschedules: 0,
            transcript: None,
        }
    }

    /// Waits for the slot, dials, monitors the call to its end and records the outcome.
    #[run(name = "Call")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<CallResult> {
        let (end, dial) = match dialing::wait_and_dial(ctx).await? {
            Dialed::Live(dial) => (monitoring::monitor(ctx, &dial).await, Some(dial)),
            Dialed::NotMade(end) => (end, None),
        };
        let mut result = recording::record_outcome(ctx, &end).await?;
        if let Some(dial) = dial
            && monitoring::ensure_hung_up(ctx, &dial, &end).await
        {
            result = recording::record_outcome(ctx, &end).await?;
        }
        match end {
            CallEnd::Cancelled => Err(WorkflowTermination::cancelled()),
            _ => Ok(result),
        }
    }

    /// Takes an event from the webhook server.
    #[signal(name = "call_event")]
    pub fn call_event(&mut self, _ctx: &mut SyncWorkflowContext<Self>, payload: serde_json::Value) {
        let Some(message) = events::parse_message(payload, &self.input.user_id) else { return };
        let (events, transcript) = message.event.into_dial_events();
        // The longest transcript counts, in any order of arrival.
        let length = |text: &Option<String>| text.as_ref().map(String::len);
        if length(&transcript) > length(&self.transcript) {
            self.transcript = transcript;
        }
        for event in events {
            self.apply_event(message.dial_id.clone(), event);
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
    /// Stores an event, and applies it if it belongs to the present dial. An opt-out applies to any dial.
    fn apply_event(&mut self, dial: Option<DialId>, event: DialEvent) {
        self.events.push((dial.clone(), event.clone()));
        let opt_out =
            matches!(&event, DialEvent::Reported(report) if report.outcome() == Outcome::DoNotCall);
        if opt_out || self.is_present_dial(dial.as_ref()) {
            self.facts.apply(event);
        }
    }

    /// Sets the present dial: from now on, only its events count.
    fn set_dial(&mut self, dial: Admitted) {
        self.dial = Some(dial);
        self.facts = DialFacts::default();
        for (dial, event) in std::mem::take(&mut self.events) {
            self.apply_event(dial, event);
        }
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
    ctx.set_current_details(details.clone());
    let changed = ctx.state_mut(|call| {
        call.details = details;
        std::mem::replace(&mut call.state, state) != state
    });
    let searchable = !matches!(state, CallState::Recording | CallState::Recorded);
    if changed && searchable {
        ctx.upsert_search_attributes([attributes::CALL_STATE.value_set(state.into_str().into())]);
    }
}
