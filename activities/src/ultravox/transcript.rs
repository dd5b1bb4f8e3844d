//! Transcripts, and the reports in the agent's tool calls.

use std::collections::BTreeSet;

use chrono_tz::Tz;
use domain::hours::parse_local_time;
use domain::report::{REPORTABLE, ReportedOutcome};
use domain::text::repair_json;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::request::OUTCOME_TOOL;
use super::wire::Message;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// One line per turn: `Agent: …` or `Callee: …`.
    pub text: String,
    /// Reports of the agent that were not rejected.
    pub reports: Vec<ReportedOutcome>,
    /// Whether the agent left a message on a machine.
    pub voicemail: bool,
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
    /// Parses messages. `zone`: the zone of times without an offset.
    pub(super) fn parse(messages: &[Message], zone: Option<Tz>) -> Self {
        let rejected: BTreeSet<&str> = messages
            .iter()
            .filter(|message| message.role == "MESSAGE_ROLE_TOOL_RESULT" && is_rejection(message))
            .filter_map(|message| message.invocation_id.as_deref())
            .collect();
        let mut transcript = Self::default();
        for message in messages {
            let text = message.text.as_deref().unwrap_or("").trim();
            match message.role.as_str() {
                "MESSAGE_ROLE_AGENT" if !text.is_empty() => transcript.add_line("Agent", text),
                "MESSAGE_ROLE_USER" if !text.is_empty() => transcript.add_line("Callee", text),
                "MESSAGE_ROLE_TOOL_CALL" => {
                    let id = message.invocation_id.as_deref().unwrap_or("");
                    match message.tool_name.as_deref() {
                        Some("leaveVoicemail") => transcript.voicemail = true,
                        Some(OUTCOME_TOOL) if !rejected.contains(id) => {
                            transcript.reports.extend(parse_report(text, zone));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        transcript
    }

    fn add_line(&mut self, speaker: &str, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(speaker);
        self.text.push_str(": ");
        self.text.push_str(text);
    }
}

/// Whether the message is the webhook server's rejection of a report.
fn is_rejection(message: &Message) -> bool {
    let answer = message.text.as_deref().and_then(parse_json::<Value>);
    answer.is_some_and(|answer| answer["accepted"] == Value::Bool(false))
}

/// Parses JSON within a text.
fn parse_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(&repair_json(text.as_bytes())).ok()
}

fn parse_report(arguments: &str, zone: Option<Tz>) -> Option<ReportedOutcome> {
    let arguments: Arguments = parse_json(arguments)?;
    Some(ReportedOutcome {
        outcome: arguments.outcome.parse().ok().filter(|outcome| REPORTABLE.contains(outcome))?,
        time: arguments.time.as_deref().and_then(|time| parse_local_time(time, zone)),
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
        let transcript = Transcript::parse(
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
    fn rejected_or_unreadable_report_is_ignored() {
        let transcript = Transcript::parse(
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
    #[test]
    fn report_with_half_an_emoji_is_read() {
        for bad in [r"\u0000", r"\ud83d"] {
            let arguments = format!(r#"{{"outcome":"DO_NOT_CALL","notes":"never again{bad}"}}"#);
            let call = message("TOOL_CALL", Some(OUTCOME_TOOL), "1", &arguments);
            let transcript = Transcript::parse(&[call], None);
            assert_eq!(transcript.reports[0].notes.as_deref(), Some("never again\u{fffd}"));
        }
    }
}
