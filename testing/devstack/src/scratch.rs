//! Folders for state that nobody needs afterwards.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Error, Result};

/// An empty folder that is removed when this is dropped.
///
/// What a killed process left behind is removed by the next one that asks for such a folder: whoever uses one holds
/// a lock on the file beside it, and the kernel lets go of that lock however its holder ends.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes a new folder under the system's temporary one. Other accounts can enter it, but not write.
    pub fn new() -> Result<Self> {
        let parent = std::env::temp_dir().join(format!("stack-of-{}", nix::unistd::geteuid()));
        Self::new_in(&parent)
            .map_err(Error::io(format!("make a scratch folder in {}", parent.display())))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    fn new_in(parent: &Path) -> std::io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
        // Held only for this moment: nobody sweeps between the creation of a lock file and its locking.
        let gate = File::create(parent.join("gate"))?;
        gate.lock()?;
        sweep(parent)?;
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (dir, lock_path) = (parent.join(&name), parent.join(format!("{name}.lock")));
        let lock = File::create(&lock_path)?;
        lock.lock()?;
        DirBuilder::new().create(&dir)?;
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { dir, lock_path, _lock: lock })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed now is swept by a later stack.
        if std::fs::remove_dir_all(&self.dir).is_ok() {
            let _ = std::fs::remove_file(&self.lock_path);
        }
    }
}

fn sweep(parent: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(parent)? {
        let lock_path = entry?.path();
        if lock_path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        // Its owner may be removing it at this moment.
        let Ok(lock) = File::open(&lock_path) else { continue };
        match lock.try_lock() {
            Ok(()) => {
                let dir = lock_path.with_extension("");
                if !dir.exists() || std::fs::remove_dir_all(&dir).is_ok() {
                    let _ = std::fs::remove_file(&lock_path);
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_and_an_abandoned_one_with_the_next() {
        let outer = Scratch::new().unwrap();
        let parent = outer.path().join("parent");
        let abandoned = parent.join("1-0");
        std::fs::create_dir_all(abandoned.join("deep")).unwrap();
        File::create(parent.join("1-0.lock")).unwrap();

        let owned = Scratch::new_in(&parent).unwrap();
        let dir = owned.path().to_path_buf();
        assert!(dir.exists() && !abandoned.exists());

        drop(owned);
        assert!(!dir.exists());
    }
}
