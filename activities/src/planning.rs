//! Activities of a plan run.

#![allow(missing_docs, reason = "the macro makes constants beside each method")]

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::{ConversationId, ProspectId};
use domain::pace::Pace;
use domain::slots::{self, Budget, Decision, SkipReason, Span, Terms};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tracing::info;
use workflows::activities::planning::{
    PickPromises, PickPromisesInput, PickUsers, PickUsersInput, PlanUser, PlanUserInput,
    PlannedCall, PlannedUser,
};

use crate::failure::reported;
use store::plans::{self, NewConversation, NewDecision};
use store::users::{self, NotReady};
use store::{Connection, Store, StoreError, rules};

/// What plans are made by.
#[derive(Clone, Copy, Debug)]
pub struct PlanSettings {
    /// Whether nobody is called of whom nothing tells a time zone.
    pub strict_calling_hours: bool,
    /// Calls that may be under way at once.
    pub max_concurrent_calls: i32,
    /// Calls that the provider takes per minute.
    pub calls_per_minute: i32,
}

/// Plans calls from the database.
pub struct Planning {
    store: Store,
    settings: PlanSettings,
}

impl Planning {
    /// Plans from this database, by those settings.
    pub fn new(store: Store, settings: PlanSettings) -> Self {
        Self { store, settings }
    }
}

#[activities]
impl Planning {
    /// Picks the users planned longest ago.
    #[activity(definition = PickUsers)]
    pub async fn pick_users(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: PickUsersInput,
    ) -> Result<Vec<String>, ActivityError> {
        reported(self.pick(&input).await)
    }

    /// Picks the users who owe a call. Reads only.
    #[activity(definition = PickPromises)]
    pub async fn pick_promises(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: PickPromisesInput,
    ) -> Result<Vec<String>, ActivityError> {
        reported(self.promises(&input).await)
    }

    /// Plans one user in one transaction. Idempotent by the nominal time kept with the user and, for promised calls
    /// alone, by the one open conversation of a prospect.
    #[activity(definition = PlanUser)]
    pub async fn plan_user(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: PlanUserInput,
    ) -> Result<PlannedUser, ActivityError> {
        reported(self.plan(&input).await)
    }
}

/// What a run says of a user: passed over as a whole, or one by one.
pub enum Considered {
    /// Nobody is called, for this reason.
    PassedOver(NotReady),
    /// What is said of each prospect, in calling order, and the numbers of their next conversations.
    Decided(Vec<Decision>, BTreeMap<ProspectId, i32>),
}

impl Planning {
    /// The users whose turn it is.
    pub async fn pick(&self, input: &PickUsersInput) -> Result<Vec<String>, StoreError> {
        let mut tx = self.store.begin().await?;
        plans::users_to_plan(&mut tx, input.planned_before, &input.except, input.limit).await
    }

    /// The users with a promised call that is due and not planned.
    pub async fn promises(&self, input: &PickPromisesInput) -> Result<Vec<String>, StoreError> {
        let mut tx = self.store.begin().await?;
        let page = plans::CallbackPage {
            limit: input.limit,
            before: input.before,
            planned_before: input.planned_before,
            after: &input.after,
        };
        plans::users_with_promises(&mut tx, &page).await
    }

    /// Plans one user.
    pub async fn plan(&self, input: &PlanUserInput) -> Result<PlannedUser, StoreError> {
        let mut tx = self.store.begin().await?;
        let Some(planned_at) = plans::lock_user(&mut tx, &input.user_id).await? else {
            return Ok(PlannedUser::default());
        };
        if input.promised_only || planned_at.is_none_or(|planned_at| planned_at < input.from) {
            users::lock_profile(&mut tx, &input.user_id, input.from).await?;
            let Some(considered) = self.consider(&mut tx, input).await? else {
                return Ok(PlannedUser::default());
            };
            enter(&mut tx, input, considered).await?;
            if !input.promised_only {
                plans::mark_planned(&mut tx, &input.user_id, input.from).await?;
            }
        }
        let calls = plans::calls_of_run(&mut tx, &input.run, &input.user_id).await?;
        let skipped = plans::skips_of_run(&mut tx, &input.run, &input.user_id).await?;
        tx.commit().await?;
        let calls = calls.into_iter().map(|call| PlannedCall {
            conversation_id: call.conversation_id,
            prospect_id: call.prospect_id,
            slot: call.slot,
        });
        let calls: Vec<PlannedCall> = calls.collect();
        tell(input, &calls, &skipped);
        Ok(PlannedUser { calls, skipped })
    }

    /// What a run would say of a user, without changing anything; nothing if there is no such user.
    pub async fn would_plan(
        &self,
        input: &PlanUserInput,
    ) -> Result<Option<Considered>, StoreError> {
        let mut tx = self.store.begin().await?;
        // As the run does, whose transaction is kept: a period that has passed grants its minutes.
        users::lock_profile(&mut tx, &input.user_id, input.from).await?;
        self.consider(&mut tx, input).await
    }

