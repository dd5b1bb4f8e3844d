//! Following a dial that is out until it is over: by events, and by asking when they stay away.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::facts::Event;
use domain::status::Reason;
use temporalio_workflow::WorkflowContext;

use super::wait::Wait;
use super::{Call, CallState, Ending, show};
use crate::activities::calls::{
    Admitted, ConversationRef, HangUp, Leg, LookUp, NoteAnswered, Suppress,
};
use crate::{clock, presets};

/// How much later than it must have come an event may come before we ask.
const SLACK: TimeDelta = TimeDelta::seconds(15);
/// How long after the join time-out an unknown request is still looked for.
const UNKNOWN_SLACK: TimeDelta = TimeDelta::seconds(60);
/// How long after its longest end a call of which somebody spoke, but which the provider does not
/// show, is still waited for.
const HOPELESS_SLACK: TimeDelta = TimeDelta::hours(1);
/// The pause after which a call that could not be ended is ended again.
const END_AGAIN: Duration = Duration::from_secs(30);

/// Waits until the call is over. Every wait has a bound, and behind it a question to the provider.
pub(super) async fn follow(ctx: &mut WorkflowContext<Call>, dial: &Admitted) -> Ending {
    let offset = ctx.state(|call| call.input.clock_offset);
    let sent = clock::now(ctx, offset);
    let lost_after = sent + TimeDelta::seconds(dial.join_timeout_secs) + UNKNOWN_SLACK;
    let longest = TimeDelta::seconds(dial.join_timeout_secs + dial.max_duration_secs);
    let hopeless_after = sent + longest + HOPELESS_SLACK;
    let mut questions = Questions::new(sent, dial);
    let mut noted = false;
    let mut refused = false;
    // With which means a call was ended: one that rang on is ended again once that can be done
    // better.
    let mut ended_at = None;
    loop {
        let now = clock::now(ctx, offset);
        let cancelled = ctx.cancellation_token().is_cancelled();
        let stage = ctx.state(Stage::of);
        if stage == Stage::Over {
            if ctx.state(|call| call.facts.may_go_on()) {
                // Somebody else says so: the provider is told, and says how it ended.
                show(ctx, stage.state(), "Said to be over: ending the call");
                end(ctx, dial).await;
                ask(ctx, dial).await;
            }
            return if cancelled { Ending::Cancelled } else { Ending::Over };
        }
        let reach = ctx.state(Reach::of);
        let end_now = cancelled && ended_at != Some(reach);
        let mut ended = true;
        if end_now {
            show(ctx, stage.state(), "Cancelled: ending the call");
            ended = end(ctx, dial).await;
            ended_at = ended.then_some(reach);
        }
        let due = questions.due(stage, now);
        // One that can't be ended may be over, or gone, without anybody having said so.
        if due <= now || !ended {
            let answer = ask(ctx, dial).await;
            questions.asked(clock::now(ctx, offset));
            let unknown_there = answer == Some(false);
            if unknown_there && now > hopeless_after {
                let about = Some(dial.dial_id.clone());
                ctx.state_mut(|call| call.hear(about, Event::Vanished));
            } else if unknown_there && now > lost_after && (cancelled || ctx.state(is_unseen)) {
                let why = "The provider knows of no such call.".to_owned();
                let given_back = Ending::GivenBack(Reason::NeverPlaced, why);
                return if cancelled { Ending::Cancelled } else { given_back };
            }
            if !ended {
                let summary = "then tries to end the call again".to_owned();
                let wait = Wait { longest: END_AGAIN, summary, heeds_cancellation: false };
                wait.for_news(ctx, |call| call.facts.is_over()).await;
            }
            continue;
        }
        if end_now {
            continue;
        }
        show(ctx, stage.state(), stage.sentence());
        if stage == Stage::Talking && !noted {
            note_answered(ctx).await;
            noted = true;
            continue;
        }
        if !refused && ctx.state(|call| call.facts.asks_not_to_be_called()) {
            suppress(ctx).await;
            refused = true;
            continue;
        }
        let wait = Wait {
            longest: clock::until(now, due),
            summary: "then asks the provider".to_owned(),
            heeds_cancellation: !cancelled,
        };
        // One that is to be ended can be ended better once more is known of it.
        let known = ctx.state(Reach::of);
        wait.for_news(ctx, |call| {
            let refuses = !refused && call.facts.asks_not_to_be_called();
            let further = cancelled && Reach::of(call) != known;
            Stage::of(call) != stage || further || refuses
        })
        .await;
    }
}

