//! How our processes start, log and stop.

pub mod live;
pub mod logs;
pub mod secrets;
pub mod settings;
mod stop;
pub mod temporal;
pub mod token;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

pub use stop::stopped;

/// Settings of a process that logs.
pub trait Settings: Parser {
    /// The folder for log files, if there shall be any.
    fn log_dir(&self) -> Option<&Path>;
}

/// The main function of a process: reads the settings, sets up logging, runs, and reports an
/// error in one line.
pub async fn main<S: Settings, F: Future<Output = Result<()>>>(run: fn(S) -> F) -> ExitCode {
    let settings = match settings::read::<S>(std::env::args_os()) {
        Ok(settings) => settings,
        Err(asked) => return asked.print(),
    };
    if let Err(error) = logs::init(settings.log_dir()) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
