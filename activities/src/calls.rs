//! Activities of one call, one module each.

pub mod admit;
mod agent_script;
pub mod apply_late_event;
pub mod cancel_dial;
pub mod collect_transcript;
pub mod dial;
pub mod fetch_status;
pub mod hang_up;
pub mod mark_answered;
pub mod record_outcome;
mod rejection;
pub mod reschedule;
mod settings;
pub mod sweep;

use std::sync::Arc;

use domain::ids::{ConversationId, ProspectId, UserId};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tracing::Span;
use tracing::field::display;
use workflows::activities::calls::{
    Admission, Admit, AdmitInput, ApplyLateEvent, CancelDial, CancelDialResult, CollectTranscript,
    ConversationRef, Dial, DialRef, DialResult, FetchStatus, HangUp, HangUpInput, LateEventInput,
    LateEventResult, MarkAnswered, ProviderStatus, RecordInput, RecordOutcome, Recorded,
    Reschedule, RescheduleInput, RescheduleResult, Sweep, SweepInput, SweepResult,
};

use crate::clock::Clock;
use crate::failure::to_activity_result;
use crate::telnyx::Telnyx;
use crate::ultravox::Ultravox;
use store::Store;

pub(crate) use agent_script::check_script;
pub use settings::CallSettings;

/// What the activities of a call need.
pub struct Calls {
    store: Store,
    ultravox: Ultravox,
    telnyx: Option<Telnyx>,
    settings: CallSettings,
    clock: Clock,
}

impl Calls {
    /// Without `telnyx`, a ringing call can't be hung up.
    pub fn new(
        store: Store,
        ultravox: Ultravox,
        telnyx: Option<Telnyx>,
        settings: CallSettings,
        clock: Clock,
    ) -> Self {
        Self { store, ultravox, telnyx, settings, clock }
    }
}

/// Records the ids of a call in the span of the activity. The spans have level ERROR, so that no log filter drops the ids.
fn record_ids(user: &UserId, prospect: &ProspectId, conversation: &ConversationId) {
    Span::current()
        .record("userId", display(user))
        .record("prospectId", display(prospect))
        .record("conversationId", display(conversation));
}

#[activities]
impl Calls {
    /// Decides about admission. Idempotent by the live dial of the conversation, of which there is at most one.
    #[activity(definition = Admit)]
    pub async fn admit(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: AdmitInput,
    ) -> Result<Admission, ActivityError> {
        to_activity_result(admit::run(&self, &input).await)
    }

    /// Moves the slot. Idempotent: a repetition sets the same slot.
    #[activity(definition = Reschedule)]
    pub async fn reschedule(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: RescheduleInput,
    ) -> Result<RescheduleResult, ActivityError> {
        to_activity_result(reschedule::run(&self, &input).await)
    }

    /// Sends the dial request. Idempotent by the state of the dial: a request that may have been accepted is never
    /// repeated.
    #[activity(definition = Dial)]
    pub async fn dial(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: DialRef,
    ) -> Result<DialResult, ActivityError> {
        to_activity_result(dial::run(&self, &input).await)
    }

    /// Cancels a dial. Idempotent by the state of the dial, whose lock the request needs as well.
    #[activity(definition = CancelDial)]
    pub async fn cancel_dial(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: DialRef,
    ) -> Result<CancelDialResult, ActivityError> {
        to_activity_result(cancel_dial::run(&self, &input).await)
    }

    /// Marks the conversation as answered. Idempotent: only a ringing conversation changes.
    #[activity(definition = MarkAnswered)]
    pub async fn mark_answered(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: ConversationRef,
    ) -> Result<(), ActivityError> {
        to_activity_result(mark_answered::run(&self, &input).await)
    }

    /// Looks a dial up at the provider. Writes only the provider's id, if it finds one.
    #[activity(definition = FetchStatus)]
    pub async fn fetch_status(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: DialRef,
    ) -> Result<ProviderStatus, ActivityError> {
        to_activity_result(fetch_status::run(&self, &input).await)
    }

    /// Hangs a call up. Idempotent: provider and carrier ignore a second request.
    #[activity(definition = HangUp)]
    pub async fn hang_up(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: HangUpInput,
    ) -> Result<(), ActivityError> {
        to_activity_result(hang_up::run(&self, &input).await)
    }

    /// Stores the transcript and the reports in it. Idempotent: the messages of a call do not change after its end.
    #[activity(definition = CollectTranscript)]
    pub async fn collect_transcript(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: DialRef,
    ) -> Result<Recorded, ActivityError> {
        to_activity_result(collect_transcript::run(&self, &input).await)
    }

    /// Records what was said about a call. Idempotent: the same statement is the same row, and the records follow from all
    /// rows.
    #[activity(definition = RecordOutcome)]
    pub async fn record_outcome(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: RecordInput,
    ) -> Result<Recorded, ActivityError> {
        to_activity_result(record_outcome::run(&self, &input).await)
    }

    /// Records calls without a workflow. Idempotent: a recorded call is not found again.
    #[activity(definition = Sweep)]
    pub async fn sweep(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: SweepInput,
    ) -> Result<SweepResult, ActivityError> {
        to_activity_result(sweep::run(&self, &ctx.client(), &input).await)
    }

    /// Records a late event. Idempotent: a repeated event changes nothing.
    #[activity(definition = ApplyLateEvent)]
    pub async fn apply_late_event(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: LateEventInput,
    ) -> Result<LateEventResult, ActivityError> {
        let applied = apply_late_event::run(&self, &input).await;
        let result = to_activity_result(applied)?;
        to_activity_result(apply_late_event::pass_on(&ctx.client(), &input).await)?;
        Ok(result)
    }
}
