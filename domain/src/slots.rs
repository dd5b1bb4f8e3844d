//! Which of a user's prospects are called before the next plan run, and when.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::callee_zones::zones_of_callee;
use crate::hours::{DailyWindow, Hours};
use crate::ids::ProspectId;
use crate::pacing::Pacing;
use crate::phone::PhoneNumber;
use crate::phone_usage::PhoneUsage;
use crate::priority::{PriorityInput, rank};
use crate::rules::{Law, Rule};
use crate::script::ScriptError;
use crate::{Block, BlockReason};

/// The maximum number of calls that one run plans for one user.
pub const MAX_CALLS_PER_RUN: i32 = 1_000;
/// The minimum time between two slots of one user, in seconds.
const MIN_SPACING_SECS: i64 = 1;

/// The time that one plan run plans for.
#[derive(Clone, Copy, Debug)]
pub struct PlanInterval {
    /// The nominal time of the run.
    pub from: DateTime<Utc>,
    /// The nominal time of the next run.
    pub until: DateTime<Utc>,
}

/// What the user may still spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls left of the user's local day.
    pub calls: i32,
    /// Minutes that are neither reserved nor needed by planned calls.
    pub minutes: i32,
}

/// A prospect that a plan run considers.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub priority: PriorityInput,
    /// The number as stored.
    pub phone: String,
    /// The prospect's own time zone as stored.
    pub zone: Option<String>,
    /// The prospect's state as stored, such as `US-FL`.
    pub state: Option<String>,
    /// When the callback is due.
    pub callback_due: Option<DateTime<Utc>>,
    /// The end of the prospect's cool-down.
    pub next_call_at: Option<DateTime<Utc>>,
    /// Calls that may still be made to the prospect.
    pub attempts_left: i32,
    /// Whether the number is on a do-not-call list.
    pub suppressed: bool,
    pub has_open_conversation: bool,
    /// Whether another prospect with this number has an open conversation.
    pub phone_busy: bool,
    /// Another prospect of the user with this number that booked, declined or opted out.
    pub phone_closed_by: Option<ProspectId>,
    /// Until when the number cools down after calls to other prospects of the user.
    pub phone_cool_down_until: Option<DateTime<Utc>>,
    /// Earlier calls to the number.
    pub phone_usage: PhoneUsage,
    /// Why the user's script can't be filled in for the prospect.
    pub script_error: Option<ScriptError>,
}

/// What a plan depends on besides the candidates.
#[derive(Clone, Debug)]
pub struct PlanContext<'a> {
    pub interval: PlanInterval,
    /// The user's calling window.
    pub window: &'a DailyWindow,
    pub budget: Budget,
    /// All legal rules.
    pub rules: &'a [Rule],
    /// Whether a prospect without a determined time zone is skipped.
    pub strict: bool,
    pub pacing: Pacing,
    /// Whether only a trial call is made, because the provider has rejected the last calls.
    pub trial: bool,
    /// The user's share of the slots that all users of the run want; `None` if there are enough. Callbacks don't count.
    pub share: Option<usize>,
}

/// The decision of a plan run about one prospect.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub prospect: ProspectId,
    pub is_callback: bool,
    /// The prospect's score; higher is called earlier.
    pub score: f64,
    /// The budget before this decision.
    pub left: Budget,
    /// When the prospect is called, or why not.
    pub slot: Result<Slot, Block>,
}

/// When a prospect is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub at: DateTime<Utc>,
    /// Why the slot differs from the time of the callback.
    pub detail: Option<String>,
}

