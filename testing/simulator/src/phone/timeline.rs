//! What is going to happen in a call, in order of simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::calls::{EndReason, EndedBy};
use crate::telnyx::LegStatus;

/// Something that happens at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The callee's phone is reached.
    Reached { rings: bool },
    /// Someone or something picks up.
    PickUp { machine: bool },
    /// The carrier tells who picked up.
    Detected { machine: bool },
    /// The agent could hear the callee.
    MediaUp,
    /// The phone leg is over.
    LegOver { status: LegStatus, cause: &'static str, source: &'static str },
    /// Nobody joined in time.
    JoinTimeout,
    /// A step of the scenario.
    Step(usize),
    /// A line of the transcript.
    Line(usize),
    /// The talk ends.
    TalkOver { reason: EndReason, by: EndedBy },
    /// The price is known.
    Billed,
}

/// Moments to come, counted from the creation of the call. Equal times keep their order of entry.
#[derive(Debug, Default)]
pub struct Timeline {
    moments: BTreeMap<(Duration, u64), Moment>,
    entered: u64,
}

impl Timeline {
    /// Enters a moment.
    pub fn enter(&mut self, at: Duration, moment: Moment) {
        self.entered += 1;
        self.moments.insert((at, self.entered), moment);
    }

    /// When something happens next.
    pub fn next_at(&self) -> Option<Duration> {
        self.moments.first_key_value().map(|((at, _), _)| *at)
    }

    /// What happens next.
    pub fn take(&mut self) -> Option<Moment> {
        self.moments.pop_first().map(|(_, moment)| moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_by_time_and_then_by_entry() {
        let mut timeline = Timeline::default();
        let secs = Duration::from_secs;
        timeline.enter(secs(2), Moment::JoinTimeout);
        timeline.enter(secs(1), Moment::Line(0));
        timeline.enter(secs(2), Moment::MediaUp);
        assert_eq!(timeline.next_at(), Some(secs(1)));
        assert_eq!(timeline.take(), Some(Moment::Line(0)));
        assert_eq!(timeline.take(), Some(Moment::JoinTimeout));
        assert_eq!(timeline.take(), Some(Moment::MediaUp));
        assert_eq!(timeline.take(), None);
    }
}
