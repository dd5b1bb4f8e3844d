//! Child processes that always end with this process.

mod log;
mod program;

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use self::program::{Program, StopSignal};
use crate::{Error, Result};

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Time until a dropped process is killed.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts a program under the shell's process id and stops it when the pipe on standard input closes. The kernel
/// closes the pipe when this process ends, including by SIGKILL. A line on the pipe means that the program has already
/// ended and that its process id may be in use again.
const WATCHDOG: &str = r#"signal=$1; shift
exec 3<&0
(
  read -r _ <&3 && exit
  kill -"$signal" $$
  for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 1; kill -0 $$ || exit; done
  kill -KILL $$
) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null"#;

/// When a process counts as ready.
#[derive(Clone, Debug)]
pub enum Ready {
    /// As soon as it is started.
    Running,
    /// When its log has a line that contains this text.
    Line(String),
    /// When `GET` of this URL returns 200.
    Http(String),
}

/// A running program. It is stopped on drop and when this process ends, including by SIGKILL.
///
/// Its standard output and error go to `<log folder>/<name>.log`.
#[derive(Debug)]
pub struct Process {
    program: Program,
    ready: Ready,
    child: Child,
    /// Offset in the log file at which the current run begins.
    log_start: u64,
}

impl Process {
    /// Starts the program and waits until it is ready.
    pub async fn start(program: Program, ready: Ready) -> Result<Self> {
        let (child, log_start) = spawn(&program)?;
        let mut process = Self { program, ready, child, log_start };
        process.wait_until_ready().await?;
        Ok(process)
    }

    /// The name in errors and of the log file.
    pub fn name(&self) -> &str {
        &self.program.name
    }

    /// The process id of the program itself, not of a shell around it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The output of the current run so far.
    pub fn log(&self) -> String {
        log::read_from(&self.program.log_path(), self.log_start)
    }

    /// The log file, which contains all runs.
    pub fn log_path(&self) -> std::path::PathBuf {
        self.program.log_path()
    }

    /// Waits until the current run has printed a line that contains `text`.
    pub async fn wait_for_line(&mut self, text: &str, within: Duration) -> Result<()> {
        let (path, start) = (self.program.log_path(), self.log_start);
        let awaited = format!("it prints a line with `{text}`");
        self.wait_until(&awaited, within, async || {
            log::read_from(&path, start).lines().any(|line| line.contains(text))
        })
        .await
    }

    /// Waits until `GET url` answers 200.
    pub async fn wait_for_http(&mut self, url: &str, within: Duration) -> Result<()> {
        let awaited = format!("{url} answers 200");
        self.wait_until(&awaited, within, async || matches!(crate::get(url).await, Ok((200, _))))
            .await
    }

    /// Waits until `check` returns true. `awaited` completes "waiting until".
    ///
    /// # Errors
    ///
    /// When the process ends or the time is over; both errors contain the end of the log.
    pub async fn wait_until<F, Check>(
        &mut self,
        awaited: &str,
        within: Duration,
        mut check: F,
    ) -> Result<()>
    where
        F: FnMut() -> Check,
        Check: Future<Output = bool>,
    {
        let deadline = Instant::now() + within;
        loop {
            if check().await {
                return Ok(());
            }
            let status = self.try_wait()?;
            if status.is_some() || Instant::now() >= deadline {
                return Err(self.not_ready(status, awaited, within));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until the process ends.
    pub async fn wait_for_exit(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready(None, "it ends", within));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Sends the stop signal, after the stop timeout SIGKILL, and waits for the end.
    pub async fn stop(&mut self) -> Result<()> {
        self.signal(self.program.stop_signal.into());
        if self.wait_for_exit(self.program.stop_timeout).await.is_err() {
            self.kill9().await?;
        }
        Ok(())
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill9(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL);
        self.wait_for_exit(DROP_TIMEOUT).await.map(|_| ())
    }

    /// Suspends the process until [`Process::resume`]. Its connections stay open.
    pub fn pause(&mut self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn resume(&mut self) {
        self.signal(Signal::SIGCONT);
    }

    /// Stops the process if it runs, starts the program again and waits until it is ready.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        (self.child, self.log_start) = spawn(&self.program)?;
        self.wait_until_ready().await
    }

    fn not_ready(&self, status: Option<ExitStatus>, awaited: &str, within: Duration) -> Error {
        let (name, awaited) = (self.name().to_owned(), awaited.to_owned());
        let (log, tail) = (self.log_path(), log::tail(&self.log()));
        match status {
            Some(status) => Error::EndedEarly { name, status, awaited, log, tail },
            None => Error::NotReady { name, secs: within.as_secs(), awaited, log, tail },
        }
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let within = self.program.ready_timeout;
        match self.ready.clone() {
            Ready::Running => Ok(()),
            Ready::Line(text) => self.wait_for_line(&text, within).await,
            Ready::Http(url) => self.wait_for_http(&url, within).await,
        }
    }

    fn signal(&mut self, signal: Signal) {
        // The id is not reused before the child has been waited for. The child may have ended; errors don't matter.
        if self.is_running()
            && let Ok(pid) = i32::try_from(self.pid())
        {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status =
            self.child.try_wait().map_err(Error::io(format!("check {}", self.program.name)))?;
        if status.is_some()
            && let Some(mut pipe) = self.child.stdin.take()
        {
            // Ends the watchdog, which may have ended already.
            let _ = pipe.write_all(b"\n");
        }
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(self.program.stop_signal.into());
        let deadline = Instant::now() + DROP_TIMEOUT;
        while matches!(self.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                self.signal(Signal::SIGKILL);
                let _ = self.child.wait();
            } else {
                std::thread::sleep(POLL_INTERVAL);
            }
        }
    }
}

fn spawn(program: &Program) -> Result<(Child, u64)> {
    let doing = format!("start {} ({})", program.name, program.path.display());
    let log_path = program.log_path();
    std::fs::create_dir_all(&program.log_dir)
        .map_err(Error::io(format!("create the log folder {}", program.log_dir.display())))?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(Error::io(format!("open the log file {}", log_path.display())))?;
    let log_start = log.metadata().map_or(0, |found| found.len());
    let stderr = log.try_clone().map_err(Error::io(doing.clone()))?;

    let mut command = Command::new("sh");
    command
        .args(["-c", WATCHDOG, "devstack", program.stop_signal.name()])
        .arg(&program.path)
        .args(&program.args);
    command.stdin(Stdio::piped()).stdout(log).stderr(stderr);
    program.configure(&mut command);
    // Out of the terminal's process group: Ctrl-C reaches only this process, which stops the others in order.
    command.process_group(0);
    Ok((command.spawn().map_err(Error::io(doing))?, log_start))
}

/// Runs a program to its end and returns its standard output.
pub(crate) async fn run(program: &Program) -> Result<String> {
    let mut command = tokio::process::Command::new(&program.path);
    command.args(&program.args).stdin(Stdio::null()).kill_on_drop(true);
    program.configure(command.as_std_mut());
    let output = command.output().await.map_err(Error::io(format!(
        "run {} ({})",
        program.name,
        program.path.display()
    )))?;
    check_output(program.command_line(), output)
}

/// The standard output of a command that succeeded, otherwise an error with all its output.
pub(crate) fn check_output(command: String, output: Output) -> Result<String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(Error::Command { command, status: output.status, output: format!("{stdout}{stderr}") })
}

/// Checks that a program exists.
pub(crate) fn require_program(path: &Path, remedy: impl FnOnce() -> String) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    Err(Error::MissingProgram { program: path.display().to_string(), remedy: remedy() })
}
