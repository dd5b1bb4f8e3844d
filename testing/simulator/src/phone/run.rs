//! One call from creation to bill.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::outbox::Outbox;
use super::talk::Postponed;
use super::timeline::{Moment, Timeline};
use crate::calls::{Call, Control, EndReason, EndedBy, Event, Message, Role};
use crate::clock::later;
use crate::scenario::{Party, Scenario};
use crate::simulator::Simulator;
use crate::telnyx::LegStatus;

/// How long it takes until the price of an ended call is known.
const BILLING: Duration = Duration::from_secs(2);

/// A call under way.
pub struct Run {
    pub(super) simulator: Arc<Simulator>,
    pub(super) call: Arc<Call>,
    pub(super) scenario: Scenario,
    pub(super) outbox: Outbox,
    pub(super) timeline: Timeline,
    /// Simulated time since creation.
    pub(super) now: Duration,
    /// When the callee joined.
    pub(super) joined: Option<Duration>,
    /// Tool calls that arrive after the end.
    pub(super) postponed: Vec<Postponed>,
    commands: UnboundedReceiver<Control>,
}

impl Run {
    /// A call that was just created.
    pub fn new(
        simulator: Arc<Simulator>,
        call: Arc<Call>,
        scenario: Scenario,
        commands: UnboundedReceiver<Control>,
    ) -> Self {
        Self {
            outbox: Outbox::new(Arc::clone(&simulator), Arc::clone(&call)),
            simulator,
            call,
            scenario,
            timeline: Timeline::default(),
            now: Duration::ZERO,
            joined: None,
            postponed: Vec::new(),
            commands,
        }
    }

    /// Lets everything happen at its time, until the call is billed and its leg is over.
    pub async fn play(mut self) {
        self.outbox.announce(Event::Started, &self.scenario);
        self.timeline.enter(self.call.request.join_timeout, Moment::JoinTimeout);
        self.dial();
        while let Some(next) = self.timeline.next_at()
            && !self.is_over()
        {
            let wake = self.call.begun + self.simulator.clock.real(next);
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => {
                    let passed = self.simulator.clock.simulated(Instant::now() - self.call.begun);
                    self.now = passed.clamp(self.now, next.max(self.now));
                    self.obey(command).await;
                }
                () = sleep_until(wake) => {
                    self.now = next.max(self.now);
                    if let Some(moment) = self.timeline.take() {
                        self.live(moment).await;
                    }
                }
            }
        }
        tracing::debug!(call_id = %self.call.id, "A call went to its end.");
    }

    /// The present moment in bodies.
    pub(super) fn clock(&self) -> DateTime<Utc> {
        later(self.call.created, self.now)
    }

    pub(super) fn is_talking(&self) -> bool {
        self.call.progress().is_talking()
    }

    /// Something said now.
    pub(super) fn message(&self, role: Role, text: impl Into<String>) -> Message {
        let at = self.now - self.joined.unwrap_or(self.now);
        Message::spoken(role, text, self.call.stage, at)
    }

    fn is_over(&self) -> bool {
        let leg_over = self.call.leg.as_ref().is_none_or(|leg| leg.status().is_over());
        leg_over && self.call.progress().billed.is_some()
    }

    async fn live(&mut self, moment: Moment) {
        match moment {
            Moment::Reached { rings } => self.reached(rings),
            Moment::PickUp { machine } => self.picked_up(machine),
            Moment::Detected { machine } => self.detected(machine),
            Moment::MediaUp => self.media_up(),
            Moment::LegOver { status, cause, source } => self.leg_over(status, cause, source),
            Moment::JoinTimeout => {
                if self.joined.is_none() {
                    self.end(EndReason::Unjoined, EndedBy::JoinTimeout).await;
                }
            }
            Moment::Step(index) => self.step(index).await,
            Moment::Line(index) => self.line(index),
            Moment::TalkOver { reason, by } => {
                if self.is_talking() {
                    self.end(reason, by).await;
                }
            }
            Moment::Billed => self.bill(),
        }
    }

    async fn obey(&mut self, command: Control) {
        match command {
            Control::AgentHangUp(words) => {
                if !words.is_empty() {
                    let message = self.message(Role::Agent, words);
                    self.call.progress().say(message);
                }
                if self.is_talking() {
                    self.end(EndReason::AgentHangup, EndedBy::Client).await;
                }
            }
            Control::UserText(words) => {
                let message = self.message(Role::User, words).in_writing();
                self.call.progress().say(message);
            }
            Control::AgentText(words) => {
                let message = self.message(Role::Agent, words);
                self.call.progress().say(message);
            }
            Control::CarrierHangUp => self.cancelled_by_carrier().await,
        }
    }

    fn line(&mut self, index: usize) {
        let Some(line) = self.scenario.transcript.get(index) else {
            return;
        };
        if self.is_talking() {
            let role = match line.by {
                Party::Agent => Role::Agent,
                Party::Callee => Role::User,
            };
            let message = self.message(role, line.text.clone());
            self.call.progress().say(message);
        }
    }

    /// Ends the call, with everything that follows from it.
    pub(super) async fn end(&mut self, reason: EndReason, by: EndedBy) {
        if reason == EndReason::Timeout
            && let Some(words) = self.call.request.text("timeExceededMessage")
        {
            let message = self.message(Role::Agent, words);
            self.call.progress().say(message);
        }
        {
            let mut progress = self.call.progress();
            progress.ended = Some(self.clock());
            progress.end_reason = Some(reason);
            progress.ended_by = Some(by);
            if progress.joined.is_some() {
                progress.summary.clone_from(&self.scenario.summary);
            }
        }
        tracing::info!(call_id = %self.call.id, ?reason, "A call ended.");
        self.outbox.announce(Event::Ended, &self.scenario);
        self.timeline.enter(self.now + BILLING, Moment::Billed);
        if self.leg_status() == Some(LegStatus::InProgress) {
            let source = if by == EndedBy::Callee { "callee" } else { "caller" };
            self.leg_over(LegStatus::Completed, "normal_clearing", source);
        }
        self.use_postponed_tools().await;
    }

    fn bill(&mut self) {
        {
            let mut progress = self.call.progress();
            progress.billed = Some(progress.billable());
        }
        self.outbox.announce(Event::Billed, &self.scenario);
    }
}
