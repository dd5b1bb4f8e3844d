//! What was said in a call, and what the agent's tool calls in it say.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::hours::named_moment;
use domain::report::REPORTABLE;
use domain::status::Outcome;
use serde::Deserialize;
use serde_json::Value;

use super::request::OUTCOME_TOOL;
use super::wire::Message;

/// A call in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// One line for each turn, `Agent: …` or `Callee: …`.
    pub text: String,
    /// Outcomes that the agent reported and that were not refused.
    pub reports: Vec<Reported>,
    /// Whether the agent left a message on a machine.
    pub voicemail: bool,
}

/// The arguments of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The outcome.
    pub outcome: Outcome,
    /// The time of the appointment or of the callback.
    pub time: Option<DateTime<Utc>>,
    /// Free text.
    pub notes: Option<String>,
}

#[derive(Deserialize)]
struct Arguments {
    outcome: String,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    notes: Option<String>,
}

impl Transcript {
    /// What messages say; a time without an offset is one of that zone.
    pub(super) fn of(messages: &[Message], zone: Option<Tz>) -> Self {
        let refused: BTreeSet<&str> = messages
            .iter()
            .filter(|message| message.role == "MESSAGE_ROLE_TOOL_RESULT" && is_refusal(message))
            .filter_map(|message| message.invocation_id.as_deref())
            .collect();
        let mut transcript = Self::default();
        for message in messages {
            let text = message.text.as_deref().unwrap_or("").trim();
            match message.role.as_str() {
                "MESSAGE_ROLE_AGENT" if !text.is_empty() => transcript.line("Agent", text),
                "MESSAGE_ROLE_USER" if !text.is_empty() => transcript.line("Callee", text),
                "MESSAGE_ROLE_TOOL_CALL" => {
                    let id = message.invocation_id.as_deref().unwrap_or("");
                    match message.tool_name.as_deref() {
                        Some("leaveVoicemail") => transcript.voicemail = true,
                        Some(OUTCOME_TOOL) if !refused.contains(id) => {
                            transcript.reports.extend(report(text, zone));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        transcript
    }

    fn line(&mut self, who: &str, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(who);
        self.text.push_str(": ");
        self.text.push_str(&text.replace('\0', ""));
    }
}

/// Our own answer to a report that could not be taken.
fn is_refusal(message: &Message) -> bool {
    let answer = message.text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    answer.is_some_and(|answer| answer["accepted"] == Value::Bool(false))
}

fn report(arguments: &str, zone: Option<Tz>) -> Option<Reported> {
    let arguments: Arguments = serde_json::from_str(arguments).ok()?;
    Some(Reported {
        outcome: Outcome::parse(&arguments.outcome)
            .filter(|outcome| REPORTABLE.contains(outcome))?,
        time: arguments.time.as_deref().and_then(|time| named_moment(time, zone)),
        notes: arguments.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, tool: Option<&str>, id: &str, text: &str) -> Message {
        Message {
            role: format!("MESSAGE_ROLE_{role}"),
            text: Some(text.to_owned()),
            invocation_id: Some(id.to_owned()),
            tool_name: tool.map(str::to_owned),
        }
    }

    #[test]
    fn turns_become_lines_and_tool_calls_become_reports() {
        let arguments = r#"{"outcome":"APPOINTMENT_SET","time":"2025-02-26T10:00:00-05:00"}"#;
        let transcript = Transcript::of(
            &[
                message("AGENT", None, "", "Hello?"),
                message("USER", None, "", " Tomorrow at ten. "),
                message("TOOL_CALL", Some(OUTCOME_TOOL), "1", arguments),
                message("TOOL_RESULT", Some(OUTCOME_TOOL), "1", "timed out"),
                message("TOOL_CALL", Some("leaveVoicemail"), "2", "{}"),
            ],
            None,
        );
        assert_eq!(transcript.text, "Agent: Hello?\nCallee: Tomorrow at ten.");
        assert_eq!(transcript.reports.len(), 1);
        assert_eq!(transcript.reports[0].time, Some("2025-02-26T15:00:00Z".parse().unwrap()));
        assert!(transcript.voicemail);
    }

    #[test]
    fn a_report_that_we_refused_or_cannot_read_is_none() {
        let transcript = Transcript::of(
            &[
                message("TOOL_CALL", Some(OUTCOME_TOOL), "1", r#"{"outcome":"NOT_INTERESTED"}"#),
                message(
                    "TOOL_RESULT",
                    Some(OUTCOME_TOOL),
                    "1",
                    r#"{"accepted":false,"message":"x"}"#,
                ),
                message("TOOL_CALL", Some(OUTCOME_TOOL), "2", r#"{"outcome":"MAYBE"}"#),
                message("TOOL_CALL", Some(OUTCOME_TOOL), "3", "not json"),
            ],
            None,
        );
        assert_eq!(transcript.reports, []);
    }
}
