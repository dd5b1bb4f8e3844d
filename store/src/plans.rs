//! What a plan run reads and writes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::BlockReason;
use domain::ids::{ConversationId, ProspectId, UserId};
use domain::slots::{MAX_CALLS_PER_RUN, PlanInterval};
use sqlx::PgConnection;

use crate::{StoreError, parse_enum};

/// Picks the users planned longest ago; users that were never planned come first, and those whose time is wrong.
pub async fn pick_users(
    conn: &mut PgConnection,
    planned_before: DateTime<Utc>,
    except: &[UserId],
    limit: u32,
) -> Result<Vec<UserId>, StoreError> {
    let except: Vec<&str> = except.iter().map(UserId::as_str).collect();
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from (
            (select id, null::timestamptz as planned_at from users
                where planned_at > $1 and waits_for_plan(planned_at, $1) and id <> all($2)
                order by planned_at desc limit $3)
            union all
            (select id, planned_at from users
                where (planned_at is null or planned_at < $1) and id <> all($2)
                order by planned_at nulls first, id limit $3)
        ) waiting
        order by planned_at nulls first, id limit $3"#,
        planned_before,
        &except as _,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(UserId::from).collect())
}

/// A user whose row is locked against other plan runs.
pub struct LockedUser {
    /// Whether the user has not been planned for the run.
    pub waits: bool,
}

/// Locks a user until the end of the transaction; `None` if it was deleted. Prospects can still be inserted.
pub async fn lock_user(
    conn: &mut PgConnection,
    user_id: &UserId,
    run: DateTime<Utc>,
) -> Result<Option<LockedUser>, StoreError> {
    let row = sqlx::query_as!(
        LockedUser,
        r#"select waits_for_plan(planned_at, $2) as "waits!" from users where id = $1
        for no key update"#,
        user_id.as_str(),
        run
    );
    Ok(row.fetch_optional(conn).await?)
}

/// Stores the nominal time of the run that has planned a user.
pub async fn mark_planned(
    conn: &mut PgConnection,
    user_id: &UserId,
    from: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!("update users set planned_at = $2 where id = $1", user_id.as_str(), from)
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(Clone, Debug)]
pub struct PlannedCall {
    pub conversation_id: ConversationId,
    pub prospect_id: ProspectId,
    pub slot: DateTime<Utc>,
}

/// Reads the calls that a run has planned for a user.
pub async fn calls_of_run(
    conn: &mut PgConnection,
    run: &str,
    user_id: &UserId,
) -> Result<Vec<PlannedCall>, StoreError> {
    let rows = sqlx::query!(
        "select id, prospect_id, slot from conversations
        where plan_run = $1 and user_id = $2 order by slot, id",
        run,
        user_id.as_str()
    )
    .fetch_all(conn)
    .await?;
    let calls = rows.into_iter().map(|row| PlannedCall {
        conversation_id: row.id.into(),
        prospect_id: row.prospect_id.into(),
        slot: row.slot,
    });
    Ok(calls.collect())
}

/// Counts the prospects that a run has skipped for a user, by reason, as far as their decisions are stored.
pub async fn skips_of_run(
    conn: &mut PgConnection,
    run: &str,
    user_id: &UserId,
) -> Result<BTreeMap<BlockReason, u32>, StoreError> {
    let rows = sqlx::query!(
        r#"select reason as "reason!", count(*) as "count!" from plan_decisions
        where plan_run = $1 and user_id = $2 and reason is not null group by reason"#,
        run,
        user_id.as_str()
    )
    .fetch_all(conn)
    .await?;
    let reason = |text: &str| parse_enum("plan_decisions.reason", text);
    rows.into_iter().map(|row| Ok((reason(&row.reason)?, row.count as u32))).collect()
}

/// The most calls that users may make by their plans, within what one run plans for one user.
pub async fn most_calls(conn: &mut PgConnection, users: &[UserId]) -> Result<usize, StoreError> {
    let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let most = sqlx::query_scalar!(
        r#"select coalesce(sum(least(p.per_day, b.minutes_left, $2)), 0) as "most!"
        from subscriptions b join plans p on p.id = b.plan_id
        where b.user_id = any($1) and b.status = 'ACTIVE'"#,
        &users as _,
        MAX_CALLS_PER_RUN
    )
    .fetch_one(conn)
    .await?;
    Ok(usize::try_from(most).unwrap_or(0))
}

/// Counts the users that were not planned for a time.
pub async fn count_waiting(
    conn: &mut PgConnection,
    planned_before: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from users where waits_for_plan(planned_at, $1)"#,
        planned_before
    );
    Ok(usize::try_from(count.fetch_one(conn).await?).unwrap_or(0))
}

