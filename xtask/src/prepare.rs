//! `cargo xtask prepare`

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};
use devstack::{Postgres, Scratch, workspace};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

use crate::{cargo, step};

/// The one crate whose sources hold SQL.
const CRATE: &str = "activities";

/// Describes the SQL of the sources.
#[derive(Debug, clap::Args)]
pub struct Prepare {
    /// Change nothing; fail when .sqlx/ is not what the sources and migrations make it
    #[arg(long)]
    check: bool,
}

impl Prepare {
    /// Lets the query macros ask a database that has just had every migration.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut postgres = Postgres::throw_away().await?;
        let url = postgres.create_database("prepare").await?;
        migrate(&url).await?;
        let scratch = Scratch::new()?;
        let described = step::announced("Describe the SQL", || describe(&url, scratch.path()));
        postgres.stop().await?;
        described?;

        let (found, committed) = (read(scratch.path())?, read(&dir())?);
        if self.check { compare(&found, &committed) } else { replace(&found, &committed) }
    }
}

/// File names and contents.
type Descriptions = BTreeMap<String, String>;

fn dir() -> std::path::PathBuf {
    workspace::root().join(".sqlx")
}

/// Applies every migration to the database.
pub async fn migrate(url: &str) -> anyhow::Result<()> {
    let migrations = workspace::root().join("migrations");
    let migrator =
        Migrator::new(migrations.as_path()).await.context("could not read migrations/")?;
    let mut connection =
        PgConnection::connect(url).await.context("could not connect to the new database")?;
    migrator.run(&mut connection).await.context("a migration failed on an empty database")?;
    connection.close().await.context("could not close the connection")
}

fn describe(url: &str, into: &Path) -> anyhow::Result<()> {
    // The macros run when the crate is compiled, and Cargo compiles what has changed.
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

fn read(dir: &Path) -> anyhow::Result<Descriptions> {
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

fn replace(found: &Descriptions, committed: &Descriptions) -> anyhow::Result<()> {
    let dir = dir();
    std::fs::create_dir_all(&dir).context("could not create .sqlx/")?;
    for name in committed.keys().filter(|name| !found.contains_key(*name)) {
        std::fs::remove_file(dir.join(name))
            .with_context(|| format!("could not remove .sqlx/{name}"))?;
    }
    for (name, text) in found.iter().filter(|(name, text)| committed.get(*name) != Some(text)) {
        std::fs::write(dir.join(name), text)
            .with_context(|| format!("could not write .sqlx/{name}"))?;
    }
    let changes = differences(found, committed);
    println!("{} statements described in .sqlx/, {} changed", found.len(), changes.len());
    changes.iter().for_each(|change| println!("  {change}"));
    Ok(())
}

fn compare(found: &Descriptions, committed: &Descriptions) -> anyhow::Result<()> {
    let differences = differences(found, committed);
    if differences.is_empty() {
        println!("{} statements, all described in .sqlx/", found.len());
        return Ok(());
    }
    bail!(
        ".sqlx/ is not what the sources and migrations make it; run `cargo xtask prepare` and commit the result:\n  {}",
        differences.join("\n  ")
    )
}

fn differences(found: &Descriptions, committed: &Descriptions) -> Vec<String> {
    let names: BTreeSet<&String> = found.keys().chain(committed.keys()).collect();
    let change = |name: &String| match (found.get(name), committed.get(name)) {
        (Some(new), None) => Some(format!("missing: {}", statement(new))),
        (None, Some(old)) => Some(format!("no longer used: {}", statement(old))),
        (Some(new), Some(old)) if new != old => Some(format!("changed: {}", statement(new))),
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
}

/// The beginning of the statement that a description is of.
fn statement(description: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(description).ok();
    let query = parsed.and_then(|parsed| Some(parsed.get("query")?.as_str()?.to_owned()));
    let words = query.unwrap_or_else(|| "a damaged description".to_owned());
    words.split_whitespace().take(10).collect::<Vec<_>>().join(" ") + " …"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_is_named_by_its_statement() {
        let description = |query: &str, column: &str| {
            format!(r#"{{"query": "{query}", "describe": "{column}"}}"#)
        };
        let found = Descriptions::from([
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
        assert_eq!(differences(&found, &committed), expected);
        assert!(compare(&found, &committed).is_err());
        assert!(compare(&found, &found).is_ok());
    }
}
