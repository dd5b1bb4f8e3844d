//! Rules for values that the types of the fields do not express.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{
    AdditionalParams, Callbacks, FirstSpeakerSettings, Greeting, SelectedTool, StartCall,
    TemporaryTool, is_http_url,
};

const MODELS: &str =
    "ultravox-v0.7 ultravox-v0.6 ultravox-v0.6-llama3.3-70b ultravox-v0.6-gemma3-27b";
/// Voices of the account.
pub const VOICES: &str = "Mark Jessica Emily-English Tanya-English Monika-English-Indian \
    Aaron-English Muyiwa-English Steve-English-Australian Alex-Spanish Anna-German Ben-German \
    Coco-French Hugo-French Giovanni-Italian Ruben-Dutch";
const MAX_TOOL_TIMEOUT: Duration = Duration::from_secs(40);

pub(super) fn check(request: &StartCall) -> Result<()> {
    ensure_known("model", MODELS, request.model.as_deref())?;
    ensure_known("voice", VOICES, request.voice.as_deref())?;
    ensure_within("temperature", request.temperature, 0.0..=1.0)?;
    check_language(request.language_hint.as_deref().unwrap_or("en"))?;
    ensure_positive("joinTimeout", request.join_timeout())?;
    ensure_positive("maxDuration", request.max_duration())?;
    for message in &request.inactivity_messages {
        ensure_positive("inactivityMessages.duration", message.duration.0)?;
    }
    if let Some(vad) = &request.vad_settings {
        let threshold = vad.frame_activation_threshold;
        ensure_within("vadSettings.frameActivationThreshold", threshold, 0.1..=1.0)?;
    }
    if let Some(settings) = &request.first_speaker_settings {
        check_greeting(settings)?;
    }
    for key in request.metadata.keys() {
        ensure!(!key.starts_with("ultravox."), "metadata key {key:?} has a reserved prefix");
    }
    let outgoing = &request.medium.telnyx.outgoing;
    ensure_phone_number("to", &outgoing.to)?;
    ensure_phone_number("from", &outgoing.from)?;
    check_params(&outgoing.additional_params)?;
    check_callbacks(&request.callbacks)?;
    check_tools(&request.selected_tools)
}

fn check_language(tag: &str) -> Result<()> {
    let is_tag = (1..=16).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    ensure!(is_tag, "languageHint must be a BCP 47 tag of at most 16 characters");
    Ok(())
}

fn check_greeting(settings: &FirstSpeakerSettings) -> Result<()> {
    let greeting = match (&settings.user, &settings.agent) {
        (Some(user), None) => user.fallback.as_ref(),
        (None, Some(agent)) => Some(agent),
        _ => bail!("firstSpeakerSettings must have either user or agent"),
    };
    let has_both = matches!(greeting, Some(Greeting { text: Some(_), prompt: Some(_), .. }));
    ensure!(!has_both, "a greeting may have a text or a prompt, not both");
    Ok(())
}

fn check_params(params: &AdditionalParams) -> Result<()> {
    ensure_within("Timeout", params.timeout_secs, 5..=120)?;
    ensure_within("TimeLimit", params.time_limit_secs, 30..=14_400)?;
    params.status_events().map(drop)
}

fn check_callbacks(callbacks: &Callbacks) -> Result<()> {
    let callbacks = [&callbacks.joined, &callbacks.ended, &callbacks.billed];
    for secret in callbacks.into_iter().flatten().flat_map(|callback| &callback.secrets) {
        ensure!(secret.chars().count() <= 120, "a callback secret exceeds 120 characters");
    }
    Ok(())
}

fn check_tools(tools: &[SelectedTool]) -> Result<()> {
    let mut names = BTreeSet::new();
    for tool in tools {
        let name = match tool {
            SelectedTool::BuiltIn(tool) => <&str>::from(tool),
            SelectedTool::Temporary(tool) => {
                check_temporary_tool(tool)?;
                tool.definition.model_tool_name.as_str()
            }
        };
        ensure!(names.insert(name), "two selected tools are named {name:?}");
    }
    Ok(())
}

fn check_temporary_tool(tool: &TemporaryTool) -> Result<()> {
    let definition = &tool.definition;
    let name = &definition.model_tool_name;
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    ensure!(is_name, "tool name {name:?} must be 1 to 64 letters, digits, underscores or hyphens");
    if let Some(timeout) = definition.timeout {
        ensure_positive("timeout", timeout.0)?;
        ensure!(timeout.0 <= MAX_TOOL_TIMEOUT, "the timeout of tool {name} exceeds 40s");
    }
    let mut parameters = BTreeSet::new();
    for parameter in definition.parameter_names() {
        ensure!(!parameter.is_empty(), "a parameter of tool {name} has no name");
        ensure!(parameters.insert(parameter), "tool {name} declares {parameter:?} twice");
    }
    let url = &definition.http.base_url_pattern;
    ensure!(is_http_url(url), "baseUrlPattern of tool {name} must be an http or https URL");
    ensure!(!url.contains(['{', '}']), "baseUrlPattern of tool {name} has a placeholder");
    check_auth_tokens(tool)
}

fn check_auth_tokens(tool: &TemporaryTool) -> Result<()> {
    let name = &tool.definition.model_tool_name;
    let options = tool.definition.security_options();
    for token in tool.auth_tokens.keys() {
        let is_declared = options.iter().any(|option| option.requirements.contains_key(token));
        ensure!(is_declared, "tool {name} has no requirement named {token:?}");
    }
    let is_satisfied = options.is_empty() || tool.authorization().is_some();
    ensure!(is_satisfied, "authTokens satisfy no security option of tool {name}");
    Ok(())
}

fn ensure_known(field: &str, known: &str, value: Option<&str>) -> Result<()> {
    if let Some(value) = value {
        ensure!(known.split(' ').any(|name| name == value), "{field} {value:?} does not exist");
    }
    Ok(())
}

fn ensure_within<T: PartialOrd + std::fmt::Debug>(
    field: &str,
    value: Option<T>,
    range: RangeInclusive<T>,
) -> Result<()> {
    let is_within = value.is_none_or(|value| range.contains(&value));
    ensure!(is_within, "{field} must be within {range:?}");
    Ok(())
}

fn ensure_positive(field: &str, duration: Duration) -> Result<()> {
    ensure!(!duration.is_zero(), "{field} must be positive");
    Ok(())
}

/// Requires E.164 format.
fn ensure_phone_number(field: &str, number: &str) -> Result<()> {
    let is_e164 = number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    ensure!(is_e164, "medium.telnyx.outgoing.{field} must be a phone number in E.164 format");
    Ok(())
}
