//! The prospects that a plan run considers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::ids::{ProspectId, UserId};
use domain::phone_usage::PhoneUsage;
use domain::priority::PriorityInput;
use domain::slots::Candidate;
use domain::status::ProspectStatus;
use sqlx::PgConnection;

use crate::{StoreError, parse_enum};

/// The number of prospects of each kind that one run considers for one user: twice the calls that may be planned, within
/// these bounds.
const CANDIDATES_PER_KIND: std::ops::RangeInclusive<i64> = 200..=1_000;

/// A candidate, the sequence number of its next conversation, and what its script is filled in with.
pub struct NumberedCandidate {
    pub candidate: Candidate,
    pub next_sequence: i32,
    pub name: String,
    /// The prospect's own columns.
    pub custom: BTreeMap<String, String>,
    /// Whether the prospect was called before.
    pub follow_up: bool,
}

/// Which prospects a run considers.
#[derive(Clone, Copy, Debug)]
pub struct CandidateFilter<'a> {
    pub user_id: &'a UserId,
    /// The end of the run's interval.
    pub until: DateTime<Utc>,
    /// Calls that may be made to one prospect.
    pub max_attempts: i32,
    /// Only prospects with a callback that is due in the interval.
    pub callbacks_only: bool,
    /// Calls that may still be planned for the user.
    pub calls_left: i32,
}

impl CandidateFilter<'_> {
    fn limit(&self) -> i64 {
        let wanted = 2 * i64::from(self.calls_left);
        wanted.clamp(*CANDIDATES_PER_KIND.start(), *CANDIDATES_PER_KIND.end())
    }
}

/// Reads the prospects that a run considers: callbacks by their time, new prospects by their age, others by the end of
/// their cool-down.
///
/// Of each kind it takes the first ones, so that each gets a decision, and the first ones that can be called, so that
/// blocked prospects don't hide them.
pub async fn candidates(
    conn: &mut PgConnection,
    filter: &CandidateFilter<'_>,
) -> Result<Vec<NumberedCandidate>, StoreError> {
    // Compiling these statements takes longer than running them.
    sqlx::query!("set local jit = off").execute(&mut *conn).await?;
    let mut ids = BTreeSet::new();
    for callable_only in [false, true] {
        ids.extend(pick_callbacks(conn, filter, callable_only).await?);
        if !filter.callbacks_only {
            ids.extend(pick_new_prospects(conn, filter, callable_only).await?);
            ids.extend(pick_cooled_down(conn, filter, callable_only).await?);
        }
    }
    read_candidates(conn, filter, &ids.into_iter().collect::<Vec<_>>()).await
}

/// Picks prospects with callbacks, ordered by the time of the callback. With `callable_only` or `callbacks_only`, only
/// those due in the interval.
async fn pick_callbacks(
    conn: &mut PgConnection,
    filter: &CandidateFilter<'_>,
    callable_only: bool,
) -> Result<Vec<String>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from callees
        where user_id = $1 and status = 'RESCHEDULED' and not attempts_used_up
            and (not $2 or rescheduled_for < $3 or rescheduled_for is null)
            and (not $4 or not suppressed and not has_open_conversation and attempts < $5
                and phone_closed_by is null)
        order by rescheduled_for nulls first limit $6"#,
        filter.user_id.as_str(),
        callable_only || filter.callbacks_only,
        filter.until,
        callable_only,
        i64::from(filter.max_attempts),
        filter.limit()
    );
    Ok(ids.fetch_all(conn).await?)
}

/// Picks prospects without a cool-down, the oldest first.
async fn pick_new_prospects(
    conn: &mut PgConnection,
    filter: &CandidateFilter<'_>,
    callable_only: bool,
) -> Result<Vec<String>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from callees
        where user_id = $1 and status in ('INITIAL', 'NOT_RESPONDED', 'FAILED')
            and next_call_at is null and not attempts_used_up
            and (not $2 or not suppressed and not has_open_conversation and attempts < $3
                and phone_closed_by is null)
        order by created_at limit $4"#,
        filter.user_id.as_str(),
        callable_only,
        i64::from(filter.max_attempts),
        filter.limit()
    );
    Ok(ids.fetch_all(conn).await?)
}

