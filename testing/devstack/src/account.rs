//! The account under which PostgreSQL runs when this process is root. PostgreSQL refuses to run as root.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{User, geteuid};

use crate::{Error, Result};

/// An unprivileged account of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// The account to use instead of root. `None` if this process is not root.
    pub fn instead_of_root() -> Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let found =
            ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
        match found {
            Some(user) => Ok(Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() })),
            None => Err(Error::Setting(
                "PostgreSQL refuses to run as root and this machine has no account `postgres` or `nobody`; \
                 add one of them, or run as another user"
                    .to_owned(),
            )),
        }
    }

    /// Whether this account may enter every folder above `path`.
    pub fn can_reach(&self, path: &Path) -> bool {
        path.ancestors().filter(|ancestor| ancestor.exists()).all(|ancestor| {
            ancestor.metadata().is_ok_and(|found| {
                let mode = found.permissions().mode();
                mode & 0o001 != 0 || (found.uid() == self.uid && mode & 0o100 != 0)
            })
        })
    }

    /// Makes this account the owner of a folder.
    pub fn take_ownership(&self, dir: &Path) -> Result<()> {
        std::os::unix::fs::chown(dir, Some(self.uid), Some(self.gid)).map_err(Error::io(format!(
            "change the owner of {} to PostgreSQL's account",
            dir.display()
        )))
    }
}
