//! The agent's script, filled in from the user's settings.

use std::collections::BTreeMap;

use domain::Block;
use domain::script::{ScriptError, Values, fill};
use store::prospects::ProspectState;
use store::users::Profile;

use super::CallSettings;
use crate::ultravox::AgentScript;

/// Fills in the scripts for a prospect.
///
/// # Errors
///
/// A placeholder is unknown or has no value.
pub(super) fn fill_script(
    settings: &CallSettings,
    profile: &Profile,
    prospect: &ProspectState,
    follow_up: bool,
) -> Result<AgentScript, Block> {
    let values = values(profile, prospect.name.clone(), prospect.custom.clone());
    let (instructions, first_message) =
        fill_texts(profile, &values, follow_up).map_err(|error| Block::script_invalid(&error))?;
    Ok(AgentScript {
        instructions,
        first_message,
        language: profile.language.clone(),
        voice: settings.voice(&profile.voice).to_owned(),
    })
}

/// Checks that the scripts can be filled in for a prospect of this name and with these own columns.
///
/// # Errors
///
/// A placeholder is unknown or has no value.
pub(crate) fn check_script(
    profile: &Profile,
    name: String,
    custom: BTreeMap<String, String>,
    follow_up: bool,
) -> Result<(), ScriptError> {
    fill_texts(profile, &values(profile, name, custom), follow_up).map(drop)
}

fn values(profile: &Profile, name: String, custom: BTreeMap<String, String>) -> Values {
    Values {
        prospect_name: name,
        user_name: profile.name.clone(),
        company_name: profile.company_name.clone(),
        custom,
    }
}

/// The instructions and the first message.
fn fill_texts(
    profile: &Profile,
    values: &Values,
    follow_up: bool,
) -> Result<(String, String), ScriptError> {
    let instructions = if follow_up { &profile.follow_up } else { &profile.initial };
    Ok((fill(instructions, values)?, fill(&profile.first_message, values)?))
}