/// Decides about every candidate; the decisions are in calling order.
///
/// Callbacks get their own time; the others are spread evenly over the part of the interval in which the user's window
/// is open. No slot is outside the user's window or outside the legal hours of any zone in which the prospect may be.
/// The budget limits the number of slots.
pub fn plan(context: PlanContext<'_>, mut candidates: Vec<Candidate>) -> Vec<Decision> {
    let PlanInterval { from, until } = context.interval;
    rank(&mut candidates, from, |c| &c.priority);
    let mut phones = BTreeSet::new();
    let checked: Vec<(Candidate, Result<Eligible, Block>)> = candidates
        .into_iter()
        .map(|candidate| {
            let eligible = check_eligible(&candidate, &context).and_then(|eligible| {
                // One prospect per number.
                let first = phones.insert(candidate.phone.clone());
                if first { Ok(eligible) } else { Err(BlockReason::PhoneBusy.into()) }
            });
            (candidate, eligible)
        })
        .collect();

    let callbacks =
        checked.iter().filter(|(c, eligible)| eligible.is_ok() && c.priority.callback).count();
    let (max_calls, limit) = match context.budget.max_calls() {
        (2.., _) if context.trial => (1, BlockReason::ProviderRejects),
        limited => limited,
    };
    let mut spacing = EvenSpacing::new(&context, &checked, max_calls.saturating_sub(callbacks));
    let mut left = context.budget;
    let mut planned = 0;
    let mut decisions = Vec::with_capacity(checked.len());
    for (candidate, eligible) in checked {
        let exhausted = (planned >= max_calls).then_some(limit);
        let slot = eligible.and_then(|eligible| {
            let slot = if candidate.priority.callback {
                callback_slot(&candidate, &eligible.hours, from, until, exhausted)
            } else {
                spacing.next_slot(&eligible.hours, exhausted)
            }?;
            match candidate.phone_usage.check(&eligible.law, slot.at) {
                Ok(()) => Ok(slot),
                Err(cap) => Err(Block::until(BlockReason::PhoneCapReached, cap.until)),
            }
        });
        let score = candidate.priority.score(from);
        let PriorityInput { prospect, callback: is_callback, .. } = candidate.priority;
        if let Ok(slot) = &slot {
            spacing.pacing.add(slot.at);
            planned += 1;
        }
        let before = left;
        if slot.is_ok() {
            left = Budget { calls: left.calls - 1, minutes: left.minutes - 1 };
        }
        decisions.push(Decision { prospect, is_callback, score, left: before, slot });
    }
    decisions
}

impl Budget {
    /// The number of calls that fit, and which limit they reach first.
    fn max_calls(&self) -> (usize, BlockReason) {
        let (max, reason) = [
            (self.calls, BlockReason::DailyLimit),
            (self.minutes, BlockReason::NoMinutes),
            (MAX_CALLS_PER_RUN, BlockReason::NoRoom),
        ]
        .into_iter()
        .min_by_key(|(max, _)| *max)
        .expect("the array has elements");
        (usize::try_from(max).unwrap_or(0), reason)
    }
}

/// A candidate that may be called at some time.
struct Eligible {
    hours: Hours,
    law: Law,
}

fn check_eligible(c: &Candidate, context: &PlanContext<'_>) -> Result<Eligible, Block> {
    let PlanInterval { from, until } = context.interval;
    if c.has_open_conversation {
        return Err(BlockReason::OpenConversation.into());
    }
    if c.suppressed {
        return Err(BlockReason::Suppressed.into());
    }
    if PhoneNumber::parse(&c.phone).is_err() {
        return Err(BlockReason::PhoneInvalid.into());
    }
    let (zone, state) = (c.zone.as_deref(), c.state.as_deref());
    let zones = zones_of_callee(zone, state, &c.phone, context.window, context.strict)?;
    if c.attempts_left <= 0 {
        return Err(BlockReason::AttemptsUsedUp.into());
    }
    if let Some(other) = &c.phone_closed_by {
        return Err(Block::phone_closed(other));
    }
    if c.phone_busy {
        return Err(BlockReason::PhoneBusy.into());
    }
    if let Some(error) = &c.script_error {
        return Err(Block::script_invalid(error));
    }
    // A callback overrides the cool-down.
    if c.priority.callback {
        if let Some(due) = c.callback_due.filter(|due| *due >= until) {
            return Err(Block::until(BlockReason::NotDue, due));
        }
    } else {
        for (end, reason) in [
            (c.next_call_at, BlockReason::CoolingDown),
            (c.phone_cool_down_until, BlockReason::PhoneCoolingDown),
        ] {
            if let Some(end) = end.filter(|end| *end > from) {
                return Err(Block::until(reason, end));
            }
        }
    }
    let law = Law::for_phone(context.rules, &c.phone, state);
    Ok(Eligible { hours: Hours::of_call(context.window.clone(), zones, &law), law })
}

