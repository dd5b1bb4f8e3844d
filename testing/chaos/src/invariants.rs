//! The invariants of a run: the database compared with the simulator's ledger of calls.

use std::fmt;

use anyhow::Result;
use comfy_table::Table;
use devstack::Stack;
use sqlx::PgPool;

use crate::SPEED;
use crate::disturbances::{Counts, Journal};

/// The simulator's ledger, and what was done to the calls, as views for the queries of [`INVARIANTS`]. `{speed}` stands
/// for the simulated seconds per second: within a call the ledger has simulated times.
const VIEWS: &str = r#"
    create temp view placed_calls as
        select number as placed,
            call->>'number' as phone,
            call->'metadata'->>'dial_id' as dial_id,
            call->'metadata'->>'conversation_id' as conversation_id,
            coalesce((call->>'rang')::boolean, false) as rang,
            (call->>'created')::timestamptz as created,
            coalesce((call->>'created')::timestamptz + ((call->>'legEnded')::timestamptz
                - (call->>'created')::timestamptz) / {speed}, 'infinity') as leg_ended,
            ceil(coalesce((call->>'talkSeconds')::float8, 0) / 60)::bigint as minutes,
            call->'reportedOutcomes' as reports
        from ledger, jsonb_array_elements(document->'calls') with ordinality as calls (call, number);
    create temp view charges as
        select dial_id, -sum(minutes) as minutes from minute_ledger
        where kind in ('charge', 'correct') group by dial_id;
    create temp view user_messages as
        select message->>'conversation' as conversation_id,
            message->>'outcome' as outcome,
            (message->>'reportsTalk')::boolean as reports_talk,
            (message->>'accepted')::boolean as is_certain,
            (message->>'sentAt')::timestamptz as sent_at
        from journal, jsonb_array_elements(document->'messages') message;
    create temp view resets as
        select conversation_id, count(*) as count
        from journal, jsonb_array_elements_text(document->'resets') conversation_id
        group by conversation_id;
    create temp view pauses as
        select pause->>'user' as user_id, (pause->>'begin')::timestamptz as begins,
            (pause->>'end')::timestamptz as ends
        from journal, jsonb_array_elements(document->'pauses') pause;
    create temp view ranks as
        select outcome, rank from unnest('{DO_NOT_CALL,APPOINTMENT_SET,CALLBACK_REQUESTED,NOT_INTERESTED}'::text[])
            with ordinality as ranks (outcome, rank);
    create temp view reports as
        select conversation_id, report->>'outcome' as outcome, true as is_certain
        from placed_calls, jsonb_array_elements(reports) report
        union all select conversation_id, outcome, is_certain from user_messages;
    create temp view hours as
        select s.userid as user_id, a.startat as opens, a.endat as closes
        from "AdvancedSetting" a join "Setting" s on s.id = a.settingid;
    -- When the service knew that a number must not be called again for a user. Others than the service learn it later:
    -- it may have been down.
    create temp view decisions as
        select c.user_id, d.phone, e.received_at + interval '30 seconds' as known_at
        from call_events e
        join conversations c on c.id = e.conversation_id
        join dials d on d.conversation_id = c.id
        where e.event->>'kind' = 'reported'
            and e.event->>'outcome' in ('DO_NOT_CALL', 'APPOINTMENT_SET', 'NOT_INTERESTED')
        union all select c.user_id, p.phone, m.sent_at + interval '60 seconds'
        from user_messages m
        join conversations c on c.id = m.conversation_id
        join prospects p on p.id = c.prospect_id
        where m.is_certain and m.outcome in ('DO_NOT_CALL', 'APPOINTMENT_SET', 'NOT_INTERESTED')"#;

const CONVERSATIONS: &str = "select count(*) from conversations";
const DIALS: &str = "select count(*) from dials";
const TALKS: &str = "select count(*) from placed_calls where minutes > 0";
const RINGS: &str = "select count(*) from placed_calls where rang";
const APPOINTMENTS: &str = "select count(*) from appointments";
const MESSAGES: &str = "select count(*) from user_messages where is_certain";
const REPORTED: &str =
    "select count(distinct conversation_id) from reports join ranks using (outcome)";

