//! What went wrong on the client's side, kept for whoever compares.

use std::sync::Mutex;

/// Breaches of the contract, in order.
#[derive(Debug, Default)]
pub struct Violations(Mutex<Vec<String>>);

impl Violations {
    /// Writes one down.
    pub fn record(&self, violation: impl Into<String>) {
        let violation = violation.into();
        tracing::warn!(violation, "A client broke the contract.");
        self.lock().push(violation);
    }

    /// All so far.
    pub fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("nothing panics while it holds the violations")
    }
}
