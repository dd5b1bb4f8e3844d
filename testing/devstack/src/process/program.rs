use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::account::Account;

/// The environment variables that children inherit. Others, such as a `DATABASE_URL` of the developer's shell, must
/// not affect a test.
const INHERITED: [&str; 11] = [
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "NO_COLOR",
    "PATH",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "TERM",
    "TMPDIR",
    "USER",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    Terminate,
    /// PostgreSQL then stops without waiting for clients to disconnect.
    Interrupt,
}

impl StopSignal {
    /// The name that `kill` expects.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
        }
    }
}

impl From<StopSignal> for Signal {
    fn from(signal: StopSignal) -> Self {
        match signal {
            StopSignal::Terminate => Self::SIGTERM,
            StopSignal::Interrupt => Self::SIGINT,
        }
    }
}

/// A program with its arguments and environment. It can be started repeatedly.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) log_dir: PathBuf,
    pub(super) stop_signal: StopSignal,
    pub(super) stop_timeout: Duration,
    pub(super) ready_timeout: Duration,
    env: Vec<(String, OsString)>,
    current_dir: Option<PathBuf>,
    account: Option<Account>,
}

impl Program {
    /// A program that has 90 s to get ready and stops within 20 s of a SIGTERM.
    pub fn new(
        name: impl Into<String>,
        path: impl Into<PathBuf>,
        log_dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            args: Vec::new(),
            log_dir: log_dir.into(),
            stop_signal: StopSignal::Terminate,
            stop_timeout: Duration::from_secs(20),
            ready_timeout: Duration::from_secs(90),
            env: Vec::new(),
            current_dir: None,
            account: None,
        }
    }

    pub fn args<Arg: Into<OsString>>(mut self, args: impl IntoIterator<Item = Arg>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets environment variables. The last value of a name wins.
    pub fn env<Name: Into<String>, Value: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (Name, Value)>,
    ) -> Self {
        self.env.extend(
            variables.into_iter().map(|(name, value)| (name.into(), value.as_ref().to_owned())),
        );
        self
    }

    pub fn current_dir(mut self, dir: &Path) -> Self {
        self.current_dir = Some(dir.to_path_buf());
        self
    }

    pub fn stop_signal(mut self, signal: StopSignal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// Sets the time from the stop signal to SIGKILL.
    pub fn stop_timeout(mut self, stop_timeout: Duration) -> Self {
        self.stop_timeout = stop_timeout;
        self
    }

    pub fn ready_timeout(mut self, ready_timeout: Duration) -> Self {
        self.ready_timeout = ready_timeout;
        self
    }

    /// Runs the program under this account instead of root.
    pub(crate) fn account(mut self, account: Option<&Account>) -> Self {
        self.account = account.cloned();
        self
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.log_dir.join(format!("{}.log", self.name))
    }

    pub(super) fn command_line(&self) -> String {
        let args = self.args.iter().map(|arg| arg.to_string_lossy().into_owned());
        std::iter::once(self.path.display().to_string()).chain(args).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn configure(&self, command: &mut Command) {
        command.env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.current_dir {
            command.current_dir(dir);
        }
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
    }
}
