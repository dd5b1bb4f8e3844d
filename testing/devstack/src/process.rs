//! Child processes that are never left behind.

mod log;
mod program;

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use self::program::{Program, StopSignal};
use crate::{Error, Result};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How long a process that is dropped may take to stop, before it is killed.
const GRACE_ON_DROP: Duration = Duration::from_secs(5);

/// Starts a program under its own process id and stops it when the pipe on standard input closes: the kernel
/// closes our end however we end, `kill -9` included. A line on the pipe means that the program has ended already
/// and its id may belong to somebody else by now.
const WATCHED: &str = r#"signal=$1; shift
exec 3<&0
(
  read -r _ <&3 && exit
  kill -"$signal" $$
  for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 1; kill -0 $$ || exit; done
  kill -KILL $$
) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null"#;

/// How to tell that a process can be used.
#[derive(Clone, Debug)]
pub enum Ready {
    /// As soon as it runs.
    Running,
    /// Once its log has a line that contains this.
    Line(String),
    /// Once `GET` of this address answers 200.
    Http(String),
}

/// A running program, stopped when this is dropped and when our own process ends in whatever way.
///
/// Its standard output and error go to `<log folder>/<name>.log`.
#[derive(Debug)]
pub struct Process {
    program: Program,
    ready: Ready,
    child: Child,
    /// Where the log of the current run begins in the log file.
    log_start: u64,
}

impl Process {
    /// Starts the program and waits until it is ready, for as long as the program may take.
    pub async fn start(program: Program, ready: Ready) -> Result<Self> {
        let (child, log_start) = spawn(&program)?;
        let mut process = Self { program, ready, child, log_start };
        process.wait_until_ready().await?;
        Ok(process)
    }

    /// The name under which errors and the log file speak of it.
    pub fn name(&self) -> &str {
        &self.program.name
    }

    /// The id of the program itself, not of a shell around it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What the current run has printed so far.
    pub fn log(&self) -> String {
        log::since(&self.program.log_path(), self.log_start)
    }

    /// The file with the log of all runs.
    pub fn log_path(&self) -> std::path::PathBuf {
        self.program.log_path()
    }

    /// Waits until the current run has printed a line that contains `text`.
    pub async fn wait_for_line(&mut self, text: &str, within: Duration) -> Result<()> {
        let (path, start) = (self.program.log_path(), self.log_start);
        let awaited = format!("it prints a line with `{text}`");
        self.wait_until(&awaited, within, async || {
            log::since(&path, start).lines().any(|line| line.contains(text))
        })
        .await
    }

    /// Waits until `GET url` answers 200.
    pub async fn wait_for_http(&mut self, url: &str, within: Duration) -> Result<()> {
        let awaited = format!("{url} answers 200");
        self.wait_until(&awaited, within, async || matches!(crate::get(url).await, Ok((200, _))))
            .await
    }

    /// Waits until `check` holds. Fails as soon as the process ends, and when the time is over; both errors show
    /// the end of the log. `awaited` completes "waiting until".
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
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until it ends by itself.
    pub async fn wait_for_exit(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready(None, "it ends", within));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks it to stop, kills it when it has not done so within its grace period, and returns once it is gone.
    pub async fn stop(&mut self) -> Result<()> {
        self.signal(self.program.stop_signal.into());
        if self.wait_for_exit(self.program.grace).await.is_err() {
            self.kill9().await?;
        }
        Ok(())
    }

    /// Kills it without a warning and returns once it is gone.
    pub async fn kill9(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL);
        self.wait_for_exit(GRACE_ON_DROP).await.map(|_| ())
    }

    /// Freezes it: it keeps its connections and answers nothing until [`Process::resume`].
    pub fn pause(&mut self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a frozen process go on.
    pub fn resume(&mut self) {
        self.signal(Signal::SIGCONT);
    }

    /// Stops it if it runs, starts the same program again and waits until that is ready.
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
        let within = self.program.start_within;
        match self.ready.clone() {
            Ready::Running => Ok(()),
            Ready::Line(text) => self.wait_for_line(&text, within).await,
            Ready::Http(url) => self.wait_for_http(&url, within).await,
        }
    }

    fn signal(&mut self, signal: Signal) {
        // The id stays ours until the child has been waited for, and the child may end at any moment anyway.
        if self.is_running()
            && let Ok(pid) = i32::try_from(self.pid())
        {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self
            .child
            .try_wait()
            .map_err(Error::io(format!("look after {}", self.program.name)))?;
        if status.is_some()
            && let Some(mut pipe) = self.child.stdin.take()
        {
            // Sends the watchdog home; it may have gone before.
            let _ = pipe.write_all(b"\n");
        }
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(self.program.stop_signal.into());
        let deadline = Instant::now() + GRACE_ON_DROP;
        while matches!(self.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                self.signal(Signal::SIGKILL);
                let _ = self.child.wait();
            } else {
                std::thread::sleep(POLL);
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
    let log_too = log.try_clone().map_err(Error::io(doing.clone()))?;

    let mut command = Command::new("sh");
    command
        .args(["-c", WATCHED, "stack", program.stop_signal.name()])
        .arg(&program.path)
        .args(&program.args);
    command.stdin(Stdio::piped()).stdout(log).stderr(log_too);
    program.set_up(&mut command);
    // Out of the terminal's group: Ctrl-C reaches us, and we stop the others in their order.
    command.process_group(0);
    Ok((command.spawn().map_err(Error::io(doing))?, log_start))
}

/// Runs a program to its end; what it printed when that was good, otherwise an error that shows it.
pub(crate) async fn run(program: &Program) -> Result<String> {
    let mut command = tokio::process::Command::new(&program.path);
    command.args(&program.args).stdin(Stdio::null()).kill_on_drop(true);
    program.set_up(command.as_std_mut());
    let output = command.output().await.map_err(Error::io(format!(
        "run {} ({})",
        program.name,
        program.path.display()
    )))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    let command = program.command_line();
    Err(Error::Command { command, status: output.status, output: format!("{printed}{complaints}") })
}

/// Whether a program is where it is said to be; otherwise the remedy is part of the error.
pub(crate) fn require(path: &Path, remedy: impl FnOnce() -> String) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    Err(Error::MissingProgram { program: path.display().to_string(), remedy: remedy() })
}
