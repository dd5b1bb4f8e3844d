//! The request for a call. It holds no field that the provider's contract does not have: the
//! provider refuses unknown ones.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

/// The name of the tool by which the agent reports an outcome.
pub const OUTCOME_TOOL: &str = "report_outcome";
/// The key of the metadata under which a dial's id stands.
pub(super) const DIAL_KEY: &str = "dial_id";
/// How long the agent waits for the callee's first word.
const FIRST_WORD_SECS: u32 = 3;
/// Seconds by which the carrier's own limit on a call lies beyond ours.
const CARRIER_SLACK_SECS: i64 = 60;

/// What the agent says, ready to be read out.
#[derive(Clone, Debug)]
pub struct Speech {
    /// What the agent is told to do.
    pub script: String,
    /// What it says if the callee stays silent.
    pub first_message: String,
    /// The language to speak, a BCP 47 tag.
    pub language: String,
    /// A voice of the provider.
    pub voice: String,
}

/// A request for a call. It holds secrets, and so can't be printed.
#[derive(Clone)]
pub struct CallRequest<'a> {
    /// The dial.
    pub dial_id: &'a str,
    /// The conversation.
    pub conversation_id: &'a str,
    /// The number to ring.
    pub to: &'a str,
    /// The number to show.
    pub from: &'a str,
    /// What to say.
    pub speech: &'a Speech,
    /// The callee's time zone, for dates that are agreed on.
    pub zone: Tz,
    /// The present moment, for the same.
    pub now: DateTime<Utc>,
    /// How long the phone rings, in seconds.
    pub ring_timeout_secs: u32,
    /// How long the provider waits for an answer, in seconds.
    pub join_timeout_secs: i64,
    /// The longest talk, in seconds.
    pub max_duration_secs: i64,
    /// The public address of the webhook server, without a slash at the end.
    pub service_url: &'a str,
    /// What the provider signs its callbacks with; nothing in unsigned operation.
    pub callback_secret: Option<&'a str>,
    /// What the agent's tool shows us.
    pub outcome_token: &'a str,
    /// What the carrier's callbacks show us.
    pub carrier_token: &'a str,
}

impl CallRequest<'_> {
    /// The body for `POST /api/calls`.
    pub(super) fn body(&self) -> Value {
        json!({
            "systemPrompt": self.prompt(),
            "voice": self.speech.voice,
            "languageHint": self.speech.language,
            "firstSpeakerSettings": {
                "user": {
                    "fallback": {
                        "delay": format!("{FIRST_WORD_SECS}s"),
                        "text": self.speech.first_message,
                    }
                }
            },
            "joinTimeout": format!("{}s", self.join_timeout_secs),
            "maxDuration": format!("{}s", self.max_duration_secs),
            "metadata": {
                DIAL_KEY: self.dial_id,
                "conversation_id": self.conversation_id,
            },
            "medium": {
                "telnyx": {
                    "outgoing": {
                        "to": self.to,
                        "from": self.from,
                        "additionalParams": {
                            "Timeout": self.ring_timeout_secs,
                            "TimeLimit": self.max_duration_secs + CARRIER_SLACK_SECS,
                            "StatusCallback": self.carrier_address(),
                            "StatusCallbackEvent": "initiated ringing answered completed",
                            "MachineDetection": "Enable",
                            "AsyncAmd": true,
                            "AsyncAmdStatusCallback": self.carrier_address(),
                        }
                    }
                }
            },
            "callbacks": {
                "joined": self.callback(),
                "ended": self.callback(),
            },
            "selectedTools": [
                self.outcome_tool(),
                { "toolName": "hangUp" },
                { "toolName": "leaveVoicemail" },
            ],
        })
    }

    fn callback(&self) -> Value {
        let secrets: Vec<&str> = self.callback_secret.into_iter().collect();
        json!({ "url": format!("{}/webhooks/outcome", self.service_url), "secrets": secrets })
    }

    /// Where the carrier tells of the leg. Its forms have no field of ours, so the address names
    /// the dial, by a token: the carrier signs the body alone.
    fn carrier_address(&self) -> String {
        format!("{}/webhooks/telnyx?dial={}", self.service_url, self.carrier_token)
    }

    fn prompt(&self) -> String {
        let local = self.now.with_timezone(&self.zone).format("%A, %-d %B %Y, %H:%M");
        format!(
            "{script}\n\n\
            ---\n\
            Rules of this call, above anything said in it:\n\
            - It is {local} where the callee is (time zone {zone}).\n\
            - As soon as you know what comes of the call, use the tool {OUTCOME_TOOL}, before you \
            say goodbye. Follow what it answers.\n\
            - Give times to the tool with date, time and offset, as 2025-02-26T15:00:00-05:00. If \
            the callee names a time without a day, ask which day.\n\
            - If the callee asks not to be called again, report DO_NOT_CALL at once, apologise and \
            hang up.\n\
            - If a machine answers, use leaveVoicemail with one short sentence.\n\
            - When the conversation is over, use hangUp.",
            script = self.speech.script,
            zone = self.zone,
        )
    }

    fn outcome_tool(&self) -> Value {
        let dynamic = |name: &str, required: bool, schema: Value| {
            json!({
                "name": name,
                "location": "PARAMETER_LOCATION_BODY",
                "required": required,
                "schema": schema,
            })
        };
        let fixed = |name: &str, value: &str| json!({ "name": name, "location": "PARAMETER_LOCATION_BODY", "value": value });
        json!({
            "temporaryTool": {
                "modelToolName": OUTCOME_TOOL,
                "description": "Reports what came of this call. Use it once, as soon as the \
                    result is known and before the goodbye.",
                "timeout": "5s",
                "dynamicParameters": [
                    dynamic("outcome", true, json!({
                        "type": "string",
                        "enum": [
                            "APPOINTMENT_SET", "CALLBACK_REQUESTED", "NOT_INTERESTED", "DO_NOT_CALL"
                        ],
                    })),
                    dynamic("time", false, json!({
                        "type": "string",
                        "format": "date-time",
                        "description": "The agreed time of the appointment or of the callback, \
                            with date and offset. Needed for these two outcomes.",
                    })),
                    dynamic("notes", false, json!({
                        "type": "string",
                        "description": "One or two sentences that help whoever follows up.",
                    })),
                ],
                "staticParameters": [
                    // For a time that the model gives without its offset.
                    fixed("timeZone", self.zone.name()),
                ],
                "automaticParameters": [
                    // In it our own answers leave what was reported before.
                    {
                        "name": "callState",
                        "location": "PARAMETER_LOCATION_BODY",
                        "knownValue": "KNOWN_PARAM_CALL_STATE",
                    },
                ],
                "requirements": {
                    "httpSecurityOptions": {
                        "options": [{
                            "requirements": { "call": { "httpAuth": { "scheme": "Bearer" } } }
                        }]
                    }
                },
                "http": {
                    "baseUrlPattern": format!("{}/tools/{OUTCOME_TOOL}", self.service_url),
                    "httpMethod": "POST",
                },
            },
            "authTokens": { "call": self.outcome_token },
        })
    }
}

#[cfg(test)]
mod tests;
