//! What to do next while a dial is live: wait for events, look the call up, hang up.
//!
//! [`Monitor::next_action`] decides; the workflow acts and reports the result back.

use chrono::{DateTime, TimeDelta, Utc};

use crate::facts::DialFacts;

/// How long an event may be overdue before the call is looked up.
const EVENT_SLACK: TimeDelta = TimeDelta::seconds(15);
/// How long after the join timeout a dial with an unknown answer is looked for.
pub const UNKNOWN_DIAL_SLACK: TimeDelta = TimeDelta::seconds(60);
/// How long after its longest possible end a call that the provider does not list is waited for.
const LOST_CALL_SLACK: TimeDelta = TimeDelta::hours(1);
/// The delay before a failed hang-up is repeated.
const HANG_UP_RETRY_DELAY: TimeDelta = TimeDelta::seconds(30);

/// How far a dial has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing shows that the request reached the provider.
    Unknown,
    Ringing,
    Talking,
    Over,
}

impl Stage {
    pub fn of(facts: &DialFacts) -> Self {
        match facts {
            facts if facts.is_over() => Self::Over,
            facts if facts.is_answered() => Self::Talking,
            facts if facts.is_placed() => Self::Ringing,
            _ => Self::Unknown,
        }
    }
}

/// The means by which a call can be hung up: the carrier while it rings, the provider once it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HangUpMeans {
    answered: bool,
    provider: bool,
    carrier: bool,
}

impl HangUpMeans {
    fn of(facts: &DialFacts) -> Self {
        Self {
            answered: facts.is_answered(),
            provider: facts.provider_call_id().is_some(),
            carrier: facts.carrier_call_id().is_some(),
        }
    }
}

/// The terms of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialTerms {
    /// After this time from the request the provider gives up on an unanswered call.
    pub join_timeout: TimeDelta,
    /// After this time of talk the provider ends the call.
    pub max_duration: TimeDelta,
}

/// What the monitor works towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The end of the call is known.
    AwaitEnd,
    /// The end was reported by the user's system only: the phone must not ring or talk on.
    EnsureHungUp,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAction {
    HangUp,
    /// Look the call up at the provider.
    FetchStatus,
    /// Apply [`DialEvent::Vanished`](crate::facts::DialEvent::Vanished).
    DeclareVanished,
    MarkAnswered,
    /// Put the number on the do-not-call list.
    Suppress,
    /// Wait for events until this time.
    WaitUntil(DateTime<Utc>),
    Done(MonitorEnd),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorEnd {
    Over,
    /// The answer to the request was lost, and the provider has no such call.
    NeverPlaced,
}

/// The answer to a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    Found,
    NotFound,
    /// The lookup failed: nothing follows for the call.
    Failed,
}

/// The progress of one dial towards a goal.
#[derive(Clone, Debug)]
pub struct Monitor {
    goal: Goal,
    terms: DialTerms,
    started_at: DateTime<Utc>,
    lookups: LookupSchedule,
    lookup_requested: bool,
    not_found_at: Option<DateTime<Utc>>,
    hung_up_with: Option<HangUpMeans>,
    retry_hang_up_at: Option<DateTime<Utc>>,
    hung_up_at_end: bool,
    looked_up_at_end: bool,
    marked_answered: bool,
    suppressed: bool,
}

impl Monitor {
    /// `started_at`: when the request was sent or, for [`Goal::EnsureHungUp`], when the outcome was recorded.
    pub fn new(goal: Goal, terms: DialTerms, facts: &DialFacts, started_at: DateTime<Utc>) -> Self {
        Self {
            goal,
            terms,
            started_at,
            lookups: LookupSchedule { terms, stage: Stage::Unknown, since: started_at, count: 0 },
            lookup_requested: false,
            not_found_at: None,
            // The call was hung up before its outcome was recorded.
            hung_up_with: (goal == Goal::EnsureHungUp).then(|| HangUpMeans::of(facts)),
            retry_hang_up_at: None,
            hung_up_at_end: false,
            looked_up_at_end: false,
            marked_answered: false,
            suppressed: false,
        }
    }

    /// Notes the present stage; to be called before [`next_action`](Self::next_action).
    pub fn observe(&mut self, facts: &DialFacts, now: DateTime<Utc>) {
        if self.lookups.observe(Stage::of(facts), now) {
            self.not_found_at = None;
        }
    }

    /// Decides what to do next. `cancelled`: an operator has cancelled the call.
    pub fn next_action(
        &self,
        facts: &DialFacts,
        cancelled: bool,
        now: DateTime<Utc>,
    ) -> NextAction {
        match self.goal {
            Goal::AwaitEnd => self.await_end(facts, cancelled, now),
            Goal::EnsureHungUp => self.ensure_hung_up(facts, now),
        }
    }

