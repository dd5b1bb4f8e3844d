//! The plan of one user: what it is made from, and what is stored of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::hours::DailyWindow;
use domain::ids::{ConversationId, ProspectId};
use domain::pacing::Pacing;
use domain::provider_pause::Rejections;
use domain::rules::Rule;
use domain::slots::{self, Budget, Candidate, Decision, PlanContext, PlanInterval};
use domain::{Block, BlockReason};
use store::candidates::{self, CandidateFilter};
use store::plans::{self, NewConversation, NewDecision};
use store::users::{self, UserState};
use store::{Connection, StoreError, provider_rejections, rules};
use workflows::activities::planning::PlanUserInput;

use super::{Planning, next_second};
use crate::calls::check_script;

/// The plan of one user.
pub enum UserPlan {
    /// The user as a whole is skipped.
    Skipped(Block),
    /// The decisions in calling order, and the sequence numbers of the prospects' next conversations.
    Decided(Vec<Decision>, BTreeMap<ProspectId, i32>),
}

/// What the plan of a user is made from, besides the slots of others.
pub(super) struct PlanBasis {
    interval: PlanInterval,
    window: DailyWindow,
    budget: Budget,
    candidates: Vec<Candidate>,
    /// The sequence numbers of the prospects' next conversations.
    sequences: BTreeMap<ProspectId, i32>,
    rules: Vec<Rule>,
    /// Whether only a trial call is made, because the provider has rejected the last calls.
    trial: bool,
}

/// Reads what the plan of a user is made from, or why the user as a whole is skipped.
pub(super) async fn read_basis(
    conn: &mut Connection,
    input: &PlanUserInput,
    interval: &PlanInterval,
) -> Result<Result<PlanBasis, Block>, StoreError> {
    let profile = match users::lock_user_state(conn, &input.user_id, interval.from).await? {
        UserState::Ready(profile) if profile.paused => {
            return Ok(Err(BlockReason::Paused.into()));
        }
        UserState::Ready(profile) => profile,
        UserState::Blocked(block) => return Ok(Err(block)),
    };
    let mut interval = *interval;
    let pauses = provider_rejections::pauses(conn, &input.user_id).await?;
    let pause = pauses.iter().filter_map(Rejections::block).max_by_key(|block| block.until);
    let trial = pause.is_some();
    if let Some(pause) = pause {
        match pause.until.map(next_second).filter(|trial_at| *trial_at < interval.until) {
            Some(trial_at) => interval.from = interval.from.max(trial_at),
            None => return Ok(Err(pause)),
        }
    }
    let day_start = profile.window.day_start(interval.from);
    let usage = plans::usage(conn, &input.user_id, day_start).await?;
    let budget = Budget {
        calls: profile.per_day - usage.calls,
        minutes: profile.minutes_left - usage.unreserved,
    };
    let filter = CandidateFilter {
        user_id: &input.user_id,
        until: input.until,
        max_attempts: profile.max_attempts,
        callbacks_only: input.callbacks_only,
        calls_left: budget.calls.min(budget.minutes),
    };
    let numbered = candidates::candidates(conn, &filter).await?;
    let sequences: BTreeMap<ProspectId, i32> =
        numbered.iter().map(|c| (c.candidate.priority.prospect.clone(), c.next_sequence)).collect();
    let candidates = numbered.into_iter().map(|c| {
        let script_error = check_script(&profile, c.name, c.custom, c.follow_up).err();
        Candidate { script_error, ..c.candidate }
    });
    let candidates = candidates.collect();
    let rules = rules::calling_rules(conn).await?;
    let window = profile.window;
    Ok(Ok(PlanBasis { interval, window, budget, candidates, sequences, rules, trial }))
}

impl PlanBasis {
    pub(super) fn plan(
        self,
        planning: &Planning,
        pacing: Pacing,
        share: Option<usize>,
    ) -> UserPlan {
        let context = PlanContext {
            interval: self.interval,
            window: &self.window,
            budget: self.budget,
            rules: &self.rules,
            strict: planning.settings.strict_calling_hours,
            pacing,
            trial: self.trial,
            share,
        };
        UserPlan::Decided(slots::plan(context, self.candidates), self.sequences)
    }
}

impl UserPlan {
    /// The number of skipped prospects by reason; a skipped user counts once.
    pub(super) fn skipped(&self) -> BTreeMap<BlockReason, u32> {
        let mut skipped = BTreeMap::new();
        let reasons: Vec<BlockReason> = match self {
            Self::Skipped(block) => vec![block.reason],
            Self::Decided(decisions, _) => {
                decisions.iter().filter_map(|d| d.slot.as_ref().err()).map(|b| b.reason).collect()
            }
        };
        for reason in reasons {
            *skipped.entry(reason).or_default() += 1;
        }
        skipped
    }

    /// The number of planned calls without callbacks.
    pub(super) fn spread_calls(&self) -> usize {
        match self {
            Self::Skipped(_) => 0,
            Self::Decided(decisions, _) => {
                decisions.iter().filter(|d| !d.is_callback && d.slot.is_ok()).count()
            }
        }
    }
}

pub(super) async fn save_plan(
    conn: &mut Connection,
    input: &PlanUserInput,
    plan: UserPlan,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (run, user_id) = (&input.run, &input.user_id);
    match plan {
        UserPlan::Skipped(block) => {
            let decision = NewDecision {
                reason: Some(block.reason),
                detail: Some(block.detail),
                ..NewDecision::default()
            };
            plans::insert_decisions(conn, run, user_id, &[decision], now).await
        }
        UserPlan::Decided(decisions, sequences) => {
            let conversations: Vec<NewConversation> =
                decisions.iter().filter_map(|d| new_conversation(d, &sequences)).collect();
            plans::insert_conversations(conn, run, user_id, &conversations).await?;
            let used_up = |d: &&Decision| {
                d.slot.as_ref().is_err_and(|b| b.reason == BlockReason::AttemptsUsedUp)
            };
            let used_up: Vec<_> = decisions.iter().filter(used_up).map(|d| &d.prospect).collect();
            plans::mark_attempts_used_up(conn, &used_up).await?;
            let decisions: Vec<NewDecision> =
                decisions.iter().map(|d| new_decision(d, &sequences)).collect();
            plans::insert_decisions(conn, run, user_id, &decisions, now).await
        }
    }
}

fn new_conversation(
    decision: &Decision,
    sequences: &BTreeMap<ProspectId, i32>,
) -> Option<NewConversation> {
    let slot = decision.slot.as_ref().ok()?;
    let (prospect_id, sequence) = (decision.prospect.clone(), sequences[&decision.prospect]);
    let id = ConversationId::nth(&prospect_id, sequence);
    Some(NewConversation { id, prospect_id, sequence, slot: slot.at })
}

fn new_decision(decision: &Decision, sequences: &BTreeMap<ProspectId, i32>) -> NewDecision {
    let prospect = &decision.prospect;
    let common = NewDecision {
        prospect_id: Some(prospect.clone()),
        priority: Some(decision.score),
        calls_left: Some(decision.left.calls),
        minutes_left: Some(decision.left.minutes),
        ..NewDecision::default()
    };
    match &decision.slot {
        Ok(slot) => NewDecision {
            conversation_id: Some(ConversationId::nth(prospect, sequences[prospect])),
            slot: Some(slot.at),
            detail: slot.detail.clone(),
            ..common
        },
        Err(block) => NewDecision {
            reason: Some(block.reason),
            detail: Some(block.detail.clone()),
            next_allowed: block.until,
            ..common
        },
    }
}
