//! Prints results and saves them in `testing/bench/results/`.

use anyhow::{Context as _, Result};
use chrono::Utc;
use comfy_table::Table;
use devstack::workspace;
use serde_json::{Value, json};

pub struct Figure {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    /// The value to reach, as text.
    pub aim: &'static str,
}

pub fn figure(name: &'static str, value: f64, unit: &'static str, aim: &'static str) -> Figure {
    Figure { name, value, unit, aim }
}

/// Prints the figures and writes them to a file.
pub fn report(bench: &str, figures: &[Figure]) -> Result<()> {
    let mut table = Table::new();
    table.set_header(["figure", "value", "aim"]);
    for figure in figures {
        let value = format!("{:.1} {}", figure.value, figure.unit);
        table.add_row([figure.name, value.trim(), figure.aim]);
    }
    println!("{table}");
    let rows: Vec<Value> = figures
        .iter()
        .map(|f| json!({"name": f.name, "value": f.value, "unit": f.unit, "aim": f.aim}))
        .collect();
    let now = Utc::now();
    let result = json!({
        "bench": bench,
        "time": now.to_rfc3339(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
        "figures": rows,
    });
    let dir = workspace::root().join("testing/bench/results");
    std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    let path = dir.join(format!("{bench}-{}.json", now.format("%Y%m%dT%H%M%SZ")));
    std::fs::write(&path, serde_json::to_string_pretty(&result)? + "\n")
        .with_context(|| format!("writing {}", path.display()))?;
    println!("saved in {}", path.display());
    Ok(())
}
