//! What a call's workflow makes of the answers of its activities.

use domain::facts::{DialEvent, DialFacts, EndReason};
use domain::status::Outcome;
use workflows::activities::calls::{DialRef, Record, Recovered, Sighting};

use super::{at, minutes_after};

/// A dial of which nothing has been heard.
pub fn dial(id: &str) -> DialRef {
    DialRef { dial_id: id.to_owned(), provider_call_id: None }
}

/// The record of a call by what the provider knows of it.
pub fn learnt(conversation: &str, seen: Sighting, recovered: Recovered) -> Record {
    let mut facts = DialFacts::default();
    for event in seen.events().into_iter().chain(recovered.events()) {
        facts.apply(event);
    }
    let provider_call_id = facts.provider_call_id().map(str::to_owned);
    Record { provider_call_id, ..Record::over(conversation, &facts.summary()) }
}

/// The record of a call in which so many seconds were talked and nobody reported anything.
pub fn talked(conversation: &str, secs: i64) -> Record {
    let mut facts = DialFacts::default();
    let ended = Some(at("2025-02-25T14:00:30Z") + chrono::TimeDelta::seconds(secs));
    let joined = Some(at("2025-02-25T14:00:30Z"));
    facts.apply(DialEvent::Ended { joined, ended, reason: EndReason::Hangup });
    let dial_id = Some(format!("{conversation}.1"));
    Record { dial_id, ..Record::over(conversation, &facts.summary()) }
}

/// The record of a call of four minutes whose agent reported an outcome, with the time of
/// tomorrow for those that need one.
pub fn reported(conversation: &str, outcome: Outcome) -> Record {
    let timed = matches!(outcome, Outcome::AppointmentSet | Outcome::CallbackRequested);
    let time = timed.then(|| minutes_after(24 * 60));
    let notes = Some("As agreed.".to_owned());
    Record { outcome: Some(outcome), reason: None, time, notes, ..talked(conversation, 240) }
}
