//! Saying what is being done and how long it took.

use std::time::Instant;

/// Does a step between two lines on standard error.
pub fn announced<T>(what: &str, step: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let started = Instant::now();
    eprintln!("── {what} …");
    let result = step();
    let verdict = if result.is_ok() { "done" } else { "FAILED" };
    eprintln!("── {what}: {verdict} ({:.1} s)", started.elapsed().as_secs_f64());
    result
}

/// One line of progress on standard error; standard output belongs to results.
pub fn progress(line: &str) {
    eprintln!("   {line}");
}
