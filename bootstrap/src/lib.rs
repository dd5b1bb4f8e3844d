//! Start, settings, logs, reload and shutdown of worker and webhook server.

pub mod logs;
pub mod reload;
pub mod secrets;
pub mod settings;
mod shutdown;
pub mod temporal;
pub mod token;
pub mod webhook_signature;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use settings::SettingsError;
pub use shutdown::shutdown_signal;

/// Settings of a process that logs.
pub trait Settings {
    /// The folder for log files; `None` for standard output only.
    fn log_dir(&self) -> Option<&Path>;

    /// What is wrong with settings that depend on each other, as sentences that name them.
    fn problems(&self) -> Vec<String>;
}

/// The main function of a process: reads the settings and runs.
pub async fn main<S: Parser + Settings, F: Future<Output = Result<()>>>(
    run: fn(S) -> F,
) -> ExitCode {
    match settings::read_settings::<S>() {
        Ok(settings) => run_with_logs(settings, run).await,
        Err(error) => error.print(),
    }
}

/// Checks the settings, sets up logging and runs; an error ends as one line of the log.
pub async fn run_with_logs<S: Settings, F: Future<Output = Result<()>>>(
    settings: S,
    run: fn(S) -> F,
) -> ExitCode {
    let problems = settings.problems();
    if !problems.is_empty() {
        return SettingsError::Invalid(problems).print();
    }
    if let Err(error) = logs::init(settings.log_dir()) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