/// The slot of a callback: its time, or the next allowed time after it.
fn callback_slot(
    candidate: &Candidate,
    hours: &Hours,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    exhausted: Option<BlockReason>,
) -> Result<Slot, Block> {
    let agreed = candidate.callback_due.unwrap_or(from);
    let due = agreed.max(from);
    let (next, closed) = match hours.check(due) {
        Ok(()) => (Some(due), None),
        Err(closed) => (closed.next_open, Some(closed.detail)),
    };
    match (next, exhausted) {
        (Some(at), None) if at < until => {
            let detail = match closed {
                Some(closed) => Some(format!(
                    "Callback due at {agreed}, moved to the next allowed time: {closed}"
                )),
                None if agreed < from => Some(format!("Callback due at {agreed}, missed.")),
                None => None,
            };
            Ok(Slot { at, detail })
        }
        (Some(at), Some(reason)) if at < until => Err(reason.into()),
        _ => {
            let reason = BlockReason::OutsideHours;
            let detail = closed.unwrap_or_else(|| reason.sentence().to_owned());
            Err(Block { reason, detail, until: next })
        }
    }
}

/// Even spacing over the part of the interval in which the user's window is open.
struct EvenSpacing {
    open: Result<PlanInterval, Block>,
    /// The number of slots.
    count: usize,
    position: usize,
    pacing: Pacing,
}

impl EvenSpacing {
    fn new(
        context: &PlanContext<'_>,
        checked: &[(Candidate, Result<Eligible, Block>)],
        budget: usize,
    ) -> Self {
        let PlanInterval { from, until } = context.interval;
        let user = Hours::of_window(context.window.clone());
        let opens = match user.check(from) {
            Ok(()) => Ok(from),
            Err(closed) => match closed.next_open {
                Some(next) if next < until => Ok(next),
                _ => Err(Block::from(closed)),
            },
        };
        let open = opens.map(|from| PlanInterval {
            from,
            until: user.allowed_until(from).unwrap_or(until).min(until),
        });
        let budget = budget.min(context.share.unwrap_or(usize::MAX));
        let count = open.as_ref().map_or(0, |open| {
            let room = ((open.until - open.from).num_seconds() / MIN_SPACING_SECS).max(1) as usize;
            let eligible = checked
                .iter()
                .filter(|(c, _)| !c.priority.callback)
                .filter_map(|(_, eligible)| eligible.as_ref().ok())
                .filter(|eligible| first_open(&eligible.hours, open.from, open.until).is_some())
                .count();
            room.min(eligible).min(budget)
        });
        Self { open, count, position: 0, pacing: context.pacing.clone() }
    }

    fn next_slot(&mut self, hours: &Hours, exhausted: Option<BlockReason>) -> Result<Slot, Block> {
        let open = self.open.clone()?;
        if first_open(hours, open.from, open.until).is_none() {
            let closed = hours.check(open.from).err();
            return Err(closed.map_or(BlockReason::OutsideHours.into(), Block::from));
        }
        if let Some(reason) = exhausted {
            return Err(reason.into());
        }
        if self.position >= self.count {
            return Err(BlockReason::NoRoom.into());
        }
        let length = (open.until - open.from).num_seconds();
        let offset = length * (self.position as i64) / (self.count as i64);
        let even = open.from + TimeDelta::seconds(offset);
        // Slots of all users in one grid leave no gaps that are too short for another one.
        let even = self.pacing.on_grid(even, open.until).max(open.from);
        let at = self.first_free(hours, even, open.until);
        let at = at.or_else(|| self.first_free(hours, open.from, open.until));
        let at = at.ok_or_else(|| Block::from(BlockReason::NoRoom))?;
        self.position += 1;
        Ok(Slot { at, detail: None })
    }

    /// The first time within hours that is far enough from every planned slot.
    fn first_free(
        &self,
        hours: &Hours,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let mut time = from;
        loop {
            let open = first_open(hours, time, until)?;
            time = self.pacing.first_free(open);
            if time == open {
                return Some(open);
            }
        }
    }
}

fn first_open(hours: &Hours, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
    hours.next_allowed(from).filter(|time| *time < until)
}

#[cfg(test)]
mod tests;