/// What a user has used of its day and of its minutes.
pub struct Usage {
    /// Conversations dialled since the start of the day, and those still to be dialled.
    pub calls: i32,
    /// Open conversations without a reservation; each needs at least one minute.
    pub unreserved: i32,
}

/// Counts what a user has used since the start of its local day.
pub async fn usage(
    conn: &mut PgConnection,
    user_id: &UserId,
    day_start: DateTime<Utc>,
) -> Result<Usage, StoreError> {
    let row = sqlx::query!(
        r#"select
            (select count(distinct conversation_id) from dials
                where user_id = $1 and sent_at >= $2) as "dialed!",
            count(*) filter (where not exists (
                select 1 from dials d where d.conversation_id = c.id and d.sent_at >= $2
            )) as "not_dialed!",
            count(*) filter (where not exists (
                select 1 from dials d where d.conversation_id = c.id and d.closed_at is null
            )) as "unreserved!"
        from open_conversations c
        where c.user_id = $1"#,
        user_id.as_str(),
        day_start
    )
    .fetch_one(conn)
    .await?;
    Ok(Usage { calls: (row.dialed + row.not_dialed) as i32, unreserved: row.unreserved as i32 })
}

/// Leaves prospects out of later plan runs, until their status is written or the maximum number of calls is raised.
pub async fn mark_attempts_used_up(
    conn: &mut PgConnection,
    prospects: &[&ProspectId],
) -> Result<(), StoreError> {
    let ids: Vec<&str> = prospects.iter().map(|id| id.as_str()).collect();
    sqlx::query!("update prospects set attempts_used_up = true where id = any($1)", &ids as _)
        .execute(conn)
        .await?;
    Ok(())
}

/// The key of the advisory lock under which slots are chosen.
const SLOTS_LOCK: i64 = 0x736c_6f74_7300;

/// Locks the slots of all users: until the end of the transaction no other transaction plans one.
pub async fn lock_slots(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("select pg_advisory_xact_lock($1)", SLOTS_LOCK).execute(conn).await?;
    Ok(())
}

/// Reads the planned slots of all users within an interval, without calls that are not made as things stand: those of
/// paused users, of users without an active subscription, and to suppressed numbers.
pub async fn planned_slots(
    conn: &mut PgConnection,
    interval: &PlanInterval,
) -> Result<Vec<DateTime<Utc>>, StoreError> {
    let slots = sqlx::query_scalar!(
        r#"select c.slot as "slot!" from open_conversations c
        where c.slot >= $1 and c.slot < $2
            and not exists (select 1 from users u where u.id = c.user_id and u.paused_at is not null)
            and exists (select 1 from subscriptions b
                where b.user_id = c.user_id and b.status = 'ACTIVE')
            and not exists (select 1 from callees p where p.id = c.prospect_id and p.suppressed)"#,
        interval.from,
        interval.until
    );
    Ok(slots.fetch_all(conn).await?)
}

/// A page of users with due callbacks.
#[derive(Clone, Copy, Debug)]
pub struct CallbackPage<'a> {
    pub limit: u32,
    /// Callbacks due before this time.
    pub before: DateTime<Utc>,
    /// Users planned at or after this time are left out.
    pub planned_before: DateTime<Utc>,
    /// The last user of the previous page; `None` for the first page.
    pub after: Option<&'a UserId>,
}

/// Picks users with a due callback that is not planned, ordered by id.
pub async fn users_with_due_callbacks(
    conn: &mut PgConnection,
    page: &CallbackPage<'_>,
) -> Result<Vec<UserId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "select u.id from users u
        where u.id > $2 and waits_for_plan(u.planned_at, $4)
            and exists (select 1 from subscriptions b where b.user_id = u.id and b.status = 'ACTIVE')
            and exists (select 1 from callees p
                where p.user_id = u.id and p.status = 'RESCHEDULED' and not p.attempts_used_up
                    and p.rescheduled_for < $1
                    and not p.suppressed and not p.has_open_conversation and p.phone_closed_by is null)
        order by u.id limit $3",
        page.before,
        page.after.map_or("", UserId::as_str),
        i64::from(page.limit),
        page.planned_before
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(UserId::from).collect())
}

/// A planned conversation.
pub struct NewConversation {
    pub id: ConversationId,
    pub prospect_id: ProspectId,
    /// 1-based count of the prospect's conversations.
    pub sequence: i32,
    pub slot: DateTime<Utc>,
}

