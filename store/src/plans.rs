//! What a plan run reads and writes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::callee::NumberLog;
use domain::ids::ProspectId;
use domain::priority::Standing;
use domain::slots::{Candidate, Span};
use domain::status::ProspectStatus;
use sqlx::PgConnection;

use crate::{StoreError, word};

/// Prospects that one plan run considers for one user, of each kind: twice as many as may be called, within these bounds.
const CANDIDATES: std::ops::RangeInclusive<i64> = 200..=1_000;

/// The users planned longest ago, those never planned first.
pub async fn users_to_plan(
    conn: &mut PgConnection,
    planned_before: DateTime<Utc>,
    except: &[String],
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "select id from users
        where (planned_at is null or planned_at < $1) and id <> all($2)
        order by planned_at nulls first, id limit $3",
        planned_before,
        except,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?)
}

/// Locks a user against other plan runs, but not against those who insert its prospects. The outer nothing: there is no such user; the inner:
/// it was never planned.
pub async fn lock_user(
    conn: &mut PgConnection,
    user_id: &str,
) -> Result<Option<Option<DateTime<Utc>>>, StoreError> {
    let row = sqlx::query!("select planned_at from users where id = $1 for no key update", user_id)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| row.planned_at))
}

/// Notes that a user has been planned for a moment.
pub async fn mark_planned(
    conn: &mut PgConnection,
    user_id: &str,
    from: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!("update users set planned_at = $2 where id = $1", user_id, from)
        .execute(conn)
        .await?;
    Ok(())
}

/// One planned call.
#[derive(Clone, Debug)]
pub struct PlannedCall {
    pub conversation_id: String,
    pub prospect_id: String,
    pub slot: DateTime<Utc>,
}

/// Calls that a run planned for a user.
pub async fn calls_of_run(
    conn: &mut PgConnection,
    run: &str,
    user_id: &str,
) -> Result<Vec<PlannedCall>, StoreError> {
    Ok(sqlx::query_as!(
        PlannedCall,
        "select id as conversation_id, prospect_id, slot from conversations
        where plan_run = $1 and user_id = $2 order by slot, id",
        run,
        user_id
    )
    .fetch_all(conn)
    .await?)
}

/// How many prospects a run passed over for a user, by reason.
pub async fn skips_of_run(
    conn: &mut PgConnection,
    run: &str,
    user_id: &str,
) -> Result<BTreeMap<String, u32>, StoreError> {
    let rows = sqlx::query!(
        r#"select reason as "reason!", count(*) as "count!" from plan_decisions
        where plan_run = $1 and user_id = $2 and reason is not null group by reason"#,
        run,
        user_id
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.reason, row.count as u32)).collect())
}

/// What a user has used of its day and of its minutes by calls that are made or planned.
pub struct Usage {
    /// Conversations dialled since the start of the day, and those still to be dialled.
    pub calls: i32,
    /// Planned calls that hold no reservation yet; each will need a minute at least.
    pub unreserved: i32,
}

/// Counts what a user has used since the start of its local day.
pub async fn usage(
    conn: &mut PgConnection,
    user_id: &str,
    day_start: DateTime<Utc>,
) -> Result<Usage, StoreError> {
    let row = sqlx::query!(
        r#"select
            (select count(distinct conversation_id) from dials
                where user_id = $1 and sent_at >= $2) as "dialled!",
            count(*) filter (where not exists (
                select 1 from dials d where d.conversation_id = c.id and d.sent_at >= $2
            )) as "undialled!",
            count(*) filter (where not exists (
                select 1 from dials d where d.conversation_id = c.id and d.closed_at is null
            )) as "unreserved!"
        from conversations c
        where c.user_id = $1 and c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS')"#,
        user_id,
        day_start
    )
    .fetch_one(conn)
    .await?;
    Ok(Usage { calls: (row.dialled + row.undialled) as i32, unreserved: row.unreserved as i32 })
}

/// A prospect to consider, and the number that its next conversation would have.
pub struct NumberedCandidate {
    /// What the plan is made from.
    pub candidate: Candidate,
    /// Counts the prospect's conversations from 1.
    pub next_number: i32,
}

/// Which prospects a run considers.
pub struct Considered<'a> {
    /// The user.
    pub user_id: &'a str,
    /// The end of the run's span.
    pub until: DateTime<Utc>,
    /// Calls that may be made to one prospect.
    pub max_attempts: i32,
    /// Only those who were promised a call within the span.
    pub promised_only: bool,
    /// Calls that the user may still be given.
    pub calls_left: i32,
}

