//! Activities of one call.

#![allow(missing_docs, reason = "the macro makes constants beside each method")]

mod admit;
mod dial;
mod late;
mod look_up;
mod move_slot;
mod record;
mod settings;
mod speech;
mod sweep;

use std::sync::Arc;

use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::activities::calls::{
    Admission, Admit, AdmitInput, Applied, ApplyLate, CollectTranscript, ConversationRef, DialRef,
    HangUp, LateInput, Leg, LookUp, MoveSlot, MoveSlotInput, Moved, NoteAnswered, Place, Placement,
    Record, RecordOutcome, Recovered, Settled, Sighting, Suppress, Sweep, SweepInput, Swept,
    Withdraw, Withdrawn,
};

use crate::clock::Clock;
use crate::failure::reported;
use crate::telnyx::Telnyx;
use crate::ultravox::Ultravox;
use store::Store;

pub use settings::CallSettings;

/// Makes calls and settles their records.
pub struct Calls {
    store: Store,
    ultravox: Ultravox,
    telnyx: Option<Telnyx>,
    settings: CallSettings,
    clock: Clock,
}

impl Calls {
    /// Makes calls through that account, by those settings. Without access to the carrier, a
    /// call that is cancelled while it rings rings on.
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

#[activities]
impl Calls {
    /// The guard. Idempotent by the conversation's live dial, of which there is at most one.
    #[activity(definition = Admit)]
    pub async fn admit(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: AdmitInput,
    ) -> Result<Admission, ActivityError> {
        reported(self.decide(&input).await)
    }

    /// Moves a slot. Idempotent: it ends as it was asked for, or not at all.
    #[activity(definition = MoveSlot)]
    pub async fn move_slot(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: MoveSlotInput,
    ) -> Result<Moved, ActivityError> {
        reported(self.move_slot_of(&input).await)
    }

    /// Rings the phone. Idempotent by the state of the dial's row: a request that may have been
    /// accepted is never repeated.
    #[activity(definition = Place)]
    pub async fn dial(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: DialRef,
    ) -> Result<Placement, ActivityError> {
        reported(self.place(&input.dial_id).await)
    }

    /// Takes back a dial. Idempotent by the state of its row, under the lock that a request needs.
    #[activity(definition = Withdraw)]
    pub async fn withdraw(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: DialRef,
    ) -> Result<Withdrawn, ActivityError> {
        reported(self.take_back(&input.dial_id).await)
    }

    /// Shows that somebody answered. Idempotent: only a conversation that rings is changed.
    #[activity(definition = NoteAnswered)]
    pub async fn note_answered(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: ConversationRef,
    ) -> Result<(), ActivityError> {
        reported(self.show_answered(&input.conversation_id).await)
    }

    /// Suppresses the number of a call. Idempotent: it is on a list once.
    #[activity(definition = Suppress)]
    pub async fn suppress(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: ConversationRef,
    ) -> Result<(), ActivityError> {
        reported(self.suppress_at_once(&input.conversation_id).await)
    }

    /// Asks the provider about a dial. Only reads, but for a provider's id found on the way.
    #[activity(definition = LookUp)]
    pub async fn look_up(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: DialRef,
    ) -> Result<Sighting, ActivityError> {
        reported(self.sight(&input).await)
    }

    /// Ends a call. Provider and carrier take a second request for the same as none.
    #[activity(definition = HangUp)]
    pub async fn hang_up(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Leg,
    ) -> Result<(), ActivityError> {
        reported(self.end(&input).await)
    }

    /// Stores the transcript. Idempotent: the same call has the same messages.
    #[activity(definition = CollectTranscript)]
    pub async fn collect_transcript(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: DialRef,
    ) -> Result<Recovered, ActivityError> {
        reported(self.collect(&input).await)
    }

    /// Settles a call in one transaction. Idempotent by natural keys: one ledger entry of a kind
    /// per dial, one appointment per conversation.
    #[activity(definition = RecordOutcome)]
    pub async fn record_outcome(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: Record,
    ) -> Result<Settled, ActivityError> {
        reported(self.settle(&input).await)
    }

    /// Settles calls without a workflow. Idempotent: what is settled is not found again.
    #[activity(definition = Sweep)]
    pub async fn sweep(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: SweepInput,
    ) -> Result<Swept, ActivityError> {
        reported(self.sweep_up(&ctx.client(), input.limit).await)
    }

    /// Applies a late event. Idempotent: what is recorded says nothing new a second time.
    #[activity(definition = ApplyLate)]
    pub async fn apply_late(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: LateInput,
    ) -> Result<Applied, ActivityError> {
        reported(self.amend(&input).await)
    }
}