/// After the records of a call that somebody else has declared over are written: sees to it that no phone rings or talks
/// on, for as long as one may.
pub(super) async fn see_off(ctx: &WorkflowContext<Call>, dial: &Admitted) {
    let offset = ctx.state(|call| call.input.clock_offset);
    let began = clock::now(ctx, offset);
    let unjoined_after = began + TimeDelta::seconds(dial.join_timeout_secs) + UNKNOWN_SLACK;
    let longest = TimeDelta::seconds(dial.join_timeout_secs + dial.max_duration_secs);
    let mut questions = Questions::new(began, dial);
    let mut ended_at = Some(ctx.state(Reach::of));
    loop {
        let now = clock::now(ctx, offset);
        if !ctx.state(|call| call.facts.may_go_on()) || now > began + longest + HOPELESS_SLACK {
            return;
        }
        let reach = ctx.state(Reach::of);
        let due = questions.due(Stage::Over, now);
        if ended_at != Some(reach) || due <= now {
            ended_at = end(ctx, dial).await.then_some(reach);
            let unknown_there = ask(ctx, dial).await == Some(false);
            questions.asked(clock::now(ctx, offset));
            if unknown_there && now > unjoined_after {
                return;
            }
            continue;
        }
        let wait = Wait {
            longest: clock::until(now, due),
            summary: "then sees whether the phone is silent".to_owned(),
            heeds_cancellation: false,
        };
        wait.for_news(ctx, |call| !call.facts.may_go_on() || Reach::of(call) != reach).await;
    }
}

/// Whether nothing shows that the request reached the provider.
fn is_unseen(call: &Call) -> bool {
    Stage::of(call) == Stage::Unknown
}

/// Ends a call, whoever can: the carrier while it rings, the provider once somebody has answered.
/// Where neither can be asked to, a phone rings on until it is answered or rings out. False if
/// whoever was asked did not answer.
pub(super) async fn end(ctx: &WorkflowContext<Call>, dial: &Admitted) -> bool {
    let leg = ctx.state(|call| Leg {
        dial_id: dial.dial_id.clone(),
        provider_call_id: call.facts.provider_call_id().map(str::to_owned),
        carrier_call_id: call.facts.carrier_call_id().map(str::to_owned),
        answered: call.facts.is_answered(),
    });
    ctx.execute_activity(HangUp, leg, presets::provider()).await.is_ok()
}

/// Shows in the records that somebody answered. The outcome will say so too, so that a failure
/// here is none of the call's.
async fn note_answered(ctx: &WorkflowContext<Call>) {
    let about =
        ctx.state(|call| ConversationRef { conversation_id: call.input.conversation_id.clone() });
    let _ = ctx.execute_local_activity(NoteAnswered, about, presets::database_at_once()).await;
}

/// Puts the number on the do-not-call list while the agent still says goodbye, so that no other call to it is made. The
/// outcome will do so too, so that a failure here is none of the call's.
pub(super) async fn suppress(ctx: &WorkflowContext<Call>) {
    let about =
        ctx.state(|call| ConversationRef { conversation_id: call.input.conversation_id.clone() });
    let _ = ctx.execute_local_activity(Suppress, about, presets::database_at_once()).await;
}

