//! Why a call is not made: the same reasons for plan runs and for admission.

use crate::ids::ProspectId;
use crate::script::ScriptError;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Why a prospect is not planned, or a planned call is not dialled.
///
/// The snake-case name is stored in `plan_decisions.reason` and `admission_decisions.reason`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum BlockReason {
    // The user.
    UserDeleted,
    Paused,
    NoActiveSubscription,
    SettingsMissing,
    WindowInvalid,
    ScriptInvalid,
    /// The provider has rejected the last calls of the user, or of several users.
    ProviderRejects,
    PlanningFailed,
    DailyLimit,
    NoMinutes,
    // The prospect.
    ProspectDeleted,
    ProspectNotCallable,
    ProspectZoneUnknown,
    /// Neither prospect nor phone number determines a time zone, and `STRICT_CALLING_HOURS` is on.
    ZoneUndetermined,
    OpenConversation,
    AttemptsUsedUp,
    CoolingDown,
    /// The callback is due after the next plan run.
    NotDue,
    // The phone number.
    PhoneInvalid,
    /// The prospect's number was changed after the call was admitted.
    PhoneChanged,
    Suppressed,
    /// Another prospect of the user with the number booked, declined or opted out.
    PhoneClosed,
    PhoneBusy,
    /// The number cools down after a call to another prospect of the user.
    PhoneCoolingDown,
    PhoneCapReached,
    // Time and lines.
    OutsideHours,
    NoRoom,
    TooEarly,
    TooLate,
    LinesBusy,
    // The call.
    AlreadyRecorded,
}

impl BlockReason {
    /// What is the case, as a sentence for users and operators.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::UserDeleted => "The user no longer exists.",
            Self::Paused => "The user or the whole service is paused.",
            Self::NoActiveSubscription => "The user has no active subscription.",
            Self::SettingsMissing => "A setting of the user is missing.",
            Self::WindowInvalid => "The user's calling window is invalid.",
            Self::ScriptInvalid => "The user's scripts can't be filled in.",
            Self::ProviderRejects => {
                "The provider has rejected the last calls; one trial call at a time is made."
            }
            Self::PlanningFailed => "The plan of the user failed twice, or took too long.",
            Self::DailyLimit => "The daily limit of calls is reached.",
            Self::NoMinutes => "The subscription has no minutes left.",
            Self::ProspectDeleted => "The prospect no longer exists.",
            Self::ProspectNotCallable => "The prospect's status does not allow calls.",
            Self::ProspectZoneUnknown => "The prospect's time zone is not an IANA name.",
            Self::ZoneUndetermined => "Neither prospect nor phone number determines a time zone.",
            Self::OpenConversation => "A call to the prospect is planned or in progress.",
            Self::AttemptsUsedUp => "The maximum number of calls to the prospect is reached.",
            Self::CoolingDown => "The prospect cools down after its last call.",
            Self::NotDue => "The callback is due after the next plan run.",
            Self::PhoneInvalid => "The phone number is not in E.164 form, such as +12125550100.",
            Self::PhoneChanged => "The prospect's phone number changed after admission.",
            Self::Suppressed => "The phone number is on a do-not-call list.",
            Self::PhoneClosed => {
                "Another prospect with the same phone number booked, declined or opted out."
            }
            Self::PhoneBusy => "A call to the same phone number is planned or in progress.",
            Self::PhoneCoolingDown => {
                "The phone number cools down after a call to another prospect."
            }
            Self::PhoneCapReached => "The law allows no further call to the phone number for now.",
            Self::OutsideHours => "It is outside calling hours.",
            Self::NoRoom => "No slot is free before the next plan run.",
            Self::TooEarly => "The slot is in the future.",
            Self::TooLate => "The call could not start within 15 minutes of its slot.",
            Self::LinesBusy => "All lines are in use.",
            Self::AlreadyRecorded => "The conversation is already recorded or was deleted.",
        }
    }

    /// When the service tries again, or what to do, as a sentence.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::UserDeleted | Self::ProspectDeleted => "No further call is planned.",
            Self::Paused => {
                "Set users.paused_at and service.paused_at to null to resume; if service has no row, insert it."
            }
            Self::NoActiveSubscription => "Calls are planned once a subscription is ACTIVE.",
            Self::SettingsMissing => "Insert the row that is named here.",
            Self::WindowInvalid => "Correct the row in advanced_settings.",
            Self::ScriptInvalid => "Correct the row in script_settings or agent_settings.",
            Self::ProviderRejects => {
                "Correct what the provider names, in the user's settings or in the account. A trial call is made by itself; once the provider accepts it, calls go on."
            }
            Self::PlanningFailed => {
                "A later plan run plans the user again, after the other users. If it fails again, correct what the error names."
            }
            Self::DailyLimit => "The next calls are planned on the user's next day.",
            Self::NoMinutes => "Calls are planned once the subscription has minutes again.",
            Self::ProspectNotCallable => "Set prospects.status to call the prospect again.",
            Self::ProspectZoneUnknown | Self::ZoneUndetermined => "Correct prospects.time_zone.",
            Self::OpenConversation => "The prospect is planned again after the open call.",
            Self::AttemptsUsedUp => "Raise advanced_settings.max_attempts to continue.",
            Self::CoolingDown | Self::PhoneCoolingDown => {
                "The prospect is planned again after the cool-down."
            }
            Self::NotDue => "The callback is planned by the plan run before its time.",
            Self::PhoneInvalid => "Correct prospects.phone.",
            Self::PhoneChanged | Self::TooLate | Self::AlreadyRecorded => {
                "A later plan run plans the prospect again."
            }
            Self::Suppressed => "Nothing to do: numbers on a do-not-call list are not called.",
            Self::PhoneClosed => "Set the status of that prospect to call the number again.",
            Self::PhoneBusy => "The prospect is planned again after that call.",
            Self::PhoneCapReached => {
                "The prospect is planned again once calling_rules allows another call to the number."
            }
            Self::OutsideHours => {
                "The call is planned by the plan run before the next calling hours."
            }
            Self::NoRoom => "A later plan run plans the prospect.",
            Self::TooEarly | Self::LinesBusy => "Nothing to do: the call asks again by itself.",
        }
    }
}

/// A reason with its details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub reason: BlockReason,
    /// The reason as a sentence, with names and times where they are known.
    pub detail: String,
    /// When the reason no longer holds, if that is known.
    pub until: Option<DateTime<Utc>>,
}

impl From<BlockReason> for Block {
    fn from(reason: BlockReason) -> Self {
        Self { reason, detail: reason.sentence().to_owned(), until: None }
    }
}

impl Block {
    pub fn until(reason: BlockReason, until: impl Into<Option<DateTime<Utc>>>) -> Self {
        Self { until: until.into(), ..reason.into() }
    }

    /// The number was closed by another prospect of the user.
    pub fn phone_closed(by: &ProspectId) -> Self {
        let reason = BlockReason::PhoneClosed;
        Self::with_detail(reason, format!("{} It is {by}.", reason.sentence()))
    }

    /// The script can't be filled in, as the error says.
    pub fn script_invalid(error: &ScriptError) -> Self {
        let reason = BlockReason::ScriptInvalid;
        let sentence = reason.sentence().trim_end_matches('.');
        Self::with_detail(reason, format!("{sentence}: {error}."))
    }

    pub fn with_detail(reason: BlockReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), until: None }
    }
}
