//! Finds and runs programs.

use std::path::{Path, PathBuf};

use crate::process::check_output;
use crate::{Error, Result};

/// The first file of this name in the folders of `PATH`.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

/// Runs a program and returns its standard output. Blocks.
pub(super) fn run(program: &Path, args: &[&str]) -> Result<String> {
    let command = format!("{} {}", program.display(), args.join(" "));
    let output = std::process::Command::new(program)
        .args(args)
        .output()
        .map_err(Error::io(format!("run `{command}`")))?;
    check_output(command, output)
}
