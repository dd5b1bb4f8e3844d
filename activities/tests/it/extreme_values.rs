//! No value that a person can write into a row stops the service: the table rejects it, or plan, admission and record
//! work with it.

use std::time::Duration;

use activities::calls::{admit, record_outcome};
use domain::status::Outcome;
use futures::future::join_all;
use workflows::activities::calls::Admission;

use crate::support::{NOW, Prospect, RUN, Service, User, admit_input, at, minutes_after, reported};

/// The tables that people write, with the rows that the test writes.
const TABLES: [(&str, &str); 12] = [
    ("users", "true"),
    ("prospects", "true"),
    ("settings", "true"),
    ("advanced_settings", "true"),
    ("script_settings", "true"),
    ("agent_settings", "true"),
    ("service", "true"),
    ("plans", "true"),
    ("subscriptions", "true"),
    ("calling_rules", "id = 'any'"),
    ("retry_rules", "reason = '*'"),
    ("suppressions", "true"),
];

/// Databases that are used at the same time.
const WORKERS: usize = 4;
/// The time that plan, admission and record may take together.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Values at the ends of a type, as SQL.
fn extremes(data_type: &str) -> &'static [&'static str] {
    match data_type {
        "timestamp with time zone" => &[
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 BC'",
            "'1900-01-01Z'",
            "'2199-12-31 23:59:59.999999Z'",
            "'290000-01-01'",
            "'294276-12-31 23:59:59'",
        ],
        "date" => &[
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 BC'",
            "'1900-01-01'",
            "'2199-12-31'",
            "'300000-01-01'",
            "'5874897-12-31'",
        ],
        "time without time zone" => {
            &["'00:00'", "'00:00:00.000001'", "'23:59:59.999999'", "'24:00'"]
        }
        "integer" => &["-2147483648", "-1", "0", "1", "1000000", "1000000000", "2147483647"],
        "bigint" => &["-9223372036854775808", "9223372036854775807"],
        "numeric" => &["'NaN'", "'Infinity'", "'-Infinity'", "0", "1e100", "1e-100"],
        "interval" => &[
            "'300000 years'",
            "'178000000 years'",
            "'-1 second'",
            "'0'",
            "'1 microsecond'",
            "'1 second'",
            "'5 years'",
        ],
        "boolean" => &["true", "false"],
        "text" => &[
            "''",
            "' '",
            "E'\\n'",
            "'{'",
            "'\u{1f600}\u{301}'",
            "repeat('x', 100)",
            "repeat('x', 1000)",
            "repeat('{', 100000)",
            "repeat('x', 10000000)",
        ],
        "integer[]" => &[
            "'{}'",
            "'{1,null}'",
            "'{{1,2},{3,4}}'",
            "'[5:6]={1,2}'",
            "'{2147483647}'",
            "'{7}'",
            "array_fill(1, array[1000000])",
        ],
        "date[]" => &[
            "'{}'",
            "'{null}'",
            "'{infinity}'",
            "'{-infinity}'",
            "'{300000-01-01}'",
            "'{4713-01-01 BC}'",
            "'{{2025-02-25},{2025-02-26}}'",
            "'[5:5]={2025-02-25}'",
            "'{1900-01-01,2199-12-31}'",
            "array_fill('2025-02-25'::date, array[1000000])",
        ],
        "jsonb" => &[
            "'{}'",
            "'null'",
            "'[1]'",
            "'1e400'",
            r#"'{"a": null, "b": {"c": [1e400]}, "{": "{"}'"#,
            "jsonb_build_object('a', repeat('x', 19000))",
            "jsonb_build_object('a', repeat('x', 1000000))",
        ],
        "prospect_status" => &[
            "'INITIAL'",
            "'RESCHEDULED'",
            "'NOT_RESPONDED'",
            "'FAILED'",
            "'BOOKED'",
            "'NOT_INTERESTED'",
            "'DO_NOT_CALL'",
        ],
        "theme" => &["'LIGHT'", "'DARK'"],
        "subscription_status" => &["'ACTIVE'", "'PAUSED'", "'EXPIRED'", "'CANCELLED'"],
        other => panic!("write the extremes of the type {other}"),
    }
}

const SAVED: [&str; 2] = ["calling_rules", "retry_rules"];

/// A database in which the rules can be restored.
async fn start() -> Service {
    let service = Service::start().await;
    for table in SAVED {
        service.execute(format!("create table saved_{table} as table {table}")).await;
    }
    restore(&service).await;
    service
}

/// Makes the rows anew: a user with a due call.
async fn restore(service: &Service) {
    service.clear().await;
    for table in SAVED {
        service.execute(format!("delete from {table}")).await;
        service.execute(format!("insert into {table} select * from saved_{table}")).await;
    }
    service.due_call(User::default(), Prospect::default()).await;
    service
        .execute("insert into suppressions (phone, reason) values ('+12125550199', 'asked')")
        .await;
}

async fn admit(service: &Service) -> bool {
    let admission = admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap();
    matches!(admission, Admission::Admitted(_))
}

async fn record(service: &Service) {
    let record = reported("p1-id-1", Outcome::CallbackRequested);
    record_outcome::run(&service.calls, &record).await.unwrap();
}

/// Writes a value before a call or during it; returns whether the table has taken it.
async fn write(service: &Service, statement: &str, during_call: bool) -> bool {
    if during_call {
        admit(service).await;
    }
    if let Err(error) = service.try_execute(statement).await {
        let code = error.as_database_error().and_then(|error| error.code().map(|c| c.into_owned()));
        let code = code.unwrap_or_default();
        // Out of range of the type, against a constraint, or a generated column.
        let rejected = code.starts_with("22") || code.starts_with("23") || code == "428C9";
        assert!(rejected || code == "54000", "{statement}: {error}");
        return false;
    }
    let work = async {
        if !during_call {
            service.plan("before", "user1-id", at(NOW)).await;
            if !admit(service).await {
                return;
            }
        }
        record(service).await;
        service.plan("after", "user1-id", minutes_after(30)).await;
    };
    tokio::time::timeout(TIMEOUT, work).await.unwrap_or_else(|_| panic!("{statement}: too long"));
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn extreme_value_of_any_column_is_rejected_or_harmless() {
    let mut statements = Vec::new();
    let service = Service::start().await;
    for (table, rows) in TABLES {
        let columns = format!(
            "select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
            where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped"
        );
        for column in service.rows(columns).await {
            let (name, data_type) =
                (column["name"].as_str().unwrap(), column["type"].as_str().unwrap());
            let values = extremes(data_type)
                .iter()
                .map(|value| format!("update {table} set {name} = {value} where {rows}"));
            statements.extend(values);
        }
    }
    let share = statements.len().div_ceil(WORKERS);
    let work = statements.chunks(share).map(|share| tokio::spawn(write_all(share.to_vec())));
    let taken = join_all(work).await.into_iter().map(Result::unwrap).sum::<usize>();
    assert!(taken > 100, "{taken} values are within the ranges");
}

/// Writes each value twice; returns how often a table has taken it.
async fn write_all(statements: Vec<String>) -> usize {
    let (service, mut taken) = (start().await, 0);
    for statement in &statements {
        for during_call in [false, true] {
            let written = write(&service, statement, during_call).await;
            taken += usize::from(written);
            if written || during_call {
                restore(&service).await;
            }
        }
    }
    taken
}
