//! The talk of a running call: join, steps, end and bill.

use std::time::Duration;

use super::running_call::RunningCall;
use super::timeline::{LegEnd, TimelineEvent};
use crate::call::{EndReason, EndedBy, Role};
use crate::leg::{HangupCause, HangupSource, LegStatus};
use crate::scenario::{Speaker, Step};
use crate::webhook_event::WebhookEvent;

/// From the end of a call until it is billed.
const BILLING_DELAY: Duration = Duration::from_secs(2);

impl RunningCall {
    /// Connects the agent and the callee, unless the leg or the call is over.
    pub(super) fn join(&mut self) {
        if self.call.leg.status() != LegStatus::InProgress {
            return;
        }
        if !self.call.progress().is_active() {
            self.clear_leg(HangupSource::Caller);
            return;
        }
        self.joined = Some(self.now);
        self.call.progress().joined_at = Some(self.timestamp());
        self.schedule_talk();
        self.send_event(WebhookEvent::Joined);
    }

    fn schedule_talk(&mut self) {
        for (index, line) in self.scenario.transcript.iter().enumerate() {
            self.timeline.schedule(self.now + line.at, TimelineEvent::Line(index));
        }
        for (index, step) in self.scenario.steps.iter().enumerate() {
            self.timeline.schedule(self.now + step.at(), TimelineEvent::Step(index));
        }
        let limit = self.call.request.max_duration();
        let (duration, reason, by) = if self.scenario.talk < limit {
            (self.scenario.talk, EndReason::Hangup, EndedBy::Callee)
        } else {
            (limit, EndReason::Timeout, EndedBy::MaxDuration)
        };
        self.timeline.schedule(self.now + duration, TimelineEvent::TalkEnded { reason, by });
    }

    pub(super) fn speak_line(&mut self, index: usize) {
        if let Some(line) = self.scenario.transcript.get(index)
            && self.is_talking()
        {
            let role = match line.by {
                Speaker::Agent => Role::Agent,
                Speaker::Callee => Role::User,
            };
            self.add_speech(role, &line.text);
        }
    }

    pub(super) async fn run_step(&mut self, index: usize) {
        if !self.is_talking() {
            return;
        }
        match self.scenario.steps.get(index).cloned() {
            Some(Step::ReportOutcome(report)) => self.report_outcome(&report).await,
            Some(Step::LeaveVoicemail { message, .. }) => self.leave_voicemail(&message),
            None => {}
        }
    }

    pub(super) async fn end_talk(&mut self, reason: EndReason, by: EndedBy) {
        if self.is_talking() {
            self.end_call(reason, by).await;
        }
    }

    pub(super) async fn end_unjoined(&mut self) {
        if self.joined.is_none() {
            self.end_call(EndReason::Unjoined, EndedBy::JoinTimeout).await;
        }
    }

    /// Ends the leg as a request to Telnyx's API does.
    pub(super) async fn end_leg_by_request(&mut self) {
        if self.call.leg.status() == LegStatus::InProgress {
            self.clear_leg(HangupSource::Caller);
            self.end_talk(EndReason::Hangup, EndedBy::Carrier).await;
        } else {
            self.end_leg(LegEnd {
                status: LegStatus::Canceled,
                cause: HangupCause::OriginatorCancel,
                source: HangupSource::Caller,
            });
        }
    }

    async fn end_call(&mut self, reason: EndReason, by: EndedBy) {
        if reason == EndReason::Timeout
            && let Some(text) = &self.call.request.time_exceeded_message
        {
            self.add_speech(Role::Agent, text);
        }
        {
            let mut progress = self.call.progress();
            progress.ended_at = Some(self.timestamp());
            progress.end_reason = Some(reason);
            progress.ended_by = Some(by);
            if progress.joined_at.is_some() {
                progress.summary.clone_from(&self.scenario.summary);
            }
        }
        tracing::info!(call_id = %self.call.id, ?reason, "Call ended");
        self.send_event(WebhookEvent::Ended);
        self.timeline.schedule(self.now + BILLING_DELAY, TimelineEvent::Billed);
        if self.call.leg.status() == LegStatus::InProgress {
            let by_callee = by == EndedBy::Callee;
            self.clear_leg(if by_callee { HangupSource::Callee } else { HangupSource::Caller });
        }
        self.send_postponed_tools().await;
    }

    pub(super) fn bill(&mut self) {
        {
            let mut progress = self.call.progress();
            progress.billed = Some(progress.billable());
        }
        self.send_event(WebhookEvent::Billed);
    }
}
