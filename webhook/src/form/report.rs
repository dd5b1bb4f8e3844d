//! The arguments of the agent's tool `report_outcome`. Every one is the output of a model, and
//! what can't be taken is answered with a sentence on which the agent can act.

use chrono::{DateTime, TimeDelta, Utc};
use domain::hours::{named_moment, parse_zone};
use domain::report::{REPORTABLE, Report, Source};
use domain::status::Outcome;
use serde_json::{Map, Value, json};
use workflows::events::Reported;

/// How far ahead an appointment or a callback may lie. What a model takes for later is a mistake in
/// the year.
const MOST_AHEAD: TimeDelta = TimeDelta::days(366);
/// Longest notes that are kept, in characters.
const NOTES: usize = 2_000;
/// The field of the call's state, which the provider keeps, in which we leave what was reported.
const REPORTED: &str = "reported";

/// What an agent said, and what it had said before.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// What is to be recorded.
    pub reported: Reported,
    /// What the agent is told once it is recorded.
    pub answer: String,
    /// The call's state from then on, as JSON in ASCII.
    pub state: String,
}

/// Reads the arguments, or says what to ask for.
pub fn read(body: &Map<String, Value>, now: DateTime<Utc>) -> Result<Read, String> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::trim);
    let outcome = text("outcome").and_then(reportable).ok_or_else(|| {
        let words = REPORTABLE.map(Outcome::as_str).join(", ");
        format!("That outcome is unknown. Use one of {words}.")
    })?;
    let time = match text("time").filter(|time| !time.is_empty()) {
        None => None,
        Some(time) => Some(moment(time, text("timeZone"))?),
    };
    let notes = text("notes").map(|notes| notes.chars().take(NOTES).collect::<String>());
    let report = Report::new(outcome, time, notes.clone(), Source::Agent)
        .map_err(|_| "The time that was agreed on is missing. Ask for it and report again.")?;
    match report.time() {
        Some(time) if time <= now => {
            return Err("That time is in the past. Ask for another one.".to_owned());
        }
        Some(time) if time > now + MOST_AHEAD => {
            let why = "That time is more than a year away. Check the year, or ask for an earlier \
                one.";
            return Err(why.to_owned());
        }
        _ => {}
    }
    let before = before(body);
    let (answer, standing) = answer(&report, before.as_ref());
    let state = json!({ REPORTED: { "outcome": standing.outcome(), "time": standing.time() } });
    let reported = Reported { outcome, time: report.time(), notes };
    Ok(Read { reported, answer, state: state.to_string() })
}

fn reportable(word: &str) -> Option<Outcome> {
    Outcome::parse(word).filter(|outcome| REPORTABLE.contains(outcome))
}

/// Reads a time; one without an offset is one of the zone that we gave along ourselves.
fn moment(text: &str, zone: Option<&str>) -> Result<DateTime<Utc>, String> {
    let zone = zone.and_then(|zone| parse_zone(zone).ok());
    named_moment(text, zone).ok_or_else(|| {
        "That time can't be read. Give date, time and offset, as 2025-02-26T15:00:00-05:00."
            .to_owned()
    })
}

/// What the agent reported before, as our answer then left it in the call's state.
fn before(body: &Map<String, Value>) -> Option<Report> {
    let state = body.get("callState")?;
    // Whether the provider sends the state as an object or as its text is not documented.
    let parsed = state.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let reported = parsed.as_ref().unwrap_or(state).get(REPORTED)?;
    let outcome = reported.get("outcome").and_then(Value::as_str).and_then(reportable)?;
    let time = reported.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
    Report::new(outcome, time, None, Source::Agent).ok()
}

/// What to tell the agent, and the report that stands then. Which of two stands is the domain's
/// rule; the other goes into the notes of the call.
fn answer<'r>(report: &'r Report, before: Option<&'r Report>) -> (String, &'r Report) {
    const GOODBYE: &str = "Say goodbye and use hangUp.";
    let said = |report: &Report| (report.outcome(), report.time());
    match before {
        None => (format!("Recorded. {GOODBYE}"), report),
        Some(before) if said(before) == said(report) => {
            (format!("That is recorded already. {GOODBYE}"), before)
        }
        Some(before) if outranks(before, report) => {
            let at = before.time().map(|time| format!(" for {}", time.format("%Y-%m-%dT%H:%MZ")));
            let stands = format!("{}{}", before.outcome().as_str(), at.unwrap_or_default());
            let answer = format!(
                "You reported {stands} before, and that stands. What you say now is noted beside \
                it, for a person to look at. Tell the callee so. {GOODBYE}"
            );
            (answer, before)
        }
        Some(_) => {
            (format!("Recorded in the place of what you reported before. {GOODBYE}"), report)
        }
    }
}

