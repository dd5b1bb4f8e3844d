//! Settling calls whose workflow ended without settling them.

use chrono::TimeDelta;
use domain::facts::Facts;
use domain::guard::MAX_LATENESS;
use domain::ids::ConversationId;
use domain::status::Reason;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{Client, WorkflowExecutionStatus};
use tracing::{info, warn};
use workflows::Call;
use workflows::activities::calls::{Closing, DialRef, Leg, Record, Swept};
use workflows::ids::call_workflow;

use super::Calls;
use crate::failure::Failure;
use store::dials::{self, Dial, DialState};
use store::{StoreError, decisions, sweeps};

/// How long a call may be under way before its workflow is looked for.
const DIALLED_FOR: TimeDelta = TimeDelta::minutes(1);
/// How long after the join time-out an unknown request is still looked for.
const UNKNOWN_SLACK: TimeDelta = TimeDelta::seconds(60);

impl Calls {
    /// Settles what is over of the calls without a workflow, and ends the others.
    pub async fn sweep_up(&self, client: &Client, limit: u32) -> Result<Swept, Failure> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let slot_before = now - MAX_LATENESS - DIALLED_FOR;
        let overdue = sweeps::overdue(&mut tx, slot_before, now - DIALLED_FOR, limit).await?;
        drop(tx);
        let mut swept = Swept { pruned: self.prune_decisions().await?, ..Swept::default() };
        for conversation in overdue {
            // One that can't be settled now must not keep the others waiting.
            match self.sweep_one(client, &conversation).await {
                Ok(None) => {}
                Ok(Some(true)) => swept.settled.push(conversation),
                Ok(Some(false)) => swept.ending.push(conversation),
                Err(error) => {
                    warn!(conversationId = conversation, %error, "Could not be swept up yet");
                    swept.ending.push(conversation);
                }
            }
        }
        Ok(swept)
    }

    /// Removes decisions that are older than they are kept; how many.
    async fn prune_decisions(&self) -> Result<u64, StoreError> {
        let before = self.clock.now() - TimeDelta::days(i64::from(self.settings.decision_days));
        let mut tx = self.store.begin().await?;
        let pruned = decisions::prune(&mut tx, before).await?;
        tx.commit().await?;
        Ok(pruned)
    }

    /// Nothing if the call has its workflow; else whether it is settled now.
    async fn sweep_one(&self, client: &Client, id: &str) -> Result<Option<bool>, Failure> {
        if is_running(client, id).await? {
            return Ok(None);
        }
        let settled = self.settle_abandoned(id).await?;
        info!(conversationId = id, settled, "Swept up a call without a workflow");
        Ok(Some(settled))
    }

    /// Settles a call that nobody follows any more; false if it is not over yet.
    pub async fn settle_abandoned(&self, conversation_id: &str) -> Result<bool, Failure> {
        let mut tx = self.store.begin().await?;
        let last = dials::lock_last(&mut tx, conversation_id).await?;
        drop(tx);
        let is_out = |dial: &&Dial| {
            let out = matches!(dial.state, DialState::Sent | DialState::Placed);
            out && dial.closed_at.is_none()
        };
        let Some(dial) = last.as_ref().filter(is_out) else {
            let dial_id = last.map(|dial| dial.id);
            self.settle(&given_back(conversation_id, dial_id, Reason::Abandoned)).await?;
            return Ok(true);
        };
        let mut facts = Facts::default();
        let about = DialRef { dial_id: dial.id.clone(), provider_call_id: None };
        for event in self.sight(&about).await?.events() {
            facts.learn(event);
        }
        if facts.is_over() {
            if facts.is_answered() {
                for event in self.collect(&about).await?.events() {
                    facts.learn(event);
                }
            }
            let record = Record {
                dial_id: Some(dial.id.clone()),
                provider_call_id: facts.provider_call_id().map(str::to_owned),
                ..Record::over(conversation_id, &facts.conclusion())
            };
            self.settle(&record).await?;
            return Ok(true);
        }
        if !facts.is_placed() && self.is_lost(dial) {
            let dial_id = Some(dial.id.clone());
            self.settle(&given_back(conversation_id, dial_id, Reason::NeverPlaced)).await?;
            return Ok(true);
        }
        let leg = Leg {
            dial_id: dial.id.clone(),
            provider_call_id: facts.provider_call_id().map(str::to_owned),
            carrier_call_id: dial.carrier_call_id.clone(),
            answered: facts.is_answered(),
        };
        self.end(&leg).await?;
        Ok(false)
    }

    /// Whether a request that the provider does not show can no longer become a call.
    fn is_lost(&self, dial: &Dial) -> bool {
        let horizon = TimeDelta::seconds(self.settings.join_timeout_secs()) + UNKNOWN_SLACK;
        dial.sent_at.is_some_and(|sent| self.clock.now() > sent + horizon)
    }
}

fn given_back(conversation_id: &str, dial_id: Option<String>, reason: Reason) -> Record {
    Record {
        dial_id,
        closing: Closing::GivenBack,
        reason: Some(reason),
        notes: Some("The call's workflow was terminated.".to_owned()),
        never_placed: reason == Reason::NeverPlaced,
        outcome: None,
        ..Record::over(conversation_id, &Facts::default().conclusion())
    }
}

async fn is_running(client: &Client, conversation_id: &str) -> Result<bool, Failure> {
    let id = call_workflow(&ConversationId::new(conversation_id));
    match client.get_workflow_handle::<Call>(id).describe(Default::default()).await {
        Ok(description) => Ok(description.status() == WorkflowExecutionStatus::Running),
        Err(WorkflowInteractionError::NotFound(_)) => Ok(false),
        Err(error) => Err(Failure::Temporal(error.to_string())),
    }
}
