//! The agent's script, filled in from the user's settings.

use domain::script::{ScriptError, Values, fill};
use domain::{Block, BlockReason};
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
    let values = Values {
        prospect_name: prospect.name.clone(),
        user_name: profile.name.clone(),
        company_name: profile.company_name.clone(),
        custom: prospect.custom.clone(),
    };
    let instructions = if follow_up { &profile.follow_up } else { &profile.initial };
    let filled = |text: &str| fill(text, &values).map_err(|error| to_block(&error));
    Ok(AgentScript {
        instructions: filled(instructions)?,
        first_message: filled(&profile.first_message)?,
        language: profile.language.clone(),
        voice: settings.voice(&profile.voice).to_owned(),
    })
}

fn to_block(error: &ScriptError) -> Block {
    Block::with_detail(BlockReason::ScriptInvalid, format!("{error}."))
}
