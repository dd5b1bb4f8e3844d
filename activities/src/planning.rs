//! Activities of a plan run.

#![allow(missing_docs, reason = "the macro makes constants beside each method")]

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::guard::MAX_LATENESS;
use domain::ids::{ConversationId, ProspectId};
use domain::slots::{self, Budget, Decision, SkipReason, Span};
use sqlx::PgConnection;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tracing::info;
use workflows::activities::planning::{
    PickUsers, PickUsersInput, PlanUser, PlanUserInput, PlannedCall, PlannedUser,
};

use crate::failure::reported;
use crate::store::plans::{self, NewConversation, NewDecision};
use crate::store::users::{self, NotReady, Profile};
use crate::store::{Store, StoreError};

/// Plans calls from the database.
pub struct Planning {
    store: Store,
}

impl Planning {
    /// Plans from this database.
    pub fn new(store: Store) -> Self {
        Self { store }
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

    /// Plans one user in one transaction. Idempotent by the nominal time kept with the user.
    #[activity(definition = PlanUser)]
    pub async fn plan_user(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: PlanUserInput,
    ) -> Result<PlannedUser, ActivityError> {
        reported(self.plan(&input).await)
    }
}

impl Planning {
    /// The users whose turn it is.
    pub async fn pick(&self, input: &PickUsersInput) -> Result<Vec<String>, StoreError> {
        let mut tx = self.store.begin().await?;
        plans::users_to_plan(&mut tx, input.planned_before, &input.except, input.limit).await
    }

    /// Plans one user.
    pub async fn plan(&self, input: &PlanUserInput) -> Result<PlannedUser, StoreError> {
        let mut tx = self.store.begin().await?;
        let Some(planned_at) = plans::lock_user(&mut tx, &input.user_id).await? else {
            return Ok(PlannedUser::default());
        };
        if planned_at.is_none_or(|planned_at| planned_at < input.from) {
            match users::lock_profile(&mut tx, &input.user_id).await? {
                Some(Ok(profile)) if profile.paused => {
                    let reason = SkipReason::Paused;
                    let detail = reason.sentence().to_owned();
                    pass_over(&mut tx, input, NotReady { reason, detail }).await?;
                }
                Some(Ok(profile)) => plan_prospects(&mut tx, input, &profile).await?,
                Some(Err(not_ready)) => pass_over(&mut tx, input, not_ready).await?,
                None => return Ok(PlannedUser::default()),
            }
            plans::mark_planned(&mut tx, &input.user_id, input.from).await?;
        }
        let calls = plans::calls_of_run(&mut tx, &input.run, &input.user_id).await?;
        let skipped = plans::skips_of_run(&mut tx, &input.run, &input.user_id).await?;
        let stranded =
            plans::stranded_calls(&mut tx, &input.user_id, input.from - MAX_LATENESS * 2).await?;
        tx.commit().await?;
        tell(input, &calls, &skipped);
        let calls = calls.into_iter().chain(stranded).collect();
        Ok(PlannedUser { calls, skipped })
    }
}

async fn pass_over(
    conn: &mut PgConnection,
    input: &PlanUserInput,
    why: NotReady,
) -> Result<(), StoreError> {
    let decision = NewDecision {
        reason: Some(why.reason.as_str()),
        detail: Some(why.detail),
        ..NewDecision::default()
    };
    plans::insert_decisions(conn, &input.run, &input.user_id, &[decision]).await
}

async fn plan_prospects(
    conn: &mut PgConnection,
    input: &PlanUserInput,
    profile: &Profile,
) -> Result<(), StoreError> {
    let day_start = profile.window.day_start(input.from);
    let usage = plans::usage(conn, &input.user_id, day_start).await?;
    let budget = Budget {
        calls: profile.per_day - usage.calls,
        minutes: profile.minutes_left - usage.unreserved,
    };
    let candidates = plans::candidates(conn, &input.user_id, profile.max_attempts).await?;
    let numbers: BTreeMap<ProspectId, i32> =
        candidates.iter().map(|c| (c.candidate.standing.prospect.clone(), c.next_number)).collect();
    let candidates = candidates.into_iter().map(|c| c.candidate).collect();
    let span = Span { from: input.from, until: input.until };
    let decisions = slots::plan(span, profile.window, budget, candidates);

    let new: Vec<NewConversation> = decisions
        .iter()
        .filter_map(|decision| Some((&decision.prospect, decision.verdict.ok()?)))
        .map(|(prospect, slot)| conversation(prospect, numbers[prospect], slot))
        .collect();
    plans::insert_conversations(conn, &input.run, &input.user_id, &new).await?;
    let kept: Vec<NewDecision> = decisions.iter().map(|d| kept(d, &numbers)).collect();
    plans::insert_decisions(conn, &input.run, &input.user_id, &kept).await
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
    let prospect_id = Some(prospect.to_string());
    match decision.verdict {
        Ok(slot) => NewDecision {
            prospect_id,
            conversation_id: Some(ConversationId::nth(prospect, numbers[prospect]).to_string()),
            slot: Some(slot),
            ..NewDecision::default()
        },
        Err(skip) => NewDecision {
            prospect_id,
            reason: Some(skip.reason.as_str()),
            detail: Some(skip.reason.sentence().to_owned()),
            next_allowed: skip.next,
            ..NewDecision::default()
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
