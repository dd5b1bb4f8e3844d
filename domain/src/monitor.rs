//! What to do next while a dial is live: wait for events, look the call up, hang up.
//!
//! [`Monitor::next_action`] decides; the workflow acts and reports the result back.

use chrono::{DateTime, TimeDelta, Utc};

use crate::facts::DialFacts;

/// How long an event may be overdue before the call is looked up.
const EVENT_SLACK: TimeDelta = TimeDelta::seconds(15);
/// How long after its longest possible end the end of a call is waited for. Then the call counts as vanished.
pub const LATEST_END_SLACK: TimeDelta = TimeDelta::minutes(10);
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
            facts if !facts.is_placed() => Self::Unknown,
            facts if facts.is_answered() => Self::Talking,
            _ => Self::Ringing,
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
    /// How long the provider must go on not listing a dial until it counts as never placed.
    pub never_placed_after: TimeDelta,
}

impl DialTerms {
    /// After this time an unanswered call does not ring any more, by the provider's contract.
    fn latest_answer(&self, sent_at: DateTime<Utc>) -> DateTime<Utc> {
        sent_at + self.join_timeout
    }

    /// After this time the call counts as over, even if nobody has reported its end.
    pub fn latest_end(&self, sent_at: DateTime<Utc>) -> DateTime<Utc> {
        sent_at + self.join_timeout + self.max_duration + LATEST_END_SLACK
    }

    /// Whether lookups show that a dial was never placed: at `first` and at `last` the provider did not list it, and at
    /// no time between them did it.
    pub fn is_never_placed(
        &self,
        sent_at: DateTime<Utc>,
        first: DateTime<Utc>,
        last: DateTime<Utc>,
    ) -> bool {
        first > self.latest_answer(sent_at) && last - first >= self.never_placed_after
    }
}

/// What the monitor works towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Any source reports the end of the call.
    AwaitEnd,
    /// The call was recorded: provider or carrier must confirm that the phone does not ring or talk on.
    EnsureHungUp,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAction {
    HangUp,
    /// Look the call up at the provider.
    FetchStatus,
    /// Apply [`DialEvent::NeverPlaced`](crate::facts::DialEvent::NeverPlaced).
    DeclareNeverPlaced,
    /// Apply [`DialEvent::Vanished`](crate::facts::DialEvent::Vanished).
    DeclareVanished,
    MarkAnswered,
    /// Record that the callee has opted out, so that no other call to the number starts.
    RecordOptOut,
    /// Wait for events until this time.
    WaitUntil(DateTime<Utc>),
    Done,
}

/// The answer to a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    Found,
    NotFound,
    /// The lookup failed: nothing follows for the call.
    Failed,
}

/// Lookups after the latest answer, none of which found the call.
#[derive(Clone, Copy, Debug)]
struct NotFound {
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

/// The progress of one dial towards a goal.
#[derive(Clone, Debug)]
pub struct Monitor {
    goal: Goal,
    terms: DialTerms,
    sent_at: DateTime<Utc>,
    lookups: LookupSchedule,
    lookup_requested: bool,
    not_found: Option<NotFound>,
    hung_up_with: Option<HangUpMeans>,
    retry_hang_up_at: Option<DateTime<Utc>>,
    hung_up_at_latest_end: bool,
    marked_answered: bool,
    opt_out_recorded: bool,
}

impl Monitor {
    /// `sent_at`: when the request was sent.
    pub fn new(goal: Goal, terms: DialTerms, sent_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            goal,
            terms,
            sent_at,
            lookups: LookupSchedule { terms, stage: Stage::Unknown, since: now, count: 0 },
            lookup_requested: false,
            not_found: None,
            hung_up_with: None,
            retry_hang_up_at: None,
            hung_up_at_latest_end: false,
            marked_answered: false,
            opt_out_recorded: false,
        }
    }

    /// Notes the present stage; to be called before [`next_action`](Self::next_action).
    pub fn observe(&mut self, facts: &DialFacts, now: DateTime<Utc>) {
        if self.lookups.observe(Stage::of(facts), now) {
            self.not_found = None;
        }
    }