/// Picks prospects with a cool-down, ordered by its end. With `callable_only`, only those whose cool-down ends in the
/// interval.
async fn pick_cooled_down(
    conn: &mut PgConnection,
    filter: &CandidateFilter<'_>,
    callable_only: bool,
) -> Result<Vec<String>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from callees
        where user_id = $1 and status in ('INITIAL', 'NOT_RESPONDED', 'FAILED')
            and next_call_at is not null and not attempts_used_up
            and (not $2 or next_call_at < $3
                and not suppressed and not has_open_conversation and attempts < $4
                and phone_closed_by is null)
        order by next_call_at limit $5"#,
        filter.user_id.as_str(),
        callable_only,
        filter.until,
        i64::from(filter.max_attempts),
        filter.limit()
    );
    Ok(ids.fetch_all(conn).await?)
}

async fn read_candidates(
    conn: &mut PgConnection,
    filter: &CandidateFilter<'_>,
    ids: &[String],
) -> Result<Vec<NumberedCandidate>, StoreError> {
    let rows = sqlx::query!(
        r#"select p.id as "id!", p.status::text as "status!", p.phone as "phone!", p.time_zone,
            p.state, p.rescheduled_for, p.last_contacted, p.created_at as "created_at!",
            p.next_call_at, p.times_rescheduled as "times_rescheduled!",
            p.suppressed as "suppressed!", p.has_open_conversation as "has_open_conversation!",
            p.attempts as "attempts!",
            exists (select 1 from prospects o
                join open_conversations c on c.prospect_id = o.id
                where o.phone = p.phone and o.id <> p.id) as "phone_busy!",
            p.phone_closed_by, p.phone_cools_down_until,
            array(select d.sent_at from dials d where d.phone = p.phone
                and d.sent_at > $2::timestamptz - interval '48 hours' and d.state in ('SENT', 'PLACED')
                order by d.sent_at) as "recent!",
            (select count(*) from dials d where d.phone = p.phone and d.sent_at is not null
                and d.state in ('SENT', 'PLACED')) as "total!",
            (select coalesce(max(c.sequence), 0) + 1 from conversations c
                where c.prospect_id = p.id) as "next_sequence!",
            p.name as "name!",
            array(select t.key from prospects o, jsonb_each_text(o.custom) t
                where o.id = p.id order by t.key) as "custom_names!",
            array(select coalesce(t.value, '') from prospects o, jsonb_each_text(o.custom) t
                where o.id = p.id order by t.key) as "custom_values!"
        from callees p where p.id = any($1)"#,
        ids,
        filter.until
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status: ProspectStatus = parse_enum("prospects.status", &row.status)?;
            let candidate = Candidate {
                priority: PriorityInput {
                    prospect: row.id.into(),
                    callback: status == ProspectStatus::Rescheduled,
                    waiting_since: row.last_contacted.unwrap_or(row.created_at),
                    times_rescheduled: row.times_rescheduled,
                },
                phone: row.phone,
                zone: row.time_zone,
                state: row.state,
                callback_due: row.rescheduled_for,
                next_call_at: row.next_call_at,
                attempts_left: filter.max_attempts - row.attempts as i32,
                suppressed: row.suppressed,
                has_open_conversation: row.has_open_conversation,
                phone_busy: row.phone_busy,
                phone_closed_by: row.phone_closed_by.map(ProspectId::from),
                phone_cool_down_until: row.phone_cools_down_until,
                phone_usage: PhoneUsage { recent: row.recent, total: row.total as i32 },
                script_error: None,
            };
            Ok(NumberedCandidate {
                candidate,
                next_sequence: row.next_sequence,
                name: row.name,
                custom: row.custom_names.into_iter().zip(row.custom_values).collect(),
                follow_up: row.attempts > 0,
            })
        })
        .collect()
}
