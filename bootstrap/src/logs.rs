//! The log of a process: one flat JSON object per line.
//!
//! Spans that carry ids have level ERROR: a filter that passes an event then passes its ids as well.

mod flat;

use std::path::{Path, PathBuf};

use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use flat::Flat;

/// The filter if `RUST_LOG` is not set.
const DEFAULT_FILTER: &str = "info,temporalio_sdk_core=warn,temporalio_client=warn,sqlx=warn";

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("LOG_DIR {dir:?} can't be written: {source}; set it to a writable folder")]
    Folder { dir: PathBuf, source: InitError },
    #[error("RUST_LOG can't be parsed: {0}; use directives such as info or worker=debug")]
    Filter(String),
}

/// Logs to standard output and, if `log_dir` is given, to `combined.log` (all) and `error.log` (errors) in it. Both are
/// links to the file of the day.
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
            let combined = layer(open_daily_file(dir, "combined")?);
            let errors = layer(open_daily_file(dir, "error")?).with_filter(LevelFilter::ERROR);
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
    tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(Flat)
        .with_ansi(false)
        .with_writer(writer)
}

/// Opens a file that is replaced every day, and a link `<name>.log` to it.
fn open_daily_file(dir: &Path, name: &str) -> Result<RollingFileAppender, LogError> {
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(name)
        .filename_suffix("log")
        .latest_symlink(format!("{name}.log"))
        .build(dir)
        .map_err(|source| LogError::Folder { dir: dir.to_owned(), source })
}
