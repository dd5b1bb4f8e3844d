//! `cargo xtask prepare`: writes `.sqlx/`, which the query macros read instead of a database.
//!
//! Does what `cargo sqlx prepare` does for one crate. sqlx-cli would have to be built from source first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use devstack::{Postgres, workspace};

use crate::{cargo, step};

/// The only crate with query macros.
const CRATE: &str = "store";

#[derive(Debug, clap::Args)]
pub struct Prepare {
    /// Only check: fail if .sqlx/ does not match the queries and migrations
    #[arg(long)]
    check: bool,
}

impl Prepare {
    pub async fn run(self) -> anyhow::Result<()> {
        let mut postgres = Postgres::start_temporary().await?;
        let url = postgres.create_database("prepare").await?;
        devstack::migrate(&url).await?;
        let temp_dir = workspace::temp_dir()?;
        let described = step::announced("Describe the queries", || describe(&url, temp_dir.path()));
        postgres.stop().await?;
        described?;

        let (current, committed) = (read_dir(temp_dir.path())?, read_dir(&sqlx_dir())?);
        if self.check { compare(&current, &committed) } else { replace(&current, &committed) }
    }
}

/// File contents by file name.
type Descriptions = BTreeMap<String, String>;

fn sqlx_dir() -> PathBuf {
    workspace::root().join(".sqlx")
}

/// Compiles the crate so that its query macros write their descriptions.
fn describe(url: &str, into: &Path) -> anyhow::Result<()> {
    // The macros run when the crate is compiled, and Cargo compiles only changed crates.
    let source = workspace::root().join(CRATE).join("src").join("lib.rs");
    File::options()
        .append(true)
        .open(&source)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| format!("could not touch {}", source.display()))?;
    let mut check = cargo::command(["check", "--package", CRATE, "--all-targets"]);
    check.env("DATABASE_URL", url).env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", into);
    cargo::run(&mut check)
}

fn read_dir(dir: &Path) -> anyhow::Result<Descriptions> {
    let doing = || format!("could not read {}", dir.display());
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Descriptions::new());
        }
        entries => entries.with_context(doing)?,
    };
    let mut descriptions = Descriptions::new();
    for entry in entries {
        let entry = entry.with_context(doing)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("query-") {
            descriptions.insert(name, std::fs::read_to_string(entry.path()).with_context(doing)?);
        }
    }
    Ok(descriptions)
}

fn replace(current: &Descriptions, committed: &Descriptions) -> anyhow::Result<()> {
    let dir = sqlx_dir();
    std::fs::create_dir_all(&dir).context("could not create .sqlx/")?;
    for name in committed.keys().filter(|name| !current.contains_key(*name)) {
        std::fs::remove_file(dir.join(name))
            .with_context(|| format!("could not remove .sqlx/{name}"))?;
    }
    for (name, text) in current.iter().filter(|(name, text)| committed.get(*name) != Some(text)) {
        std::fs::write(dir.join(name), text)
            .with_context(|| format!("could not write .sqlx/{name}"))?;
    }
    let changes = differences(current, committed);
    println!("{} queries in .sqlx/, {} changed", current.len(), changes.len());
    changes.iter().for_each(|change| println!("  {change}"));
    Ok(())
}

fn compare(current: &Descriptions, committed: &Descriptions) -> anyhow::Result<()> {
    let differences = differences(current, committed);
    if differences.is_empty() {
        println!("{} queries in .sqlx/, all up to date", current.len());
        return Ok(());
    }
    bail!(
        ".sqlx/ does not match the queries and migrations; run `cargo xtask prepare` and commit the result:\n  {}",
        differences.join("\n  ")
    )
}

fn differences(current: &Descriptions, committed: &Descriptions) -> Vec<String> {
    let names: BTreeSet<&String> = current.keys().chain(committed.keys()).collect();
    let change = |name: &String| match (current.get(name), committed.get(name)) {
        (Some(new), None) => Some(format!("missing: {}", summary(new))),
        (None, Some(old)) => Some(format!("no longer used: {}", summary(old))),
        (Some(new), Some(old)) if new != old => Some(format!("changed: {}", summary(new))),
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
}

/// The first words of a description's query.
fn summary(description: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(description).ok();
    let query = parsed.and_then(|parsed| Some(parsed.get("query")?.as_str()?.to_owned()));
    let words = query.unwrap_or_else(|| "(unreadable description)".to_owned());
    words.split_whitespace().take(10).collect::<Vec<_>>().join(" ") + " …"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_listed_by_kind_and_query() {
        let description = |query: &str, column: &str| {
            format!(r#"{{"query": "{query}", "describe": "{column}"}}"#)
        };
        let current = Descriptions::from([
            ("query-1.json".to_owned(), description("select 1", "int")),
            ("query-2.json".to_owned(), description("select 2", "int")),
            ("query-3.json".to_owned(), description("select 3", "int")),
        ]);
        let committed = Descriptions::from([
            ("query-2.json".to_owned(), description("select 2", "text")),
            ("query-3.json".to_owned(), description("select 3", "int")),
            ("query-4.json".to_owned(), description("select 4", "int")),
        ]);
        let expected = ["missing: select 1 …", "changed: select 2 …", "no longer used: select 4 …"];
        assert_eq!(differences(&current, &committed), expected);
        assert!(compare(&current, &committed).is_err());
        assert!(compare(&current, &current).is_ok());
    }
}
