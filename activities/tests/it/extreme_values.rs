//! No value that a person can write into a row stops the service: the table rejects it, or plan, admission and record
//! work with it, decisions say what was decided, and other users are planned all the same.

use std::time::Duration;

use activities::calls::{admit, record_outcome};
use domain::status::Outcome;
use futures::future::join_all;
use serde_json::Value;
use workflows::activities::calls::Admission;

use crate::support::{NOW, Prospect, RUN, Service, User, admit_input, at, minutes_after, reported};

/// A table that people write.
struct Table {
    name: &'static str,
    /// The view under which users write it. Columns that it lacks are written through the table.
    view: Option<&'static str>,
    /// The rows that the test writes.
    rows: &'static str,
    /// Whether the rows belong to one user, so that others must not notice.
    is_of_one_user: bool,
}

const TABLES: [Table; 12] = [
    of_one_user("users", "User", "id = 'user1-id'"),
    of_one_user("prospects", "Prospect", "id = 'p1-id'"),
    of_one_user("settings", "Setting", "id = 'set-user1-id'"),
    of_one_user("advanced_settings", "AdvancedSetting", "id = 'adv-user1-id'"),
    of_one_user("script_settings", "ScriptSetting", "id = 'scr-user1-id'"),
    of_one_user("agent_settings", "AgentSetting", "id = 'agt-user1-id'"),
    of_one_user("plans", "Plan", "id = 'plan-user1-id'"),
    of_one_user("subscriptions", "Subscription", "id = 'sub-user1-id'"),
    of_all("service", "true"),
    of_all("calling_rules", "id = 'any'"),
    of_all("retry_rules", "reason = '*'"),
    of_all("suppressions", "true"),
];

const fn of_one_user(name: &'static str, view: &'static str, rows: &'static str) -> Table {
    Table { name, view: Some(view), rows, is_of_one_user: true }
}

const fn of_all(name: &'static str, rows: &'static str) -> Table {
    Table { name, view: None, rows, is_of_one_user: false }
}

/// A write of one value.
#[derive(Clone, Debug)]
struct Write {
    statement: String,
    is_of_one_user: bool,
}

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

/// Makes the rows anew: a user with a due call, and another user with a new prospect.
async fn restore(service: &Service) {
    service.clear().await;
    for table in SAVED {
        service.execute(format!("delete from {table}")).await;
        service.execute(format!("insert into {table} select * from saved_{table}")).await;
    }
    service.execute("delete from admission_decisions").await;
    service.due_call(User::default(), Prospect::default()).await;
    User::new("user2-id").insert(&service.database).await.unwrap();
    Prospect::new("q1-id").of_user("user2-id").insert(&service.database).await.unwrap();
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
async fn write(service: &Service, write: &Write, during_call: bool) -> bool {
    if during_call {
        admit(service).await;
    }
    let statement = write.statement.as_str();
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
                return check_decisions(service, statement, true).await;
            }
        }
        record(service).await;
        service.plan("after", "user1-id", minutes_after(30)).await;
        check_decisions(service, statement, false).await;
        if write.is_of_one_user {
            let other = service.plan("other", "user2-id", minutes_after(30)).await;
            assert_eq!(other.calls.len(), 1, "{statement} affects another user: {other:?}");
        }
    };
    tokio::time::timeout(TIMEOUT, work).await.unwrap_or_else(|_| panic!("{statement}: too long"));
    true
}

/// Checks that the plan of the user, if it has a prospect that can be called, and a call that was not admitted have decisions with a reason.
async fn check_decisions(service: &Service, statement: &str, denied: bool) {
    let found = service
        .row(
            "select not exists (select 1 from users u join prospects p on p.user_id = u.id
                    where u.id = 'user1-id' and not p.attempts_used_up
                        and p.status not in ('BOOKED', 'NOT_INTERESTED', 'DO_NOT_CALL'))
                or exists (select 1 from plan_decisions where user_id = 'user1-id'
                    and (slot is not null or reason is not null and detail <> '')) as planned,
            exists (select 1 from admission_decisions where reason is not null and detail <> '')
                as denied",
        )
        .await;
    assert_eq!(found["planned"], true, "{statement}: no decision of the plan run");
    assert!(!denied || found["denied"] == true, "{statement}: no decision of admission");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn extreme_value_of_any_column_is_rejected_or_harmless() {
    let mut writes = Vec::new();
    let service = Service::start().await;
    for Table { name: table, view, rows, is_of_one_user } in TABLES {
        let columns_of = async |relation: &str| {
            let columns = format!(
                "select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
                where attrelid = '{relation}'::regclass and attnum > 0 and not attisdropped"
            );
            let columns = service.rows(columns).await.into_iter();
            let text = |column: &Value, field: &str| column[field].as_str().unwrap().to_owned();
            let columns = columns.map(|column| (text(&column, "name"), text(&column, "type")));
            columns.collect::<Vec<_>>()
        };
        let view = view.map(|view| format!("\"{view}\""));
        let in_view = match &view {
            Some(view) => columns_of(view).await,
            None => Vec::new(),
        };
        for (column, data_type) in columns_of(table).await {
            let folded = column.replace('_', "");
            let viewed = in_view.iter().find(|(name, _)| *name == folded);
            let (relation, column) = match (&view, viewed) {
                (Some(view), Some((column, _))) => (view.as_str(), column),
                _ => (table, &column),
            };
            writes.extend(extremes(&data_type).iter().map(|value| Write {
                statement: format!("update {relation} set {column} = {value} where {rows}"),
                is_of_one_user,
            }));
            if table == "prospects" {
                let values = extremes(&data_type).iter();
                writes.extend(values.map(|value| insert_prospect(relation, column, value)));
            }
        }
    }
    let share = writes.len().div_ceil(WORKERS);
    let work = writes.chunks(share).map(|share| tokio::spawn(write_all(share.to_vec())));
    let taken = join_all(work).await.into_iter().map(Result::unwrap).sum::<usize>();
    assert!(taken > 100, "{taken} values are within the ranges");
}

/// Another prospect of the user, with this value in one column.
fn insert_prospect(relation: &str, column: &str, value: &str) -> Write {
    let user = if relation == "prospects" { "user_id" } else { "userid" };
    let mut row = vec![("id", "'p9-id'"), ("name", "'Ann'"), ("phone", "'+12125560199'")];
    row.push((user, "'user1-id'"));
    row.retain(|(name, _)| *name != column);
    row.push((column, value));
    let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    let (names, values) = (names.join(", "), values.join(", "));
    let statement = format!("insert into {relation} ({names}) values ({values})");
    Write { statement, is_of_one_user: true }
}

/// Writes each value twice; returns how often a table has taken it.
async fn write_all(writes: Vec<Write>) -> usize {
    let (service, mut taken) = (start().await, 0);
    for new in &writes {
        for during_call in [false, true] {
            let written = write(&service, new, during_call).await;
            taken += usize::from(written);
            if written || during_call {
                restore(&service).await;
            }
        }
    }
    taken
}
