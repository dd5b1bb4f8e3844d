//! The shares of users in scarce slots.

use std::panic::AssertUnwindSafe;

use domain::ids::UserId;
use domain::pacing;
use domain::slots::PlanInterval;
use futures::{FutureExt as _, StreamExt as _};
use store::{StoreError, plans};
use workflows::activities::planning::{PlanUserInput, ShareSlotsInput};

use super::user_plan::read_basis;
use super::{PLAN_TIMEOUT, Planning};

/// Users whose wanted calls are counted at the same time.
const MAX_CONCURRENT_USERS: usize = 4;

/// Shares the free slots of an interval among users by the calls that they could make; `None` for each if there are
/// enough. Users that the run plans later keep their part.
pub async fn share_slots(
    planning: &Planning,
    input: &ShareSlotsInput,
) -> Result<Vec<Option<usize>>, StoreError> {
    let interval = planning.remaining(input.from, input.until);
    let from = interval.from;
    let mut conn = planning.store.read().await?;
    let most = plans::most_calls(&mut conn, &input.users).await?;
    let pacing = planning.pacing(plans::planned_slots(&mut conn, &interval).await?);
    let waiting = plans::count_waiting(&mut conn, input.from).await?;
    drop(conn);
    let users = input.users.len();
    let users_left = waiting.min(input.users_left as usize).max(users);
    let room = pacing.room(from, input.until, most * users_left / users.max(1));
    let room = room * users / users_left.max(1);
    if most <= room {
        return Ok(vec![None; users]);
    }
    let wanted =
        input.users.iter().map(|user| count_wanted(planning, input, user, &interval).boxed());
    let wanted = wanted.collect::<Vec<_>>();
    let wanted: Vec<usize> =
        futures::stream::iter(wanted).buffered(MAX_CONCURRENT_USERS).collect().await;
    // The users that begin change from run to run.
    let first = (input.from.timestamp() / 60).unsigned_abs() as usize;
    Ok(pacing::share(room, &wanted, first).into_iter().map(Some).collect())
}

/// The number of calls that a user could make if it were the only one. A user that can't be planned wants none.
async fn count_wanted(
    planning: &Planning,
    input: &ShareSlotsInput,
    user_id: &UserId,
    interval: &PlanInterval,
) -> usize {
    let input = PlanUserInput {
        run: String::new(),
        user_id: user_id.clone(),
        from: input.from,
        until: input.until,
        callbacks_only: false,
        share: None,
    };
    let count = async {
        let mut tx = planning.store.begin().await?;
        let basis = read_basis(&mut tx, &input, interval).await?;
        let plan = basis.map(|basis| basis.plan(planning, planning.pacing(Vec::new()), None));
        Ok::<_, StoreError>(plan.map_or(0, |plan| plan.spread_calls()))
    };
    let count = AssertUnwindSafe(count).catch_unwind();
    match tokio::time::timeout(PLAN_TIMEOUT, count).await {
        Ok(Ok(Ok(wanted))) => wanted,
        _ => 0,
    }
}
