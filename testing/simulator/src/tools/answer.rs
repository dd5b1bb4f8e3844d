//! What comes back from a tool, and what it makes the agent do.

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

/// What the tool's answer makes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The conversation goes on.
    GoOn,
    /// The agent hangs up.
    HangUp,
}

/// The outcome of one tool call.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What the model reads.
    pub text: String,
    /// Debugging text, present if the call failed.
    pub error: Option<String>,
    /// HTTP status, if there was one.
    pub status: Option<u16>,
    /// What happens next.
    pub reaction: Reaction,
    /// Call state to merge in.
    pub state: Map<String, Value>,
    /// What the receiver did that the service wouldn't accept.
    pub violations: Vec<String>,
}

impl Answer {
    /// A call that got no answer.
    pub fn failed(error: impl Into<String>) -> Self {
        Self {
            text: "The tool could not be used.".to_owned(),
            error: Some(error.into()),
            status: None,
            reaction: Reaction::GoOn,
            state: Map::new(),
            violations: Vec::new(),
        }
    }

    /// A call that needed no request.
    pub fn local(text: impl Into<String>) -> Self {
        Self { text: text.into(), error: None, ..Self::failed("") }
    }

    /// Reads an HTTP answer.
    pub fn of_http(status: u16, headers: &HeaderMap, body: String) -> Self {
        if !(200..300).contains(&status) {
            return Self {
                status: Some(status),
                ..Self::failed(format!("the tool answered with status {status}"))
            };
        }
        let mut answer = Self { status: Some(status), ..Self::local(body) };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match header("x-ultravox-response-type") {
            None | Some("tool-response") => {}
            Some("hang-up") => answer.reaction = Reaction::HangUp,
            Some(other) => answer
                .violations
                .push(format!("tool answer: response type {other} is not simulated")),
        }
        match header("x-ultravox-agent-reaction") {
            None | Some("speaks" | "listens" | "speaks-once") => {}
            Some(other) => {
                answer.violations.push(format!("tool answer: there is no agent reaction {other}"))
            }
        }
        match header("x-ultravox-update-call-state").map(serde_json::from_str) {
            None => {}
            Some(Ok(Value::Object(state))) => answer.state = state,
            Some(_) => answer
                .violations
                .push("tool answer: the call state update is no JSON object".to_owned()),
        }
        answer
    }
}
