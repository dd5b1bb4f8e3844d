//! Copies PostgreSQL to where its account can execute it.

use std::path::{Path, PathBuf};

use super::command::run;
use super::postgres::{MIN_MAJOR, PostgresTools};
use crate::account::Account;
use crate::{Error, Result};

/// Returns the same programs, or a copy if PostgreSQL's account can't reach them, such as in a home folder.
pub(super) fn make_reachable(tools: PostgresTools) -> Result<PostgresTools> {
    let Some(account) = Account::instead_of_root()? else { return Ok(tools) };
    if account.can_reach(&tools.bin) {
        return Ok(tools);
    }
    let copy = std::env::temp_dir()
        .join(format!("devstack-postgres-{}", tools.major().unwrap_or(MIN_MAJOR)));
    let relative = Layout::of(&tools.bin);
    if let Some(copied) = PostgresTools::in_dir(copy.join(&relative.bin)) {
        return Ok(copied);
    }
    eprintln!("Copying PostgreSQL from {} to {} (once) …", tools.bin.display(), copy.display());
    // Copied and then renamed, so that no process sees an incomplete copy.
    let unfinished = copy.with_extension(std::process::id().to_string());
    relative.copy(&unfinished)?;
    match std::fs::rename(&unfinished, &copy) {
        Err(error) if !copy.exists() => Err(Error::io(format!("create {}", copy.display()))(error)),
        _ => Ok(PostgresTools { bin: copy.join(relative.bin) }),
    }
}

/// Paths of an installation relative to a common root. The programs of the Python package load libraries from a
/// neighbouring folder by a relative path.
struct Layout {
    root: PathBuf,
    bin: PathBuf,
}

impl Layout {
    fn of(bin: &Path) -> Self {
        let root = bin.ancestors().nth(3).unwrap_or(Path::new("/")).to_path_buf();
        let bin = bin.strip_prefix(&root).unwrap_or(bin).to_path_buf();
        Self { root, bin }
    }

    fn copy(&self, to: &Path) -> Result<()> {
        let installation = self.bin.parent().unwrap_or(&self.bin);
        let package = installation.parent().unwrap_or(installation);
        let mut libraries = package.as_os_str().to_owned();
        libraries.push(".libs");
        for part in [installation, Path::new(&libraries)] {
            let (from, to) = (self.root.join(part), to.join(part));
            if !from.is_dir() {
                continue;
            }
            let parent = to.parent().unwrap_or(&to);
            std::fs::create_dir_all(parent)
                .map_err(Error::io(format!("create {}", parent.display())))?;
            run(Path::new("cp"), &["-R", &from.to_string_lossy(), &to.to_string_lossy()])?;
            run(Path::new("chmod"), &["-R", "a+rX", &to.to_string_lossy()])?;
        }
        Ok(())
    }
}
