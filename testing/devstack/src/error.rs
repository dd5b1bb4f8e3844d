//! What can go wrong while a stack starts, stops or is asked something.

use std::path::PathBuf;
use std::process::ExitStatus;

/// A result whose error says what was wrong and what to do about it.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the local stack could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused something.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was being done, as the rest of "could not".
        doing: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program that a stack needs is not on this machine and could not be installed.
    #[error("{program} is missing: {remedy}")]
    MissingProgram {
        /// The program, or the path where it was expected.
        program: String,
        /// What to do.
        remedy: String,
    },
    /// A command that should have ended well did not.
    #[error("`{command}` failed ({status}):\n{output}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed, standard error last.
        output: String,
    },
    /// A process ended before it was ready.
    #[error("{name} ended ({status}) before {awaited}; the end of {}:\n{tail}", .log.display())]
    EndedEarly {
        /// The process.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// What was being waited for.
        awaited: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// A process runs but did not get ready in time.
    #[error("{name} is still waiting after {secs} s until {awaited}; the end of {}:\n{tail}", .log.display())]
    NotReady {
        /// The process.
        name: String,
        /// How long was waited, in seconds.
        secs: u64,
        /// What was being waited for.
        awaited: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// PostgreSQL refused a statement or a connection.
    #[error("could not {doing}: {source}")]
    Sql {
        /// What was being done, as the rest of "could not".
        doing: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// An option or an environment variable has a value that makes no sense.
    #[error("{0}")]
    Setting(String),
    /// Another stack keeps its state in the same folder and still runs.
    #[error("another stack runs in {}; stop it first, or choose another folder", .0.display())]
    Busy(PathBuf),
}

impl Error {
    /// For `map_err`: an operating-system error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// For `map_err`: a database error with what was being done.
    pub(crate) fn sql(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Sql { doing, source }
    }
}