/// Name of a violation, query for its instances (expected: none), query for the number of instances checked.
const INVARIANTS: [(&str, &str, &str); 23] = [
    (
        "dials for which more than one call was placed",
        "select dial_id || '×' || count(*) from placed_calls group by dial_id having count(*) > 1",
        DIALS,
    ),
    (
        "conversations in which more phones rang than operators asked for",
        "select conversation_id || '×' || count(*)
        from placed_calls left join resets r using (conversation_id)
        where rang group by conversation_id, r.count having count(*) > 1 + coalesce(r.count, 0)",
        CONVERSATIONS,
    ),
    (
        "calls to one number at the same time",
        "select a.dial_id || ' and ' || b.dial_id
        from placed_calls a join placed_calls b on b.phone = a.phone and b.placed > a.placed
        where a.rang and b.rang and a.created < b.leg_ended and b.created < a.leg_ended",
        RINGS,
    ),
    (
        "calls outside the user's hours",
        "select p.dial_id || ' at ' || p.created
        from placed_calls p join dials d on d.id = p.dial_id join hours h on h.user_id = d.user_id
        where p.rang and not ((p.created at time zone 'UTC')::time >= h.opens
            and (p.created at time zone 'UTC')::time < h.closes)",
        RINGS,
    ),
    (
        // A request may leave ten seconds after the last check.
        "calls during a pause of the user",
        "select p.dial_id || ' at ' || p.created
        from placed_calls p join dials d on d.id = p.dial_id join pauses b on b.user_id = d.user_id
        where p.rang and p.created > b.begins + interval '10 seconds'
            and p.created < coalesce(b.ends, 'infinity')",
        "select count(*) from pauses",
    ),
    (
        "calls to a number after a decision of the callee",
        "select distinct p.dial_id || ' at ' || p.created
        from placed_calls p join dials d on d.id = p.dial_id
        join decisions n on n.phone = d.phone and n.user_id = d.user_id
        where p.rang and p.created > n.known_at",
        "select count(distinct (user_id, phone)) from decisions",
    ),
    (
        "calls recorded as not placed that rang",
        "select c.id from conversations c
        join dials d on d.conversation_id = c.id and d.generation = c.generation
        join placed_calls p on p.dial_id = d.id and p.rang
        where c.reason in ('never_placed', 'denied', 'too_late', 'abandoned')",
        CONVERSATIONS,
    ),
    (
        "conversations without an end",
        "select id from conversations where recorded_at is null",
        CONVERSATIONS,
    ),
    (
        "accepted messages without a conversation that has an end",
        "select m.conversation_id from user_messages m where is_certain and not exists
            (select from conversations c where c.id = m.conversation_id and recorded_at is not null)",
        MESSAGES,
    ),
    (
        "outcomes that rank below what was reported",
        "select c.id || ': ' || coalesce(c.outcome::text, 'none') || ' instead of ' || said.outcome
        from conversations c
        join lateral (select r.outcome, k.rank from reports r join ranks k using (outcome)
            where r.conversation_id = c.id and r.is_certain order by k.rank limit 1) said on true
        left join ranks k on k.outcome = c.outcome::text
        where coalesce(k.rank, 99) > said.rank",
        REPORTED,
    ),
    (
        "outcomes that nobody reported",
        "select c.id || ': ' || c.outcome from conversations c
        join ranks k on k.outcome = c.outcome::text
        where not exists (select from reports r
            where r.conversation_id = c.id and r.outcome = c.outcome::text)",
        REPORTED,
    ),
    (
        "outcomes without the appointment or with one too many",
        "select id from conversations c where coalesce(outcome = 'APPOINTMENT_SET', false)
            <> exists (select from appointments a where a.conversation_id = c.id)",
        APPOINTMENTS,
    ),
    (
        "opt-outs without a suppression",
        "select c.id from conversations c join prospects p on p.id = c.prospect_id
        where outcome = 'DO_NOT_CALL'
            and not exists (select from suppressions s where s.phone = p.phone)",
        CONVERSATIONS,
    ),
    (
        "dials whose charge differs from the talk",
        "select p.dial_id || ':' || p.minutes || '≠' || coalesce(c.minutes::text, 'none')
        from placed_calls p left join charges c on c.dial_id = p.dial_id
        where p.minutes <> coalesce(c.minutes, 0)
            and not (p.minutes = 0 and exists (select from user_messages m
                where m.conversation_id = p.conversation_id and m.reports_talk))",
        TALKS,
    ),
    (
        "charges for dials that the provider does not know",
        "select dial_id || ':' || minutes from charges c where minutes <> 0
            and not exists (select from placed_calls p where p.dial_id = c.dial_id)",
        DIALS,
    ),
    (
        "reservations left",
        "select dial_id from minute_ledger where kind in ('reserve', 'release')
        group by dial_id having sum(minutes) <> 0",
        DIALS,
    ),
    ("lines left in use", "select id from dials where closed_at is null", DIALS),
    (
        "answered calls whose transcript was not read",
        "select id from dials
        where answered_at is not null and transcript_read_at is null and state = 'PLACED'",
        TALKS,
    ),
    (
        "subscriptions that differ from the sum of their ledger",
        "select id from subscriptions s where minutes_left
            <> (select sum(minutes) from minute_ledger l where l.subscription_id = s.id)",
        "select count(*) from subscriptions",
    ),
    (
        "subscriptions below zero",
        "select id || ':' || minutes_left from subscriptions where minutes_left < 0",
        "select count(*) from subscriptions",
    ),
    (
        "users with more calls than a day allows",
        "select d.user_id || ':' || count(*) || '>' || p.per_day
        from placed_calls c join dials d on d.id = c.dial_id
        join subscriptions s on s.user_id = d.user_id join plans p on p.id = s.plan_id
        group by d.user_id, p.per_day having count(*) > p.per_day",
        "select count(*) from users",
    ),
    (
        "forged or invalid webhooks that were accepted",
        "select answer from journal, jsonb_array_elements_text(document->'wronglyAccepted') answer",
        MESSAGES,
    ),
    (
        "requests that violate the provider's API",
        "select violation::text from ledger, jsonb_array_elements(document->'violations') violation",
        DIALS,
    ),
];

