//! A call creation that passed every check, as the rest of the simulator reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::calls::Event;
use crate::strict::{self, Refusal};
use crate::tools::SelectedTool;
use crate::{spans, telnyx::Dial};

/// What a client asked for.
#[derive(Debug, Clone)]
pub struct StartCall {
    /// The whole body in canonical form.
    pub body: Map<String, Value>,
    /// The phone to ring, if the medium is an outgoing carrier call.
    pub dial: Option<Dial>,
    /// How long the call may stay unjoined (simulated).
    pub join_timeout: Duration,
    /// How long a talk may last (simulated).
    pub max_duration: Duration,
    /// Webhooks of this call alone.
    pub callbacks: BTreeMap<Event, Callback>,
    /// Tools the agent has.
    pub tools: Vec<SelectedTool>,
    /// The client's own metadata.
    pub metadata: Map<String, Value>,
}

/// Where one event of one call is delivered.
#[derive(Debug, Clone, Deserialize)]
pub struct Callback {
    pub url: String,
    #[serde(default)]
    pub secrets: Vec<String>,
}

impl StartCall {
    /// Checks a body and reads it.
    pub fn parse(body: &Value) -> Result<Self, Refusal> {
        let body = strict::start_call(body)?;
        let span = |name: &str, default| {
            let text = body.get(name).and_then(Value::as_str);
            text.and_then(spans::parse).unwrap_or(Duration::from_secs(default))
        };
        Ok(Self {
            dial: Dial::of(&body),
            join_timeout: span("joinTimeout", 30),
            max_duration: span("maxDuration", 3_600),
            callbacks: part(&body, "callbacks")?,
            tools: part(&body, "selectedTools")?,
            metadata: part(&body, "metadata")?,
            body,
        })
    }

    /// The selected tool that the model knows by a name.
    pub fn tool(&self, name: &str) -> Option<&SelectedTool> {
        self.tools.iter().find(|tool| tool.model_name() == name)
    }

    /// The selected built-in tool, whatever the model knows it by.
    pub fn built_in(&self, name: &str) -> Option<&SelectedTool> {
        self.tools.iter().find(|tool| tool.built_in().is_some_and(|own| own.name == name))
    }

    /// A string field of the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }
}

fn part<T: Default + for<'de> Deserialize<'de>>(
    body: &Map<String, Value>,
    name: &str,
) -> Result<T, Refusal> {
    match body.get(name) {
        None => Ok(T::default()),
        Some(value) => {
            T::deserialize(value).map_err(|error| Refusal(format!("{name} can't be read: {error}")))
        }
    }
}
