//! The phone leg of a running call: dialling, ringing, answering, ending.

use std::time::Duration;

use super::running_call::RunningCall;
use super::timeline::{LegEnd, TimelineEvent};
use crate::call::{EndReason, EndedBy};
use crate::leg::{Detection, HangupCause, HangupSource, LegState, LegStatus};
use crate::scenario::Answer;
use crate::schema::LegEvent;

/// From dialling until the phone rings.
const SETUP_DELAY: Duration = Duration::from_secs(1);
/// From dialling until a callee is known to be busy or to decline.
const DECLINE_DELAY: Duration = Duration::from_secs(3);
/// From the answer until detection has its result.
const DETECTION_DELAY: Duration = Duration::from_millis(3_200);

impl RunningCall {
    /// Dials the number and schedules what happens.
    pub(super) fn dial(&mut self) {
        self.update_leg(LegEvent::Initiated, |leg| leg.status = LegStatus::Initiated);
        let ring_timeout = self.call.leg.ring_timeout;
        let join_timeout = self.call.request.join_timeout();
        let end = |status, cause, source| TimelineEvent::LegEnded(LegEnd { status, cause, source });
        let response = match self.scenario.answer {
            Answer::Answered { after_secs } => {
                Some((after_secs, TimelineEvent::Answered { is_machine: false }))
            }
            Answer::Machine { after_secs } => {
                Some((after_secs, TimelineEvent::Answered { is_machine: true }))
            }
            Answer::Late { past_join_timeout_secs } => {
                let connected = join_timeout + past_join_timeout_secs;
                let answered = connected.min(ring_timeout.saturating_sub(SETUP_DELAY));
                Some((answered, TimelineEvent::Answered { is_machine: false }))
            }
            Answer::Busy => {
                let event = end(LegStatus::Busy, HangupCause::UserBusy, HangupSource::Callee);
                Some((DECLINE_DELAY, event))
            }
            Answer::Rejected => {
                let event = end(LegStatus::Failed, HangupCause::CallRejected, HangupSource::Callee);
                Some((DECLINE_DELAY, event))
            }
            Answer::Unanswered | Answer::Invalid => None,
        };
        let rings = self.scenario.answer != Answer::Busy;
        self.timeline.schedule(SETUP_DELAY, TimelineEvent::PhoneReached { rings });
        match response.filter(|(at, _)| *at < ring_timeout) {
            Some((at, event)) => self.timeline.schedule(at, event),
            None => {
                let event = end(LegStatus::NoAnswer, HangupCause::Timeout, HangupSource::Caller);
                self.timeline.schedule(ring_timeout, event);
            }
        }
    }

    pub(super) fn reach_phone(&mut self, rings: bool) {
        if self.call.leg.status() != LegStatus::Initiated {
            return;
        }
        self.call.progress().rang = true;
        if rings {
            self.update_leg(LegEvent::Ringing, |leg| leg.status = LegStatus::Ringing);
        }
    }

    pub(super) fn answer(&mut self, is_machine: bool) {
        let leg = &self.call.leg;
        if leg.status().is_over() {
            return;
        }
        self.call.progress().rang = true;
        let (detection, time_limit) = (leg.detection, leg.time_limit);
        let answered_by = leg.detect(is_machine);
        let answered_at = self.timestamp();
        self.update_leg(LegEvent::Answered, |leg| {
            leg.status = LegStatus::InProgress;
            leg.answered_at = Some(answered_at);
            leg.answered_by = (detection == Detection::Blocking).then_some(answered_by);
        });
        if detection == Detection::Async {
            let event = TimelineEvent::Detected { is_machine };
            self.timeline.schedule(self.now + DETECTION_DELAY, event);
        }
        let connected = match (self.scenario.answer, detection) {
            (Answer::Late { past_join_timeout_secs }, _) => {
                self.call.request.join_timeout() + past_join_timeout_secs
            }
            (_, Detection::Blocking) => self.now + DETECTION_DELAY,
            _ => self.now,
        };
        self.timeline.schedule(connected.max(self.now), TimelineEvent::Connected);
        let event = TimelineEvent::TalkEnded { reason: EndReason::Hangup, by: EndedBy::Carrier };
        self.timeline.schedule(self.now + time_limit, event);
    }

    pub(super) fn report_detection(&mut self, is_machine: bool) {
        if self.call.leg.status() == LegStatus::InProgress && !self.scenario.carrier_silent {
            let answered_by = self.call.leg.detect(is_machine);
            self.outbox.send_detection(&self.simulator, &self.call, answered_by);
        }
    }

    /// Ends an answered leg as a hang-up by `source` does.
    pub(super) fn clear_leg(&mut self, source: HangupSource) {
        self.end_leg(LegEnd {
            status: LegStatus::Completed,
            cause: HangupCause::NormalClearing,
            source,
        });
    }

    pub(super) fn end_leg(&mut self, end: LegEnd) {
        if self.call.leg.status().is_over() {
            return;
        }
        let ended_at = self.timestamp();
        self.update_leg(LegEvent::Completed, |leg| {
            leg.status = end.status;
            leg.ended_at = Some(ended_at);
            leg.hangup = Some((end.cause, end.source));
        });
    }

    fn update_leg(&mut self, event: LegEvent, change: impl FnOnce(&mut LegState)) {
        change(&mut self.call.leg.state());
        if !self.scenario.carrier_silent {
            let now = self.timestamp();
            self.outbox.send_status(&self.simulator, &self.call, event, now);
        }
    }
}
