//! Checks of Ultravox and Telnyx.

use activities::ultravox::{Ultravox, UltravoxError};
use chrono::Utc;

use super::groups::Groups;
use super::{Finding, Part, Report};

pub(super) async fn check(groups: &Groups) -> Vec<Finding> {
    let (mut ultravox, telnyx) = tokio::join!(check_ultravox(groups), check_telnyx(groups));
    ultravox.extend(telnyx);
    ultravox
}

async fn check_ultravox(groups: &Groups) -> Vec<Finding> {
    let mut report = Report::new(Part::Ultravox);
    let Some(config) = &groups.ultravox else {
        return report.skip("ULTRAVOX_API_KEY and ULTRAVOX_API_URL");
    };
    let checked = match config.client() {
        Ok(client) => check_account(groups, &client, &mut report).await,
        Err(error) => Err(error),
    };
    if let Err(error) = checked {
        let host = config.ultravox_api_url.host_str().unwrap_or_default();
        report.fail(format!("{error}{}", advise(&error, host)));
    }
    report.findings
}

/// What to do about an error, to be appended to its text.
fn advise(error: &UltravoxError, host: &str) -> String {
    match error {
        UltravoxError::Unreachable(_) => {
            format!("; correct ULTRAVOX_API_URL ({host}), or look for a firewall in between")
        }
        UltravoxError::UnexpectedAnswer { status: 500.., .. } => {
            "; the provider fails at present: calls are requested again by themselves".to_owned()
        }
        UltravoxError::UnexpectedAnswer { .. } | UltravoxError::Undecodable(_) => {
            format!("; correct ULTRAVOX_API_URL: {host} does not answer as Ultravox does")
        }
        _ => String::new(),
    }
}

async fn check_account(
    groups: &Groups,
    client: &Ultravox,
    report: &mut Report,
) -> Result<(), UltravoxError> {
    let account = client.account().await?;
    if let Some(now) = account.now {
        report.compare_clock("Ultravox", now, Utc::now());
    }
    if account.has_active_subscription == Some(false) {
        report
            .warn("the account has no active subscription; calls fail once its free time is used");
    }
    let wanted = groups.plans.as_ref().map(|plans| i64::from(plans.max_concurrent_calls));
    if let (Some(allowed), Some(wanted)) = (account.allowed_concurrent_calls, wanted)
        && allowed < wanted
    {
        report.warn(format!(
            "the account allows {allowed} calls at once, but MAX_CONCURRENT_CALLS is {wanted}; lower \
            it, or calls are rejected and come late"
        ));
    }
    check_carrier(groups, client, report).await?;
    for (word, voice) in groups.voices.iter().flat_map(|config| &config.voices) {
        if !client.has_voice(voice).await? {
            report.fail(format!(
                "VOICES: the account has no voice {voice:?}, which stands for {word:?}; correct the \
                name"
            ));
        }
    }
    if report.findings.is_empty() {
        report.ok(format!("the key is valid for the account {:?}", account.name));
    }
    Ok(())
}

/// Ultravox places the calls through its own configuration of Telnyx. The service ends ringing calls at the same account.
async fn check_carrier(
    groups: &Groups,
    client: &Ultravox,
    report: &mut Report,
) -> Result<(), UltravoxError> {
    let ours = groups.telnyx.as_ref().and_then(|telnyx| telnyx.telnyx_account_sid.as_deref());
    match (client.carrier_account().await?, ours) {
        (None, _) => report.fail(
            "the account has no configuration of Telnyx, so that calls can't be placed; add it in the \
            Ultravox console",
        ),
        (Some(theirs), Some(ours)) if theirs.account_sid != ours => report.fail(format!(
            "Ultravox places calls at the Telnyx account {}, but TELNYX_ACCOUNT_SID is {ours}: a call \
            that is cancelled would ring on; set both to the same account",
            theirs.account_sid
        )),
        _ => {}
    }
    Ok(())
}

async fn check_telnyx(groups: &Groups) -> Vec<Finding> {
    let mut report = Report::new(Part::Telnyx);
    let Some(config) = &groups.telnyx else {
        return report.skip("TELNYX_API_KEY, TELNYX_ACCOUNT_SID and TELNYX_API_URL");
    };
    match config.client() {
        Ok(None) => report.warn(
            "TELNYX_API_KEY and TELNYX_ACCOUNT_SID are not set: a call that is cancelled while it \
            rings goes on until it is answered, and is then hung up",
        ),
        Ok(Some(client)) => match client.check_account().await {
            Ok(()) => report.ok("the key is valid for the account"),
            Err(error) => report.fail(format!("ringing calls can't be cancelled: {error}")),
        },
        Err(error) => report.fail(format!("{error:#}")),
    }
    report.findings
}