    fn await_end(&self, facts: &DialFacts, cancelled: bool, now: DateTime<Utc>) -> NextAction {
        let stage = Stage::of(facts);
        if stage == Stage::Over {
            return match (facts.may_still_be_live(), self.hung_up_at_end, self.looked_up_at_end) {
                (false, ..) | (_, _, true) => NextAction::Done(MonitorEnd::Over),
                (_, false, _) => NextAction::HangUp,
                (_, true, false) => NextAction::FetchStatus,
            };
        }
        if self.not_found_at.is_some_and(|at| at > self.latest_end() + LOST_CALL_SLACK) {
            return NextAction::DeclareVanished;
        }
        let unknown = cancelled || stage == Stage::Unknown;
        if unknown && self.not_found_at.is_some_and(|at| at > self.latest_answer()) {
            return NextAction::Done(MonitorEnd::NeverPlaced);
        }
        let hang_up = cancelled && self.hung_up_with != Some(HangUpMeans::of(facts));
        let retry_at = self.retry_hang_up_at.filter(|_| hang_up);
        if self.lookup_requested {
            return NextAction::FetchStatus;
        }
        if hang_up && retry_at.is_none_or(|retry_at| retry_at <= now) {
            return NextAction::HangUp;
        }
        let due = self.lookups.due(stage, now);
        if due <= now {
            return NextAction::FetchStatus;
        }
        if stage == Stage::Talking && !self.marked_answered {
            return NextAction::MarkAnswered;
        }
        if facts.opted_out() && !self.suppressed {
            return NextAction::Suppress;
        }
        NextAction::WaitUntil(retry_at.map_or(due, |retry_at| retry_at.min(due)))
    }

    fn ensure_hung_up(&self, facts: &DialFacts, now: DateTime<Utc>) -> NextAction {
        let expired = now > self.latest_end() + LOST_CALL_SLACK;
        let gone = self.not_found_at.is_some_and(|at| at > self.latest_answer());
        if !facts.may_still_be_live() || expired || gone {
            return NextAction::Done(MonitorEnd::Over);
        }
        if self.lookup_requested {
            return NextAction::FetchStatus;
        }
        let due = self.lookups.due(Stage::of(facts), now);
        let due = self.retry_hang_up_at.unwrap_or_else(|| {
            let new_means = self.hung_up_with != Some(HangUpMeans::of(facts));
            if new_means { now } else { due }
        });
        if due <= now { NextAction::HangUp } else { NextAction::WaitUntil(due) }
    }

    /// After this time a dial whose answer was lost, and which the provider does not list, was never placed.
    fn latest_answer(&self) -> DateTime<Utc> {
        self.started_at + self.terms.join_timeout + UNKNOWN_DIAL_SLACK
    }

    fn latest_end(&self) -> DateTime<Utc> {
        self.started_at + self.terms.join_timeout + self.terms.max_duration
    }

    /// Reports the result of [`NextAction::HangUp`]: whether provider and carrier took the request.
    pub fn hang_up_done(&mut self, facts: &DialFacts, succeeded: bool, now: DateTime<Utc>) {
        let over = Stage::of(facts) == Stage::Over;
        self.hung_up_with = succeeded.then(|| HangUpMeans::of(facts));
        self.retry_hang_up_at = (!succeeded).then(|| now + HANG_UP_RETRY_DELAY);
        self.hung_up_at_end |= over;
        self.not_found_at = None;
        // A call that can't be hung up may be over already.
        self.lookup_requested = !succeeded || self.goal == Goal::EnsureHungUp;
    }

    /// Reports the result of [`NextAction::FetchStatus`].
    pub fn lookup_done(&mut self, lookup: Lookup, now: DateTime<Utc>) {
        self.lookup_requested = false;
        self.looked_up_at_end |= self.hung_up_at_end;
        self.not_found_at = (lookup == Lookup::NotFound).then_some(now);
        self.lookups.count(now);
    }

    /// Reports that [`NextAction::MarkAnswered`] was tried.
    pub fn answered_marked(&mut self) {
        self.marked_answered = true;
    }

    /// Reports that [`NextAction::Suppress`] was tried.
    pub fn suppression_done(&mut self) {
        self.suppressed = true;
    }
}

/// When to look a call up: once an event is overdue, then with growing intervals.
#[derive(Clone, Debug)]
struct LookupSchedule {
    terms: DialTerms,
    stage: Stage,
    /// When the stage began, or when the last lookup of the stage ended.
    since: DateTime<Utc>,
    /// Lookups of the stage.
    count: u32,
}

impl LookupSchedule {
    /// Returns whether the stage has changed.
    fn observe(&mut self, stage: Stage, now: DateTime<Utc>) -> bool {
        let changed = stage != self.stage;
        if changed {
            (self.stage, self.count, self.since) = (stage, 0, now);
        }
        changed
    }

    fn count(&mut self, now: DateTime<Utc>) {
        (self.count, self.since) = (self.count + 1, now);
    }

    fn due(&self, stage: Stage, now: DateTime<Utc>) -> DateTime<Utc> {
        if stage == self.stage {
            self.since + self.interval(stage, self.count)
        } else {
            now + self.interval(stage, 0)
        }
    }

    fn interval(&self, stage: Stage, count: u32) -> TimeDelta {
        let growing = |first: i64, last: i64, n: u32| {
            TimeDelta::seconds(first.saturating_mul(1 << n.min(16)).min(last))
        };
        match (stage, count) {
            (Stage::Unknown | Stage::Over, n) => growing(5, 60, n),
            (Stage::Ringing, 0) => self.terms.join_timeout + EVENT_SLACK,
            (Stage::Talking, 0) => self.terms.max_duration + EVENT_SLACK,
            (_, n) => growing(30, 600, n - 1),
        }
    }
}

#[cfg(test)]
mod tests;
