//! Folders of this checkout, and temporary ones.

use std::fs::{File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Error, Result};

/// The root of the workspace.
///
/// Prefers the package that Cargo runs to the path at compile time: they differ after a checkout was moved together
/// with its `target/`.
pub fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let manifest = manifest.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = manifest.ancestors().find(|folder| folder.join("rust-toolchain.toml").is_file());
    root.unwrap_or(&manifest).to_path_buf()
}

/// The folder for external programs, ignored by Git.
pub fn tools_dir() -> PathBuf {
    root().join(".tools")
}

/// The folder for the state of the named stack, ignored by Git.
pub fn state_dir(name: &str) -> PathBuf {
    root().join(".stack").join(name)
}

/// The folder with the binaries of the profile of the running program, such as `target/debug`.
///
/// `STACK_BIN_DIR` overrides it.
pub fn bin_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("STACK_BIN_DIR") {
        return Ok(dir.into());
    }
    let program = std::env::current_exe().map_err(Error::io("find the path of this program"))?;
    let dir = program.parent().unwrap_or(&program);
    // Test binaries are one folder deeper.
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    Ok(dir.to_path_buf())
}

/// Creates a temporary folder that other accounts can read. It is removed on drop.
pub fn temp_dir() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("devstack-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .map_err(Error::io("create a temporary folder"))
}

/// An exclusive lock on a folder, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Creates the folder and locks it.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another process holds the lock.
    pub fn acquire(dir: &Path) -> Result<Self> {
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