    async fn consider(
        &self,
        conn: &mut Connection,
        input: &PlanUserInput,
    ) -> Result<Option<Considered>, StoreError> {
        let profile = match users::profile(conn, &input.user_id).await? {
            Some(Ok(profile)) if profile.paused => {
                let reason = SkipReason::Paused;
                let detail = reason.sentence().to_owned();
                return Ok(Some(Considered::PassedOver(NotReady { reason, detail })));
            }
            Some(Ok(profile)) => profile,
            Some(Err(not_ready)) => return Ok(Some(Considered::PassedOver(not_ready))),
            None => return Ok(None),
        };
        let day_start = profile.window.day_start(input.from);
        let usage = plans::usage(conn, &input.user_id, day_start).await?;
        let budget = Budget {
            calls: profile.per_day - usage.calls,
            minutes: profile.minutes_left - usage.unreserved,
        };
        let about = plans::Considered {
            user_id: &input.user_id,
            until: input.until,
            max_attempts: profile.max_attempts,
            promised_only: input.promised_only,
            calls_left: budget.calls.min(budget.minutes),
        };
        let candidates = plans::candidates(conn, &about).await?;
        let numbers: BTreeMap<ProspectId, i32> = candidates
            .iter()
            .map(|c| (c.candidate.standing.prospect.clone(), c.next_number))
            .collect();
        let candidates = candidates.into_iter().map(|c| c.candidate).collect();
        let span = Span { from: input.from, until: input.until };
        let taken = plans::planned_slots(conn, &span).await?;
        let PlanSettings { strict_calling_hours, max_concurrent_calls, calls_per_minute } =
            self.settings;
        let terms = Terms {
            span,
            window: &profile.window,
            budget,
            rules: &rules::legal(conn).await?,
            strict: strict_calling_hours,
            pace: Pace::new(max_concurrent_calls, calls_per_minute, taken),
        };
        Ok(Some(Considered::Decided(slots::plan(terms, candidates), numbers)))
    }
}

/// Writes what a run says of a user.
async fn enter(
    conn: &mut Connection,
    input: &PlanUserInput,
    considered: Considered,
) -> Result<(), StoreError> {
    let (run, user_id) = (&input.run, &input.user_id);
    match considered {
        Considered::PassedOver(why) => {
            let decision = NewDecision {
                reason: Some(why.reason.as_str()),
                detail: Some(why.detail),
                ..NewDecision::default()
            };
            plans::insert_decisions(conn, run, user_id, &[decision], input.from).await
        }
        Considered::Decided(decisions, numbers) => {
            let new: Vec<NewConversation> = decisions
                .iter()
                .filter_map(|decision| Some((&decision.prospect, decision.verdict.as_ref().ok()?)))
                .map(|(prospect, slot)| conversation(prospect, numbers[prospect], slot.at))
                .collect();
            plans::insert_conversations(conn, run, user_id, &new).await?;
            let kept: Vec<NewDecision> = decisions.iter().map(|d| kept(d, &numbers)).collect();
            plans::insert_decisions(conn, run, user_id, &kept, input.from).await
        }
    }
}

fn conversation(prospect: &ProspectId, number: i32, slot: DateTime<Utc>) -> NewConversation {
    NewConversation {
        id: ConversationId::nth(prospect, number).to_string(),
        prospect_id: prospect.to_string(),
        number,
        slot,
    }
}

fn kept(decision: &Decision, numbers: &BTreeMap<ProspectId, i32>) -> NewDecision {
    let prospect = &decision.prospect;
    let known = NewDecision {
        prospect_id: Some(prospect.to_string()),
        priority: Some(decision.score),
        calls_left: Some(decision.left.calls),
        minutes_left: Some(decision.left.minutes),
        ..NewDecision::default()
    };
    match &decision.verdict {
        Ok(slot) => NewDecision {
            conversation_id: Some(ConversationId::nth(prospect, numbers[prospect]).to_string()),
            slot: Some(slot.at),
            detail: slot.detail.clone(),
            ..known
        },
        Err(skip) => NewDecision {
            reason: Some(skip.reason.as_str()),
            detail: Some(skip.detail.clone()),
            next_allowed: skip.next,
            ..known
        },
    }
}

fn tell(input: &PlanUserInput, calls: &[PlannedCall], skipped: &BTreeMap<String, u32>) {
    for call in calls {
        info!(
            userId = input.user_id,
            prospectId = call.prospect_id,
            conversationId = call.conversation_id,
            scheduledTime = %call.slot.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "Scheduled call"
        );
    }
    for (reason, count) in skipped {
        info!(userId = input.user_id, planRun = input.run, reason, count, "Passed over");
    }
}
