use std::path::PathBuf;
use std::process::ExitStatus;

/// A result whose error says what failed and what to do about it.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not {doing}: {source}")]
    Io {
        /// Completes "could not".
        doing: String,
        source: std::io::Error,
    },
    /// A required program is not on this machine and could not be installed.
    #[error("{program} is missing: {remedy}")]
    MissingProgram {
        /// The program, or the path where it was expected.
        program: String,
        remedy: String,
    },
    /// A command ended with a failure.
    #[error("`{command}` failed ({status}):\n{output}")]
    Command {
        command: String,
        status: ExitStatus,
        /// Standard output, then standard error.
        output: String,
    },
    /// A process ended before it was ready.
    #[error("{name} ended ({status}) before {awaited}; the end of {}:\n{tail}", .log.display())]
    EndedEarly {
        name: String,
        status: ExitStatus,
        /// The condition that was awaited.
        awaited: String,
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A process runs but did not get ready in time.
    #[error("{name} is still waiting after {secs} s until {awaited}; the end of {}:\n{tail}", .log.display())]
    NotReady {
        name: String,
        secs: u64,
        /// The condition that was awaited.
        awaited: String,
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    #[error("could not {doing}: {source}")]
    Sql {
        /// Completes "could not".
        doing: String,
        source: sqlx::Error,
    },
    /// An option or an environment variable has an invalid value.
    #[error("{0}")]
    Setting(String),
    /// Another stack uses the same folder.
    #[error("another stack runs in {}; stop it, or choose another folder", .0.display())]
    Busy(PathBuf),
}

impl Error {
    /// For `map_err`. `doing` completes "could not".
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// For `map_err`. `doing` completes "could not".
    pub(crate) fn sql<E: Into<sqlx::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |source| Self::Sql { doing, source: source.into() }
    }
}
