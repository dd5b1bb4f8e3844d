//! How a call ended, and what is recorded of it.

use domain::facts::Conclusion;
use domain::status::{Outcome, Reason};

use super::Call;
use crate::activities::calls::{Closing, Record};

/// How a call ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// The provider, or a client's system, says that it is over.
    Over,
    /// The provider refused it for good.
    Refused(String),
    /// It was not made and goes back to planning.
    GivenBack(Reason, String),
    /// An operator cancelled it.
    Cancelled,
}

impl Call {
    /// What to record, by all that is known now.
    pub(super) fn record(&self, ending: &Ending) -> Record {
        let known = self.facts.conclusion();
        let (closing, outcome, reason, notes) = match ending {
            Ending::Over => over(&known),
            // A cancelled call in which something was agreed is an outcome, not a cancellation.
            Ending::Cancelled if self.facts.is_reported() => over(&known),
            Ending::Cancelled => {
                (Closing::Cancelled, None, Some(Reason::CancelledByOperator), None)
            }
            Ending::Refused(why) => (
                Closing::Over,
                Some(Outcome::Failed),
                Some(Reason::RefusedByProvider),
                Some(why.clone()),
            ),
            Ending::GivenBack(reason, why) => {
                (Closing::GivenBack, None, Some(*reason), Some(why.clone()))
            }
        };
        Record {
            conversation_id: self.input.conversation_id.clone(),
            closing,
            outcome,
            reason,
            time: known.time,
            notes,
            transcript: self.transcript.clone(),
            joined: known.joined,
            ended: known.ended,
            talk_secs: known.talk_secs,
            provider_call_id: self.facts.provider_call_id().map(str::to_owned),
            carrier_call_id: self.facts.carrier_call_id().map(str::to_owned),
            never_placed: matches!(ending, Ending::GivenBack(Reason::NeverPlaced, _)),
        }
    }
}

type Said = (Closing, Option<Outcome>, Option<Reason>, Option<String>);

fn over(known: &Conclusion) -> Said {
    let overruled: Vec<&str> = known.overruled.iter().map(|outcome| outcome.as_str()).collect();
    let overruled =
        (!overruled.is_empty()).then(|| format!("also reported: {}", overruled.join(", ")));
    let notes: Vec<String> = known.notes.iter().cloned().chain(overruled).collect();
    let notes = (!notes.is_empty()).then(|| notes.join("\n"));
    (Closing::Over, known.outcome, known.reason, notes)
}