/// Asks the provider and takes in what it says: whether it has the call; nothing if it did not
/// answer, from which nothing follows.
async fn ask(ctx: &WorkflowContext<Call>, dial: &Admitted) -> Option<bool> {
    let about = ctx.state(|call| call.dial_ref(dial));
    let seen = ctx.execute_activity(LookUp, about, presets::provider()).await.ok()?;
    let has_it = seen.provider_call_id.is_some() || seen.vanished;
    ctx.state_mut(|call| {
        for event in seen.events() {
            call.hear(Some(dial.dial_id.clone()), event);
        }
    });
    Some(has_it)
}

/// By what means a call can be ended, and whether that would do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reach {
    answered: bool,
    provider: bool,
    carrier: bool,
}

impl Reach {
    fn of(call: &Call) -> Self {
        Self {
            answered: call.facts.is_answered(),
            provider: call.facts.provider_call_id().is_some(),
            carrier: call.facts.carrier_call_id().is_some(),
        }
    }
}

/// How far a dial has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing shows that the request reached the provider.
    Unknown,
    Ringing,
    Talking,
    Over,
}

impl Stage {
    fn of(call: &Call) -> Self {
        match &call.facts {
            facts if facts.is_over() => Self::Over,
            facts if facts.is_answered() => Self::Talking,
            facts if facts.is_placed() => Self::Ringing,
            _ => Self::Unknown,
        }
    }

    fn state(self) -> CallState {
        match self {
            Self::Unknown | Self::Ringing => CallState::Ringing,
            Self::Talking => CallState::Talking,
            Self::Over => CallState::Settling,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Unknown => "The request was sent and not answered: looking for the call",
            Self::Ringing => "The provider has the call; nobody has answered yet",
            Self::Talking => "Talking",
            Self::Over => "The call is over",
        }
    }
}

/// When to ask the provider: once an event is overdue, then with growing pauses.
struct Questions<'d> {
    dial: &'d Admitted,
    stage: Stage,
    /// When the stage began, or the last question of it was asked.
    since: DateTime<Utc>,
    asked: u32,
}

impl<'d> Questions<'d> {
    fn new(sent: DateTime<Utc>, dial: &'d Admitted) -> Self {
        Self { dial, stage: Stage::Unknown, since: sent, asked: 0 }
    }

    fn due(&mut self, stage: Stage, now: DateTime<Utc>) -> DateTime<Utc> {
        if stage != self.stage {
            (self.stage, self.asked, self.since) = (stage, 0, now);
        }
        self.since + self.pause()
    }

    fn asked(&mut self, now: DateTime<Utc>) {
        (self.asked, self.since) = (self.asked + 1, now);
    }

    fn pause(&self) -> TimeDelta {
        let growing = |first: i64, last: i64, n: u32| {
            TimeDelta::seconds(first.saturating_mul(1 << n.min(16)).min(last))
        };
        match (self.stage, self.asked) {
            (Stage::Unknown | Stage::Over, n) => growing(5, 60, n),
            (Stage::Ringing, 0) => TimeDelta::seconds(self.dial.join_timeout_secs) + SLACK,
            (Stage::Talking, 0) => TimeDelta::seconds(self.dial.max_duration_secs) + SLACK,
            (_, n) => growing(30, 600, n - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_begin_when_an_event_is_overdue_and_grow_rarer() {
        let dial = Admitted {
            dial_id: "p-1.1".into(),
            join_timeout_secs: 60,
            max_duration_secs: 600,
            taken_up: false,
        };
        let mut now: DateTime<Utc> = "2025-02-25T14:00:00Z".parse().unwrap();
        let mut questions = Questions::new(now, &dial);
        for (stage, pauses) in [
            (Stage::Unknown, &[5, 10, 20, 40, 60, 60][..]),
            (Stage::Ringing, &[75, 30, 60, 120, 240, 480, 600, 600]),
            (Stage::Talking, &[615, 30, 60]),
        ] {
            for pause in pauses {
                let due = questions.due(stage, now);
                assert_eq!((due - now).num_seconds(), *pause, "{stage:?}");
                now = due;
                questions.asked(now);
            }
        }
    }
}
