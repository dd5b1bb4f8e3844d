//! The tools `worker plan`, `worker explain` and `worker import`.

use std::process::Command;

use anyhow::{Context as _, Result};
use devstack::{Parts, StackOptions, workspace};

use crate::support::{Prospect, TestSystem, User, clock_offset_to};

/// Runs a tool. Returns whether it succeeded, and its output on both streams.
fn run_tool(system: &TestSystem, args: &[&str]) -> Result<(Option<i32>, String)> {
    let path = workspace::bin_dir()?.join("worker");
    let output = Command::new(&path)
        .env_clear()
        .env("DATABASE_URL", &system.stack.endpoints().database_url)
        .env("CLOCK_OFFSET_SECS", system.clock_offset_secs().to_string())
        .args(args)
        .output()
        .with_context(|| format!("running {}", path.display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout) + &text(&output.stderr)))
}

#[tokio::test]
async fn imported_prospects_are_planned_and_explained() -> Result<()> {
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        parts: Parts { simulator: false, webhook: false, ..StackOptions::default().parts },
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect { phone: "555".to_owned(), ..Prospect::new("p0-id") }.insert(&system.database).await?;
    let file = std::env::temp_dir().join(format!("prospects-{}.csv", std::process::id()));
    std::fs::write(&file, "id,name,phone\np1-id,Ann,(212) 555-0120\np2-id,Ben,nothing\n")?;
    let path = file.to_string_lossy();

    let preview = run_tool(&system, &["import", &path, "--user", "user1-id", "--dry-run"])?;
    assert!(
        preview.0 == Some(3) && preview.1.contains("1 prospects could be imported"),
        "{preview:?}"
    );
    let done = run_tool(&system, &["import", &path, "--user", "user1-id"])?;
    std::fs::remove_file(&file)?;
    assert!(
        done.0 == Some(3) && done.1.contains("line 3: \"nothing\" is no telephone number"),
        "{done:?}"
    );
    assert!(done.1.contains("1 prospects imported, 1 lines passed over"), "{done:?}");

    let plan = ["plan", "--dry-run", "--user", "user1-id", "--at", "2025-02-25T15:00:00Z"];
    let planned = run_tool(&system, &plan)?;
    for text in
        ["p1-id", "2025-02-25 15:00:00 UTC", "not in E.164 form", "1 calls", "phone_invalid 1"]
    {
        assert!(planned.0 == Some(0) && planned.1.contains(text), "{text}: {}", planned.1);
    }
    let count: i64 = sqlx::query_scalar("select count(*) from plan_decisions")
        .fetch_one(&system.database)
        .await?;
    assert_eq!(count, 0, "a dry run writes decisions");

    let explained = run_tool(&system, &["explain", "p1-id"])?;
    assert!(
        explained.0 == Some(0)
            && explained.1.contains("Next: a plan run now would call it on 2025-02-25"),
        "{explained:?}"
    );
    Ok(())
}

#[tokio::test]
async fn invalid_arguments_are_reported_in_a_sentence() -> Result<()> {
    let parts = Parts { simulator: false, webhook: false, ..StackOptions::default().parts };
    let system = TestSystem::start(StackOptions { parts, ..StackOptions::default() }).await?;
    for (args, text) in [
        (&["plan"][..], "add --dry-run to see what it would do"),
        (&["plan", "--dry-run", "--user", "nobody"], "there is no user \"nobody\""),
        (&["explain", "nobody"], "there is no prospect \"nobody\""),
        (&["import", "nowhere.csv", "--user", "nobody"], "opening nowhere.csv"),
        (&["plan", "--dry-run", "--at", "tomorrow"], "as 2026-11-23T15:00:00Z"),
    ] {
        let (code, printed) = run_tool(&system, args)?;
        assert!(code != Some(0) && printed.contains(text), "{args:?}: {printed}");
    }
    Ok(())
}
