//! A Python environment as a package manager: its packages contain prebuilt programs and need no root.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::command::{on_path, run};
use crate::{Error, Result};

/// The pinned versions of all external programs.
const REQUIREMENTS: &str = include_str!("../../requirements.txt");

/// A virtual environment in the tools folder.
pub struct Environment {
    tools_dir: PathBuf,
    dir: PathBuf,
}

impl Environment {
    /// The environment in this tools folder; it need not exist yet.
    pub fn new(tools_dir: &Path) -> Self {
        Self { tools_dir: tools_dir.to_path_buf(), dir: tools_dir.join("python") }
    }

    pub fn program_path(&self, name: &str) -> PathBuf {
        self.dir.join("bin").join(name)
    }

    /// Installs the packages that are missing in their pinned version.
    pub fn ensure_installed(&self, packages: &[&str]) -> Result<()> {
        let missing = self.missing(packages)?;
        if missing.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.tools_dir)
            .map_err(Error::io(format!("create {}", self.tools_dir.display())))?;
        let lock_path = self.tools_dir.join("install.lock");
        let lock = File::create(&lock_path)
            .map_err(Error::io(format!("create {}", lock_path.display())))?;
        lock.lock().map_err(Error::io(format!("lock {}", lock_path.display())))?;
        // Another process may have installed them in the meantime.
        self.install(&self.missing(packages)?)
    }

    /// The folder of an installed package.
    pub fn package_dir(&self, package: &str) -> Result<PathBuf> {
        let script = "import sysconfig; print(sysconfig.get_paths()['platlib'])";
        let site_packages = run(&self.program_path("python"), &["-c", script])?;
        Ok(Path::new(site_packages.trim()).join(package))
    }

    fn install(&self, requirements: &[&str]) -> Result<()> {
        if requirements.is_empty() {
            return Ok(());
        }
        let names = requirements.join(" ");
        eprintln!("Installing {names} into {} (once) …", self.dir.display());
        if !self.program_path("python").is_file() {
            let python = on_path("python3").ok_or_else(|| Error::MissingProgram {
                program: "python3".to_owned(),
                remedy: format!("install Python 3 with its venv module; it downloads {names}"),
            })?;
            run(&python, &["-m", "venv", &self.dir.to_string_lossy()])?;
        }
        let mut args =
            vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
        args.extend(requirements);
        run(&self.program_path("python"), &args)?;
        for requirement in requirements {
            let stamp = self.stamp_path(requirement);
            File::create(&stamp).map_err(Error::io(format!("create {}", stamp.display())))?;
        }
        Ok(())
    }

    fn missing(&self, packages: &[&str]) -> Result<Vec<&'static str>> {
        let pinned: Vec<&'static str> =
            packages.iter().map(|package| requirement(package)).collect::<Result<_>>()?;
        Ok(pinned
            .into_iter()
            .filter(|requirement| !self.stamp_path(requirement).is_file())
            .collect())
    }

    /// A file that marks this version as installed. It is removed together with the environment.
    fn stamp_path(&self, requirement: &str) -> PathBuf {
        self.dir.join(format!("installed-{requirement}"))
    }
}

/// The line `name==version` of a package.
fn requirement(package: &str) -> Result<&'static str> {
    REQUIREMENTS
        .lines()
        .find(|line| line.split_once("==").is_some_and(|(name, _)| name == package))
        .ok_or_else(|| {
            Error::Setting(format!(
                "testing/devstack/requirements.txt has no line `{package}==<version>`; add it"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_pinned() {
        let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let (name, version) = line.split_once("==").unwrap();
            assert!(
                !name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()),
                "{line}"
            );
        }
    }
}
