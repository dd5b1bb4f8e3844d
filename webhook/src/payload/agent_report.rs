//! The arguments of the agent's tool `report_outcome`. A model writes them, so an invalid argument
//! is answered with a sentence that the agent can act on.

use chrono::{DateTime, Utc};
use domain::hours::{parse_local_time, parse_zone};
use domain::report::{MAX_TIME_AHEAD, REPORTABLE, Report, ReportSource, ReportedOutcome};
use domain::status::Outcome;
use domain::text::repair_json;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fields::LenientText;

/// Notes are cut after this many characters.
const MAX_NOTES_CHARS: usize = 2_000;

/// An accepted report.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentReport {
    pub reported: ReportedOutcome,
    /// What the agent reads once the report is forwarded.
    pub answer: String,
    /// The new state of the call at the provider: JSON in ASCII.
    pub call_state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    outcome: LenientText,
    time: LenientText,
    time_zone: LenientText,
    notes: LenientText,
    call_state: Option<Value>,
}

/// What an earlier answer left in the state of the call.
#[derive(Deserialize)]
struct PriorReport {
    outcome: LenientText,
    time: LenientText,
}

/// Reads the arguments.
///
/// # Errors
///
/// A sentence that tells the agent what to ask the callee or to correct.
pub fn read_report(body: &Map<String, Value>, now: DateTime<Utc>) -> Result<AgentReport, String> {
    let arguments = Arguments::deserialize(body).map_err(|error| error.to_string())?;
    let outcome = arguments.outcome.trimmed().and_then(reportable_outcome).ok_or_else(|| {
        let names = REPORTABLE.map(|outcome: Outcome| outcome.into_str()).join(", ");
        format!("That outcome is unknown. Use one of {names}.")
    })?;
    let time = match arguments.time.trimmed().filter(|time| !time.is_empty()) {
        None => None,
        Some(time) => Some(parse_time(time, arguments.time_zone.trimmed())?),
    };
    let notes = arguments.notes.trimmed();
    let notes = notes.map(|notes| notes.chars().take(MAX_NOTES_CHARS).collect::<String>());
    let report =
        Report::new(ReportedOutcome { outcome, time, notes: notes.clone() }, ReportSource::Agent)
            .map_err(|_| "The agreed time is missing. Ask for it and report again.")?;
    match report.time() {
        Some(time) if time <= now => {
            return Err("That time is in the past. Ask for another one.".to_owned());
        }
        Some(time) if time > now + MAX_TIME_AHEAD => {
            let reason = "That time is more than a year away. Check the year, or ask for an \
                earlier one.";
            return Err(reason.to_owned());
        }
        _ => {}
    }
    let prior = arguments.call_state.and_then(read_prior_report);
    let (answer, winner) = choose_report(&report, prior.as_ref());
    let call_state = json!({ "reported": { "outcome": winner.outcome(), "time": winner.time() } });
    let reported = ReportedOutcome { outcome, time: report.time(), notes };
    Ok(AgentReport { reported, answer, call_state: call_state.to_string() })
}

fn reportable_outcome(name: &str) -> Option<Outcome> {
    REPORTABLE.into_iter().find(|outcome| outcome.into_str() == name)
}

/// Parses a time. If it has no offset, it is local time in `zone`.
fn parse_time(text: &str, zone: Option<&str>) -> Result<DateTime<Utc>, String> {
    let zone = zone.and_then(|zone| parse_zone(zone).ok());
    parse_local_time(text, zone).ok_or_else(|| {
        "That time can't be read. Give date, time and offset, as 2025-02-26T15:00:00-05:00."
            .to_owned()
    })
}

fn read_prior_report(call_state: Value) -> Option<Report> {
    // The provider does not document whether it sends the state as an object or as its text.
    let parsed = call_state.as_str();
    let parsed = parsed.and_then(|text| serde_json::from_str(&repair_json(text.as_bytes())).ok());
    let call_state = parsed.unwrap_or(call_state);
    let prior = PriorReport::deserialize(call_state.get("reported")?.as_object()?).ok()?;
    let outcome = reportable_outcome(&prior.outcome.0?)?;
    let time = prior.time.0.and_then(|time| time.parse().ok());
    Report::new(ReportedOutcome { outcome, time, notes: None }, ReportSource::Agent).ok()
}

/// The answer to the agent and the report that wins. The other one goes into the call's notes.
fn choose_report<'r>(report: &'r Report, prior: Option<&'r Report>) -> (String, &'r Report) {
    const GOODBYE: &str = "Say goodbye and use hangUp.";
    let content = |report: &Report| (report.outcome(), report.time());
    match prior {
        None => (format!("Recorded. {GOODBYE}"), report),
        Some(prior) if content(prior) == content(report) => {
            (format!("That is already recorded. {GOODBYE}"), prior)
        }
        Some(prior) if outranks(prior, report) => {
            let time = prior.time().map(|time| format!(" for {}", time.format("%Y-%m-%dT%H:%MZ")));
            let answer = format!(
                "Your earlier report {}{} remains in force. The new one is added to the notes \
                for a person to check. Tell the callee so. {GOODBYE}",
                prior.outcome().into_str(),
                time.unwrap_or_default()
            );
            (answer, prior)
        }
        Some(_) => (format!("Recorded. This replaces your earlier report. {GOODBYE}"), report),
    }
}

fn outranks(one: &Report, other: &Report) -> bool {
    one.without_notes() < other.without_notes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_json(body: Value) -> Result<AgentReport, String> {
        read_report(body.as_object().unwrap(), "2025-02-25T14:00:00Z".parse().unwrap())
    }

    #[test]
    fn valid_report_is_read() {
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
    fn invalid_arguments_are_answered_with_what_to_correct() {
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
    fn long_notes_are_cut() {
        let long = "é".repeat(5_000);
        let read = read_json(json!({"outcome": "NOT_INTERESTED", "notes": long})).unwrap();
        assert_eq!(read.reported.notes.unwrap().chars().count(), MAX_NOTES_CHARS);
    }

    #[test]
    fn second_report_is_answered_with_the_report_in_force() {
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
        let same = second(tuesday, &first.call_state);
        assert!(same.answer.starts_with("That is already recorded."), "{}", same.answer);

        let weaker = second(json!({"outcome": "NOT_INTERESTED"}), &first.call_state);
        assert!(weaker.answer.contains("APPOINTMENT_SET for 2025-03-04T15:00Z"));
        assert_eq!(weaker.reported.outcome, Outcome::NotInterested);
        assert_eq!(weaker.call_state, first.call_state);

        let opt_out = second(json!({"outcome": "DO_NOT_CALL"}), &first.call_state);
        assert!(opt_out.answer.contains("replaces"), "{}", opt_out.answer);
        assert!(opt_out.call_state.contains("DO_NOT_CALL"));
    }

    #[test]
    fn invalid_call_state_is_ignored() {
        for state in [json!(null), json!(7), json!("{"), json!({"reported": {"outcome": "MAYBE"}})]
        {
            let body = json!({"outcome": "NOT_INTERESTED", "callState": state});
            assert!(read_json(body).unwrap().answer.starts_with("Recorded. Say goodbye"));
        }
    }
}
