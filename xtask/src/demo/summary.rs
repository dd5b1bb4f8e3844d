//! Summary of the demo: outcomes, minutes left and commands to continue with.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use comfy_table::{Table, presets};
use devstack::{Stack, Tools};
use sqlx::PgConnection;

use super::calls::{self, Call};

pub async fn print(
    database: &mut PgConnection,
    stack: &Stack,
    started: Instant,
) -> anyhow::Result<()> {
    let calls = calls::read_all(database).await?;
    let minutes: i64 = calls.iter().map(|call| call.minutes).sum();
    let secs = started.elapsed().as_secs_f64();
    println!("\n{} calls in {secs:.0} s, {minutes} minutes charged", calls.len());
    println!("{}", outcome_table(&calls));
    println!("{}", minutes_left_table(database).await?);
    print_commands(stack, &calls).await
}

fn outcome_table(calls: &[Call]) -> Table {
    let mut counts = BTreeMap::<String, usize>::new();
    for call in calls {
        let outcome = call
            .outcome
            .clone()
            .unwrap_or_else(|| format!("none ({})", call.status.to_lowercase()));
        *counts.entry(outcome).or_default() += 1;
    }
    let mut table = new_table(["outcome", "calls"]);
    for (outcome, count) in counts {
        table.add_row([outcome, count.to_string()]);
    }
    table
}

async fn minutes_left_table(database: &mut PgConnection) -> anyhow::Result<Table> {
    let statement = "
        select u.name, s.minutes_left::bigint from subscriptions s join users u on u.id = s.user_id
        order by u.name";
    let rows: Vec<(String, i64)> = sqlx::query_as(statement)
        .fetch_all(database)
        .await
        .context("could not read the minutes left")?;
    let mut table = new_table(["user", "minutes left"]);
    for (user, minutes) in rows {
        table.add_row([user, minutes.to_string()]);
    }
    Ok(table)
}

async fn print_commands(stack: &Stack, calls: &[Call]) -> anyhow::Result<()> {
    let (tools, endpoints) = (Tools::ensure_installed().await?, stack.endpoints());
    let (temporal, at) =
        (tools.temporal.display(), format!("--address {}", endpoints.temporal_address));
    let id = calls.first().map_or("p1-id-1", |call| &call.id);
    println!("Temporal UI: {}", endpoints.temporal_ui_url.as_deref().unwrap_or("none"));
    println!("Commands to continue with:");
    println!("  {temporal} workflow list {at} --query 'UserId=\"user1-id\"'");
    println!("  {temporal} workflow describe {at} --workflow-id call/{id}");
    println!(
        "  {} '{}' -c 'select id, status, outcome, reason from conversations order by slot'",
        tools.psql.display(),
        endpoints.database_url
    );
    Ok(())
}

fn new_table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(header);
    table
}
