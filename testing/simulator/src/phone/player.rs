//! Plays a call from its creation until it is billed.

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep_until;

use super::running_call::RunningCall;
use super::timeline::TimelineEvent;
use crate::call::{Command, EndReason, EndedBy, Role};
use crate::webhook_event::WebhookEvent;

/// Handles every event and command at its time, until the call is billed and its leg is over.
pub async fn play(mut running: RunningCall, mut commands: UnboundedReceiver<Command>) {
    let clock = running.simulator.clock;
    running.send_event(WebhookEvent::Started);
    running.timeline.schedule(running.call.request.join_timeout(), TimelineEvent::JoinTimedOut);
    running.dial();
    while let Some(next) = running.timeline.next_at()
        && !is_over(&running)
    {
        let due = running.call.started + clock.to_real(next);
        tokio::select! {
            biased;
            Some(command) = commands.recv() => {
                let age = clock.to_simulated(running.call.age());
                running.now = age.clamp(running.now, next.max(running.now));
                handle_command(&mut running, command).await;
            }
            () = sleep_until(due) => {
                running.now = next.max(running.now);
                if let Some(event) = running.timeline.take_next() {
                    handle_event(&mut running, event).await;
                }
            }
        }
    }
    tracing::debug!(call_id = %running.call.id, "Call finished");
}

fn is_over(running: &RunningCall) -> bool {
    running.call.leg.status().is_over() && running.call.progress().billed.is_some()
}

async fn handle_event(running: &mut RunningCall, event: TimelineEvent) {
    match event {
        TimelineEvent::PhoneReached { rings } => running.reach_phone(rings),
        TimelineEvent::Answered { is_machine } => running.answer(is_machine),
        TimelineEvent::Detected { is_machine } => running.report_detection(is_machine),
        TimelineEvent::Connected => running.join(),
        TimelineEvent::LegEnded(end) => running.end_leg(end),
        TimelineEvent::JoinTimedOut => running.end_unjoined().await,
        TimelineEvent::Step(index) => running.run_step(index).await,
        TimelineEvent::Line(index) => running.speak_line(index),
        TimelineEvent::TalkEnded { reason, by } => running.end_talk(reason, by).await,
        TimelineEvent::Billed => running.bill(),
    }
}

async fn handle_command(running: &mut RunningCall, command: Command) {
    match command {
        Command::AgentHangUp { message } => {
            if let Some(message) = message {
                running.add_speech(Role::Agent, message);
            }
            running.end_talk(EndReason::AgentHangup, EndedBy::Client).await;
        }
        Command::EndLeg => running.end_leg_by_request().await,
    }
}
