//! `worker doctor`

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::output::print_line;
use crate::doctor::{Finding, Level, diagnose};

/// Check the installation: settings, PostgreSQL, Temporal, Ultravox, Telnyx, webhook server and users
///
/// Reads the settings of the worker from the environment, and changes nothing. Exits with 0 if all is well, with 1 if
/// there are warnings, and with 2 if there are errors.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let findings = diagnose(std::env::vars_os().collect()).await;
        let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
        if self.json {
            print_line(json!({ "worst": worst, "findings": findings }))?;
        } else {
            findings.iter().try_for_each(|finding| print_line(line(finding)))?;
            print_line(summary(&findings, worst))?;
        }
        Ok(ExitCode::from(match worst {
            Level::Ok => 0,
            Level::Warning => 1,
            Level::Error => 2,
        }))
    }
}

fn line(finding: &Finding) -> String {
    let level = match finding.level {
        Level::Ok => "ok",
        Level::Warning => "warning",
        Level::Error => "ERROR",
    };
    format!("{level:<8} {:<15} {}", finding.part.to_string(), finding.text)
}

fn summary(findings: &[Finding], worst: Level) -> String {
    let count = |level, name| {
        let count = findings.iter().filter(|finding| finding.level == level).count();
        format!("{count} {name}{}", if count == 1 { "" } else { "s" })
    };
    match worst {
        Level::Ok => "\nAll is well.".to_owned(),
        _ => format!("\n{}, {}", count(Level::Error, "error"), count(Level::Warning, "warning")),
    }
}