/// The prospects that a run considers: promised ones by their time, those never called by their age, others by the end
/// of their rest. Of each kind the first ones, whether they can be called or not, so that it is told why; and the first
/// ones that can, so that those who can't do not hide them.
pub async fn candidates(
    conn: &mut PgConnection,
    about: &Considered<'_>,
) -> Result<Vec<NumberedCandidate>, StoreError> {
    let rows = sqlx::query!(
        r#"with considered as (
            (select id from prospects where user_id = $1 and status = 'RESCHEDULED'
                and (not $4 or rescheduled_for < $3 or rescheduled_for is null)
                order by rescheduled_for nulls first limit $2)
            union
            (select id from prospects p where user_id = $1 and status = 'RESCHEDULED'
                and (rescheduled_for < $3 or rescheduled_for is null)
                and not exists (select 1 from suppressions s where s.phone = p.phone
                    and (s.user_id is null or s.user_id = p.user_id))
                and not exists (select 1 from conversations c where c.prospect_id = p.id
                    and c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS'))
                and (select count(distinct d.conversation_id) from dials d
                    where d.prospect_id = p.id and d.sent_at is not null
                        and (d.state <> 'NOT_PLACED' or d.refusal is not null)) < $5
                order by rescheduled_for nulls first limit $2)
            union
            (select id from prospects where user_id = $1 and not $4
                and status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is null
                order by created_at limit $2)
            union
            (select id from prospects p where user_id = $1 and not $4
                and status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is null
                and not exists (select 1 from suppressions s where s.phone = p.phone
                    and (s.user_id is null or s.user_id = p.user_id))
                and not exists (select 1 from conversations c where c.prospect_id = p.id
                    and c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS'))
                order by created_at limit $2)
            union
            (select id from prospects where user_id = $1 and not $4
                and status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is not null
                order by next_call_at limit $2)
            union
            (select id from prospects p where user_id = $1 and not $4
                and status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at < $3
                and not exists (select 1 from suppressions s where s.phone = p.phone
                    and (s.user_id is null or s.user_id = p.user_id))
                and not exists (select 1 from conversations c where c.prospect_id = p.id
                    and c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS'))
                and (select count(distinct d.conversation_id) from dials d
                    where d.prospect_id = p.id and d.sent_at is not null
                        and (d.state <> 'NOT_PLACED' or d.refusal is not null)) < $5
                order by next_call_at limit $2)
        )
        select p.id, p.status::text as "status!", p.phone, p.time_zone, p.state,
            p.rescheduled_for, p.last_contacted, p.created_at, p.next_call_at,
            p.times_rescheduled,
            exists (select 1 from suppressions s where s.phone = p.phone
                and (s.user_id is null or s.user_id = p.user_id)) as "suppressed!",
            exists (select 1 from conversations c where c.prospect_id = p.id
                and c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS')) as "open!",
            exists (select 1 from prospects o
                join conversations c on c.prospect_id = o.id
                    and c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS')
                where o.phone = p.phone and o.id <> p.id) as "number_busy!",
            (select max(o.next_call_at) from prospects o
                where o.phone = p.phone and o.user_id = p.user_id and o.id <> p.id) as number_rests_until,
            array(select d.sent_at from dials d where d.phone = p.phone
                and d.sent_at > $3 - interval '48 hours' and d.state in ('SENT', 'PLACED')
                order by d.sent_at) as "lately!",
            (select count(*) from dials d where d.phone = p.phone and d.sent_at is not null
                and d.state in ('SENT', 'PLACED')) as "in_all!",
            (select count(distinct d.conversation_id) from dials d
                where d.prospect_id = p.id and d.sent_at is not null
                    and (d.state <> 'NOT_PLACED' or d.refusal is not null)) as "attempts!",
            (select coalesce(max(c.number), 0) + 1 from conversations c
                where c.prospect_id = p.id) as "next_number!"
        from prospects p where p.id in (select id from considered)"#,
        about.user_id,
        (2 * i64::from(about.calls_left)).clamp(*CANDIDATES.start(), *CANDIDATES.end()),
        about.until,
        about.promised_only,
        i64::from(about.max_attempts)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = word("prospects.status", &row.status, ProspectStatus::parse)?;
            let candidate = Candidate {
                standing: Standing {
                    prospect: ProspectId::new(row.id),
                    promised: status == ProspectStatus::Rescheduled,
                    waiting_since: row.last_contacted.unwrap_or(row.created_at),
                    times_rescheduled: row.times_rescheduled,
                },
                phone: row.phone,
                zone: row.time_zone,
                state: row.state,
                due: row.rescheduled_for,
                rests_until: row.next_call_at,
                attempts_left: about.max_attempts - row.attempts as i32,
                suppressed: row.suppressed,
                has_open_conversation: row.open,
                number_busy: row.number_busy,
                number_rests_until: row.number_rests_until,
                number: NumberLog { lately: row.lately, in_all: row.in_all as i32 },
            };
            Ok(NumberedCandidate { candidate, next_number: row.next_number })
        })
        .collect()
}

/// The moments at which calls of any user are planned within a span.
pub async fn planned_slots(
    conn: &mut PgConnection,
    span: &Span,
) -> Result<Vec<DateTime<Utc>>, StoreError> {
    Ok(sqlx::query_scalar!(
        "select slot from conversations
        where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS') and slot >= $1 and slot < $2",
        span.from,
        span.until
    )
    .fetch_all(conn)
    .await?)
}

/// A page of users with callbacks.
#[derive(Clone, Copy, Debug)]
pub struct CallbackPage<'a> {
    pub limit: u32,
    /// Callbacks due before this moment.
    pub before: DateTime<Utc>,
    /// Users planned at or after this moment are left out.
    pub planned_before: DateTime<Utc>,
    /// The last user of the page before, by id; empty for the first page.
    pub after: &'a str,
}

/// Users whose turn has not come and who owe a call that is due and not planned; a page of them in the order of ids.
pub async fn users_with_promises(
    conn: &mut PgConnection,
    page: &CallbackPage<'_>,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "select u.id from users u
        where u.id > $2 and (u.planned_at is null or u.planned_at < $4)
            and exists (select 1 from subscriptions b where b.user_id = u.id and b.status = 'ACTIVE')
            and exists (
            select 1 from prospects p
            where p.user_id = u.id and p.status = 'RESCHEDULED' and p.rescheduled_for < $1
                and not exists (select 1 from suppressions s where s.phone = p.phone
                    and (s.user_id is null or s.user_id = p.user_id))
                and not exists (select 1 from conversations c where c.prospect_id = p.id
                    and c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS')))
        order by u.id limit $3",
        page.before,
        page.after,
        i64::from(page.limit),
        page.planned_before
    )
    .fetch_all(conn)
    .await?)
}

/// A conversation to be created.
pub struct NewConversation {
    /// Its id.
    pub id: String,
    /// The prospect to call.
    pub prospect_id: String,
    /// Counts the prospect's conversations.
    pub number: i32,
    /// The moment to call.
    pub slot: DateTime<Utc>,
}

/// Creates the conversations of a plan in one statement.
pub async fn insert_conversations(
    conn: &mut PgConnection,
    run: &str,
    user_id: &str,
    new: &[NewConversation],
) -> Result<(), StoreError> {
    let ids: Vec<&str> = new.iter().map(|c| c.id.as_str()).collect();
    let prospects: Vec<&str> = new.iter().map(|c| c.prospect_id.as_str()).collect();
    let numbers: Vec<i32> = new.iter().map(|c| c.number).collect();
    let slots: Vec<DateTime<Utc>> = new.iter().map(|c| c.slot).collect();
    sqlx::query!(
        "insert into conversations (id, user_id, prospect_id, number, slot, plan_run)
        select t.id, $1, t.prospect_id, t.number, t.slot, $2
        from unnest($3::text[], $4::text[], $5::int[], $6::timestamptz[])
            as t(id, prospect_id, number, slot)",
        user_id,
        run,
        &ids as _,
        &prospects as _,
        &numbers,
        &slots
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A decision to be kept.
#[derive(Clone, Debug, Default)]
pub struct NewDecision {
    /// The prospect; nothing if the user as a whole was passed over.
    pub prospect_id: Option<String>,
    /// The conversation that was planned.
    pub conversation_id: Option<String>,
    /// Its slot.
    pub slot: Option<DateTime<Utc>>,
    /// Why there is none.
    pub reason: Option<&'static str>,
    /// The reason as a sentence.
    pub detail: Option<String>,
    /// When the reason no longer holds.
    pub next_allowed: Option<DateTime<Utc>>,
    /// The prospect's score.
    pub priority: Option<f64>,
    /// Calls of the day that were left when it was decided.
    pub calls_left: Option<i32>,
    /// Minutes that were left.
    pub minutes_left: Option<i32>,
}

/// Keeps the decisions of a plan in one statement.
pub async fn insert_decisions(
    conn: &mut PgConnection,
    run: &str,
    user_id: &str,
    new: &[NewDecision],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let prospects: Vec<Option<&str>> = new.iter().map(|d| d.prospect_id.as_deref()).collect();
    let conversations: Vec<Option<&str>> =
        new.iter().map(|d| d.conversation_id.as_deref()).collect();
    let slots: Vec<Option<DateTime<Utc>>> = new.iter().map(|d| d.slot).collect();
    let reasons: Vec<Option<&str>> = new.iter().map(|d| d.reason).collect();
    let details: Vec<Option<&str>> = new.iter().map(|d| d.detail.as_deref()).collect();
    let next: Vec<Option<DateTime<Utc>>> = new.iter().map(|d| d.next_allowed).collect();
    let priorities: Vec<Option<f64>> = new.iter().map(|d| d.priority).collect();
    let calls: Vec<Option<i32>> = new.iter().map(|d| d.calls_left).collect();
    let minutes: Vec<Option<i32>> = new.iter().map(|d| d.minutes_left).collect();
    sqlx::query!(
        "insert into plan_decisions (plan_run, user_id, prospect_id, conversation_id, slot, reason,
            detail, next_allowed, priority, calls_left, minutes_left, decided_at)
        select $1, $2, t.*, $12
        from unnest($3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
            $8::timestamptz[], $9::float8[], $10::int[], $11::int[])
            as t(prospect_id, conversation_id, slot, reason, detail, next_allowed, priority,
                calls_left, minutes_left)
        on conflict (plan_run, user_id, prospect_id) do nothing",
        run,
        user_id,
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
