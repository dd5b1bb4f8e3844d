//! Progress messages on standard error. Standard output is for results.

use std::time::Instant;

/// Runs a step and prints its name before, its result and duration after.
pub fn announced<T>(what: &str, step: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let started = Instant::now();
    eprintln!("── {what} …");
    let result = step();
    let status = if result.is_ok() { "done" } else { "FAILED" };
    eprintln!("── {what}: {status} ({:.1} s)", started.elapsed().as_secs_f64());
    result
}

/// Prints one line of progress.
pub fn progress(line: &str) {
    eprintln!("   {line}");
}
