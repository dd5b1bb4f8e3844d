//! What a process tells about itself: one JSON object a line.

mod flat;

use std::path::{Path, PathBuf};

use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use flat::Flat;

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,temporalio_sdk_core=warn,temporalio_client=warn,sqlx=warn";

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder for log files can't be written.
    #[error("LOG_DIR {dir:?} can't be written: {source}; name a folder that the process may write")]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: InitError,
    },
    /// `RUST_LOG` can't be read.
    #[error("RUST_LOG can't be read: {0}; use directives such as info or worker=debug")]
    Filter(String),
}

/// Logs to standard output and, if a folder is named, to `combined.log` (all) and `error.log`
/// (errors) in it. Both files are links to the one of the day.
pub fn init(log_dir: Option<&Path>) -> Result<(), LogError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.trim().is_empty() => {
            EnvFilter::try_new(&directives).map_err(|error| LogError::Filter(error.to_string()))?
        }
        _ => EnvFilter::new(DEFAULT_FILTER),
    };
    let files = match log_dir {
        None => None,
        Some(dir) => {
            let combined = layer(daily(dir, "combined")?);
            let errors = layer(daily(dir, "error")?).with_filter(LevelFilter::ERROR);
            Some(combined.and_then(errors))
        }
    };
    tracing_subscriber::registry().with(filter).with(layer(std::io::stdout)).with(files).init();
    Ok(())
}

fn layer<S, W>(writer: W) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().event_format(Flat).with_ansi(false).with_writer(writer)
}

/// A file that is followed by a new one every day, and a link by its plain name to the newest.
fn daily(dir: &Path, name: &str) -> Result<RollingFileAppender, LogError> {
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(name)
        .filename_suffix("log")
        .latest_symlink(format!("{name}.log"))
        .build(dir)
        .map_err(|source| LogError::Folder { dir: dir.to_owned(), source })
}