fn outranks(one: &Report, other: &Report) -> bool {
    one.without_notes() < other.without_notes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_json(body: Value) -> Result<Read, String> {
        read(body.as_object().unwrap(), "2025-02-25T14:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_sound_report_is_read() {
        let read = read_json(json!({"outcome": "CALLBACK_REQUESTED",
            "time": "2025-02-25T11:00:00-05:00", "notes": "after lunch", "extra": 1}))
        .unwrap();
        assert_eq!(read.reported.time, Some("2025-02-25T16:00:00Z".parse().unwrap()));
        assert_eq!(read.reported.notes.as_deref(), Some("after lunch"));
        assert!(read.answer.contains("hangUp"));
        assert!(read_json(json!({"outcome": "DO_NOT_CALL"})).is_ok());
        let local = json!({"outcome": "CALLBACK_REQUESTED", "time": "2025-02-25T11:00:00",
            "timeZone": "America/New_York"});
        assert_eq!(read_json(local).unwrap().reported.time, read.reported.time);
    }

    #[test]
    fn what_the_agent_got_wrong_is_told_so_that_it_can_ask() {
        for (body, word) in [
            (json!({}), "unknown"),
            (json!({"outcome": 3}), "unknown"),
            (json!({"outcome": "FAILED"}), "unknown"),
            (json!({"outcome": "APPOINTMENT_SET"}), "missing"),
            (json!({"outcome": "APPOINTMENT_SET", "time": "tomorrow at 3"}), "can't be read"),
            (json!({"outcome": "APPOINTMENT_SET", "time": "2025-02-26T15:00:00"}), "can't be read"),
            (
                json!({"outcome": "APPOINTMENT_SET", "time": "2025-02-26T15:00:00",
                    "timeZone": "Mars/Olympus_Mons"}),
                "can't be read",
            ),
            (json!({"outcome": "APPOINTMENT_SET", "time": "2025-02-25T13:59:00Z"}), "past"),
            (json!({"outcome": "APPOINTMENT_SET", "time": "2035-02-25T15:00:00Z"}), "year"),
            (
                json!({"outcome": "APPOINTMENT_SET", "time": "2025-02-25T08:59:00",
                    "timeZone": "America/New_York"}),
                "past",
            ),
        ] {
            let message = read_json(body.clone()).unwrap_err();
            assert!(message.contains(word), "{body}: {message}");
        }
    }

    #[test]
    fn notes_without_an_end_are_cut() {
        let long = "é".repeat(5_000);
        let read = read_json(json!({"outcome": "NOT_INTERESTED", "notes": long})).unwrap();
        assert_eq!(read.reported.notes.unwrap().chars().count(), NOTES);
    }

    #[test]
    fn a_second_report_is_told_what_stands() {
        let tuesday = json!({"outcome": "APPOINTMENT_SET", "time": "2025-03-04T15:00:00Z"});
        let first = read_json(tuesday.clone()).unwrap();
        let second = |report: Value, state: &str| {
            let mut body = report;
            body["callState"] = serde_json::from_str(state).unwrap();
            let as_object = read_json(body.clone()).unwrap();
            body["callState"] = json!(state);
            assert_eq!(read_json(body).unwrap(), as_object);
            as_object
        };
        let same = second(tuesday, &first.state);
        assert!(same.answer.starts_with("That is recorded already."), "{}", same.answer);

        let lighter = second(json!({"outcome": "NOT_INTERESTED"}), &first.state);
        assert!(lighter.answer.contains("APPOINTMENT_SET for 2025-03-04T15:00Z"));
        assert_eq!(lighter.reported.outcome, Outcome::NotInterested);
        assert_eq!(lighter.state, first.state);

        let refusal = second(json!({"outcome": "DO_NOT_CALL"}), &first.state);
        assert!(refusal.answer.contains("in the place of"), "{}", refusal.answer);
        assert!(refusal.state.contains("DO_NOT_CALL"));
    }

    #[test]
    fn a_state_that_says_nothing_is_passed_over() {
        for state in [json!(null), json!(7), json!("{"), json!({"reported": {"outcome": "MAYBE"}})]
        {
            let body = json!({"outcome": "NOT_INTERESTED", "callState": state});
            assert!(read_json(body).unwrap().answer.starts_with("Recorded. "));
        }
    }
}
