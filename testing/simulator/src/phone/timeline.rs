//! The future events of a call, in order of simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::{EndReason, EndedBy};
use crate::leg::{HangupCause, HangupSource, LegStatus};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelineEvent {
    /// The callee's phone is reached; a busy one does not ring.
    PhoneReached {
        rings: bool,
    },
    Answered {
        is_machine: bool,
    },
    /// Telnyx knows who answered.
    Detected {
        is_machine: bool,
    },
    /// The agent and the callee can be connected.
    Connected,
    LegEnded(LegEnd),
    JoinTimedOut,
    /// Index of a step of the scenario.
    Step(usize),
    /// Index of a line of the transcript.
    Line(usize),
    TalkEnded {
        reason: EndReason,
        by: EndedBy,
    },
    Billed,
}

/// How a leg ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegEnd {
    pub status: LegStatus,
    pub cause: HangupCause,
    pub source: HangupSource,
}

/// Events by simulated time since the creation of the call. Events at the same time keep the
/// order in which they were scheduled.
#[derive(Debug, Default)]
pub struct Timeline {
    events: BTreeMap<(Duration, u64), TimelineEvent>,
    scheduled: u64,
}

impl Timeline {
    pub fn schedule(&mut self, at: Duration, event: TimelineEvent) {
        self.scheduled += 1;
        self.events.insert((at, self.scheduled), event);
    }

    pub fn next_at(&self) -> Option<Duration> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    pub fn take_next(&mut self) -> Option<TimelineEvent> {
        self.events.pop_first().map(|(_, event)| event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_by_time_and_then_by_order_of_scheduling() {
        let mut timeline = Timeline::default();
        let secs = Duration::from_secs;
        timeline.schedule(secs(2), TimelineEvent::JoinTimedOut);
        timeline.schedule(secs(1), TimelineEvent::Line(0));
        timeline.schedule(secs(2), TimelineEvent::Connected);
        assert_eq!(timeline.next_at(), Some(secs(1)));
        assert_eq!(timeline.take_next(), Some(TimelineEvent::Line(0)));
        assert_eq!(timeline.take_next(), Some(TimelineEvent::JoinTimedOut));
        assert_eq!(timeline.take_next(), Some(TimelineEvent::Connected));
        assert_eq!(timeline.take_next(), None);
    }
}
