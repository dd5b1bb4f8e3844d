//! Where things are in this checkout.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The folder with the workspace's `Cargo.toml`: that of the package which Cargo runs, otherwise the one in which
/// this was compiled. The two differ once a checkout was moved together with its build folder.
pub fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let manifest = manifest.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = manifest.ancestors().find(|folder| folder.join("rust-toolchain.toml").is_file());
    root.unwrap_or(&manifest).to_path_buf()
}

/// The ignored folder into which external programs are installed.
pub fn tools_dir() -> PathBuf {
    root().join(".tools")
}

/// The ignored folder that holds the state of the named stack.
pub fn state_dir(name: &str) -> PathBuf {
    root().join(".stack").join(name)
}

/// The folder with the binaries of the profile that the running program was built with: `target/debug`, say.
///
/// `STACK_BIN_DIR` names another one.
pub fn bin_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("STACK_BIN_DIR") {
        return Ok(dir.into());
    }
    let program = std::env::current_exe().map_err(Error::io("learn where this program lies"))?;
    let dir = program.parent().unwrap_or(&program);
    // Tests lie one folder deeper than binaries.
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    Ok(dir.to_path_buf())
}

/// Marks a folder as used by this process, until it is dropped or the process ends.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Creates the folder and locks it; fails at once when another process has it.
    pub fn take(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(Error::io(format!("create {}", dir.display())))?;
        let path = dir.join("lock");
        let file = File::create(&path).map_err(Error::io(format!("create {}", path.display())))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy(dir.to_path_buf())),
            Err(TryLockError::Error(source)) => {
                Err(Error::io(format!("lock {}", path.display()))(source))
            }
        }
    }
}
