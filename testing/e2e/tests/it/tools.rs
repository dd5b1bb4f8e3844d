//! `worker plan`, `worker why` and `worker import`, as an operator runs them.

use std::process::Command;

use anyhow::{Context as _, Result};
use devstack::{Parts, StackOptions, workspace};

use crate::support::{Prospect, Story, User, seconds_to};

/// Runs the worker's tool; its success, and what it printed on either side.
fn tool(story: &Story, args: &[&str]) -> Result<(bool, String)> {
    let path = workspace::bin_dir()?.join("worker");
    let output = Command::new(&path)
        .env_clear()
        .env("DATABASE_URL", &story.stack.endpoints().database_url)
        .env("CLOCK_OFFSET_SECS", story.clock_offset_secs().to_string())
        .args(args)
        .output()
        .with_context(|| format!("running {}", path.display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), text(&output.stdout) + &text(&output.stderr)))
}

#[tokio::test]
async fn a_file_is_imported_and_what_comes_of_it_can_be_asked() -> Result<()> {
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        parts: Parts { simulator: false, webhook: false, ..StackOptions::default().parts },
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&story.database).await?;
    Prospect { phone: "555".to_owned(), ..Prospect::new("p0-id") }.insert(&story.database).await?;
    let file = std::env::temp_dir().join(format!("prospects-{}.csv", std::process::id()));
    std::fs::write(&file, "id,name,phone\np1-id,Ann,(212) 555-0120\np2-id,Ben,nothing\n")?;
    let path = file.to_string_lossy();

    let rehearsal = tool(&story, &["import", &path, "--user", "user1-id", "--dry-run"])?;
    assert!(rehearsal.0 && rehearsal.1.contains("1 prospects could be imported"), "{rehearsal:?}");
    let done = tool(&story, &["import", &path, "--user", "user1-id"])?;
    std::fs::remove_file(&file)?;
    assert!(done.0 && done.1.contains("line 3: \"nothing\" is no telephone number"), "{done:?}");
    assert!(done.1.contains("1 prospects imported, 1 lines passed over"), "{done:?}");

    let plan = ["plan", "--dry-run", "--user", "user1-id", "--at", "2025-02-25T15:00:00Z"];
    let planned = tool(&story, &plan)?;
    for words in
        ["p1-id", "2025-02-25 15:00:00 UTC", "not in E.164 form", "1 calls", "phone_invalid 1"]
    {
        assert!(planned.0 && planned.1.contains(words), "{words}: {}", planned.1);
    }
    let count: i64 = sqlx::query_scalar("select count(*) from plan_decisions")
        .fetch_one(&story.database)
        .await?;
    assert_eq!(count, 0, "a rehearsal writes nothing");

    let why = tool(&story, &["explain", "p1-id"])?;
    assert!(why.0 && why.1.contains("Next: a plan run now would call it on 2025-02-25"), "{why:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_told_in_a_sentence() -> Result<()> {
    let parts = Parts { simulator: false, webhook: false, ..StackOptions::default().parts };
    let story = Story::start(StackOptions { parts, ..StackOptions::default() }).await?;
    for (args, words) in [
        (&["plan"][..], "add --dry-run to see what it would do"),
        (&["plan", "--dry-run", "--user", "nobody"], "there is no user \"nobody\""),
        (&["why", "nobody"], "there is no prospect \"nobody\""),
        (&["import", "nowhere.csv", "--user", "nobody"], "opening nowhere.csv"),
        (&["plan", "--dry-run", "--at", "tomorrow"], "'tomorrow'"),
    ] {
        let (success, printed) = tool(&story, args)?;
        assert!(!success && printed.contains(words), "{args:?}: {printed}");
    }
    Ok(())
}