/// Inserts the conversations of a plan in one statement.
pub async fn insert_conversations(
    conn: &mut PgConnection,
    run: &str,
    user_id: &UserId,
    new: &[NewConversation],
) -> Result<(), StoreError> {
    let ids: Vec<&str> = new.iter().map(|c| c.id.as_str()).collect();
    let prospects: Vec<&str> = new.iter().map(|c| c.prospect_id.as_str()).collect();
    let sequences: Vec<i32> = new.iter().map(|c| c.sequence).collect();
    let slots: Vec<DateTime<Utc>> = new.iter().map(|c| c.slot).collect();
    sqlx::query!(
        "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
        select t.id, $1, t.prospect_id, t.sequence, t.slot, $2
        from unnest($3::text[], $4::text[], $5::int[], $6::timestamptz[])
            as t(id, prospect_id, sequence, slot)",
        user_id.as_str(),
        run,
        &ids as _,
        &prospects as _,
        &sequences,
        &slots
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A decision of a plan run.
#[derive(Clone, Debug, Default)]
pub struct NewDecision {
    /// `None` if the user as a whole was skipped.
    pub prospect_id: Option<ProspectId>,
    /// The planned conversation.
    pub conversation_id: Option<ConversationId>,
    pub slot: Option<DateTime<Utc>>,
    /// Why there is no slot.
    pub reason: Option<BlockReason>,
    /// The reason as a sentence.
    pub detail: Option<String>,
    /// When the reason no longer holds.
    pub next_allowed: Option<DateTime<Utc>>,
    /// The score of the prospect.
    pub priority: Option<f64>,
    /// Calls of the day left before the decision.
    pub calls_left: Option<i32>,
    /// Minutes left before the decision.
    pub minutes_left: Option<i32>,
}

/// Inserts the decisions of a plan in one statement, without skips that repeat the last decision about their prospect, or
/// about the user as a whole.
pub async fn insert_decisions(
    conn: &mut PgConnection,
    run: &str,
    user_id: &UserId,
    new: &[NewDecision],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let prospects: Vec<_> =
        new.iter().map(|d| d.prospect_id.as_ref().map(ProspectId::as_str)).collect();
    let conversations: Vec<_> =
        new.iter().map(|d| d.conversation_id.as_ref().map(ConversationId::as_str)).collect();
    let slots: Vec<Option<DateTime<Utc>>> = new.iter().map(|d| d.slot).collect();
    let reasons: Vec<_> = new.iter().map(|d| d.reason.map(|reason| reason.into_str())).collect();
    let details: Vec<Option<&str>> = new.iter().map(|d| d.detail.as_deref()).collect();
    let next: Vec<Option<DateTime<Utc>>> = new.iter().map(|d| d.next_allowed).collect();
    let priorities: Vec<Option<f64>> = new.iter().map(|d| d.priority).collect();
    let calls: Vec<Option<i32>> = new.iter().map(|d| d.calls_left).collect();
    let minutes: Vec<Option<i32>> = new.iter().map(|d| d.minutes_left).collect();
    sqlx::query!(
        "insert into plan_decisions (plan_run, user_id, prospect_id, conversation_id, slot, reason,
            detail, next_allowed, priority, calls_left, minutes_left, decided_at)
        select $1, $2, t.*, $12::timestamptz
        from unnest($3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
            $8::timestamptz[], $9::float8[], $10::int[], $11::int[])
            as t(prospect_id, conversation_id, slot, reason, detail, next_allowed, priority,
                calls_left, minutes_left)
        left join lateral (
            select d.reason, d.detail, d.next_allowed from plan_decisions d
            where d.prospect_id = t.prospect_id order by d.id desc limit 1
        ) of_prospect on true
        left join lateral (
            select d.reason, d.detail, d.next_allowed from plan_decisions d
            where t.prospect_id is null and d.prospect_id is null and d.user_id = $2
            order by d.id desc limit 1
        ) of_user on true
        where t.slot is not null or (t.reason, t.detail, t.next_allowed) is distinct from (
            coalesce(of_prospect.reason, of_user.reason),
            coalesce(of_prospect.detail, of_user.detail),
            coalesce(of_prospect.next_allowed, of_user.next_allowed)
        )
        on conflict (plan_run, user_id, prospect_id) do nothing",
        run,
        user_id.as_str(),
        &prospects as _,
        &conversations as _,
        &slots as _,
        &reasons as _,
        &details as _,
        &next as _,
        &priorities as _,
        &calls as _,
        &minutes as _,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