struct Row {
    name: &'static str,
    violations: Vec<String>,
    checked: i64,
}

/// What was done to the calls, and the violations of each invariant.
pub struct Report {
    counts: Counts,
    rows: Vec<Row>,
}

impl Report {
    /// Whether all invariants hold.
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.violations.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.set_header(["disturbances", "tried", "took effect"]);
        for (name, (tried, effective)) in &self.counts {
            table.add_row([name, &tried.to_string(), &effective.to_string()]);
        }
        writeln!(f, "{table}")?;
        let mut table = Table::new();
        table.set_header(["violations (expected 0)", "count", "of", "examples"]);
        for Row { name, violations, checked } in &self.rows {
            let examples = violations.iter().take(3).cloned().collect::<Vec<_>>().join(" ");
            table.add_row([*name, &violations.len().to_string(), &checked.to_string(), &examples]);
        }
        write!(f, "{table}")
    }
}

pub(crate) async fn check(
    stack: &Stack,
    database: &PgPool,
    journal: &Journal,
    counts: Counts,
) -> Result<Report> {
    // Temporary tables and views belong to one connection.
    let mut connection = database.acquire().await?;
    sqlx::raw_sql(
        "create temp table ledger (document jsonb); create temp table journal (document jsonb)",
    )
    .execute(&mut *connection)
    .await?;
    let ledger = sqlx::query("insert into ledger values ($1)").bind(stack.ledger().await?);
    ledger.execute(&mut *connection).await?;
    let journal = sqlx::query("insert into journal values ($1)").bind(journal.to_json());
    journal.execute(&mut *connection).await?;
    let views = VIEWS.replace("{speed}", &SPEED.to_string());
    sqlx::raw_sql(sqlx::AssertSqlSafe(views)).execute(&mut *connection).await?;
    let mut rows = Vec::new();
    for (name, violations, checked) in INVARIANTS {
        let violations = sqlx::query_scalar(violations).fetch_all(&mut *connection).await?;
        let checked = sqlx::query_scalar(checked).fetch_one(&mut *connection).await?;
        rows.push(Row { name, violations, checked });
    }
    Ok(Report { counts, rows })
}
