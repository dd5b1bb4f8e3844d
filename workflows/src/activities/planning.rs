//! Activities of a plan run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::BlockReason;
use domain::ids::{ConversationId, ProspectId, UserId};
use serde::{Deserialize, Serialize};

activity!(
    /// Picks the users planned longest ago. Reads only.
    PickUsers = "planning.pick_users", PickUsersInput => Vec<UserId>
);
activity!(
    /// Picks a page of users with callbacks due before the next run. Reads only.
    PickDueCallbacks = "planning.pick_due_callbacks", PickDueCallbacksInput => Vec<UserId>
);
activity!(
    /// Shares the slots of a run among a page of users: the most calls of each besides callbacks, `None` without a limit.
    /// Reads only.
    ShareSlots = "planning.share_slots", ShareSlotsInput => Vec<Option<usize>>
);
activity!(
    /// Plans the calls of one user in one transaction. Idempotent: repeated for the same run and user it changes nothing
    /// and returns the same calls.
    PlanUser = "planning.plan_user", PlanUserInput => PlannedUser
);
activity!(
    /// Ends the turn of a user that could not be planned, and returns the calls that the run has planned nevertheless.
    SkipUser = "planning.skip_user", SkipUserInput => PlannedUser
);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PickUsersInput {
    pub limit: u32,
    /// Users planned at or after this time are left out.
    pub planned_before: DateTime<Utc>,
    /// Users that this run could not plan.
    #[serde(default)]
    pub except: Vec<UserId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PickDueCallbacksInput {
    pub limit: u32,
    /// Callbacks due before this time.
    pub before: DateTime<Utc>,
    /// Users planned at or after this time are left out.
    pub planned_before: DateTime<Utc>,
    /// The last user of the previous page, by id; `None` for the first page.
    #[serde(default)]
    pub after: Option<UserId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanUserInput {
    /// The workflow id of the plan run.
    pub run: String,
    pub user_id: UserId,
    /// The nominal time of the run.
    pub from: DateTime<Utc>,
    /// The nominal time of the next run.
    pub until: DateTime<Utc>,
    /// Plan callbacks only: it is not the user's turn for other calls.
    #[serde(default)]
    pub callbacks_only: bool,
    /// The most calls to plan besides callbacks; `None` without a limit.
    #[serde(default)]
    pub share: Option<usize>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareSlotsInput {
    pub users: Vec<UserId>,
    /// The most users that the run may still plan, with these.
    pub users_left: u32,
    /// The nominal time of the run.
    pub from: DateTime<Utc>,
    /// The nominal time of the next run.
    pub until: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkipUserInput {
    /// The plan that failed.
    pub plan: PlanUserInput,
    /// Why it failed.
    pub error: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlannedUser {
    /// The calls to start; a call that was started already is no error.
    pub calls: Vec<PlannedCall>,
    /// The number of skipped prospects by [`BlockReason`].
    pub skipped: BTreeMap<BlockReason, u32>,
    /// The interval of the run is over: the user was not planned and keeps its turn.
    pub interval_over: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedCall {
    pub conversation_id: ConversationId,
    pub prospect_id: ProspectId,
    pub slot: DateTime<Utc>,
}
