//! The phone leg: dialling, ringing, picking up, hanging up.

use std::time::Duration;

use super::run::Run;
use super::timeline::Moment;
use crate::calls::{EndReason, EndedBy, Event};
use crate::scenario::Answer;
use crate::telnyx::{Detection, LegEvent, LegState, LegStatus};

/// From dialling until the phone rings.
const SET_UP: Duration = Duration::from_secs(1);
/// From dialling until a busy or declining callee is noticed.
const DECLINE: Duration = Duration::from_secs(3);
/// How long the carrier takes to tell a machine from a person.
const DETECTION: Duration = Duration::from_millis(3_200);

impl Run {
    /// Dials, and enters what comes of it.
    pub(super) fn dial(&mut self) {
        let Some(leg) = &self.call.leg else {
            return;
        };
        let ring_timeout = leg.dial.ring_timeout;
        self.advance(LegEvent::Initiated, |state| {
            state.status = LegStatus::Initiated;
        });
        let join_timeout = self.call.request.join_timeout;
        let over = |status, cause, source| Moment::LegOver { status, cause, source };
        let (rings, at, outcome) = match self.scenario.answer {
            Answer::Answered { after_secs } => {
                (true, after_secs, Moment::PickUp { machine: false })
            }
            Answer::Machine { after_secs } => (true, after_secs, Moment::PickUp { machine: true }),
            Answer::Late { past_join_timeout_secs } => {
                let audible = join_timeout + past_join_timeout_secs;
                let picked_up = audible.min(ring_timeout.saturating_sub(SET_UP));
                (true, picked_up, Moment::PickUp { machine: false })
            }
            Answer::Unanswered => (true, Duration::MAX, Moment::MediaUp),
            Answer::Busy => (false, DECLINE, over(LegStatus::Busy, "user_busy", "callee")),
            Answer::Rejected => {
                let outcome = over(LegStatus::Failed, "call_rejected", "callee");
                (true, DECLINE, outcome)
            }
            Answer::Failed | Answer::Invalid => {
                let outcome = over(LegStatus::Failed, "not_found", "unknown");
                self.timeline.enter(SET_UP, outcome);
                return;
            }
        };
        self.timeline.enter(SET_UP, Moment::Reached { rings });
        if at < ring_timeout {
            self.timeline.enter(at, outcome);
        } else {
            let gave_up = over(LegStatus::NoAnswer, "timeout", "caller");
            self.timeline.enter(ring_timeout, gave_up);
        }
    }

    pub(super) fn reached(&mut self, rings: bool) {
        if self.leg_status() != Some(LegStatus::Initiated) {
            return;
        }
        self.call.progress().rang = true;
        if rings {
            self.advance(LegEvent::Ringing, |state| state.status = LegStatus::Ringing);
        }
    }

    pub(super) fn picked_up(&mut self, machine: bool) {
        let Some(leg) = &self.call.leg else {
            return;
        };
        if leg.status().is_over() {
            return;
        }
        self.call.progress().rang = true;
        let (detection, time_limit) = (leg.dial.detection, leg.dial.time_limit);
        let answered_by = answered_by(machine, leg.dial.detect_message_end);
        let now = self.clock();
        self.advance(LegEvent::Answered, |state| {
            state.status = LegStatus::InProgress;
            state.answered = Some(now);
            state.answered_by = (detection == Detection::Blocking).then_some(answered_by);
        });
        if detection == Detection::Async {
            self.timeline.enter(self.now + DETECTION, Moment::Detected { machine });
        }
        let audible = match (self.scenario.answer, detection) {
            (Answer::Late { past_join_timeout_secs }, _) => {
                self.call.request.join_timeout + past_join_timeout_secs
            }
            (_, Detection::Blocking) => self.now + DETECTION,
            _ => self.now,
        };
        self.timeline.enter(audible.max(self.now), Moment::MediaUp);
        self.timeline.enter(
            self.now + time_limit,
            Moment::TalkOver { reason: EndReason::Hangup, by: EndedBy::Carrier },
        );
    }

    pub(super) fn detected(&mut self, machine: bool) {
        let call = std::sync::Arc::clone(&self.call);
        if let Some(leg) = &call.leg
            && leg.status() == LegStatus::InProgress
        {
            let answered_by = answered_by(machine, leg.dial.detect_message_end);
            self.outbox.report_detection(leg, answered_by, &self.scenario);
        }
    }

    /// The agent and the callee are connected, unless either is gone.
    pub(super) fn media_up(&mut self) {
        if self.leg_status() != Some(LegStatus::InProgress) {
            return;
        }
        if !self.call.progress().is_active() {
            self.leg_over(LegStatus::Completed, "normal_clearing", "caller");
            return;
        }
        self.joined = Some(self.now);
        self.call.progress().joined = Some(self.clock());
        self.enter_talk();
        self.outbox.announce(Event::Joined, &self.scenario);
    }

    pub(super) fn leg_over(
        &mut self,
        status: LegStatus,
        cause: &'static str,
        source: &'static str,
    ) {
        if self.leg_status().is_none_or(LegStatus::is_over) {
            return;
        }
        let now = self.clock();
        self.advance(LegEvent::Completed, |state| {
            state.status = status;
            state.ended = Some(now);
            state.hangup_cause = Some(cause);
            state.hangup_source = Some(source);
        });
    }

    /// Someone ended the leg over the carrier's API.
    pub(super) async fn cancelled_by_carrier(&mut self) {
        match self.leg_status() {
            Some(LegStatus::InProgress) => {
                self.leg_over(LegStatus::Completed, "normal_clearing", "caller");
                if self.is_talking() {
                    self.end(EndReason::Hangup, EndedBy::Carrier).await;
                }
            }
            _ => self.leg_over(LegStatus::Canceled, "originator_cancel", "caller"),
        }
    }

    pub(super) fn leg_status(&self) -> Option<LegStatus> {
        self.call.leg.as_ref().map(|leg| leg.status())
    }

    fn advance(&mut self, event: LegEvent, change: impl FnOnce(&mut LegState)) {
        let call = std::sync::Arc::clone(&self.call);
        if let Some(leg) = &call.leg {
            change(&mut leg.state());
            let now = self.clock();
            self.outbox.report(leg, event, now, &self.scenario);
        }
    }
}

fn answered_by(machine: bool, message_end: bool) -> &'static str {
    match (machine, message_end) {
        (false, _) => "human",
        (true, false) => "machine_start",
        (true, true) => "machine_end_beep",
    }
}
