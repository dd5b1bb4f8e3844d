//! Checks an installation: everything that the service depends on, with a sentence for each finding.

mod database;
mod groups;
mod provider;
mod temporal;
mod users;
mod webhook_server;

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;
use bootstrap::Settings as _;
use bootstrap::settings::{SettingsError, parse_settings};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::Store;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::config::{Config, DatabaseConfig};
pub(crate) use groups::Groups;

/// The maximum time for one part of the installation.
const TIMEOUT: Duration = Duration::from_secs(40);
/// By how many seconds clocks may differ unnoticed: HTTP gives whole seconds, and an answer takes time.
const CLOCK_TOLERANCE_SECS: i64 = 5;
/// From this difference on, the webhook server rejects signatures unless WEBHOOK_TOLERANCE_SECS is raised.
const SIGNATURE_TOLERANCE_SECS: i64 = 300;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// Calls are made, but not as they could be, or not for long.
    Warning,
    /// Calls are not made, or an outcome may be lost.
    Error,
}

/// A part of the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Settings,
    #[strum(serialize = "PostgreSQL")]
    PostgreSql,
    Temporal,
    Schedules,
    Ultravox,
    Telnyx,
    #[strum(serialize = "Webhook server")]
    Webhook,
    Users,
}

/// What is right or wrong with a part, and what to do about it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub part: Part,
    pub level: Level,
    pub text: String,
}

/// The findings about one part.
#[derive(Debug)]
struct Report {
    part: Part,
    findings: Vec<Finding>,
}

impl Report {
    fn new(part: Part) -> Self {
        Self { part, findings: Vec::new() }
    }

    fn add(&mut self, level: Level, text: impl Into<String>) {
        self.findings.push(Finding { part: self.part, level, text: text.into() });
    }

    fn ok(&mut self, text: impl Into<String>) {
        self.add(Level::Ok, text);
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.add(Level::Warning, text);
    }

    fn fail(&mut self, text: impl Into<String>) {
        self.add(Level::Error, text);
    }

    /// Writes what is wrong into the log.
    fn log(self) {
        for Finding { part, level, text } in self.findings {
            match level {
                Level::Ok => {}
                Level::Warning => warn!("{part}: {text}"),
                Level::Error => error!("{part}: {text}"),
            }
        }
    }

    /// Says that the part is not checked, as its settings are missing or wrong.
    fn skip(mut self, settings: &str) -> Vec<Finding> {
        self.warn(format!("not checked: correct {settings} first"));
        self.findings
    }

    /// Compares another clock with ours.
    fn compare_clock(&mut self, whose: &str, theirs: DateTime<Utc>, ours: DateTime<Utc>) {
        let ahead = (theirs - ours).num_seconds();
        let by = ahead.abs();
        if by <= CLOCK_TOLERANCE_SECS {
            return;
        }
        let side = if ahead > 0 { "ahead of" } else { "behind" };
        let text = format!(
            "the clock of {whose} is {by} s {side} the clock of this machine; set both by a time \
            server (NTP)"
        );
        self.add(if by < SIGNATURE_TOLERANCE_SECS { Level::Warning } else { Level::Error }, text);
    }
}

/// Checks the installation that an environment describes. Changes nothing.
pub async fn diagnose(environment: Vec<(OsString, OsString)>) -> Vec<Finding> {
    let groups = Groups::parse(&environment);
    let mut findings = check_settings(environment).await;
    let (database, temporal, provider, webhook) = tokio::join!(
        within_limit(Part::PostgreSql, check_database(&groups)),
        within_limit(Part::Temporal, temporal::check(&groups)),
        within_limit(Part::Ultravox, provider::check(&groups)),
        within_limit(Part::Webhook, webhook_server::check(&groups)),
    );
    let (users, database): (Vec<Finding>, Vec<Finding>) =
        database.into_iter().partition(|finding| finding.part == Part::Users);
    for part in [database, temporal, provider, webhook, users] {
        findings.extend(part);
    }
    findings
}

/// Checks the database of a worker that starts, and logs what is wrong.
pub(crate) async fn log_database(config: &DatabaseConfig, store: &Store) -> Result<()> {
    let mut report = Report::new(Part::PostgreSql);
    database::check(config, store, &mut report).await?;
    report.log();
    Ok(())
}

/// Checks the accounts of a worker that starts, and logs what is wrong.
pub(crate) async fn log_provider(groups: Groups) {
    let findings = provider::check(&groups).await;
    Report { part: Part::Ultravox, findings }.log();
}

async fn within_limit(part: Part, check: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    timeout(TIMEOUT, check).await.unwrap_or_else(|_| {
        let mut report = Report::new(part);
        report.fail(format!("no answer within {} s", TIMEOUT.as_secs()));
        report.findings
    })
}

async fn check_settings(environment: Vec<(OsString, OsString)>) -> Vec<Finding> {
    let mut report = Report::new(Part::Settings);
    match parse_settings::<Config>(vec![OsString::from("worker")], environment) {
        Ok(config) => {
            for problem in config.problems() {
                report.fail(problem);
            }
            match config.webhook.secrets.watch().await {
                Ok(secrets) => {
                    if let Some(problem) = config.ultravox.problem_of(&secrets.borrow()) {
                        report.fail(problem);
                    }
                }
                Err(error) => report.fail(format!("{error:#}")),
            }
            if config.schedule.clock_offset_secs != 0 {
                report.warn(format!(
                    "CLOCK_OFFSET_SECS={}: the service runs as if it were another time; remove it \
                    after the rehearsal",
                    config.schedule.clock_offset_secs
                ));
            }
            if report.findings.is_empty() {
                report.ok("all settings of the worker are valid");
            }
        }
        Err(SettingsError::Invalid(problems)) => {
            problems.into_iter().for_each(|problem| report.fail(problem));
        }
        Err(SettingsError::HelpRequested(_)) => {}
    }
    report.findings
}

/// Checks the database, and through it the users.
async fn check_database(groups: &Groups) -> Vec<Finding> {
    let mut report = Report::new(Part::PostgreSql);
    let Some(config) = &groups.database else { return report.skip("DATABASE_URL") };
    let store: Store = match config.connect().await {
        Ok(store) => store,
        Err(error) => {
            report.fail(format!("{error:#}"));
            return report.findings;
        }
    };
    let is_usable = match database::check(config, &store, &mut report).await {
        Ok(is_usable) => is_usable,
        Err(error) => {
            report.fail(format!("{error:#}"));
            false
        }
    };
    let mut findings = report.findings;
    if is_usable {
        findings.extend(users::check(groups, store).await);
    }
    findings
}
