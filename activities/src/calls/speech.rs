//! From a client's scripts to what the agent says.

use domain::script::{ScriptError, Values, fill};

use super::CallSettings;
use crate::ultravox::Speech;
use store::users::Profile;

/// What the agent says to a prospect, or why that can't be made.
pub(super) fn speech(
    settings: &CallSettings,
    profile: &Profile,
    prospect_name: &str,
    follow_up: bool,
) -> Result<Speech, ScriptError> {
    let values = Values {
        prospect_name: prospect_name.to_owned(),
        user_name: profile.name.clone(),
        company_name: profile.company_name.clone(),
    };
    let script = if follow_up { &profile.follow_up } else { &profile.initial };
    Ok(Speech {
        script: fill(script, &values)?,
        first_message: fill(&profile.first_message, &values)?,
        language: profile.language.clone(),
        voice: settings.voice(&profile.voice).to_owned(),
    })
}
