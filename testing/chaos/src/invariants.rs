//! What must hold, checked against the simulator's own ledger of phones that rang.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use comfy_table::Table;
use devstack::Stack;
use serde_json::Value;
use sqlx::PgPool;

/// One row: what must be nought, and how much it is.
struct Row {
    what: &'static str,
    broken: i64,
    of: i64,
    examples: Vec<String>,
}

/// The invariants with their counts.
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Whether every invariant holds.
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.broken == 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.set_header(["must be nought", "is", "of", "as"]);
        for row in &self.rows {
            let examples = row.examples.iter().take(3).cloned().collect::<Vec<_>>().join(" ");
            table.add_row([row.what, &row.broken.to_string(), &row.of.to_string(), &examples]);
        }
        write!(f, "{table}")
    }
}

/// A call as the simulator has it.
struct Rung {
    dial: String,
    conversation: String,
    rang: bool,
    minutes: i64,
    booked: bool,
    refused: bool,
}

/// Checks everything.
pub(crate) async fn check(stack: &Stack, database: &PgPool, planned: usize) -> Result<Report> {
    let ledger = stack.ledger().await?;
    let calls: Vec<Rung> = ledger["calls"].as_array().into_iter().flatten().map(rung).collect();
    let planned = planned as i64;

    let mut rang: BTreeMap<&str, i64> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.rang) {
        *rang.entry(&call.conversation).or_default() += 1;
    }
    let twice = rang.iter().filter(|(_, n)| **n > 1).map(|(id, n)| format!("{id}×{n}"));

    let open = "select id from conversations where settled_at is null";
    let lines = "select id from dials where closed_at is null";
    let held = "select dial_id from minute_ledger where kind in ('reserve', 'release')
        group by dial_id having sum(minutes) <> 0";
    let sums = "select s.id from subscriptions s where minutes_left
        <> (select sum(minutes) from minute_ledger l where l.subscription_id = s.id)";
    let charged: Vec<(String, i64)> = sqlx::query_as(
        "select dial_id, -sum(minutes) from minute_ledger
        where kind in ('charge', 'correct') group by dial_id",
    )
    .fetch_all(database)
    .await?;
    let charged: BTreeMap<String, i64> = charged.into_iter().collect();
    let miscounted = calls
        .iter()
        .filter(|call| charged.get(&call.dial).copied().unwrap_or(0) != call.minutes)
        .map(|call| format!("{}:{}≠{:?}", call.dial, call.minutes, charged.get(&call.dial)));

    let unknown = charged
        .iter()
        .filter(|(dial, minutes)| **minutes != 0 && !calls.iter().any(|call| call.dial == **dial))
        .map(|(dial, minutes)| format!("{dial}:{minutes}"));
    let unmade = "select id from conversations
        where reason in ('never_placed', 'not_admitted', 'too_late', 'abandoned')";
    let unmade: Vec<String> = ids(database, unmade).await?;
    let rang_unmade = unmade.iter().filter(|id| rang.contains_key(id.as_str())).cloned();

    let booked: Vec<String> = ids(database, "select conversation_id from appointments").await?;
    let unbooked = calls
        .iter()
        .filter(|call| call.booked && !call.refused && !booked.contains(&call.conversation))
        .map(|call| call.conversation.clone());
    let invented = booked
        .iter()
        .filter(|id| !calls.iter().any(|call| call.booked && call.conversation == **id))
        .cloned();
    let unsuppressed =
        "select c.id from conversations c where outcome = 'DO_NOT_CALL' and not exists
        (select 1 from suppressions s join dials d on d.phone = s.phone
            where d.conversation_id = c.id)";
    let after_no = "select d.id from dials d
        join dials r on r.phone = d.phone and r.user_id = d.user_id
        join conversations c on c.id = r.conversation_id and c.outcome = 'DO_NOT_CALL'
        where d.sent_at > c.settled_at";
    let violations = ledger["violations"].as_array().into_iter().flatten().map(Value::to_string);

    let talked = calls.iter().filter(|call| call.minutes > 0).count() as i64;
    let dials: i64 = sqlx::query_scalar("select count(*) from dials").fetch_one(database).await?;
    Ok(Report {
        rows: vec![
            row("conversations of which more than one phone rang", twice.collect(), planned),
            row("calls said not to have been made that rang", rang_unmade.collect(), planned),
            row("conversations without an end", ids(database, open).await?, planned),
            row("dials charged otherwise than talked", miscounted.collect(), talked),
            row("charges for dials that the provider never had", unknown.collect(), dials),
            row("reservations left", ids(database, held).await?, dials),
            row("lines left in use", ids(database, lines).await?, dials),
            row("subscriptions that do not add up", ids(database, sums).await?, planned),
            row(
                "bookings reported without an appointment",
                unbooked.collect(),
                booked.len() as i64,
            ),
            row("appointments that nobody reported", invented.collect(), booked.len() as i64),
            row("refusals without a suppression", ids(database, unsuppressed).await?, planned),
            row("calls to a number after it refused", ids(database, after_no).await?, dials),
            row("requests against the provider's contract", violations.collect(), dials),
        ],
    })
}

fn row(what: &'static str, examples: Vec<String>, of: i64) -> Row {
    Row { what, broken: examples.len() as i64, of, examples }
}

async fn ids(database: &PgPool, query: &'static str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(query).fetch_all(database).await?)
}

fn rung(call: &Value) -> Rung {
    let text = |name: &str| call["metadata"][name].as_str().unwrap_or_default().to_owned();
    let reported = |outcome: &str| {
        let reports = call["reportedOutcomes"].as_array().into_iter().flatten();
        reports.into_iter().any(|report| report["outcome"] == outcome)
    };
    let talk = call["talkSeconds"].as_f64().unwrap_or(0.0);
    Rung {
        dial: text("dial_id"),
        conversation: text("conversation_id"),
        rang: call["rang"] == true,
        minutes: (talk / 60.0).ceil() as i64,
        booked: reported("APPOINTMENT_SET"),
        refused: reported("DO_NOT_CALL"),
    }
}
