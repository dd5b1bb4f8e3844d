//! Whether a webhook is genuine: one scheme for each sender.

pub mod telnyx;
pub mod ultravox;

/// The webhook is not known to be genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotGenuine;
