//! Activities of a plan run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

activity!(
    /// Picks the users that were planned longest ago. Reads only.
    PickUsers = "planning.pick_users", PickUsersInput => Vec<String>
);
activity!(
    /// Picks users who promised somebody a call within the span of a run, a page at a time. Reads only.
    PickPromises = "planning.pick_promises", PickPromisesInput => Vec<String>
);
activity!(
    /// Plans one user's calls in one transaction. Run again for the same run and user it changes
    /// nothing and gives the same answer.
    PlanUser = "planning.plan_user", PlanUserInput => PlannedUser
);

/// Which users to pick.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PickUsersInput {
    /// How many at most.
    pub limit: u32,
    /// Users planned at or after this moment are left out.
    pub planned_before: DateTime<Utc>,
    /// Users that this run has given up on.
    #[serde(default)]
    pub except: Vec<String>,
}

/// Which users with promised calls to pick.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PickPromisesInput {
    /// How many at most.
    pub limit: u32,
    /// Calls promised for before this moment.
    pub before: DateTime<Utc>,
    /// Users planned at or after this moment are left out: they had their turn.
    pub planned_before: DateTime<Utc>,
    /// The last user of the page before, by id; empty for the first page.
    pub after: String,
}

/// Whom to plan, and for which span.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanUserInput {
    /// The plan run.
    pub run: String,
    /// The user.
    pub user_id: String,
    /// The nominal time of the run.
    pub from: DateTime<Utc>,
    /// The nominal time of the next run.
    pub until: DateTime<Utc>,
    /// Only calls that were promised: the user's turn for others has not come.
    #[serde(default)]
    pub promised_only: bool,
}

/// What was planned for a user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlannedUser {
    /// Calls to launch; launching one that is there already is no error.
    pub calls: Vec<PlannedCall>,
    /// How many prospects were passed over, by reason.
    pub skipped: BTreeMap<String, u32>,
}

/// One planned call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedCall {
    /// The conversation.
    pub conversation_id: String,
    /// The prospect to call.
    pub prospect_id: String,
    /// The moment to call.
    pub slot: DateTime<Utc>,
}
