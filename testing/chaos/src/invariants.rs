//! The invariants of a run: the database compared with the simulator's ledger of calls.

use std::fmt;

use anyhow::Result;
use comfy_table::Table;
use devstack::Stack;
use sqlx::PgPool;

/// The simulator's ledger as views, for the queries of [`INVARIANTS`].
const VIEWS: &str = r#"
    create temp view placed_calls as
        select call->'metadata'->>'dial_id' as dial_id,
            call->'metadata'->>'conversation_id' as conversation_id,
            coalesce((call->>'rang')::boolean, false) as rang,
            ceil(coalesce((call->>'talkSeconds')::float8, 0) / 60)::bigint as minutes,
            coalesce(call->'reportedOutcomes' @> '[{"outcome": "APPOINTMENT_SET"}]', false) as booked,
            coalesce(call->'reportedOutcomes' @> '[{"outcome": "DO_NOT_CALL"}]', false) as opted_out
        from ledger, jsonb_array_elements(document->'calls') call;
    create temp view charges as
        select dial_id, -sum(minutes) as minutes from minute_ledger
        where kind in ('charge', 'correct') group by dial_id"#;

const CONVERSATIONS: &str = "select count(*) from conversations";
const DIALS: &str = "select count(*) from dials";
const TALKS: &str = "select count(*) from placed_calls where minutes > 0";
const APPOINTMENTS: &str = "select count(*) from appointments";

/// Name of a violation, query for its instances (expected: none), query for the number of instances checked.
const INVARIANTS: [(&str, &str, &str); 13] = [
    (
        "conversations in which more than one phone rang",
        "select conversation_id || '×' || count(*) from placed_calls
        where rang group by conversation_id having count(*) > 1",
        CONVERSATIONS,
    ),
    (
        "calls recorded as not placed that rang",
        "select id from conversations c
        where reason in ('never_placed', 'denied', 'too_late', 'abandoned')
            and exists (select from placed_calls p where p.conversation_id = c.id and p.rang)",
        CONVERSATIONS,
    ),
    (
        "conversations without an end",
        "select id from conversations where recorded_at is null",
        CONVERSATIONS,
    ),
    (
        "dials whose charge differs from the talk",
        "select p.dial_id || ':' || p.minutes || '≠' || coalesce(c.minutes::text, 'none')
        from placed_calls p left join charges c on c.dial_id = p.dial_id
        where p.minutes <> coalesce(c.minutes, 0)",
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
        "subscriptions that differ from the sum of their ledger",
        "select id from subscriptions s where minutes_left
            <> (select sum(minutes) from minute_ledger l where l.subscription_id = s.id)",
        CONVERSATIONS,
    ),
    (
        "reported bookings without an appointment",
        "select conversation_id from placed_calls p where booked and not opted_out
            and not exists (select from appointments a where a.conversation_id = p.conversation_id)",
        APPOINTMENTS,
    ),
    (
        "appointments without a reported booking",
        "select conversation_id from appointments a where not exists
            (select from placed_calls p where p.conversation_id = a.conversation_id and p.booked)",
        APPOINTMENTS,
    ),
    (
        "opt-outs without a suppression",
        "select id from conversations c where outcome = 'DO_NOT_CALL' and not exists
            (select from suppressions s join dials d on d.phone = s.phone
                where d.conversation_id = c.id)",
        CONVERSATIONS,
    ),
    (
        "dials to a number after its opt-out",
        "select d.id from dials d
        join dials r on r.phone = d.phone and r.user_id = d.user_id
        join conversations c on c.id = r.conversation_id and c.outcome = 'DO_NOT_CALL'
        where d.sent_at > c.recorded_at",
        DIALS,
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

/// The violations of each invariant.
pub struct Report {
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
        table.set_header(["violations (expected 0)", "count", "of", "examples"]);
        for Row { name, violations, checked } in &self.rows {
            let examples = violations.iter().take(3).cloned().collect::<Vec<_>>().join(" ");
            table.add_row([*name, &violations.len().to_string(), &checked.to_string(), &examples]);
        }
        write!(f, "{table}")
    }
}

pub(crate) async fn check(stack: &Stack, database: &PgPool) -> Result<Report> {
    // Temporary tables and views belong to one connection.
    let mut connection = database.acquire().await?;
    sqlx::query("create temp table ledger (document jsonb)").execute(&mut *connection).await?;
    let insert = sqlx::query("insert into ledger values ($1)").bind(stack.ledger().await?);
    insert.execute(&mut *connection).await?;
    sqlx::raw_sql(VIEWS).execute(&mut *connection).await?;
    let mut rows = Vec::new();
    for (name, violations, checked) in INVARIANTS {
        let violations = sqlx::query_scalar(violations).fetch_all(&mut *connection).await?;
        let checked = sqlx::query_scalar(checked).fetch_one(&mut *connection).await?;
        rows.push(Row { name, violations, checked });
    }
    Ok(Report { rows })
}
