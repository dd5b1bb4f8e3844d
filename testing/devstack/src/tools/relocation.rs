//! PostgreSQL's programs where the account that runs them can get at them.

use std::path::{Path, PathBuf};

use super::postgres::{OLDEST, PostgresTools};
use super::run;
use crate::account::Account;
use crate::{Error, Result};

/// The same programs where the account that runs them can get at them: a copy, when they lie in somebody's home.
pub(super) fn reachable(tools: PostgresTools) -> Result<PostgresTools> {
    let Some(account) = Account::instead_of_root()? else { return Ok(tools) };
    if account.can_reach(&tools.bin) {
        return Ok(tools);
    }
    let copy =
        std::env::temp_dir().join(format!("stack-postgres-{}", tools.major().unwrap_or(OLDEST)));
    let relative = Layout::of(&tools.bin);
    if let Some(copied) = PostgresTools::in_dir(copy.join(&relative.bin)) {
        return Ok(copied);
    }
    eprintln!("Copying PostgreSQL from {} to {} (once) …", tools.bin.display(), copy.display());
    // Copied beside and moved, so that nobody sees half of it.
    let unfinished = copy.with_extension(std::process::id().to_string());
    relative.copy(&unfinished)?;
    match std::fs::rename(&unfinished, &copy) {
        Err(error) if !copy.exists() => Err(Error::io(format!("create {}", copy.display()))(error)),
        _ => Ok(PostgresTools { bin: copy.join(relative.bin) }),
    }
}

/// How an installation lies in its surroundings. Programs of a Python package load libraries from a folder beside
/// the package, by a path relative to themselves.
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