    /// Decides what to do next. `cancelled`: an operator has cancelled the call.
    pub fn next_action(
        &self,
        facts: &DialFacts,
        cancelled: bool,
        now: DateTime<Utc>,
    ) -> NextAction {
        let stage = Stage::of(facts);
        let done = match self.goal {
            Goal::AwaitEnd => stage == Stage::Over,
            Goal::EnsureHungUp => !facts.may_still_be_live(),
        };
        if done {
            return NextAction::Done;
        }
        let latest_end = self.terms.latest_end(self.sent_at);
        if now >= latest_end {
            let hung_up = self.hung_up_at_latest_end;
            return if hung_up { NextAction::DeclareVanished } else { NextAction::HangUp };
        }
        if !facts.is_placed() && self.is_never_placed() {
            return NextAction::DeclareNeverPlaced;
        }
        if self.lookup_requested {
            return NextAction::FetchStatus;
        }
        let lookup_due = self.lookup_due(stage, now);
        let hang_up_due = self.hang_up_due(facts, cancelled, lookup_due, now);
        if hang_up_due.is_some_and(|due| due <= now) {
            return NextAction::HangUp;
        }
        if lookup_due <= now {
            return NextAction::FetchStatus;
        }
        if stage == Stage::Talking && !self.marked_answered {
            return NextAction::MarkAnswered;
        }
        if facts.opted_out() && !self.opt_out_recorded && self.goal == Goal::AwaitEnd {
            return NextAction::RecordOptOut;
        }
        let due = hang_up_due.map_or(lookup_due, |due| due.min(lookup_due));
        NextAction::WaitUntil(due.min(latest_end))
    }

    fn is_never_placed(&self) -> bool {
        self.not_found.is_some_and(|not_found| {
            self.terms.is_never_placed(self.sent_at, not_found.first, not_found.last)
        })
    }

    fn lookup_due(&self, stage: Stage, now: DateTime<Utc>) -> DateTime<Utc> {
        let due = self.lookups.due(stage, now);
        let confirmed =
            self.not_found.map(|not_found| not_found.first + self.terms.never_placed_after);
        confirmed.filter(|time| *time > now).map_or(due, |time| time.min(due))
    }

    /// When to hang up; `None` if the call may go on. It is hung up as soon as there are other means, and later again.
    fn hang_up_due(
        &self,
        facts: &DialFacts,
        cancelled: bool,
        lookup_due: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        // A lookup comes first: the call may have ended without an event.
        let rings_too_long = Stage::of(facts) == Stage::Ringing
            && now > self.terms.latest_answer(self.sent_at)
            && self.lookups.count > 0;
        let ensure = self.goal == Goal::EnsureHungUp;
        if !cancelled && !ensure && !rings_too_long {
            return None;
        }
        let new_means = self.hung_up_with != Some(HangUpMeans::of(facts));
        match self.retry_hang_up_at {
            Some(retry_at) => Some(retry_at),
            None if new_means => Some(now),
            None => ensure.then_some(lookup_due),
        }
    }

    /// Reports the result of [`NextAction::HangUp`]: whether provider and carrier took the request.
    pub fn hang_up_done(&mut self, facts: &DialFacts, succeeded: bool, now: DateTime<Utc>) {
        self.hung_up_with = succeeded.then(|| HangUpMeans::of(facts));
        self.retry_hang_up_at = (!succeeded).then(|| now + HANG_UP_RETRY_DELAY);
        self.hung_up_at_latest_end |= now >= self.terms.latest_end(self.sent_at);
        // A call that can't be hung up may be over already.
        self.lookup_requested = !succeeded || self.goal == Goal::EnsureHungUp;
    }

    /// Reports the result of [`NextAction::FetchStatus`].
    pub fn lookup_done(&mut self, lookup: Lookup, now: DateTime<Utc>) {
        self.lookup_requested = false;
        match lookup {
            Lookup::Found => self.not_found = None,
            Lookup::NotFound if now > self.terms.latest_answer(self.sent_at) => {
                let first = self.not_found.map_or(now, |not_found| not_found.first);
                self.not_found = Some(NotFound { first, last: now });
            }
            Lookup::NotFound | Lookup::Failed => {}
        }
        self.lookups.count(now);
    }

    /// Reports that [`NextAction::MarkAnswered`] was tried.
    pub fn answered_marked(&mut self) {
        self.marked_answered = true;
    }

    /// Reports that [`NextAction::RecordOptOut`] was tried.
    pub fn opt_out_recorded(&mut self) {
        self.opt_out_recorded = true;
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
