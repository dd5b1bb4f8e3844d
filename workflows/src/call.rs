//! One planned call, from its slot to its records.

#![allow(missing_docs, reason = "the macro makes constants beside each method")]

mod ending;
mod moving;
mod placing;
mod settling;
mod wait;
mod watch;

use chrono::{DateTime, Utc};
use domain::facts::{Event, Facts};
use domain::status::{Outcome, Reason};
use serde::{Deserialize, Serialize};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination,
    workflow, workflow_methods,
};

use crate::activities::calls::{Admitted, DialRef};
use crate::attributes;
use crate::clock::ClockOffset;
use crate::events;
use ending::Ending;

/// Why an operator's wish to move a call was not granted, as a sentence.
type Unmoved = Box<dyn std::error::Error + Send + Sync>;

/// Which call to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallInput {
    /// The conversation; its row is there before the workflow starts.
    pub conversation_id: String,
    /// The client on whose behalf the call is made.
    pub user_id: String,
    /// The person to call.
    pub prospect_id: String,
    /// The moment to call.
    pub slot: DateTime<Utc>,
    /// How far the service's clock stands ahead.
    #[serde(default)]
    pub clock_offset: ClockOffset,
}

/// What came of the call: the workflow's result.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallResult {
    /// The outcome.
    pub outcome: Option<Outcome>,
    /// Why, where the outcome does not say it.
    pub reason: Option<Reason>,
    /// Minutes charged.
    pub minutes: i32,
}

/// Where a call stands, as the search attribute `CallState` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// For its slot, for hours or for a line.
    Waiting,
    /// The request to the provider is being made.
    Dialing,
    /// The provider has the call, or may have it.
    Ringing,
    /// Somebody answered.
    Talking,
    /// Over; its records are being written.
    Settling,
    /// Done.
    Settled,
}

impl CallState {
    fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Talking => "talking",
            Self::Settling => "settling",
            Self::Settled => "settled",
        }
    }
}

/// What the query `progress` answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Where the call stands.
    pub state: CallState,
    /// The same as a sentence.
    pub details: String,
    /// The moment for which it is planned.
    pub slot: DateTime<Utc>,
    /// The dial, once there is one.
    pub dial_id: Option<String>,
    /// The provider's id of the call, once it is known.
    pub provider_call_id: Option<String>,
}

/// The workflow of one planned call.
#[workflow]
pub struct Call {
    input: CallInput,
    state: CallState,
    details: String,
    dial: Option<Admitted>,
    /// Everything heard, with the dial it was said of: a reset may bring back what was said of
    /// an earlier one.
    heard: Vec<(Option<String>, Event)>,
    facts: Facts,
    /// When the guard was first asked.
    first_asked: Option<DateTime<Utc>>,
    /// Counts the moves of the slot.
    moves: u64,
    transcript: Option<String>,
}

#[workflow_methods]
impl Call {
    /// A call that has not begun.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: CallInput) -> Self {
        Self {
            first_asked: None,
            input,
            state: CallState::Waiting,
            details: String::new(),
            dial: None,
            heard: Vec::new(),
            facts: Facts::default(),
            moves: 0,
            transcript: None,
        }
    }

    /// Waits for the slot, dials, follows the call to its end and settles its records.
    #[run(name = "Call")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<CallResult> {
        let (ending, dial) = match placing::place(ctx).await? {
            Ok(dial) => (watch::follow(ctx, &dial).await, Some(dial)),
            Err(ending) => (ending, None),
        };
        let mut result = settling::settle(ctx, &ending).await?;
        if let Some(dial) = dial.filter(|_| ctx.state(|call| call.facts.may_go_on())) {
            let recorded = ctx.state(|call| call.record(&ending));
            watch::see_off(ctx, &dial).await;
            if ctx.state(|call| call.record(&ending)) != recorded {
                result = settling::settle(ctx, &ending).await?;
            }
        }
        match ending {
            Ending::Cancelled => Err(WorkflowTermination::cancelled()),
            _ => Ok(result),
        }
    }

    /// Takes in what the webhook server heard of the call.
    #[signal(name = "call_event")]
    pub fn call_event(&mut self, _ctx: &mut SyncWorkflowContext<Self>, payload: serde_json::Value) {
        let Some(message) = events::read(payload, &self.input.user_id) else { return };
        let (events, transcript) = message.event.facts();
        // The longest one, whichever comes first.
        let length = |text: &Option<String>| text.as_ref().map(String::len);
        if length(&transcript) > length(&self.transcript) {
            self.transcript = transcript;
        }
        for event in events {
            self.hear(message.dial_id.clone(), event);
        }
    }

    /// Moves the slot of a call that waits; answers with the new slot, or says why not.
    #[update(name = "reschedule")]
    pub async fn reschedule(
        ctx: &mut WorkflowContext<Self>,
        slot: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Unmoved> {
        moving::move_slot(ctx, Some(slot)).await
    }

    /// Only a call that waits can be moved.
    #[update_validator(reschedule)]
    fn may_reschedule(
        &self,
        _ctx: &WorkflowContextView,
        _slot: &DateTime<Utc>,
    ) -> Result<(), Unmoved> {
        moving::may_move(self)
    }

    /// Has a call that waits made at once; answers with the new slot, or says why not.
    #[update(name = "call_now")]
    pub async fn call_now(ctx: &mut WorkflowContext<Self>) -> Result<DateTime<Utc>, Unmoved> {
        moving::move_slot(ctx, None).await
    }

    /// Tells where the call stands.
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
    /// Learns from an event, unless it is about another dial than the present one.
    fn hear(&mut self, dial: Option<String>, event: Event) {
        self.heard.push((dial.clone(), event.clone()));
        // Who asked not to be called is heard whichever dial it was said on.
        let refusal =
            matches!(&event, Event::Reported(report) if report.outcome() == Outcome::DoNotCall);
        if refusal || self.concerns_us(dial.as_deref()) {
            self.facts.learn(event);
        }
    }

    /// Takes up a dial: from now on only what is said of it counts.
    fn take_up(&mut self, dial: Admitted) {
        self.dial = Some(dial);
        self.facts = Facts::default();
        for (about, event) in std::mem::take(&mut self.heard) {
            self.hear(about, event);
        }
    }

    /// A dial, with the provider's id of its call if that was heard.
    fn dial_ref(&self, dial: &Admitted) -> DialRef {
        DialRef {
            dial_id: dial.dial_id.clone(),
            provider_call_id: self.facts.provider_call_id().map(str::to_owned),
        }
    }

    /// Before there is a dial, what is said of one is about an earlier one.
    fn concerns_us(&self, about: Option<&str>) -> bool {
        match about {
            Some(about) => self.dial.as_ref().is_some_and(|dial| about == dial.dial_id),
            None => true,
        }
    }
}

/// Shows where the call stands: in the UI, in the query and, where calls in that state are worth
/// finding, in the search attribute. The end is shown there together with the outcome.
fn show(ctx: &WorkflowContext<Call>, state: CallState, details: impl Into<String>) {
    let details = details.into();
    ctx.set_current_details(details.clone());
    let changed = ctx.state_mut(|call| {
        call.details = details;
        std::mem::replace(&mut call.state, state) != state
    });
    let searched = !matches!(state, CallState::Settling | CallState::Settled);
    if changed && searched {
        ctx.upsert_search_attributes([attributes::CALL_STATE.value_set(state.word().into())]);
    }
}
