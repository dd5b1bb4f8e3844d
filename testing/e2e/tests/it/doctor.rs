//! `worker doctor`: nothing is wrong with a new stack, and each broken set-up is named with what to do.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use devstack::{HttpServer, Postgres, Stack, StackOptions, workspace};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::process::Command;

use crate::support::{Prospect, User, eventually};

const UNUSED: &str = "http://127.0.0.1:1";
const OTHER_SECRET: &str = "another-secret-0123456789";
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Settings that are changed, or left out for `None`.
type Changes = Vec<(&'static str, Option<String>)>;

/// A set-up that is broken by its settings.
struct Case {
    changes: Changes,
    part: &'static str,
    level: &'static str,
    /// Parts of the sentence.
    words: &'static [&'static str],
}

fn case(
    changes: &[(&'static str, &str)],
    part: &'static str,
    level: &'static str,
    words: &'static [&'static str],
) -> Case {
    let changes = changes.iter().map(|(name, value)| (*name, Some((*value).to_owned()))).collect();
    Case { changes, part, level, words }
}

/// Findings that are not `ok`, as `level part: text`, and the exit code.
#[derive(Debug)]
struct Diagnosis {
    findings: Vec<String>,
    code: Option<i32>,
}

async fn diagnose(stack: &Stack, changes: &Changes) -> Result<Diagnosis> {
    let mut settings = stack.worker_settings();
    for (name, value) in changes {
        match value {
            Some(value) => settings.insert((*name).to_owned(), value.clone()),
            None => settings.remove(*name),
        };
    }
    let path = workspace::bin_dir()?.join("worker");
    let mut command = Command::new(path);
    command.env_clear().envs(settings).args(["doctor", "--json"]);
    let output = command.output().await?;
    let printed = String::from_utf8(output.stdout)?;
    let report: Value = serde_json::from_str(&printed)
        .with_context(|| format!("{printed}{}", String::from_utf8_lossy(&output.stderr)))?;
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or("?").to_owned();
    let findings = report["findings"].as_array().context("findings")?.iter();
    let findings = findings.filter(|finding| finding["level"] != "ok").map(|finding| {
        format!("{} {}: {}", text(finding, "level"), text(finding, "part"), text(finding, "text"))
    });
    Ok(Diagnosis { findings: findings.collect(), code: output.status.code() })
}

/// Checks that one finding has the level, the part and the words, that nothing is worse, and that the exit code fits.
fn assert_found(diagnosis: &Diagnosis, part: &str, level: &str, words: &[&str]) {
    let start = format!("{level} {part}: ");
    let fits =
        |text: &&String| text.starts_with(&start) && words.iter().all(|word| text.contains(word));
    assert!(diagnosis.findings.iter().any(|text| fits(&text)), "{start}{words:?}: {diagnosis:?}");
    let has_error = diagnosis.findings.iter().any(|text| text.starts_with("error"));
    assert_eq!(diagnosis.code, Some(if has_error { 2 } else { 1 }), "{diagnosis:?}");
    assert_eq!(has_error, level == "error", "{diagnosis:?}");
    assert!(!diagnosis.findings.iter().any(|text| text.contains(OTHER_SECRET)), "{diagnosis:?}");
}

async fn start() -> Result<Stack> {
    // A database that survives a crash of the machine: everything else is an error.
    let options = StackOptions { durable: true, shared_temporal: true, ..StackOptions::default() };
    Ok(Stack::start(options).await?)
}

async fn connect(stack: &Stack) -> Result<PgPool> {
    Ok(PgPool::connect(&stack.endpoints().database_url).await?)
}

async fn execute(database: &PgPool, statements: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(database).await?;
    Ok(())
}

#[tokio::test]
async fn settings_that_break_an_installation_are_named() -> Result<()> {
    let stack = start().await?;
    let sound = diagnose(&stack, &Vec::new()).await?;
    assert!(sound.findings.is_empty() && sound.code == Some(0), "{sound:?}");

    let unsigned = BTreeMap::from([("ALLOW_UNSIGNED_WEBHOOKS".to_owned(), "true".to_owned())]);
    let unsigned = stack.start_webhook("unsigned", &unsigned).await?;
    let closed = BTreeMap::from([("ALLOWED_NETWORKS".to_owned(), "192.0.2.0/24".to_owned())]);
    let closed = stack.start_webhook("closed", &closed).await?;
    let fragile = Postgres::shared().await?.create_unique_database("doctor").await?;
    let cases = broken_settings(&stack, &unsigned, &closed, &fragile);
    stream::iter(cases)
        .map(async |case| {
            let diagnosis = diagnose(&stack, &case.changes).await?;
            assert_found(&diagnosis, case.part, case.level, case.words);
            anyhow::Ok(())
        })
        .buffer_unordered(4)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

fn broken_settings(
    stack: &Stack,
    unsigned: &HttpServer,
    closed: &HttpServer,
    fragile: &str,
) -> Vec<Case> {
    let endpoints = stack.endpoints();
    let database = |suffix: &str| format!("{}{suffix}", endpoints.database_url);
    let port = endpoints.database_url.rsplit(['@', '/']).nth(1).unwrap_or_default();
    let webhook_port = endpoints.webhook_url.trim_start_matches("http://");
    let two_secrets = format!("{},{OTHER_SECRET}", stack.worker_settings()["WEBHOOK_SECRETS"]);
    let mut cases = vec![
        case(&[("BATCH_SIZE", "many")], "settings", "error", &["BATCH_SIZE", "a number"]),
        case(&[("RING_TIMEOUTS", "9")], "settings", "error", &["did you mean RING_TIMEOUT?"]),
        case(
            &[("DATABASE_URL", &database("?sslpasswort=x"))],
            "settings",
            "error",
            &["sslpasswort"],
        ),
        case(
            &[("ULTRAVOX_API_URL", "https://ultravox.invalid")],
            "settings",
            "error",
            &["SERVICE_URL", "https://calls.example.com"],
        ),
        case(
            &[("ULTRAVOX_API_URL", "https://ultravox.invalid")],
            "settings",
            "error",
            &["WEBHOOK_SECRETS", "the repository publishes", "openssl rand"],
        ),
        case(
            &[("ULTRAVOX_API_URL", "https://ultravox.invalid"), ("CLOCK_OFFSET_SECS", "60")],
            "settings",
            "error",
            &["remove CLOCK_OFFSET_SECS"],
        ),
        case(&[("CLOCK_OFFSET_SECS", "60")], "settings", "warning", &["CLOCK_OFFSET_SECS=60"]),
        case(
            &[("CLOCK_OFFSET_SECS", "60")],
            "schedules",
            "warning",
            &["clockOffset 0 instead of 60"],
        ),
        case(
            &[("DATABASE_URL", "postgres://postgres@127.0.0.1:1/calls")],
            "postgresql",
            "error",
            &["127.0.0.1:1", "refused", "start PostgreSQL"],
        ),
        case(
            &[("DATABASE_URL", "postgres://postgres@db.invalid/calls")],
            "postgresql",
            "error",
            &["db.invalid", "correct the host name"],
        ),
        case(
            &[("DATABASE_URL", &format!("postgres://nobody@{port}/calls"))],
            "postgresql",
            "error",
            &["nobody", "correct the user"],
        ),
        case(
            &[("DATABASE_URL", &format!("postgres://postgres@{port}/cals"))],
            "postgresql",
            "error",
            &["cals", "create the database"],
        ),
        case(
            &[("DATABASE_URL", &format!("postgres://postgres@{webhook_port}/calls"))],
            "postgresql",
            "error",
            &["no PostgreSQL server"],
        ),
        case(
            &[("DATABASE_URL", &database("?sslmode=require"))],
            "postgresql",
            "error",
            &["does not support TLS", "sslmode"],
        ),
        case(
            &[("DATABASE_URL", &database("?options=-c%20default_transaction_read_only%3Don"))],
            "postgresql",
            "error",
            &["read-only", "primary"],
        ),
        case(&[("DATABASE_URL", fragile)], "postgresql", "error", &["fsync = off", "twice"]),
        case(
            &[("DATABASE_MAX_CONNECTIONS", "900")],
            "postgresql",
            "error",
            &["900 connections", "max_connections"],
        ),
        case(
            &[("TEMPORAL_ADDRESS", "127.0.0.1:1")],
            "temporal",
            "error",
            &["127.0.0.1:1", "nothing listens there"],
        ),
        case(
            &[("TEMPORAL_ADDRESS", "temporal.invalid:7233")],
            "temporal",
            "error",
            &["temporal.invalid", "correct TEMPORAL_ADDRESS"],
        ),
        case(&[("TEMPORAL_TLS", "true")], "temporal", "error", &["does not speak TLS", "remove"]),
        case(
            &[("TEMPORAL_ADDRESS", webhook_port)],
            "temporal",
            "error",
            &["does not answer as Temporal", "TEMPORAL_TLS=true"],
        ),
        case(
            &[("TEMPORAL_NAMESPACE", "nowhere")],
            "temporal",
            "error",
            &["nowhere", "namespace create"],
        ),
        case(
            &[("ULTRAVOX_API_URL", UNUSED)],
            "ultravox",
            "error",
            &["refused", "ULTRAVOX_API_URL"],
        ),
        case(
            &[("ULTRAVOX_API_URL", &endpoints.webhook_url)],
            "ultravox",
            "error",
            &["404", "does not answer as Ultravox"],
        ),
        case(
            &[("ULTRAVOX_API_KEY", "abcdefgh.abcdefghabcdefghabcdefghabcdefgh")],
            "ultravox",
            "error",
            &["rejects the API key", "ULTRAVOX_API_KEY"],
        ),
        case(
            &[("VOICES", "female=Jessica,male=Marc")],
            "ultravox",
            "error",
            &["no voice \"Marc\"", "\"male\""],
        ),
        case(
            &[("MAX_CONCURRENT_CALLS", "50")],
            "ultravox",
            "warning",
            &["allows 5 calls", "MAX_CONCURRENT_CALLS is 50"],
        ),
        case(
            &[("TELNYX_ACCOUNT_SID", "other")],
            "ultravox",
            "error",
            &["TELNYX_ACCOUNT_SID is other", "the same account"],
        ),
        case(&[("TELNYX_API_KEY", "other")], "telnyx", "error", &["TELNYX_API_KEY", "correct"]),
        case(&[("TELNYX_API_URL", UNUSED)], "telnyx", "error", &["can't be reached", "refused"]),
        case(
            &[("TELNYX_API_KEY", ""), ("TELNYX_ACCOUNT_SID", "")],
            "telnyx",
            "warning",
            &["not set", "cancelled"],
        ),
        case(
            &[("SERVICE_URL", UNUSED)],
            "webhook",
            "error",
            &["refused", "start the webhook server"],
        ),
        case(
            &[("SERVICE_URL", &endpoints.simulator_url)],
            "webhook",
            "error",
            &["404", "no webhook server"],
        ),
        case(
            &[("SERVICE_URL", &format!("https://{webhook_port}"))],
            "webhook",
            "error",
            &["corrupt message", "certificate"],
        ),
        case(
            &[("SERVICE_URL", &unsigned.url)],
            "webhook",
            "error",
            &["without a signature", "forge"],
        ),
        case(&[("SERVICE_URL", &closed.url)], "webhook", "warning", &["ALLOWED_NETWORKS"]),
        case(
            &[("WEBHOOK_SECRETS", OTHER_SECRET)],
            "webhook",
            "error",
            &["secret number 1", "the same WEBHOOK_SECRETS"],
        ),
        case(&[("WEBHOOK_SECRETS", &two_secrets)], "webhook", "error", &["secret number 2"]),
        case(
            &[("WEBHOOK_SECRETS", ""), ("ALLOW_UNSIGNED_WEBHOOKS", "true")],
            "webhook",
            "error",
            &["demands signatures"],
        ),
        case(
            &[("WEBHOOK_SECRETS", ""), ("WEBHOOK_SECRETS_FILE", "/nowhere")],
            "settings",
            "error",
            &["WEBHOOK_SECRETS_FILE", "/nowhere"],
        ),
    ];
    let required = ["DATABASE_URL", "ULTRAVOX_API_KEY", "TELNYX_FROM_NUMBER", "SERVICE_URL"];
    for name in required.into_iter().chain(["WEBHOOK_SECRETS"]) {
        let words = match name {
            "DATABASE_URL" => &["DATABASE_URL is missing; set it to"],
            "ULTRAVOX_API_KEY" => &["ULTRAVOX_API_KEY is missing; set it to"],
            "TELNYX_FROM_NUMBER" => &["TELNYX_FROM_NUMBER is missing; set it to"],
            "SERVICE_URL" => &["SERVICE_URL is missing; set it to"],
            _ => &["WEBHOOK_SECRETS is missing; set it to"],
        };
        cases.push(Case { changes: vec![(name, None)], part: "settings", level: "error", words });
    }
    cases
}

#[tokio::test]
async fn state_that_breaks_an_installation_is_named() -> Result<()> {
    let stack = start().await?;
    let database = connect(&stack).await?;
    let expect = async |part, level, words: &[&str]| {
        assert_found(&diagnose(&stack, &Vec::new()).await?, part, level, words);
        anyhow::Ok(())
    };

    // The database.
    execute(&database, "create role worker_role login").await?;
    let limited = stack.endpoints().database_url.replace("postgres@", "worker_role@");
    let as_limited = vec![("DATABASE_URL", Some(limited))];
    let diagnosis = diagnose(&stack, &as_limited).await?;
    assert_found(&diagnosis, "postgresql", "error", &["worker_role lacks rights", "--grant-to"]);
    let first = "update _sqlx_migrations set checksum = 'x' where version = 20261122090000";
    let old: Vec<u8> =
        sqlx::query_scalar("select checksum from _sqlx_migrations where version = 20261122090000")
            .fetch_one(&database)
            .await?;
    execute(&database, first).await?;
    expect("postgresql", "error", &["20261122090000", "another text"]).await?;
    sqlx::query("update _sqlx_migrations set checksum = $1 where version = 20261122090000")
        .bind(old)
        .execute(&database)
        .await?;
    let newer = "insert into _sqlx_migrations select 29990101000000, 'newer', now(), true, '', 0";
    execute(&database, newer).await?;
    expect("postgresql", "warning", &["29990101000000", "newer build"]).await?;
    execute(
        &database,
        "update _sqlx_migrations set success = false where version > 29990000000000",
    )
    .await?;
    expect("postgresql", "error", &["29990101000000", "interrupted"]).await?;
    execute(&database, "delete from _sqlx_migrations where version > 29990000000000").await?;

    execute(&database, "create database empty").await?;
    let empty = stack.endpoints().database_url.replace("/calls", "/empty");
    let diagnosis = diagnose(&stack, &vec![("DATABASE_URL", Some(empty))]).await?;
    assert_found(&diagnosis, "postgresql", "warning", &["not applied", "worker migrate"]);

    // Users that can't be called.
    User::new("user1-id").insert(&database).await?;
    Prospect { user_id: "user1-id".to_owned(), ..Prospect::new("p1-id") }.insert(&database).await?;
    let sound = diagnose(&stack, &Vec::new()).await?;
    assert!(sound.findings.is_empty(), "{sound:?}");
    for (change, words, back) in [
        (
            "update users set paused_at = now()",
            &["user1-id", "paused"][..],
            "update users set paused_at = null",
        ),
        (
            "update subscriptions set status = 'CANCELLED'",
            &["no active subscription", "ACTIVE"],
            "update subscriptions set status = 'ACTIVE'",
        ),
        (
            "update advanced_settings set start_at = end_at",
            &["user1-id", "advanced_settings"],
            "update advanced_settings set start_at = '09:00', end_at = '17:00'",
        ),
        (
            "update agent_settings set first_message = 'Hi {first name}'",
            &["user1-id", "{first name}", "agent_settings"],
            "update agent_settings set first_message = 'Hi {prospectName}'",
        ),
        (
            "insert into provider_rejections (in_a_row, users, last_dial_id, detail, rejected_at, trial_at)
                values (3, '{user1-id}', 'd', 'no credit', now(), now() + interval '1 hour')",
            &["user1-id", "no credit"],
            "select 1",
        ),
    ] {
        execute(&database, change).await?;
        let diagnosis = diagnose(&stack, &Vec::new()).await?;
        let level = if words.contains(&"no credit") { "error" } else { "warning" };
        assert_found(&diagnosis, "users", level, if level == "error" { &words[1..] } else { words });
        execute(&database, back).await?;
    }
    execute(&database, "delete from provider_rejections").await?;

    // Temporal.
    let temporal = &stack.temporal;
    temporal.pause_schedule("plan-calls").await?;
    expect("schedules", "warning", &["plan-calls is paused", "--unpause"]).await?;
    temporal.cli(["schedule", "delete", "--schedule-id", "sweep-calls"]).await?;
    expect("schedules", "error", &["sweep-calls does not exist", "restart a worker"]).await?;
    let changed = vec![("BATCH_SIZE", Some("77".to_owned()))];
    let diagnosis = diagnose(&stack, &changed).await?;
    assert_found(&diagnosis, "schedules", "error", &["sweep-calls"]);
    assert!(diagnosis.findings.iter().any(|text| text.contains("batchSize 10 instead of 77")));

    // A namespace without a worker, and with an attribute of another type.
    let namespace = format!("{}-empty", temporal.namespace());
    let other = temporal.in_namespace(&namespace);
    other.cli(["operator", "namespace", "create", "--retention", "1h"]).await?;
    let in_other = vec![("TEMPORAL_NAMESPACE", Some(namespace.clone()))];
    eventually(TIMEOUT, "the namespace can be used", async || {
        let diagnosis = diagnose(&stack, &in_other).await?;
        Ok(diagnosis
            .findings
            .iter()
            .any(|text| text.contains("no worker takes tasks"))
            .then_some(()))
    })
    .await;
    let diagnosis = diagnose(&stack, &in_other).await?;
    for words in [
        &["no worker takes tasks", "start a worker"],
        &["lacks the search attributes", "CallState"],
        &["closed calls for 1 hours", "--retention 30d"],
    ] {
        assert_found(&diagnosis, "temporal", "warning", words);
    }
    assert_found(&diagnosis, "schedules", "warning", &["plan-calls does not exist", "creates it"]);
    let create =
        ["operator", "search-attribute", "create", "--name", "CallState", "--type", "Text"];
    other.cli(create).await?;
    eventually(TIMEOUT, "the type of the attribute is found", async || {
        let diagnosis = diagnose(&stack, &in_other).await?;
        let wrong =
            |text: &&String| text.contains("CallState has the type Text instead of Keyword");
        Ok(diagnosis.findings.iter().find(wrong).map(|_| ()))
    })
    .await;
    let env = BTreeMap::from([("TEMPORAL_NAMESPACE".to_owned(), namespace)]);
    let rejected = stack.start_worker("other", &env).await.map(|_| ()).unwrap_err().to_string();
    assert!(rejected.contains("CallState has the type Text"), "{rejected}");
    Ok(())
}
